package cache_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/cache"
)

// passage is how a gate lets through.
type passage int

const (
	open   passage = iota
	hung           // connections stand, and nothing comes through
	shut           // connections are cut, and others refused
	slowly         // answers come two seconds late
)

// gate is a replica's own way to a server.
type gate struct {
	t        testing.TB
	addr, to string

	mu       sync.Mutex
	mode     passage
	changed  chan struct{} // closed with the next change
	listener net.Listener
	conns    map[net.Conn]bool
	all      sync.WaitGroup
}

func newGate(t testing.TB, to string) *gate {
	t.Helper()
	g := &gate{t: t, addr: "127.0.0.1:0", to: to, mode: shut, changed: make(chan struct{}), conns: map[net.Conn]bool{}}
	g.let(open)
	t.Cleanup(func() { g.let(shut); g.all.Wait() })
	return g
}

// let changes how the gate lets through, at once.
func (g *gate) let(mode passage) {
	g.t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if mode == g.mode {
		return
	}
	if mode == shut {
		_ = g.listener.Close()
		for c := range g.conns {
			_ = c.Close()
		}
	} else if g.mode == shut {
		l, err := net.Listen("tcp", g.addr)
		if err != nil {
			g.t.Fatal(err)
		}
		g.listener, g.addr = l, l.Addr().String()
		g.all.Go(func() { g.accept(l) })
	}
	g.mode = mode
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *gate) now() (passage, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mode, g.changed
}

func (g *gate) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", g.to)
		if err != nil {
			_ = c.Close()
			continue
		}
		g.mu.Lock()
		g.conns[c], g.conns[server] = true, true
		if g.mode == shut {
			_, _ = c.Close(), server.Close()
		}
		g.mu.Unlock()
		g.all.Go(func() { g.copy(server, c, false) })
		g.all.Go(func() { g.copy(c, server, true) })
	}
}

func (g *gate) copy(to, from net.Conn, answers bool) {
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.conns, from)
		_, _ = to.Close(), from.Close()
	}()
	for b := make([]byte, 64<<10); ; {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		g.wait(answers)
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// wait returns once what was read may pass.
func (g *gate) wait(answers bool) {
	late := time.After(2 * time.Second)
	for {
		mode, changed := g.now()
		if mode == open || mode == shut || mode == slowly && !answers {
			return
		}
		if mode == hung {
			<-changed
			continue
		}
		select {
		case <-changed:
		case <-late:
			return
		}
	}
}

// watched counts the calls under contexts of watch, which are those that a caller pays for.
type watched struct {
	*cache.RedisStore
	calls, failed atomic.Int64
}

type watchKey struct{}

func watch(ctx context.Context) context.Context { return context.WithValue(ctx, watchKey{}, true) }

func (s *watched) note(ctx context.Context, err error) {
	if ctx.Value(watchKey{}) == nil {
		return
	}
	s.calls.Add(1)
	if err != nil && !errors.Is(err, cache.ErrNotFound) {
		s.failed.Add(1)
	}
}

func (s *watched) Get(ctx context.Context, key string) (b []byte, err error) {
	defer func() { s.note(ctx, err) }()
	return s.RedisStore.Get(ctx, key)
}

func (s *watched) Acquire(ctx context.Context, key string, seen []byte, token string, note []byte, ttl time.Duration) (a cache.Acquired, err error) {
	defer func() { s.note(ctx, err) }()
	return s.RedisStore.Acquire(ctx, key, seen, token, note, ttl)
}

func (s *watched) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration, message []byte) (held bool, err error) {
	defer func() { s.note(ctx, err) }()
	return s.RedisStore.Fill(ctx, key, token, value, ttl, message)
}

func (s *watched) Purges(ctx context.Context, scope string, known cache.Mark, era string) (a cache.Account, err error) {
	defer func() { s.note(ctx, err) }()
	return s.RedisStore.Purges(ctx, scope, known, era)
}
