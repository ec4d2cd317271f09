// Command service answers slow endpoints from a cache, and says of every answer how it came about.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	// Whoever reads the log may go away: that costs lines, which are counted, and not the program.
	signal.Ignore(syscall.SIGPIPE)
	spareCollector(heapFloor)
	err := limitMemory()
	if err == nil {
		err = run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	}
	os.Exit(exitCode(err, os.Stderr))
}

// limitMemory holds Go at 85 % of what the container may take: the rest is for what Go does not count, the program's own
// pages and the kernel's, such as those of sockets. GOMEMLIMIT and AUTOMEMLIMIT say otherwise. Without a cgroup, or a limit
// there, there is none.
func limitMemory() error {
	_, err := memlimit.Set(memlimit.WithRatio(.85))
	if err == nil || os.Getenv("AUTOMEMLIMIT") == "" {
		return nil // where cgroups cannot be read, nobody has set a limit for this one
	}
	return usageError{err}
}

// usageError is what the operator has to mend before a start can succeed: exit code 2.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(stderr, "vitrine:", strings.TrimSpace(line))
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}
