// Command drill makes a fault in the running stack, says what should now be seen, checks through the APIs
// that it is, and undoes the fault. It ends with 0 if everything was seen.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"time"

	"vitrine/e2e/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	project := flag.String("project", "vitrine", "the Compose project that runs")
	dir := flag.String("dir", ".", "where its docker-compose.yml is")
	pictures := flag.String("pictures", "", "a folder for a picture of what is to be seen, made with Chromium; none without")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: drill [flags] %v\n", slices.Sorted(maps.Keys(drills)))
		flag.PrintDefaults()
	}
	flag.Parse()
	run, ok := drills[flag.Arg(0)]
	if !ok || flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	var chromium string
	if *pictures != "" {
		var err error
		if chromium, err = exec.LookPath("chromium"); err != nil {
			fmt.Fprintln(os.Stderr, "drill: for pictures:", err)
			os.Exit(1)
		}
	}
	running, err := stack.Open(ctx, *dir, *project)
	if err == nil {
		a := &act{Stack: running, name: flag.Arg(0), pictures: *pictures, chromium: chromium, out: os.Stdout, began: time.Now()}
		fmt.Fprintf(a.out, "drill %s, %s\n", a.name, a.began.UTC().Format(time.RFC3339))
		err = run(ctx, a)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "drill:", err)
		os.Exit(1)
	}
}

// act is one performance of a drill. Its transcript counts the seconds from the fault on.
type act struct {
	*stack.Stack
	name     string
	pictures string // where they are kept, or empty
	chromium string // which makes them
	out      io.Writer
	began    time.Time // of the fault
	trace    string    // the last one looked at
}

func (a *act) tell(kind, text string) {
	fmt.Fprintf(a.out, "%7.1f s  %-6s  %s\n", time.Since(a.began).Seconds(), kind, text)
}

// fault does what is to be drilled. The clock starts.
func (a *act) fault(what string, do func() error) error {
	a.began = time.Now()
	a.tell("FAULT", what)
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// undo takes the fault back, also after an interrupt.
func (a *act) undo(ctx context.Context, what string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	a.tell("UNDO", what)
	if err := do(ctx); err != nil {
		return fmt.Errorf("not undone: %s: %w", what, err)
	}
	return nil
}

// see waits until check has seen it, and tells what it saw.
func (a *act) see(ctx context.Context, kind, what string, atMost time.Duration, check func() (string, error)) error {
	var saw string
	err := stack.Within(ctx, atMost, func() (err error) {
		saw, err = check()
		return err
	})
	if err != nil {
		a.tell(kind, "NOT SEEN: "+what)
		return fmt.Errorf("%s: %w", what, err)
	}
	a.tell(kind, what+": "+saw)
	return nil
}
