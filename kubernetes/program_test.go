package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// command returns the path of a program, or skips the test: as e2e/component does, in a module that does not depend on
// that one.
func command(t *testing.T, name string) string {
	t.Helper()
	path := lookup(name)
	if path == "" {
		missing(t, name, "neither on PATH nor built")
	}
	return path
}

// lookup finds a program on PATH or among those that e2e/offline has built.
func lookup(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	tools := os.Getenv("VITRINE_TOOLS")
	if tools == "" {
		cache, _ := os.UserCacheDir() // without a home there are none
		tools = filepath.Join(cache, "vitrine", "tools")
	}
	built, _ := filepath.Glob(filepath.Join(tools, name+"-v*")) // fails for a bad pattern alone
	if len(built) == 0 {
		return ""
	}
	return slices.Max(built)
}

// missing skips the test, or fails it where nothing may be skipped but what e2e/absent.txt lists.
func missing(t *testing.T, name, why string) {
	t.Helper()
	listed := slices.ContainsFunc(strings.Split(text(t, "../e2e/absent.txt"), "\n"), func(line string) bool {
		words := strings.Fields(line)
		return len(words) > 1 && words[0] == name
	})
	if os.Getenv("CI") == "true" && !listed {
		t.Fatalf("%s is missing, and e2e/absent.txt does not list it: %s", name, why)
	}
	t.Skipf("skipped for want of %s: %s", name, why)
}

// promtool runs in dir: the program, or else the one in the image that docker-compose.yml names.
func promtool(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	path := lookup("promtool")
	if path == "" {
		image := find(t, "../docker-compose.yml", `image: (prom/prometheus:\S+)`)[0]
		if err := exec.Command("docker", "image", "inspect", image).Run(); err != nil {
			missing(t, "promtool", "not on PATH, and docker has no "+image)
		}
		path = "docker"
		args = append([]string{"run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
			"--volume", dir + ":/work:ro", "--workdir", "/work", "--entrypoint", "promtool", image}, args...)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	return cmd
}

// process runs until the test ends, and what it said is shown if that failed.
func process(t *testing.T, env []string, path string, args ...string) *exec.Cmd {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay, cmd.Env = &out, &out, time.Second, env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(path), out.String()[max(0, out.Len()-2<<10):])
		}
	})
	return cmd
}

// freeAddr is a loopback address that nobody listens at.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually waits for what must come; only a failure takes the minute.
func eventually(t *testing.T, what string, is func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := is()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
