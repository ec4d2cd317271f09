package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestConnectionFlood: however many connections are opened, by whatever means they are kept, those who ask are
// answered, and no more are open than allowed.
func TestConnectionFlood(t *testing.T) {
	t.Parallel()
	const limit, flood = 32, 200
	for _, test := range []struct {
		desc string
		keep func(*testing.T, net.Conn)
	}{
		{"silent", func(*testing.T, net.Conn) {}},
		{"half a header", func(_ *testing.T, conn net.Conn) { fmt.Fprint(conn, "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ") }},
		{"idle", func(t *testing.T, conn net.Conn) {
			fmt.Fprint(conn, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("%v, %v; want 200", res, err)
			}
		}},
	} {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			p := start(t, map[string]string{"VITRINE_MAX_CONNECTIONS": fmt.Sprint(limit), "VITRINE_SLOW_DELAY": "1s"})
			value := func(name string) float64 {
				m := p.family(t, name).GetMetric()[0]
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
			slow := make(chan answer)
			go func() { slow <- get(t, p.url+"/slow") }()
			eventually(t, "a request in flight", func() bool { return value("http_server_active_requests") == 1 })
			for i := range flood {
				test.keep(t, dial(t, p))
				if i%20 == 0 {
					get(t, p.url+"/health").want(t, http.StatusOK, "application/json")
				}
				if open := value("http_server_open_connections"); open > limit {
					t.Fatalf("%v connections are open, want at most %d", open, limit)
				}
			}
			(<-slow).want(t, http.StatusOK, "application/json") // it was not among those that made room
			eventually(t, "the flood's connections, closed", func() bool { return value("http_server_dropped_connections_total") >= flood-limit })
		})
	}
}

// TestSlowloris: those who send a byte now and then keep no one out, and are closed.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_MAX_CONNECTIONS": "16"})
	ended := make(chan error, 64)
	for range cap(ended) {
		conn := dial(t, p)
		go func() {
			_, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: x\r\n")
			for err == nil {
				time.Sleep(50 * time.Millisecond)
				_, err = io.WriteString(conn, "X: y\r\n")
			}
			ended <- err
		}()
	}
	for range 20 {
		get(t, p.url+"/health").want(t, http.StatusOK, "application/json")
	}
	for range cap(ended) {
		<-ended
	}
}

// TestNewestIsClosed: where all connections are being answered there is no room for another.
func TestNewestIsClosed(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_MAX_CONNECTIONS": "2", "VITRINE_SLOW_DELAY": "2s"})
	answers := make(chan answer, 2)
	for range cap(answers) {
		go func() { answers <- get(t, p.url+"/slow") }()
	}
	eventually(t, "two requests in flight", func() bool {
		return p.family(t, "http_server_active_requests").GetMetric()[0].GetGauge().GetValue() == 2
	})
	if a, err := try(t, http.MethodGet, p.url+"/health"); err == nil {
		t.Errorf("a third was answered: %s", a.body)
	} else if strings.Contains(err.Error(), "deadline") {
		t.Errorf("a third was kept waiting: %v", err)
	}
	for range cap(answers) {
		(<-answers).want(t, http.StatusOK, "application/json")
	}
	get(t, p.url+"/health").want(t, http.StatusOK, "application/json")
}
