package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"
)

// table keeps what was made for few and bounded keys. Reading it takes no lock and allocates nothing, as
// sync.Map does for its keys. The zero value is empty.
type table[K comparable, V any] struct {
	whole atomic.Pointer[map[K]V]
	mu    sync.Mutex // of those that add
}

func (t *table[K, V]) get(k K, make func(K) V) V {
	if m := t.whole.Load(); m != nil {
		if v, ok := (*m)[k]; ok {
			return v
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	next := map[K]V{}
	if m := t.whole.Load(); m != nil {
		if v, ok := (*m)[k]; ok {
			return v
		}
		next = maps.Clone(*m)
	}
	v := make(k)
	next[k] = v
	t.whole.Store(&next)
	return v
}
