package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/perf/benchfmt"
)

// measured are rounds of Go benchmarks.
type measured struct {
	names  []string                        // without "Benchmark", in the order of the runs
	values map[string]map[string][]float64 // by name and unit, "ns/op" or "allocs/op": one a round
}

// goBenchmarks runs benchmarks of a package of the repository on one processor, all of them once a round.
func (b *bench) goBenchmarks(ctx context.Context, pkg, pattern string, each time.Duration) (m measured, err error) {
	binary, err := filepath.Abs(filepath.Join(b.scratch, filepath.Base(pkg)+".test"))
	if err != nil {
		return m, err
	}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, pkg)
	build.Dir = b.dir
	if out, err := build.CombinedOutput(); err != nil {
		return m, fmt.Errorf("go test -c %s: %w\n%s", pkg, err, out)
	}
	for range b.rounds {
		run := exec.CommandContext(ctx, binary, "-test.run", "^$", "-test.bench", pattern, "-test.benchmem", "-test.cpu", "1",
			"-test.benchtime", time.Duration(float64(each)*b.share).String())
		run.Dir = filepath.Join(b.dir, pkg)
		out, err := run.Output()
		if err != nil {
			return m, fmt.Errorf("%s of %s: %w\n%s", pattern, pkg, err, out)
		}
		if err := m.add(out); err != nil {
			return m, fmt.Errorf("%s of %s: %w", pattern, pkg, err)
		}
		fmt.Fprint(os.Stderr, ".")
	}
	fmt.Fprintln(os.Stderr)
	return m, nil
}

// add adds what a run has written.
func (m *measured) add(out []byte) error {
	r := benchfmt.NewReader(bytes.NewReader(out), "")
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			return rec
		case *benchfmt.Result:
			name := rec.Name.String()
			if m.values == nil {
				m.values = map[string]map[string][]float64{}
			}
			if m.values[name] == nil {
				m.names = append(m.names, name)
				m.values[name] = map[string][]float64{}
			}
			for _, v := range rec.Values {
				value := v.Value
				if v.OrigUnit != "" { // ns have become seconds
					value = v.OrigValue
				}
				unit := cmp.Or(v.OrigUnit, v.Unit)
				m.values[name][unit] = append(m.values[name][unit], value)
			}
		}
	}
	return r.Err()
}

// middle is the median of a benchmark's rounds, as it is shown; "–" where it has none in that unit.
func (m measured) middle(name, unit string, shown func(float64) string) string {
	rounds := m.values[name][unit]
	if len(rounds) == 0 {
		return "–"
	}
	return shown(figureOf(rounds).Median)
}
