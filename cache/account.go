package cache

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// account is this process' copy of an Account. The purges of a cache without a far tier have no other.
type account struct {
	mu        sync.RWMutex
	now       Account
	connected bool                 // messages bring the purges to come
	since     int                  // how often that began
	synced    bool                 // and now has those that were
	missed    bool                 // some came in another way: what the near tier has may be older
	softened  map[string]time.Time // of the fields of soft purges, when this process heard of them
}

// accountTags is how many tags an account keeps at least; beyond twice as many it forgets the older half.
const accountTags = 5000

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
		return // it has not changed, or a message was faster
	}
	a.missed = a.missed || a.now.Era != "" || now.Seq > 0
	before := a.softened
	a.softened = make(map[string]time.Time, len(now.SoftTags))
	heard := func(field string, seq, known uint64) {
		at, ok := before[field]
		if !ok || seq != known || now.Era != a.now.Era {
			at = time.Now()
		}
		a.softened[field] = at
	}
	for tag, seq := range now.SoftTags {
		heard(softTag+tag, seq, a.now.SoftTags[tag])
	}
	if now.SoftAll > 0 {
		heard(softAll, now.SoftAll, a.now.SoftAll)
	}
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

// news is what a message of a purge is.
type news int

const (
	old    news = iota // known already
	next               // the one that follows
	beyond             // others are missing before it
)

// note notes a purge that a message told of.
func (a *account) note(p Purge, m Mark) news {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case m.Era != a.now.Era, m.Seq > a.now.Seq+1:
		a.synced = false
		return beyond
	case m.Seq <= a.now.Seq:
		return old
	}
	a.add(p)
	return next
}

// own notes a purge of a cache that keeps its own account.
func (a *account) own(p Purge) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.add(p)
}

func (a *account) add(p Purge) {
	now := &a.now
	now.Seq++
	if now.Tags == nil {
		now.Tags, now.SoftTags = make(map[string]uint64), make(map[string]uint64)
	}
	if a.softened == nil {
		a.softened = make(map[string]time.Time)
	}
	for _, field := range p.fields() {
		now.note(field, now.Seq)
		if p.Soft {
			a.softened[field] = time.Now()
		}
	}
	if len(now.Tags)+len(now.SoftTags) > 2*accountTags {
		now.forget()
		maps.DeleteFunc(a.softened, func(field string, _ time.Time) bool {
			tag, isTag := strings.CutPrefix(field, softTag)
			return isTag && now.SoftTags[tag] == 0
		})
	}
}

// The fields of an account that are no tags', and the prefixes of those that are.
const (
	hardAll = "all"
	softAll = "softall"
	hardTag = "t:"
	softTag = "s:"
)

// fields are those of an account that note p.
func (p Purge) fields() (names []string) {
	if len(p.Tags) == 0 {
		if p.Soft {
			return []string{softAll}
		}
		return []string{hardAll}
	}
	prefix := hardTag
	if p.Soft {
		prefix = softTag
	}
	for _, tag := range p.Tags {
		names = append(names, prefix+tag)
	}
	return names
}

func (a *Account) note(field string, n uint64) {
	switch tag, isTag := strings.CutPrefix(field, hardTag); {
	case isTag:
		a.Tags[tag] = n
	case field == "seq":
		a.Seq = n
	case field == "floor":
		a.Floor = n
	case field == hardAll:
		a.All = n
	case field == softAll:
		a.SoftAll = n
	default:
		if tag, isTag := strings.CutPrefix(field, softTag); isTag {
			a.SoftTags[tag] = n
		}
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

// softenedAt is when the first of the soft purges that concern an entry was heard of.
func (a *account) softenedAt(m Mark, tags []string) time.Time {
	a.mu.RLock()
	defer a.mu.RUnlock()
	first := time.Now()
	consider := func(field string, seq uint64) {
		if at, ok := a.softened[field]; ok && m.Seq < seq && at.Before(first) {
			first = at
		}
	}
	consider(softAll, a.now.SoftAll)
	for _, tag := range tags {
		consider(softTag+tag, a.now.SoftTags[tag])
	}
	return first
}
