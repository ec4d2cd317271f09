package main

import (
	"container/list"
	"net"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// connections holds a server's connections at a limit, since each takes memory. When it is reached, the one that
// has kept the server waiting for a request the longest makes room: so connections that say nothing, or a byte
// now and then, shut nobody out. Where all of them are being answered, the newest is closed.
type connections struct {
	limit   int // 0: any number
	dropped prometheus.Counter

	mu    sync.Mutex
	open  map[net.Conn]*list.Element
	order *list.List // of *connection: since when each has been waiting, the longest first
}

type connection struct {
	net.Conn
	answered bool // just now; it is in the order, and passed over
}

func newConnections(limit int, r prometheus.Registerer) *connections {
	c := &connections{
		limit: limit, open: map[net.Conn]*list.Element{}, order: list.New(),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "http_server_dropped_connections_total", Help: "Connections that were closed to make room for others.",
		}),
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "http_server_open_connections", Help: "Connections of clients.",
	}, func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return float64(len(c.open))
	})
	r.MustRegister(c.dropped, open)
	return c
}

// changed is the server's ConnState. A connection is new until its first request's header has come.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.open[conn]
	switch {
	case state == http.StateNew:
		c.open[conn] = c.order.PushBack(&connection{Conn: conn})
		if c.limit > 0 && len(c.open) > c.limit {
			c.drop()
		}
	case at == nil: // dropped
	case state == http.StateActive:
		at.Value.(*connection).answered = true
	case state == http.StateIdle:
		at.Value.(*connection).answered = false
		c.order.MoveToBack(at)
	default:
		c.forget(at)
	}
}

// drop closes one. The server will notice; there is room now.
func (c *connections) drop() {
	at := c.order.Front()
	for at.Value.(*connection).answered { // the newest is not
		at = at.Next()
	}
	c.forget(at)
	c.dropped.Inc()
	_ = at.Value.(*connection).Close() // nothing is being written to it
}

func (c *connections) forget(at *list.Element) {
	delete(c.open, at.Value.(*connection).Conn)
	c.order.Remove(at)
}
