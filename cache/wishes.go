package cache

import (
	"context"
	"slices"
	"sync"
	"time"
)

// wishes are what a load says of its value.
type wishes struct {
	mu   sync.Mutex
	ttl  *time.Duration
	tags []string
}

type wishesKey struct{}

// withWishes returns a context for a load, and what it will have said.
func withWishes(ctx context.Context) (context.Context, *wishes) {
	w := new(wishes)
	return context.WithValue(ctx, wishesKey{}, w), w
}

func wishesFrom(ctx context.Context) *wishes {
	w, _ := ctx.Value(wishesKey{}).(*wishes)
	return w
}

// SetTTL says, in a load, how long its value is fresh, in place of Options.TTL: less for an empty result, more for
// what never changes. Zero keeps nothing. Elsewhere it does nothing.
func SetTTL(ctx context.Context, ttl time.Duration) {
	if w := wishesFrom(ctx); w != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		ttl = max(ttl, 0)
		w.ttl = &ttl
	}
}

// AddTags says, in a load, by which tags PurgeTags finds its value. Elsewhere it does nothing.
func AddTags(ctx context.Context, tags ...string) {
	if w := wishesFrom(ctx); w != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.tags = append(w.tags, tags...)
	}
}

// granted are the TTL, initial unless the load has chosen one, and the tags, sorted.
func (w *wishes) granted(initial time.Duration) (ttl time.Duration, sorted []string, chosen bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ttl != nil {
		initial, chosen = *w.ttl, true
	}
	tags := slices.Clone(w.tags)
	slices.Sort(tags)
	return initial, slices.Compact(tags), chosen
}
