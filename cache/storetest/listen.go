package storetest

import (
	"bytes"
	"context"
	"sync"

	"vitrine/cache"
)

// listener hears in a goroutine of its own, as if from another machine.
type listener struct {
	to     cache.Listener
	mu     sync.Mutex
	queue  []func()
	queued chan struct{}
}

func (l *listener) hear(say func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, say)
	select {
	case l.queued <- struct{}{}:
	default:
	}
}

func (l *listener) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-l.queued:
		}
		l.mu.Lock()
		queue := l.queue
		l.queue = nil
		l.mu.Unlock()
		for _, say := range queue {
			say()
		}
	}
}

// Listen implements cache.Invalidator.
func (m *Memory) Listen(_ context.Context, to cache.Listener) (stop func()) {
	l, stopped := &listener{to: to, queued: make(chan struct{}, 1)}, make(chan struct{})
	m.mu.Lock()
	if m.listeners == nil {
		m.listeners = make(map[*listener]bool)
	}
	m.listeners[l] = true
	cut := m.cut
	m.mu.Unlock()
	if !cut {
		to.Connected()
	}
	var run sync.WaitGroup
	run.Go(func() { l.run(stopped) })
	return func() {
		m.mu.Lock()
		delete(m.listeners, l)
		m.mu.Unlock()
		close(stopped)
		run.Wait()
	}
}

// send is to be called under m.mu.
func (m *Memory) send(message []byte) {
	if m.cut {
		return
	}
	for l := range m.listeners {
		message := bytes.Clone(message)
		l.hear(func() { l.to.Message(message) })
	}
}
