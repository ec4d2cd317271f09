package component

import (
	"fmt"
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
