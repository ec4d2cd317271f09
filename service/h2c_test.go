package main

import (
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
)

func h2cClient(t *testing.T) *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// TestH2C: HTTP/2 without TLS is spoken where it is wanted, beside HTTP/1.1.
func TestH2C(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_H2C": "true", "VITRINE_SLOW_DELAY": "1ms"})
	res, err := h2cClient(t).Get(p.url + "/slow")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != http.StatusOK {
		t.Errorf("%s, %s; want HTTP/2.0, 200", res.Proto, res.Status)
	}
	if a := get(t, p.url+"/slow"); a.ProtoMajor != 1 || a.StatusCode != http.StatusOK {
		t.Errorf("%s, %s; want HTTP/1.1, 200", a.Proto, a.Status)
	}
	without := start(t, nil)
	if res, err := h2cClient(t).Get(without.url + "/health"); err == nil {
		res.Body.Close()
		t.Errorf("%s, which nobody asked for", res.Proto)
	}
}

// TestStreamLimit: the server's first frame says how many streams a connection may have (RFC 9113, section 6.5).
func TestStreamLimit(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_H2C": "true"})
	conn := dial(t, p)
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 9)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatal(err)
	}
	settings := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(conn, settings); err != nil || head[3] != 4 {
		t.Fatalf("frame % x, %v; want SETTINGS", head, err)
	}
	const maxConcurrentStreams = 3
	for ; len(settings) >= 6; settings = settings[6:] {
		if binary.BigEndian.Uint16(settings) == maxConcurrentStreams {
			if n := binary.BigEndian.Uint32(settings[2:]); n != 128 {
				t.Errorf("%d streams, want 128", n)
			}
			return
		}
	}
	t.Error("no limit of streams")
}

// TestH2CDrain: a client that keeps one connection leaves it when the drain begins, without losing a request.
func TestH2CDrain(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_H2C": "true", "VITRINE_SLOW_DELAY": "1ms", "VITRINE_DRAIN_DELAY": "500ms"})
	var all sync.WaitGroup
	var answers atomic.Int64
	for range 4 {
		client := h2cClient(t)
		all.Go(func() {
			for answered := 0; ; answered++ {
				reused := false
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/slow", nil)
				if err != nil {
					t.Error(err)
					return
				}
				res, err := client.Do(req)
				// There is no new connection any more, or the kernel had it and nobody takes it: a load balancer asks
				// another. One that was in use must be left in order.
				if err != nil && !reused && p.server.health.draining.Load() {
					return
				}
				if err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("after %d answers: %v, %v", answered, res, err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				answers.Add(1)
			}
		})
	}
	eventually(t, "a hundred answers", func() bool { return answers.Load() > 100 })
	p.stop(t)
	all.Wait()
}
