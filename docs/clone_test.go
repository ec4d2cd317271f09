// Package docs_test holds the documents against the repository: what they link to and name is there, and what they tell a
// reader to run does what stands beside it.
package docs_test

import (
	"bytes"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vitrine/e2e/component"
)

// clone is a fresh clone of the repository, with what the work tree has changed since: nothing that git does not track can
// help in it.
var clone = sync.OnceValues(func() (string, error) {
	parent, err := os.MkdirTemp("", "vitrine-docs")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, "elsewhere")
	if _, err := git("..", nil, "clone", "--quiet", ".", dir); err != nil {
		return "", err
	}
	changes, err := git("..", nil, "diff", "--binary", "HEAD")
	if err == nil && len(changes) > 0 {
		_, err = git(dir, changes, "apply", "--index", "-")
	}
	return dir, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := clone(); err == nil {
		_ = os.RemoveAll(filepath.Dir(dir))
	}
	os.Exit(code)
}

func git(dir string, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(stdin), os.Stderr
	return cmd.Output()
}

// repository is the clone, and the names of its files.
type repository struct {
	dir   string
	files []string
	known map[string]bool // files and folders
}

func cloned(t *testing.T) repository {
	t.Helper()
	component.Command(t, "git")
	dir, err := clone()
	if err != nil {
		t.Fatal(err)
	}
	names, err := git(dir, nil, "ls-files", "-z")
	if err != nil {
		t.Fatal(err)
	}
	r := repository{dir, strings.Split(strings.Trim(string(names), "\x00"), "\x00"), map[string]bool{".": true}}
	for _, name := range r.files {
		for ; name != "."; name = path.Dir(name) {
			r.known[name] = true
		}
	}
	return r
}

// read returns a file of the clone.
func (r repository) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documents are the Markdown files.
func (r repository) documents() (names []string) {
	for _, name := range r.files {
		if strings.HasSuffix(name, ".md") {
			names = append(names, name)
		}
	}
	return names
}
