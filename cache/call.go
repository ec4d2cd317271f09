package cache

import (
	"context"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
)

// call is one flight. Its results may be read once done is closed.
type call struct {
	done  chan struct{}
	soft  chan struct{} // closed once standIn should
	late  chan struct{} // closed when the load's time is up, whether or not it heeds that; then lateErr may be read
	wake  chan *message // what was heard of the key; nil before it waits for that
	ctx   context.Context
	known *entry // what it is to replace, if that is what it is for
	alone bool   // nobody else joins it, and it waits for nobody
	part  string // of a response, that it asks for; empty: all
	relay *relay // nil: not of a response

	// The flight's own.
	before   *entry // a response that the origin may say is still good
	beforeIn Tier
	reason   string       // why the origin is asked, as RFC 9211 has it
	handed   func(loaded) // tells that the response is for its asker alone, and is being written
	trust    int64        // of the near tier, when it began to read or load
	mark     Mark         // of the account, likewise
	token    string       // of the lease that it holds; empty: none
	found    bool         // the far tier had something under the key
	seen     []byte       // which began so
	placed   bool         // its load has begun

	// Under flights.mu.
	touched bool   // the key has been purged or replaced since the flight began to read or load it
	newest  uint64 // the id of what replaced it last; 0: it was purged since
	waiting bool   // for another process

	standIn atomic.Pointer[entry] // what may be served if the load fails
	purged  atomic.Bool           // what was there before was purged
	lateErr error

	loaded  loaded
	outcome Outcome           // the leader's; a follower of a Miss is Coalesced
	tier    Tier              // where the value was found after all, or None
	remote  bool              // another process loaded it
	span    trace.SpanContext // of the load
	err     error
}

// loaded is what came of a load.
type loaded struct {
	*entry
	payload  []byte // the value for the far tier
	stored   bool   // may be kept, and after the flight: is
	unshared bool   // is for the leader alone
	answered        // of a response
}

// answered is what is known of a response beside itself.
type answered struct {
	status   int
	failing  bool        // it is no better than an error
	detail   string      // why it is for its asker alone, or ""
	own      http.Header // fields that are its asker's
	vary     []string    // fields of the request on which it depends
	selected string      // the digest of what that said in them
	proven   bool        // it had been kept, and the origin said that it is still good

	under   entryKey // where it is kept; the zero value: under the flight's key
	also    entryKey // in this process also under this one; the zero value: it is not
	guide   *entry   // what is to be kept beside it or in its place, or nil
	guideAt entryKey
	inNear  bool // the guide is in the near tier already

	relay *relay // it is to be taken from there, and there is no entry
}

// newCall returns a call. known is what it is to replace, if that is what it is for.
func newCall(ctx context.Context, src source, known *entry) *call {
	c := &call{
		done: make(chan struct{}), soft: make(chan struct{}), late: make(chan struct{}),
		ctx: detached{context.WithoutCancel(ctx)}, known: known, part: src.part, outcome: Miss, tier: None,
	}
	if src.relays {
		c.relay = newRelay()
	}
	return c
}

// detached has what its leader's context says, and does not end with it: one impatient caller must not fail the others.
// What that records of its answer, and the place that it holds, are its own.
type detached struct{ context.Context }

// Value implements context.Context.
func (d detached) Value(key any) any {
	switch key.(type) {
	case placeKey, recorderKey:
		return nil
	}
	return d.Context.Value(key)
}
