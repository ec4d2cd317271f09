package component

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// Promtool is a command of Prometheus' own checker that runs in dir of this repository: the program on PATH or
// among those that e2e/offline has built, or else the one in the image that docker-compose.yml names.
func Promtool(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := find("promtool")
	if path == "" {
		image := prometheusImage(t, filepath.Join(dir, "..", "docker-compose.yml"))
		if err := exec.Command("docker", "image", "inspect", image).Run(); err != nil {
			Missing(t, "promtool", "not on PATH, and docker has no "+image)
		}
		path = "docker"
		args = append([]string{"run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
			"--volume", dir + ":/work:ro", "--workdir", "/work", "--entrypoint", "promtool", image}, args...)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	return cmd
}

func prometheusImage(t testing.TB, compose string) string {
	t.Helper()
	text, err := os.ReadFile(compose)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`image: (prom/prometheus:\S+)`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s names no image of Prometheus", compose)
	}
	return string(m[1])
}
