package cache

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// entryOverhead is what an entry costs beside its key and payload, in bytes: otter's node, its slot in the
// hash table and in the policy's queues, and the entry and response structs. TestNearOverhead measures it.
const entryOverhead = 740

// coarse is how far behind the time may be by which entries leave the near tier. Whoever finds one looks at its own times, so
// that another look at the precise clock, a tenth of what a hit costs, would tell nothing more.
const coarse = time.Second

// near is the tier in this process. It holds decoded entries and forgets them when they are of no more use or
// when they would exceed its bytes.
type near struct {
	otter   *otter.Cache[entryKey, *entry]
	clock   *otter.CoarseClock // by which otter lets go of what is past its time
	checked time.Duration      // how long the far tier need not be asked; 0: there is none
	trusted atomic.Int64       // counts the times when all that is held may have been out of date
}

func newNear(bytes int64, checked time.Duration, m *metrics) *near {
	clock := otter.NewCoarseClock(coarse)
	return &near{checked: checked, clock: clock, otter: otter.Must(&otter.Options[entryKey, *entry]{
		Clock:         clock,
		MaximumWeight: uint64(bytes),
		Weigher:       func(_ entryKey, e *entry) uint32 { return e.weight },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[entryKey, *entry]) time.Duration {
			return max(time.Until(e.Value.end()), 0) + coarse
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

// get returns the entry under k if it is of use and the far tier need not be asked, or nil. A nil near holds nothing.
func (n *near) get(k entryKey, now time.Time) *entry {
	e := n.held(k, now)
	if e == nil || n.checked == 0 {
		return e
	}
	if age := now.UnixNano() - e.checked.Load(); age >= int64(n.checked) {
		return nil
	}
	return e
}

// held returns the entry under k if it is of use, or nil. The far tier may know better.
func (n *near) held(k entryKey, now time.Time) *entry {
	if n == nil {
		return nil
	}
	if e, ok := n.otter.GetIfPresent(k); ok && e.at(now) != gone && e.trust.Load() == n.trusted.Load() {
		return e
	}
	return nil
}

// trust is to be read before an entry is looked for, and given to set with it.
func (n *near) trust() int64 {
	if n == nil {
		return 0
	}
	return n.trusted.Load()
}

func (n *near) set(k entryKey, e *entry, trust int64) {
	if n == nil {
		return
	}
	if before, ok := n.otter.GetIfPresent(k); ok && before.id == e.id {
		e.hits.Store(before.hits.Load())
	}
	e.checked.Store(time.Now().UnixNano())
	e.trust.Store(trust)
	e.weight = weigh(k, e)
	n.otter.Set(k, e)
}

func (n *near) forget(k entryKey) {
	if n != nil {
		n.otter.Invalidate(k)
	}
}

// soften has the entry under k be stale from now on.
func (n *near) soften(k entryKey, now time.Time) {
	if n == nil {
		return
	}
	n.otter.ComputeIfPresent(k, func(e *entry) (*entry, otter.ComputeOp) { return n.softer(k, e, now) })
}

func (n *near) softer(k entryKey, e *entry, now time.Time) (*entry, otter.ComputeOp) {
	soft := e.with(e.softened(now))
	if soft.at(now) == gone {
		return nil, otter.InvalidateOp
	}
	soft.weight = weigh(k, soft)
	return soft, otter.WriteOp
}

// judge has every entry be what verdict says.
func (n *near) judge(verdict func(*entry) verdict, now time.Time) {
	if n == nil {
		return
	}
	for k, e := range n.otter.All() {
		v := verdict(e)
		if v == valid {
			continue
		}
		n.otter.ComputeIfPresent(k, func(is *entry) (*entry, otter.ComputeOp) {
			switch {
			case is != e:
				return is, otter.CancelOp // newer, and judged before it was set
			case v == softly:
				return n.softer(k, e, now)
			}
			return nil, otter.InvalidateOp
		})
	}
}

// distrust has the far tier be asked again about all entries.
func (n *near) distrust() {
	if n != nil {
		n.trusted.Add(1)
	}
}

func (n *near) close() {
	if n != nil {
		n.otter.StopAllGoroutines()
		n.clock.Stop()
	}
}
