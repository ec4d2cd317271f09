// Command bench measures Vitrine beside its peers and writes docs/performance.md from that. Each contender is a process of
// its own, those of one table take turns, and a claim is the ratio of two of them within the same rounds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"strings"
)

// suite measures what one table shows.
type suite struct {
	name string
	run  func(context.Context, *bench) (report, error)
}

// suites are in the document's order.
var suites = []suite{
	{"hit", hitSuite},
	{"proxy", proxySuite},
	{"peers", peersSuite},
	{"start", startSuite},
	{"collector", collectorSuite},
	{"origin", originSuite},
	{"bodies", bodiesSuite},
	{"fetch", fetchSuite},
	{"far", farSuite},
	{"stampede", stampedeSuite},
	{"hitratio", hitratioSuite},
	{"memory", memorySuite},
	{"profile", profileSuite},
}

// bench is what suites share.
type bench struct {
	dir     string // of the repository
	scratch string // removed at the end
	rounds  int
	share   float64 // of the usual number of operations that a round has
}

// ops is how many operations a round is to have.
func (b *bench) ops(n int) int { return max(int(float64(n)*b.share), 1) }

func main() {
	if name := os.Getenv(contenderVariable); name != "" {
		if err := contend(name); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{}
	flag.StringVar(&b.dir, "dir", "..", "where the repository is")
	flag.IntVar(&b.rounds, "rounds", 9, "of which the medians are taken")
	flag.Float64Var(&b.share, "share", 1, "of the usual number of operations a round; small ones try out, and measure nothing")
	only := flag.String("only", "", "suites to run, with commas between them; the others stay as they were measured last")
	render := flag.Bool("render", false, "measure nothing: write what was measured last")
	flag.Parse()
	var err error
	if !*render {
		err = b.measure(ctx, *only)
	}
	if err == nil {
		err = write(b.dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measure runs suites, all if only is empty, and keeps what each has measured as soon as it has.
func (b *bench) measure(ctx context.Context, only string) (err error) {
	if b.scratch, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.scratch)) }()
	chosen, err := choose(only)
	if err != nil {
		return err
	}
	kept, err := readResults(b.dir)
	if err != nil {
		return err
	}
	kept.Machine = machine(ctx)
	for _, s := range chosen {
		r, err := s.run(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Printf("\n%s\n\n%s", s.name, r.markdown())
		kept.Reports[s.name] = r
		if err := kept.write(b.dir); err != nil {
			return err
		}
	}
	return nil
}

func choose(only string) ([]suite, error) {
	if only == "" {
		return suites, nil
	}
	var chosen []suite
	for name := range strings.SplitSeq(only, ",") {
		before := len(chosen)
		for _, s := range suites {
			if s.name == name {
				chosen = append(chosen, s)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("-only: there is no suite %q", name)
		}
	}
	return chosen, nil
}

// build builds a command of some module into the scratch folder, as it would be shipped.
func (b *bench) build(ctx context.Context, name, module, pkg string) (binary string, err error) {
	binary = filepath.Join(b.scratch, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", binary, pkg)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return binary, nil
}

// install builds a command that the Go module proxy has, with the versions that its own module names.
func (b *bench) install(ctx context.Context, pkg, version string) (binary string, err error) {
	cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", "-ldflags=-s -w", pkg+"@"+version)
	cmd.Dir = b.scratch
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+b.scratch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install %s@%s: %w\n%s", pkg, version, err, out)
	}
	return filepath.Join(b.scratch, path.Base(pkg)), nil
}
