package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzRequest sends whatever bytes to the public port, with HTTP/1.1 and HTTP/2 spoken there. No answer is a 5xx but
// those by which net/http refuses a version or a transfer coding, no handler panics, and the program goes on.
func FuzzRequest(f *testing.F) {
	for _, path := range []string{
		"/", "/slow", "/slow?a=b", "/health", "/tiles/0/0/0", "/tiles/1/2/3", "/tiles/-1/0/0", "/tiles/99999999999999999999/0/0", "/tiles/a/b/c",
		"/stats/2/1/1", "/stats/2/4/0", "/assets/atlas.css", "/assets/../go.mod", "/nothing", "//slow", "/%73low", "/%", "/slow#x", "*", "http://other/slow", "",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "PURGE", "CONNECT", "get", "G\x00T"} {
			f.Add([]byte(method + " " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"))
		}
	}
	for _, field := range []string{
		"Range: bytes=0-1,-1,5-2", "If-None-Match: W/\"x\", *", "If-Modified-Since: yesterday", "Cache-Control: max-age=-1, no-cache=\"", "Cache-Control: only-if-cached",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "Transfer-Encoding: gzip", "Content-Length: 10\r\n\r\nhalf", "Content-Length: -1", "Content-Length: 1\r\nContent-Length: 2",
		"Expect: 100-continue", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk", "Connection: close", "Authorization: Basic x", "Cookie: a=b",
		"Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Tracestate: =,=", "Baggage: a=%ff;;", "X-Request-ID: \xff", "Accept-Encoding: gzip;q=x", "Vary: *", "X: " + strings.Repeat("x", 20<<10),
	} {
		f.Add([]byte("GET /slow HTTP/1.1\r\nHost: x\r\n" + field + "\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n"))
	}
	f.Add([]byte("GET /slow HTTP/9.9\r\nHost: x\r\n\r\n"))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x05\x00\x00\x00\x01\x82"))
	f.Add([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"))

	p := start(f, map[string]string{"VITRINE_H2C": "true", "VITRINE_SLOW_DELAY": "1ms", "VITRINE_CACHE_TTL": "10ms", "VITRINE_LOG_LEVEL": "error"})
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn, err := net.Dial("tcp", p.publicAt.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = conn.Write(sent) // the server may have had enough before all of it was sent
			_ = conn.(*net.TCPConn).CloseWrite()
		}()
		answers, err := io.ReadAll(conn)
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			t.Fatalf("no end after %q: %q", sent, answers)
		}
		r := bufio.NewReader(bytes.NewReader(answers))
		for {
			// Of a HEAD nobody knows here; what follows it is then read as its body, or not at all.
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				break
			}
			switch res.StatusCode {
			case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
			default:
				if res.StatusCode >= 500 {
					t.Errorf("%q was answered with %s", sent, res.Status)
				}
			}
			_, _ = io.Copy(io.Discard, res.Body)
		}
		if n := p.value(t, "http_server_panics_total"); n > 0 {
			t.Fatalf("%v panics after %q", n, sent)
		}
	})
}
