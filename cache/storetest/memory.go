package storetest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"vitrine/cache"
)

// Memory is a Store, a Leaser and an Invalidator in this process, for tests: several caches over one Memory are as
// replicas over one Redis, and in a testing/synctest bubble time is the bubble's. The zero value is ready.
// It has no bound.
type Memory struct {
	mu        sync.Mutex
	values    map[string]expiring
	leases    map[string]lease
	accounts  map[string]*cache.Account
	listeners map[*listener]bool
	cut       bool
}

type expiring struct {
	value   []byte
	expires time.Time
}

type lease struct {
	token   string
	note    []byte
	expires time.Time
}

// Get implements cache.Store.
func (m *Memory) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if value, ok := m.get(key); ok {
		return value, nil
	}
	return nil, cache.ErrNotFound
}

func (m *Memory) get(key string) ([]byte, bool) {
	v, ok := m.values[key]
	return v.value, ok && time.Now().Before(v.expires)
}

// Set implements cache.Store.
func (m *Memory) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(key, value, ttl)
	return nil
}

func (m *Memory) set(key string, value []byte, ttl time.Duration) {
	if m.values == nil {
		m.values = make(map[string]expiring)
	}
	m.values[key] = expiring{bytes.Clone(value), time.Now().Add(ttl)}
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

// Acquire implements cache.Leaser.
func (m *Memory) Acquire(ctx context.Context, key string, seen []byte, token string, note []byte, ttl time.Duration) (cache.Acquired, error) {
	if err := ctx.Err(); err != nil {
		return cache.Acquired{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if value, ok := m.get(key); ok && len(value) > 0 && (len(seen) == 0 || !bytes.HasPrefix(value, seen)) {
		return cache.Acquired{Value: value}, nil
	}
	now := time.Now()
	if l, ok := m.leases[key]; ok && now.Before(l.expires) && l.token != token {
		return cache.Acquired{Note: l.note, Left: l.expires.Sub(now)}, nil
	}
	if m.leases == nil {
		m.leases = make(map[string]lease)
	}
	m.leases[key] = lease{token, bytes.Clone(note), now.Add(ttl)}
	return cache.Acquired{Held: true}, nil
}

func (m *Memory) holds(key, token string) bool {
	l, ok := m.leases[key]
	return ok && l.token == token && time.Now().Before(l.expires)
}

// Renew implements cache.Leaser.
func (m *Memory) Renew(ctx context.Context, key, token string, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.holds(key, token) {
		return false, nil
	}
	l := m.leases[key]
	l.expires = time.Now().Add(ttl)
	m.leases[key] = l
	return true, nil
}

// Fill implements cache.Leaser.
func (m *Memory) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration, message []byte) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.holds(key, token) {
		return false, nil
	}
	switch {
	case ttl > 0:
		m.set(key, value, ttl)
	case ttl < 0:
		delete(m.values, key)
	}
	delete(m.leases, key)
	m.send(message)
	return true, nil
}

// Invalidate implements cache.Invalidator.
func (m *Memory) Invalidate(ctx context.Context, key string, message []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	delete(m.leases, key)
	m.send(message)
	return nil
}

// Amend implements cache.Invalidator.
func (m *Memory) Amend(ctx context.Context, key string, old, now, message []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(old) == 0 || len(old) != len(now) {
		return fmt.Errorf("storetest: amend: %d bytes for %d", len(now), len(old))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if value, ok := m.get(key); ok && bytes.HasPrefix(value, old) {
		m.values[key] = expiring{append(bytes.Clone(now), value[len(now):]...), m.values[key].expires}
	}
	delete(m.leases, key)
	m.send(message)
	return nil
}

// Void implements cache.Invalidator. It forgets no tags.
func (m *Memory) Void(ctx context.Context, scope string, known cache.Mark, era string, p cache.Purge, message []byte) (cache.Mark, error) {
	if err := ctx.Err(); err != nil {
		return cache.Mark{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.account(scope, known, era)
	a.Seq++
	switch {
	case len(p.Tags) == 0 && p.Soft:
		a.SoftAll = a.Seq
	case len(p.Tags) == 0:
		a.All = a.Seq
	}
	for _, tag := range p.Tags {
		if p.Soft {
			a.SoftTags[tag] = a.Seq
		} else {
			a.Tags[tag] = a.Seq
		}
	}
	m.send(fmt.Appendf(bytes.Clone(message), "%s %d", a.Era, a.Seq))
	return a.Mark, nil
}

// Purges implements cache.Invalidator.
func (m *Memory) Purges(ctx context.Context, scope string, known cache.Mark, era string) (cache.Account, error) {
	if err := ctx.Err(); err != nil {
		return cache.Account{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a := *m.account(scope, known, era)
	a.Tags, a.SoftTags = maps.Clone(a.Tags), maps.Clone(a.SoftTags)
	return a, nil
}

func (m *Memory) account(scope string, known cache.Mark, era string) *cache.Account {
	if a := m.accounts[scope]; a != nil && a.Era == known.Era && a.Seq < known.Seq {
		delete(m.accounts, scope)
	}
	if m.accounts == nil {
		m.accounts = make(map[string]*cache.Account)
	}
	if m.accounts[scope] == nil {
		m.accounts[scope] = &cache.Account{Mark: cache.Mark{Era: era}, Tags: map[string]uint64{}, SoftTags: map[string]uint64{}}
	}
	return m.accounts[scope]
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

// Lose forgets everything, as a restart of Redis does.
func (m *Memory) Lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values, m.leases, m.accounts = nil, nil, nil
}

// Cut has messages be lost until it is called with false.
func (m *Memory) Cut(yes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut == yes {
		return
	}
	m.cut = yes
	for l := range m.listeners {
		if yes {
			l.hear(l.to.Disconnected)
		} else {
			l.hear(l.to.Connected)
		}
	}
}
