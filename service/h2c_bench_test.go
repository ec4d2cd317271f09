package main

import (
	"net/http"
	"slices"
	"testing"
)

// BenchmarkH2C compares what a near hit costs the server's process over HTTP/1.1, on 64 connections, and over HTTP/2
// without TLS, as 64 streams of one, in rounds that take turns.
func BenchmarkH2C(b *testing.B) {
	const requests = 200 // a connection
	server := startHitServer(b)
	client := func(h2c bool) *http.Client {
		t := &http.Transport{MaxIdleConnsPerHost: hitConnections, Protocols: new(http.Protocols)}
		t.Protocols.SetHTTP1(!h2c)
		t.Protocols.SetUnencryptedHTTP2(h2c)
		b.Cleanup(t.CloseIdleConnections)
		return &http.Client{Transport: t}
	}
	clients := []*http.Client{client(false), client(true)}
	load := func(c *http.Client) (µs float64) {
		before := server.cpu(b)
		server.ask(b, c, requests)
		return float64((server.cpu(b) - before).Microseconds()) / (requests * hitConnections)
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
