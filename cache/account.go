package cache

import (
	"maps"
	"slices"
	"sync"
)

// account is this process' copy of an Account. The purges of a cache without a far tier have no other.
type account struct {
	mu        sync.RWMutex
	now       Account
	connected bool // messages bring the purges to come
	since     int  // how often that began
	synced    bool // and now has those that were
	missed    bool // some came in another way: what the near tier has may be older
}

// mark is what entries bear whose loads begin now.
func (a *account) mark() Mark {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.now.Mark
}

func (a *account) inStep() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.synced
}

// connect says whether messages arrive from now on. Those of before may be lost.
func (a *account) connect(yes bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.connected, a.synced = yes, false
	a.since++
}

func (a *account) connections() int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.since
}

// replace takes over what the store had at a time when there had been so many connections.
func (a *account) replace(now Account, since int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.synced = a.connected && a.since == since
	if now.Era == a.now.Era && now.Seq <= a.now.Seq {
		return // a message was faster
	}
	a.missed = a.missed || a.now.Era != "" || now.Seq > 0
	a.now = now
}

// takeMissed tells whether purges came otherwise than by message, once.
func (a *account) takeMissed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	missed := a.missed
	a.missed = false
	return missed
}

// note notes a purge that a message told of. It returns false where others are missing before it.
func (a *account) note(p Purge, m Mark) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case m.Era != a.now.Era, m.Seq > a.now.Seq+1:
		a.synced = false
		return false
	case m.Seq <= a.now.Seq:
		return true
	}
	a.now.add(p, m.Seq)
	return true
}

// next notes a purge of a cache that keeps its own account.
func (a *account) next(p Purge) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now.add(p, a.now.Seq+1)
}

func (a *Account) add(p Purge, seq uint64) {
	a.Seq = seq
	if a.Tags == nil {
		a.Tags, a.SoftTags = make(map[string]uint64), make(map[string]uint64)
	}
	for _, field := range p.fields() {
		a.note(field, seq)
	}
	if len(a.Tags)+len(a.SoftTags) > 4*accountTags { // only one's own grows so far: the store keeps others small
		a.forget()
	}
}

// forget forgets the older half of the tags.
func (a *Account) forget() {
	var seqs []uint64
	for _, tags := range []map[string]uint64{a.Tags, a.SoftTags} {
		for _, seq := range tags {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	a.Floor = seqs[len(seqs)/2]
	for _, tags := range []map[string]uint64{a.Tags, a.SoftTags} {
		maps.DeleteFunc(tags, func(_ string, seq uint64) bool { return seq <= a.Floor })
	}
}

// verdict says what purges have left of an entry.
type verdict int

const (
	valid   verdict = iota
	softly          // it is stale
	void            // it is gone
	foreign         // the account is another than when it was made: nobody knows
)

// verdict is what purges of an entry with this mark and these tags have left of it.
func (a *account) verdict(m Mark, tags []string) verdict {
	a.mu.RLock()
	defer a.mu.RUnlock()
	now := &a.now
	if m.Era != now.Era {
		return foreign
	}
	v := valid
	switch {
	case m.Seq < now.All, len(tags) > 0 && m.Seq < now.Floor:
		return void
	case m.Seq < now.SoftAll:
		v = softly
	}
	for _, tag := range tags {
		if m.Seq < now.Tags[tag] {
			return void
		}
		if m.Seq < now.SoftTags[tag] {
			v = softly
		}
	}
	return v
}
