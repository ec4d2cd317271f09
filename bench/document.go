package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"vitrine/e2e/markdown"
)

const (
	documentFile = "docs/performance.md"
	resultsFile  = "bench/results.json"
)

// results are what was measured last.
type results struct {
	Machine string            `json:"machine"`
	Reports map[string]report `json:"reports"`
}

func readResults(dir string) (results, error) {
	r := results{Reports: map[string]report{}}
	b, err := os.ReadFile(filepath.Join(dir, resultsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", resultsFile, err)
	}
	return r, nil
}

func (r results) write(dir string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, resultsFile), append(b, '\n'), 0o644)
}

// write writes the document's tables.
func write(dir string) error {
	text, err := rendered(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, documentFile), []byte(text), 0o644)
}

// rendered is what the document is to be. It must say of each goal that is not reached why it is not: under a heading
// of its own.
func rendered(dir string) (string, error) {
	r, err := readResults(dir)
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(filepath.Join(dir, documentFile))
	if err != nil {
		return "", err
	}
	text := string(b)
	var goals [][]string
	var errs []error
	for _, s := range suites {
		of, ok := r.Reports[s.name]
		if !ok {
			errs = append(errs, fmt.Errorf("%s has nothing of the suite %q", resultsFile, s.name))
			continue
		}
		for _, g := range of.Goals {
			goals = append(goals, g.row())
			heading := "### " + g.Work + ", against " + g.Against + "\n"
			switch explained := strings.Contains(text, heading); {
			case !g.reached() && !explained:
				errs = append(errs, fmt.Errorf("%s does not say why this is not reached: %s", documentFile, heading))
			case g.reached() && explained:
				errs = append(errs, fmt.Errorf("%s says why this is not reached, and it is: %s", documentFile, heading))
			}
		}
		if text, err = markdown.Replaced(text, s.name, of.markdown()); err != nil {
			errs = append(errs, err)
		}
	}
	for name, now := range map[string]string{
		"goals":   markdown.Table([]string{"work", "against", "to reach", "measured", ""}, goals),
		"machine": r.Machine + "\n",
	} {
		if text, err = markdown.Replaced(text, name, now); err != nil {
			errs = append(errs, err)
		}
	}
	return text, errors.Join(errs...)
}

// machine says where and of what it is measured.
func machine(ctx context.Context) string {
	kernel, err := exec.CommandContext(ctx, "uname", "-srm").Output()
	if err != nil {
		kernel = []byte("an unknown kernel")
	}
	said := []string{fmt.Sprintf("%d processors (%s)", runtime.NumCPU(), processor()), strings.TrimSpace(string(kernel)), runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			for _, named := range []string{
				"otter/v2", "go-redis/v9", "go-redis/cache/v9", "ristretto/v2", "theine-go", "rueidis", "sturdyc", "otelhttp",
			} {
				if strings.HasSuffix(m.Path, "/"+named) {
					said = append(said, named+" "+m.Version)
				}
			}
		}
	}
	return strings.Join(said, "; ") + "."
}

func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
