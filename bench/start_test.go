package main

import (
	"fmt"
	"strings"
	"testing"

	"vitrine/e2e/component"
)

func TestStartSuite(t *testing.T) {
	r := try(t, suite{"start", startSuite})
	for _, note := range r.Notes {
		if strings.HasPrefix(note, "podinfo was not had") {
			component.Missing(t, "podinfo", note)
		}
	}
	checkGoals(t, r, "podinfo", "podinfo")
}

// TestStartReport: the goals are ratios round by round, of the first program and podinfo.
func TestStartReport(t *testing.T) {
	const mib = 1 << 20
	var r report
	r.add([]starter{{name: "first"}, {name: "podinfo"}}, []float64{2 * mib, 4 * mib},
		[][]float64{{1e6, 6e6, 3e6}, {4e6, 6e6, 6e6}},
		[][]asleep{{{resident: 3 * mib, own: mib, file: 2 * mib, threads: 4, goroutines: 5}}, {{resident: 4 * mib}}})
	want := "[first 3 ms (1 ms to 6 ms) 3 MiB 1 MiB 2 MiB 2 MiB 4 5]"
	if got := fmt.Sprint(r.Rows[0]); got != want {
		t.Errorf("the row is %s, want %s", got, want)
	}
	for i, want := range []figure{{.5, .25, 1}, {.75, .75, .75}} {
		if got := r.Goals[i].Got; got != want {
			t.Errorf("%s is %v, want %v", r.Goals[i].Work, got, want)
		}
	}
}

func TestNumberAfter(t *testing.T) {
	const text = "go_goroutines_max 9\nVmRSS:\t  12 kB\ngo_goroutines 7\n"
	for name, want := range map[string]float64{"VmRSS:": 12, "go_goroutines": 7} {
		if got, err := numberAfter(text, name); err != nil || got != want {
			t.Errorf("after %q comes %v (%v), want %v", name, got, err, want)
		}
	}
	if n, err := numberAfter(text, "RssAnon:"); err == nil {
		t.Errorf("what is not there is %v", n)
	}
}
