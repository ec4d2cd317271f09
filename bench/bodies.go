package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"vitrine/e2e/markdown"
)

func bodiesSuite(ctx context.Context, b *bench) (r report, err error) {
	m, err := b.goBenchmarks(ctx, "./cache", "^BenchmarkBody$", 40*time.Millisecond)
	if err != nil {
		return r, err
	}
	return bodyReport(m)
}

// bodyReport has a row for each body: what its codings take on the wire, what a hit in them costs, and what compressing does.
func bodyReport(m measured) (r report, err error) {
	const cpuTime = "cpu-ns/op"
	r.Head = []string{
		"a body", "on the wire", "in zstd", "in gzip", "a hit", "in zstd", "in gzip", "in gzip, compressed for each", "compressed once: zstd", "gzip",
	}
	for _, name := range m.names {
		body, found := strings.CutSuffix(name, "/hit/identity")
		if !found {
			continue
		}
		r.Rows = append(r.Rows, []string{
			strings.TrimPrefix(body, "Body/"),
			m.middle(name, "wire-B", markdown.Number), m.middle(body+"/hit/zstd", "wire-B", markdown.Number), m.middle(body+"/hit/gzip", "wire-B", markdown.Number),
			m.middle(name, cpuTime, duration), m.middle(body+"/hit/zstd", cpuTime, duration), m.middle(body+"/hit/gzip", cpuTime, duration),
			m.middle(body+"/each-time/gzip", cpuTime, duration),
			m.middle(body+"/once/zstd", cpuTime, duration), m.middle(body+"/once/gzip", cpuTime, duration),
		})
	}
	if len(r.Rows) == 0 {
		return r, errors.New("there is no benchmark of a body")
	}
	r.Notes = []string{
		"Sizes are in bytes and times the CPU's, of the handler without a network",
		"What is compressed for each client is so by klauspost/compress/gzhttp around a hit that is kept as it came",
	}
	return r, nil
}
