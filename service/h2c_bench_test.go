package main

import (
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// BenchmarkH2C compares what a near hit costs the server's process over HTTP/1.1, on 64 connections, and over HTTP/2
// without TLS, as 64 streams of one, in rounds that take turns.
func BenchmarkH2C(b *testing.B) {
	const requests, atOnce = 64 * 200, 64
	i := slices.IndexFunc(variants, func(v variant) bool { return v.name == "near hit, 1 % sampled and exported" })
	server := startVariant(b, i, "http://127.0.0.1:1") // nobody takes its spans
	client := func(h2c bool) *http.Client {
		t := &http.Transport{MaxIdleConnsPerHost: atOnce, Protocols: new(http.Protocols)}
		t.Protocols.SetHTTP1(!h2c)
		t.Protocols.SetUnencryptedHTTP2(h2c)
		b.Cleanup(t.CloseIdleConnections)
		return &http.Client{Transport: t}
	}
	clients := []*http.Client{client(false), client(true)}
	load := func(c *http.Client) (µs float64) {
		before := server.cpu(b)
		var all sync.WaitGroup
		for range atOnce {
			all.Go(func() {
				for range requests / atOnce {
					res, err := c.Get("http://" + server.addr + "/slow")
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			})
		}
		all.Wait()
		return float64((server.cpu(b) - before).Microseconds()) / requests
	}
	load(clients[0])
	load(clients[1])
	var ratios, http1 []float64
	for b.Loop() {
		one := load(clients[0])
		http1 = append(http1, one)
		ratios = append(ratios, load(clients[1])/one)
	}
	slices.Sort(ratios)
	slices.Sort(http1)
	b.Logf("HTTP/1.1 %.1f µs, h2c %.2f times that (%.2f to %.2f), medians of %d rounds",
		http1[len(http1)/2], ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1], len(ratios))
}
