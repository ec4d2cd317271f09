// Command fleet measures what a fleet of replicas costs as it grows, and writes the tables and pictures of
// docs/scaling.md from that. It runs the real service and a real redis-server on loopback ports; its traffic is bounded,
// and counted rather than timed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"vitrine/e2e/fleet/forecast"
	"vitrine/e2e/redisserver"
)

const (
	processors  = 2 // GOMAXPROCS of a replica
	atOnce      = 16
	keys        = 2000
	originTakes = 20 * time.Millisecond
)

var sizes = []int{1, 2, 4, 8}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir := flag.String("dir", ".", "where the repository is")
	requests := flag.Int("requests", 40_000, "that each size of the fleet is asked")
	rounds := flag.Int("rounds", 3, "of which the median is taken")
	render := flag.Bool("render", false, "measure nothing: write what was measured last")
	flag.Parse()
	var err error
	if !*render {
		err = measure(ctx, *dir, *requests, *rounds)
	}
	if err == nil {
		err = write(*dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

// Where what was measured is kept.
const (
	constantsFile = "e2e/fleet/forecast/constants.json"
	rowsFile      = "e2e/fleet/rows.json"
)

func measure(ctx context.Context, dir string, requests, rounds int) (err error) {
	scratch, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	binary, err := build(ctx, scratch)
	if err != nil {
		return err
	}
	server, err := redisserver.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()

	constants, err := measureConstants(ctx, binary, server, rounds)
	if err != nil {
		return err
	}
	if err := keep(filepath.Join(dir, constantsFile), constants); err != nil {
		return err
	}
	t := traffic{requests: requests, keys: keys, skew: 1, purgeEvery: 200}
	var rows []row
	for _, n := range sizes {
		var all []row
		for len(all) < rounds {
			r, err := measureSize(ctx, binary, server, t, n)
			if errors.Is(err, errBusy) {
				fmt.Fprintln(os.Stderr, "fleet: once more:", err)
				continue
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%d replicas: %+v\n", n, r)
			all = append(all, r)
		}
		rows = append(rows, medianOf(all))
	}
	return keep(filepath.Join(dir, rowsFile), rows)
}

// measureConstants takes the median of each.
func measureConstants(ctx context.Context, binary string, server *redisserver.Server, rounds int) (c forecast.Constants, err error) {
	var all []forecast.Constants
	for len(all) < rounds {
		one := forecast.Constants{Go: runtime.Version()}
		if one.Redis, err = server.Version(ctx); err != nil {
			return c, err
		}
		message, err := replicaSteps(ctx, binary, server, &one)
		if errors.Is(err, errBusy) {
			fmt.Fprintln(os.Stderr, "fleet: once more:", err)
			continue
		}
		if err != nil {
			return c, err
		}
		if err := redisSteps(ctx, server, message, &one); err != nil {
			return c, err
		}
		if err := idleSteps(ctx, binary, server, &one); err != nil {
			return c, err
		}
		fmt.Fprintf(os.Stderr, "constants: %+v\n", one)
		all = append(all, one)
	}
	return medianOf(all), nil
}

func keep(file string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}
