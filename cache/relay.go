package cache

import (
	"context"
	"net/http"
)

// relay carries a response that is for its asker alone from the load to the asker's own ResponseWriter.
type relay struct {
	offered chan struct{} // closed by the load once there is such a response
	taken   chan asker    // by the asker, once
	gone    chan struct{} // closed by an asker that takes none
	over    chan struct{} // closed by the load once the response has ended
	about   answered      // what is known of it; may be read once offered is closed
	ended   bool          // the load's own: its asker has all that it wants
	broken  bool          // it broke off; may be read once over is closed
}

// asker is who wants a response, or only its header. ctx ends when it leaves.
type asker struct {
	w    http.ResponseWriter
	ctx  context.Context
	head bool
}

func newRelay() *relay {
	return &relay{
		offered: make(chan struct{}), taken: make(chan asker, 1), gone: make(chan struct{}), over: make(chan struct{}),
	}
}

// isOffered tells whether there is a response to take. A nil relay has none.
func (r *relay) isOffered() bool {
	if r == nil {
		return false
	}
	select {
	case <-r.offered:
		return true
	default:
		return false
	}
}

// decline is for an asker that takes no response. It is to be called once, unless take is.
func (r *relay) decline() {
	if r != nil {
		close(r.gone)
	}
}

// take has the response be written to a, and returns when it has ended. It panics as the handler of a response that
// breaks off does.
func (r *relay) take(a asker) {
	r.taken <- a
	<-r.over
	if r.broken {
		panic(http.ErrAbortHandler)
	}
}

// offer waits for somebody to take the response. It returns false if nobody does.
func (r *relay) offer(ctx context.Context) (asker, bool) {
	close(r.offered)
	select {
	case a := <-r.taken:
		return a, true
	case <-r.gone:
	case <-ctx.Done():
		select {
		case a := <-r.taken: // it waits for the end
			return a, true
		case <-r.gone:
		}
	}
	return asker{}, false
}
