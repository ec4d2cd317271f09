package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"sync/atomic"
	"time"
)

// kind keeps apart what is held under equal names.
type kind byte

const (
	kindValue    kind = 'v'
	kindResponse kind = 'r'
	kindPart     kind = 'p' // a part of a response
	kindVariant  kind = 'w' // of several, by what requests say: see guide
)

// entryKey is made of parts, so that the key of a request is no new string.
type entryKey struct {
	kind kind
	host string // of a response's request
	name string
}

// far is the key's name in the far tier. Very long names are hashed: a URL may be kilobytes long.
func (k entryKey) far(cache string) string {
	const longest = 256
	if len(k.host)+len(k.name) > longest {
		sum := sha256.Sum256([]byte(k.host + k.name))
		return cache + ":" + string(k.kind) + "#" + hex.EncodeToString(sum[:])
	}
	return cache + ":" + string(k.kind) + ":" + k.host + k.name
}

// entry is a value with what is known of it. All but the atomics is immutable once it is shared. What a hit looks at
// stands together: it comes from memory in two lines of the processor's cache.
type entry struct {
	value any
	lifetime
	cost      time.Duration // what the load took
	hash      uint64        // decides whether it is simulated
	hits      atomic.Int64
	trust     atomic.Int64 // see near.trusted
	checked   atomic.Int64 // when the far tier was last known to have it, nanoseconds since 1970
	simulated atomic.Bool
	error     bool         // value is a failure
	refreshed atomic.Int32 // see early

	resting atomic.Int64 // until then it stands in for loads that nobody tries, nanoseconds since 1970
	id      uint64       // random: two entries of one id are the same
	schema  uint64       // see schemaOf
	mark    Mark         // of the account when its load began: purges numbered higher concern it
	tags    []string
	size    int    // bytes of payload
	weight  uint32 // in the near tier
}

// with is e with another lifetime. What is counted of it begins again, but for its hits.
func (e *entry) with(l lifetime) *entry {
	c := &entry{value: e.value, size: e.size, lifetime: l, cost: e.cost, id: e.id, schema: e.schema, mark: e.mark, tags: e.tags, error: e.error, hash: e.hash}
	c.hits.Store(e.hits.Load())
	c.checked.Store(e.checked.Load())
	c.trust.Store(e.trust.Load())
	return c
}

// ready is the outcome of serving e at once, or "" where somebody has to load first.
func (e *entry) ready(now time.Time) Outcome {
	switch e.at(now) {
	case fresh:
		return Hit
	case stale:
		return Stale
	case lastValue:
		if e.rests(now) {
			return StaleError
		}
	}
	return ""
}

// rests tells whether e stands in for loads that nobody tries.
func (e *entry) rests(now time.Time) bool { return now.UnixNano() < e.resting.Load() }

// lifetime is how long an entry serves what.
type lifetime struct {
	created time.Time
	expires time.Time // until then it is fresh
	stale   time.Time // until then it is served at once, and refreshed behind
	last    time.Time // until then it stands in for a load that fails
	kept    time.Time // until then the origin may say that it is still good
}

// freshness is how an entry may be served.
type freshness int

const (
	fresh     freshness = iota
	stale               // past its TTL, and served
	lastValue           // served where a load fails
	unproven            // served once the origin has said that it is still good
	gone
)

func (l lifetime) at(now time.Time) freshness {
	switch {
	case now.Before(l.expires):
		return fresh
	case now.Before(l.stale):
		return stale
	case now.Before(l.last):
		return lastValue
	case now.Before(l.kept):
		return unproven
	}
	return gone
}

// end is when the entry is of no more use.
func (l lifetime) end() time.Time {
	end := l.expires
	for _, t := range []time.Time{l.stale, l.last, l.kept} {
		if t.After(end) {
			end = t
		}
	}
	return end
}

// age is zero where another process' clock is ahead of this one's.
func (l lifetime) age(now time.Time) time.Duration { return max(now.Sub(l.created), 0) }

// softened is the lifetime of what has been purged softly: its TTL ends now, and what follows it follows now.
func (l lifetime) softened(now time.Time) lifetime {
	if early := l.expires.Sub(now); early > 0 {
		l.expires, l.stale, l.last = now, l.stale.Add(-early), l.last.Add(-early)
	}
	return l
}
