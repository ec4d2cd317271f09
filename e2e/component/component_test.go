package component

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// spy is a test that records how it ended instead of ending.
type spy struct {
	testing.TB
	skipped, failed string
}

func (*spy) Helper()                       {}
func (s *spy) Skipf(f string, args ...any) { s.skipped = fmt.Sprintf(f, args...) }
func (s *spy) Fatalf(f string, args ...any) {
	s.failed = fmt.Sprintf(f, args...)
	panic(s)
}

// TestCommand: what is on PATH comes before what was built, and of that the last version counts.
func TestCommand(t *testing.T) {
	path, tools := t.TempDir(), t.TempDir()
	t.Setenv("PATH", path)
	t.Setenv("VITRINE_TOOLS", tools)
	t.Setenv("CI", "")
	program := func(dir, name string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, nil, 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	both, built := program(path, "both"), program(tools, "built-v1.2.0")
	program(tools, "both-v1.0.0")
	program(tools, "built-v1.1.0")
	for name, want := range map[string]string{"both": both, "built": built} {
		if got := Command(t, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	s := &spy{TB: t}
	func() {
		defer func() { _ = recover() }() // a skipped test would not go on
		Command(s, "buil")
	}()
	if s.skipped == "" {
		t.Error("a program that is not there skips no test")
	}
}

func TestMissing(t *testing.T) {
	for _, test := range []struct {
		desc, ci, name string
		fails          bool
	}{
		{"elsewhere it skips", "", "no-such-program", false},
		{"in CI it fails", "true", "no-such-program", true},
		{"in CI what absent.txt lists skips", "true", "grafana", false},
		{"in CI the beginning of a listed name fails", "true", "graf", true},
		{"in CI a word of a reason fails", "true", "Its", true},
	} {
		t.Run(test.desc, func(t *testing.T) {
			t.Setenv("CI", test.ci)
			s := &spy{TB: t}
			func() {
				defer func() {
					if p := recover(); p != nil && p != s {
						panic(p)
					}
				}()
				Missing(s, test.name, "a reason")
			}()
			if failed := s.failed != ""; failed != test.fails || failed == (s.skipped != "") {
				t.Errorf("skipped %q, failed %q", s.skipped, s.failed)
			}
		})
	}
}
