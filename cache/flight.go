package cache

import (
	"context"
	"iter"
	"sync"
)

// flights are the keys that somebody in this process looks for or loads, one flight a key.
type flights struct {
	mu    sync.Mutex
	calls map[entryKey]*call
	apart map[*call]entryKey // those that callers to come do not join: see part
}

// join returns the call under k, and true to its leader, who must run it. Whose load is for itself, or for another part,
// leads one that nobody joins. known is what the call is to replace, if that is what it is for.
func (f *flights) join(ctx context.Context, k entryKey, src source, known *entry) (*call, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	joined, ok := f.calls[k]
	if ok && !src.alone && joined.part == src.part {
		return joined, false
	}
	c := newCall(ctx, src, known)
	if c.alone = ok || src.alone; c.alone {
		f.setApart(k, c)
		return c, true
	}
	if f.calls == nil {
		f.calls = make(map[entryKey]*call)
	}
	f.calls[k] = c
	return c, true
}

// withdraw has callers to come not join c, of which nothing more is kept.
func (f *flights) withdraw(k entryKey, c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls[k] == c {
		delete(f.calls, k)
	}
	delete(f.apart, c)
}

// flying tells whether there is a call under k.
func (f *flights) flying(k entryKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[k] != nil
}

func (f *flights) leave(k entryKey, c *call) {
	f.withdraw(k, c)
	close(c.done)
}

// begin says that c reads, or waits for another process, and has not seen a value yet.
func (f *flights) begin(c *call, waiting bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.touched, c.newest, c.waiting = false, 0, waiting
	if waiting && c.wake == nil {
		c.wake = make(chan *message, 4)
	}
	for len(c.wake) > 0 {
		<-c.wake // it is of before
	}
}

// loads says that c, which was waiting, loads. What touches the key from begin on concerns it.
func (f *flights) loads(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.waiting = false
}

// lands says that c, which was waiting, has what it waited for, unless the key was purged or replaced meanwhile:
// then it returns false, for others may have joined since. e is what it has, if that was kept.
func (f *flights) lands(c *call, e *entry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.outdates(e) {
		return false
	}
	c.waiting = false
	return true
}

// of are the flights of k. It is to be called under mu, as are all and part.
func (f *flights) of(k entryKey) iter.Seq[*call] {
	return func(yield func(*call) bool) {
		if c, ok := f.calls[k]; ok && !yield(c) {
			return
		}
		for c, at := range f.apart {
			if at == k && !yield(c) {
				return
			}
		}
	}
}

// variantsOf are the flights of k and of its variants, with their keys. It is to be called under mu.
func (f *flights) variantsOf(k entryKey) iter.Seq2[entryKey, *call] {
	return func(yield func(entryKey, *call) bool) {
		for at, c := range f.all() {
			if at.primary() == k && !yield(at, c) {
				return
			}
		}
	}
}

func (f *flights) all() iter.Seq2[entryKey, *call] {
	return func(yield func(entryKey, *call) bool) {
		for k, c := range f.calls {
			if !yield(k, c) {
				return
			}
		}
		for c, k := range f.apart {
			if !yield(k, c) {
				return
			}
		}
	}
}

// part has callers to come get a flight of their own. What is heard of k concerns c all the same.
func (f *flights) part(k entryKey, c *call) {
	if f.calls[k] != c {
		return
	}
	delete(f.calls, k)
	f.setApart(k, c)
}

func (f *flights) setApart(k entryKey, c *call) {
	if f.apart == nil {
		f.apart = make(map[*call]entryKey)
	}
	f.apart[c] = k
}

// tell wakes the flights of m's key that wait.
func (f *flights) tell(m message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.of(m.key) {
		c.hear(m)
	}
}

// tellAll wakes all flights that wait.
func (f *flights) tellAll(m message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.all() {
		c.hear(m)
	}
}

func (c *call) hear(m message) {
	if !c.waiting {
		return
	}
	select {
	case c.wake <- &m:
	default: // it wakes as it is
	}
}

// outdates tells whether what touched the key was not e itself.
func (c *call) outdates(e *entry) bool { return c.touched && (e == nil || e.id != c.newest) }

// touch says that what c may have seen of its key is out of date, but for what replaced it: the value of the id newest,
// or, after a purge, 0. Then callers to come get a flight of their own, unless this one has not begun.
func (f *flights) touch(k entryKey, c *call, newest uint64) {
	c.touched, c.newest = true, newest
	if newest == 0 && !c.waiting {
		f.part(k, c)
	}
}
