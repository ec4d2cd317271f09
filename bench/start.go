package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"vitrine/e2e/markdown"
)

// starter is a program whose starts are measured.
type starter struct {
	name, binary string
	healthy      string // its path that answers 200 once it serves
	// at says how it listens at addr, and shows its metrics at ops.
	at func(addr, ops string) (env, args []string)
	// apart has metrics at ops and not at addr.
	apart bool
}

const (
	starts = 15
	idles  = 5
	idle   = 2 * time.Second // from the first answer until it is looked at
)

// asleep is what an idle program has: memory in bytes.
type asleep struct{ resident, own, file, threads, goroutines float64 }

func startSuite(ctx context.Context, b *bench) (r report, err error) {
	programs, err := b.starters(ctx)
	if err != nil {
		return r, err
	}
	if binary, err := b.install(ctx, podinfo, podinfoVersion); err != nil {
		r.Notes = append(r.Notes, "podinfo was not had: "+strings.TrimSpace(err.Error()))
	} else {
		programs = append(programs, starter{name: "podinfo", binary: binary, healthy: "/healthz", at: podinfoAt})
	}
	began, slept := make([][]float64, len(programs)), make([][]asleep, len(programs))
	for round := range b.ops(starts) {
		for k := range programs {
			i := (k + round) % len(programs)
			_, p, took, err := programs[i].begin()
			if err != nil {
				return r, err
			}
			if err := p.stop(); err != nil {
				return r, err
			}
			began[i] = append(began[i], float64(took))
		}
	}
	for range b.ops(idles) {
		if err := sleepers(ctx, programs, slept); err != nil {
			return r, err
		}
	}
	sizes := make([]float64, len(programs))
	for i, p := range programs {
		info, err := os.Stat(p.binary)
		if err != nil {
			return r, err
		}
		sizes[i] = float64(info.Size())
	}
	r.add(programs, sizes, began, slept)
	return r, nil
}

// add adds what starts took and left to the report.
func (r *report) add(programs []starter, sizes []float64, began [][]float64, slept [][]asleep) {
	r.Head = []string{"", "first answer after", "resident", "of that its own", "of that its binary's", "binary", "threads", "goroutines"}
	of := func(i int, field func(asleep) float64) []float64 {
		var all []float64
		for _, a := range slept[i] {
			all = append(all, field(a))
		}
		return all
	}
	resident := func(a asleep) float64 { return a.resident }
	for i, p := range programs {
		took := figureOf(began[i])
		middle := func(field func(asleep) float64) float64 { return figureOf(of(i, field)).Median }
		r.Rows = append(r.Rows, []string{
			p.name, fmt.Sprintf("%s (%s to %s)", duration(took.Median), duration(took.Low), duration(took.High)),
			mebibytes(middle(resident)), mebibytes(middle(func(a asleep) float64 { return a.own })),
			mebibytes(middle(func(a asleep) float64 { return a.file })), mebibytes(sizes[i]),
			markdown.Number(middle(func(a asleep) float64 { return a.threads })), markdown.Number(middle(func(a asleep) float64 { return a.goroutines })),
		})
		if p.name == "podinfo" {
			r.Goals = []goal{
				{Work: "start to first answer", Against: p.name, Bound: .5, Unit: "× time", Got: ratio(began[0], began[i])},
				{Work: "memory when idle", Against: p.name, Bound: .5, Unit: "× RSS", Got: ratio(of(0, resident), of(i, resident))},
			}
		}
	}
	r.Notes = append(r.Notes,
		"All are static, stripped binaries with the settings that they come with; whether one answers is asked each 100 µs",
		"Memory is looked at two seconds after the first answer, when nobody has asked for anything else, and is split as the kernel does: its own (`RssAnon`: heap, stacks) and what it has read of its binary (`RssFile`), which replicas on a machine share",
	)
}

// ratio is what one took against another, round by round.
func ratio(one, other []float64) figure {
	var all []float64
	for i := range one {
		all = append(all, one[i]/other[i])
	}
	return figureOf(all)
}

func mebibytes(n float64) string { return markdown.Number(n/(1<<20)) + " MiB" }

// starters are the program, which is the first, and the least that there can be.
func (b *bench) starters(ctx context.Context) ([]starter, error) {
	program, err := b.build(ctx, "vitrine", b.dir, "./service")
	if err != nil {
		return nil, err
	}
	minimal, err := b.build(ctx, "minimal", b.dir+"/bench", "./minimal")
	if err != nil {
		return nil, err
	}
	return []starter{
		{name: "the program", binary: program, healthy: "/health", apart: true, at: func(addr, ops string) (env, args []string) {
			return []string{"VITRINE_ADDR=" + addr, "VITRINE_OPS_ADDR=" + ops}, nil
		}},
		{name: "net/http and client_golang", binary: minimal, healthy: "/health", at: func(addr, _ string) (env, args []string) {
			return nil, []string{addr}
		}},
	}, nil
}

func podinfoAt(addr, _ string) (env, args []string) {
	host, port, _ := net.SplitHostPort(addr) // addr is freeAddr's
	return nil, []string{"--host", host, "--port", port}
}

// begin starts the program and waits for its first answer. Its metrics are at ops.
func (s starter) begin() (ops string, p program, took time.Duration, err error) {
	addr, err := freeAddr()
	if err != nil {
		return "", p, 0, err
	}
	if ops, err = freeAddr(); err != nil {
		return "", p, 0, err
	}
	env, args := s.at(addr, ops)
	if !s.apart {
		ops = addr
	}
	p.cmd = exec.Command(s.binary, args...)
	p.cmd.Env = append(os.Environ(), env...)
	start := time.Now()
	if err := p.cmd.Start(); err != nil {
		return "", p, 0, err
	}
	for {
		err := firstAnswer(addr, s.healthy)
		took := time.Since(start)
		switch {
		case err == nil:
			return ops, p, took, nil
		case took > 10*time.Second:
			return "", p, 0, errors.Join(fmt.Errorf("%s: %w", s.name, err), p.stop())
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func firstAnswer(addr, path string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(get(path)); err != nil {
		return err
	}
	_, err = readResponse(bufio.NewReader(conn))
	return err
}

// sleepers starts all programs, lets them sleep, and adds what each then has.
func sleepers(ctx context.Context, programs []starter, slept [][]asleep) (err error) {
	var look []func() (asleep, error)
	for _, s := range programs {
		ops, p, _, err := s.begin()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.stop()) }()
		look = append(look, func() (asleep, error) { return asleepNow(ctx, p.cmd.Process.Pid, ops) })
	}
	time.Sleep(idle)
	for i := range look {
		a, err := look[i]()
		if err != nil {
			return fmt.Errorf("%s: %w", programs[i].name, err)
		}
		slept[i] = append(slept[i], a)
	}
	return nil
}

// asleepNow looks at the process, and then at what it says itself: that wakes it.
func asleepNow(ctx context.Context, pid int, ops string) (a asleep, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return a, err
	}
	_, metrics, err := answer(ctx, ops, "/metrics")
	if err != nil {
		return a, err
	}
	for _, f := range []struct {
		from, name string
		to         *float64
		unit       float64
	}{
		{string(status), "VmRSS:", &a.resident, 1 << 10},
		{string(status), "RssAnon:", &a.own, 1 << 10},
		{string(status), "RssFile:", &a.file, 1 << 10},
		{string(status), "Threads:", &a.threads, 1},
		{string(metrics), "go_goroutines", &a.goroutines, 1},
	} {
		n, err := numberAfter(f.from, f.name)
		if err != nil {
			return a, err
		}
		*f.to = n * f.unit
	}
	return a, nil
}

// numberAfter is the number that follows a name at the beginning of a line.
func numberAfter(text, name string) (float64, error) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			return strconv.ParseFloat(fields[1], 64)
		}
	}
	return 0, fmt.Errorf("there is no %q", name)
}
