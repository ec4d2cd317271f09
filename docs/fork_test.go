package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/e2e/component"
	"vitrine/e2e/markdown"
)

// TestFork: after the commands of CONTRIBUTING.md each module has another name, and what it needs is there. Those whose packages
// import this one's are built, with their tests.
func TestFork(t *testing.T) {
	r := cloned(t)
	component.Command(t, "perl")
	_, section, found := strings.Cut(r.read(t, "CONTRIBUTING.md"), "\n## Fork it\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := markdown.Blocks(section)
	if !found || len(blocks) != 1 {
		t.Fatalf("CONTRIBUTING.md has %d blocks of commands in Fork it, want one", len(blocks))
	}
	fork := filepath.Join(t.TempDir(), "fork")
	if err := os.CopyFS(fork, os.DirFS(r.dir)); err != nil {
		t.Fatal(err)
	}
	shell(t, fork, "set -e\n"+blocks[0].Text)
	for _, dir := range []string{".", "bench", "grafana", "kubernetes"} {
		command := "go list -deps -test ./... >" + os.DevNull
		if dir == "." || dir == "bench" {
			command = "go vet -tags e2e,drill ./..."
		}
		shell(t, filepath.Join(fork, dir), command)
		name := strings.TrimSpace(shell(t, filepath.Join(fork, dir), "go list -m"))
		if want := path.Join("example.com/shop", dir); name != want {
			t.Errorf("the module in %s is %s, want %s", dir, name, want)
		}
	}
}
