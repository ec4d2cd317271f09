package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// stream is a sequence of keys that somebody asks for.
type stream struct {
	name     string
	entries  int // that a cache has room for
	requests int // 0: as many as were recorded
	keys     func(ctx context.Context, b *bench, requests int, seed uint64) ([]string, error)
	// source says where it is from.
	source string
}

// streams are of keys alone: values are all of one size. What papers describe is drawn with parameters of ours.
var streams = []stream{
	{zipfName + ", 10 %", 10_000, 1_500_000, drawn(zipfKeys(1.01, 100_000)), "of 100,000 keys"},
	{zipfName + ", 1 %", 1000, 750_000, drawn(zipfKeys(1.01, 100_000)), "of 100,000 keys"},
	{"Glimpse", 1000, 0, glimpse, "a recorded one, of a tool that reads a text collection again and again (LIRS: Jiang and Zhang, SIGMETRICS 2002), which comes with ristretto"},
	{"like Twitter's", 2000, 150_000, drawn(drifting), "zipf 1.2 over 50,000 keys of which some are replaced all the time, and one request in ten for a key that nobody wants again (after Yang et al., OSDI 2020: skewed, and the working set drifts)"},
	{"like a CDN's", 10_000, 150_000, drawn(oneHitWonders), "zipf 0.8 over 100,000 keys (Breslau et al., INFOCOM 1999, found 0.64 to 0.83), and one request in four for a key that nobody wants again, which most keys are (after Berger et al., NSDI 2017, and Song et al., NSDI 2020)"},
	{"with loops", 2000, 150_000, drawn(loops), "half of the requests go round and round 2,500 keys, and half are zipf 0.9 over 20,000 (after LIRS's multi and loop)"},
	{"like a database's", 2000, 150_000, drawn(oltp), "20,000 pages, 40 % of the requests for 3 % of them and 90 % for 65 % (after O'Neil et al., SIGMOD 1993, of the trace that ARC's paper calls OLTP)"},
}

const zipfName = "zipf 1.01"

// drawn is a stream of numbers that are the same for a seed.
func drawn(next func(*source) func() int) func(context.Context, *bench, int, uint64) ([]string, error) {
	return func(_ context.Context, _ *bench, requests int, seed uint64) ([]string, error) {
		s := &source{seed: seed}
		draw := next(s)
		keys := make([]string, requests)
		for i := range keys {
			keys[i] = streamKey(draw())
		}
		return keys, nil
	}
}

// streamKey is of one length, so that all entries are of one size.
func streamKey(n int) string { return fmt.Sprintf("%09d", n) }

// source is what streams are drawn of.
type source struct {
	seed  uint64
	fresh int
}

// zipf draws of n keys from 0 on.
func (s *source) zipf(skew float64, n int) *zipf { return newZipf(seeded(s.seed), skew, n) }

// once is a key that no other request has.
func (s *source) once() int {
	s.fresh++
	return 100_000_000 + s.fresh
}

func zipfKeys(skew float64, n int) func(*source) func() int {
	return func(s *source) func() int { return s.zipf(skew, n).next }
}

func drifting(s *source) func() int {
	z, is := s.zipf(1.2, 50_000), map[int]int{} // who has a rank now, where that is not the first
	return func() int {
		switch z.r.IntN(100) {
		case 0:
			is[z.next()] = s.once() // the one that was popular is wanted by nobody any more
		case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
			return s.once()
		}
		rank := z.next()
		if other, replaced := is[rank]; replaced {
			return other
		}
		return rank
	}
}

func oneHitWonders(s *source) func() int {
	z := s.zipf(.8, 100_000)
	return func() int {
		if z.r.IntN(4) == 0 {
			return s.once()
		}
		return z.next()
	}
}

func loops(s *source) func() int {
	const others = 20_000
	z, at := s.zipf(.9, others), 0
	return func() int {
		if z.r.IntN(2) == 0 {
			return z.next()
		}
		at = (at + 1) % 2500
		return others + at
	}
}

func oltp(s *source) func() int {
	const pages = 20_000
	r := seeded(s.seed)
	const hot, warm = pages * 3 / 100, pages * 65 / 100
	return func() int {
		switch p := r.IntN(10); {
		case p < 4:
			return r.IntN(hot)
		case p < 9:
			return hot + r.IntN(warm-hot)
		}
		return warm + r.IntN(pages-warm)
	}
}

const ristrettoModule = "github.com/dgraph-io/ristretto/v2"

// glimpse reads the trace from the module that has it.
func glimpse(ctx context.Context, b *bench, _ int, _ uint64) (keys []string, err error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", ristrettoModule)
	cmd.Dir = filepath.Join(b.dir, "bench")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download %s: %w", ristrettoModule, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(module.Dir, "sim", "gli.lirs.gz"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, streamKey(n))
	}
	if len(keys) == 0 {
		err = errors.New("the trace is empty")
	}
	return keys, errors.Join(err, lines.Err())
}
