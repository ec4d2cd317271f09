package cache

import (
	"math"
	"time"

	"github.com/maypok86/otter/v2"
)

// entryOverhead is what an entry costs beside its key and payload, in bytes: otter's node, its slot in the
// hash table and in the policy's queues, and the entry and response structs. TestNearOverhead measures it.
const entryOverhead = 560

// near is the tier in this process. It holds decoded entries and forgets them when they expire or when
// they would exceed its bytes.
type near struct {
	otter *otter.Cache[entryKey, *entry]
}

func newNear(bytes int64, m *metrics) *near {
	return &near{otter.Must(&otter.Options[entryKey, *entry]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(_ entryKey, e *entry) uint32 { return e.weight },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[entryKey, *entry]) time.Duration {
			return max(time.Until(e.Value.expires), time.Nanosecond)
		}),
		OnAtomicDeletion: func(e otter.DeletionEvent[entryKey, *entry]) {
			switch e.Cause {
			case otter.CauseOverflow:
				m.evictedSize.Inc()
			case otter.CauseExpiration:
				m.evictedExpired.Inc()
			}
		},
	})}
}

func weigh(k entryKey, e *entry) uint32 {
	return uint32(min(len(k.host)+len(k.name)+e.size+entryOverhead, math.MaxUint32))
}

// get returns the fresh entry under k, or nil. A nil near holds nothing.
func (n *near) get(k entryKey, now time.Time) *entry {
	if n == nil {
		return nil
	}
	if e, ok := n.otter.GetIfPresent(k); ok && e.fresh(now) {
		return e
	}
	return nil
}

func (n *near) set(k entryKey, e *entry) {
	if n != nil {
		e.weight = weigh(k, e)
		n.otter.Set(k, e)
	}
}

func (n *near) close() {
	if n != nil {
		n.otter.StopAllGoroutines()
	}
}
