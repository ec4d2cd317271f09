package storetest

import (
	"bytes"
	"context"
	"sync"
	"time"

	"vitrine/cache"
)

// Memory is a Store in this process, for tests: several caches over one Memory are as replicas over one
// Redis, and in a testing/synctest bubble time is the bubble's. The zero value is ready. It has no bound.
type Memory struct {
	mu     sync.Mutex
	values map[string]expiring
}

type expiring struct {
	value   []byte
	expires time.Time
}

// Get implements cache.Store.
func (m *Memory) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[key]
	if !ok || !time.Now().Before(v.expires) {
		return nil, cache.ErrNotFound
	}
	return v.value, nil
}

// Set implements cache.Store.
func (m *Memory) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = make(map[string]expiring)
	}
	m.values[key] = expiring{bytes.Clone(value), time.Now().Add(ttl)}
	return nil
}

// Delete implements cache.Store.
func (m *Memory) Delete(ctx context.Context, keys ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.values, key)
	}
	return nil
}

// Keys are all that were set and not deleted.
func (m *Memory) Keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key := range m.values {
		keys = append(keys, key)
	}
	return keys
}
