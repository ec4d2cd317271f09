package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestConnectionFlood: however many connections are opened, by whatever means they are kept, those who ask are
// answered, and the flood's are closed.
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
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("%v, %v; want 200", res, err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
		}},
	} {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			p := start(t, map[string]string{"VITRINE_MAX_CONNECTIONS": fmt.Sprint(limit), "VITRINE_SLOW_DELAY": "1s"})
			slow := make(chan answer)
			go func() { slow <- get(t, p.url+"/slow") }()
			eventually(t, "a request in flight", func() bool { return p.value(t, "http_server_active_requests") == 1 })
			closed := make(chan error, flood)
			for i := range flood {
				conn := dial(t, p)
				test.keep(t, conn)
				go func() {
					_, err := io.Copy(io.Discard, conn)
					closed <- err
				}()
				if i%20 == 0 {
					get(t, p.url+"/health").want(t, http.StatusOK, "application/json")
				}
			}
			(<-slow).want(t, http.StatusOK, "application/json") // it was not among those that made room
			for range flood - limit {
				if err := <-closed; errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal("the server keeps more connections than it may")
				}
			}
			if p.value(t, "http_server_dropped_connections_total") == 0 || p.value(t, "http_server_open_connections") > limit {
				t.Errorf("%v connections dropped, %v open", p.value(t, "http_server_dropped_connections_total"), p.value(t, "http_server_open_connections"))
			}
		})
	}
}

// TestLongestWaiting: room is made by the connection that has waited longest since its last request, and never by one
// that is being answered.
func TestLongestWaiting(t *testing.T) {
	c := newConnections(3, prometheus.NewRegistry())
	var names []string
	ends := map[string]net.Conn{}
	at := map[string]net.Conn{}
	come := func(name string) {
		ends[name], at[name] = net.Pipe()
		names = append(names, name)
		c.changed(at[name], http.StateNew)
	}
	ask := func(name string) { c.changed(at[name], http.StateActive) }
	answered := func(name string) { c.changed(at[name], http.StateIdle) }
	open := func() (open []string) {
		for _, name := range names {
			_ = ends[name].SetReadDeadline(time.Now().Add(time.Millisecond)) // a pipe takes any
			if _, err := ends[name].Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
				open = append(open, name)
			} else {
				c.changed(at[name], http.StateClosed) // as the server notices, again and again
			}
		}
		return open
	}
	for _, step := range []struct {
		desc string
		do   func()
		want string
	}{
		{"three", func() { come("a"); come("b"); come("c") }, "[a b c]"},
		{"a has asked since", func() { ask("a"); answered("a"); come("d") }, "[a c d]"},
		{"c is being answered", func() { ask("c"); come("e") }, "[c d e]"},
		{"all are being answered", func() { ask("d"); ask("e"); come("f") }, "[c d e]"},
		{"d is answered", func() { answered("d"); come("g") }, "[c e g]"},
		{"c leaves", func() { c.changed(at["c"], http.StateClosed); at["c"].Close(); come("h") }, "[e g h]"},
	} {
		step.do()
		if got := fmt.Sprint(open()); got != step.want {
			t.Fatalf("%s: open are %s, want %s", step.desc, got, step.want)
		}
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
		return p.value(t, "http_server_active_requests") == 2
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
