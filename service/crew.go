package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// crew shares out work among processors. It has a place for each of them.
type crew chan struct{}

// turn is how long a goroutine of a crew works before it lets others at its processor.
const turn = time.Millisecond

// each calls work with the numbers below n, once each, with the help of processors whose places are free. What takes
// a turn only is not worth waking them. It gives up when ctx ends.
func (c crew) each(ctx context.Context, n int, work func(int)) error {
	c <- struct{}{}
	defer func() { <-c }()
	var next atomic.Int64
	takeTurn := func() (more bool) {
		for begun := time.Now(); time.Since(begun) < turn; {
			i := int(next.Add(1)) - 1
			if i >= n || ctx.Err() != nil {
				return false
			}
			work(i)
		}
		return true
	}
	var helpers sync.WaitGroup
	for takeTurn() {
		c.help(&helpers, takeTurn)
		runtime.Gosched()
	}
	helpers.Wait()
	return ctx.Err() // not before: a helper may have left out what it took
}

// help has a turn taken in each free place, by a goroutine that ends with it: a processor only looks what the network
// has brought when it has run out of goroutines, and hits would wait for tiles.
func (c crew) help(helpers *sync.WaitGroup, takeTurn func() bool) {
	for {
		select {
		case c <- struct{}{}:
		default:
			return
		}
		helpers.Go(func() {
			takeTurn()
			<-c
		})
	}
}
