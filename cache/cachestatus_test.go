package cache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"pgregory.net/rapid"

	"vitrine/cache"
)

// TestCacheStatusIsAStructuredField: whatever happened, it is one item as a library for structured fields (RFC 9651) reads and
// writes it, with spaces.
func TestCacheStatusIsAStructuredField(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := cache.Result{
			Cache: rapid.StringMatching(`[A-Za-z][A-Za-z0-9_-]{0,9}`).Draw(t, "cache"),
			Outcome: rapid.SampledFrom([]cache.Outcome{
				cache.Hit, cache.Stale, cache.StaleError, cache.Miss, cache.Coalesced, cache.Revalidated, cache.Bypass, cache.Rejected,
			}).Draw(t, "outcome"),
			Tier:    rapid.SampledFrom([]cache.Tier{cache.Near, cache.Far, cache.None}).Draw(t, "tier"),
			TTL:     time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "ttl")),
			Forward: rapid.SampledFrom([]string{"", "uri-miss", "stale", "bypass"}).Draw(t, "forward"),
			Status:  rapid.SampledFrom([]int{0, 304, 503}).Draw(t, "status"),
			Stored:  rapid.Bool().Draw(t, "stored"),
			Detail:  rapid.SampledFrom([]string{"", "no-store", "set-cookie"}).Draw(t, "detail"),
		}
		text := r.CacheStatus()
		item, err := httpsfv.UnmarshalItem([]string{text})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if _, ok := item.Value.(httpsfv.Token); !ok {
			t.Errorf("%q does not begin with a token", text)
		}
		again, err := httpsfv.Marshal(item)
		if err != nil || strings.ReplaceAll(again, ";", "; ") != text {
			t.Errorf("%q is read as %q, %v", text, again, err)
		}
	})
}
