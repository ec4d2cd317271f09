package cache_test

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
	"vitrine/e2e/fleet/forecast"
)

// simRedis is one Redis of simulated replicas, in virtual time: a server that does one thing after the other, each for
// as long as the constants say, at the end of a network. What it keeps, a storetest.Memory does.
type simRedis struct {
	storetest.Memory
	costs    forecast.Constants
	replicas int
	latency  time.Duration // one way, the mean
	seed     uint64
	began    time.Time
	calls    chan simCall

	from, to time.Time // the purges that count were sent between

	mu    sync.Mutex
	seen  forecast.Simulation     // Wait is that of all
	heard int                     // deliveries of purges that count
	lag   time.Duration           // of these, in all
	lags  map[int64]time.Duration // of each such purge, until the last replica had heard of it; by when it was sent
}

// simCall is one for the server: do does it, and says what it cost and whether it sent a message.
type simCall struct {
	came time.Time
	do   func() (cost float64, sent bool)
	done chan struct{}
}

func newSimRedis(w forecast.Workload, costs forecast.Constants, seed uint64) *simRedis {
	return &simRedis{
		costs: costs, replicas: w.Replicas, latency: w.Latency, seed: seed, began: time.Now(),
		calls: make(chan simCall, 1<<17), lags: map[int64]time.Duration{},
	}
}

func micros(us float64) time.Duration { return time.Duration(us * float64(time.Microsecond)) }

// run serves until calls is closed.
func (s *simRedis) run() {
	for c := range s.calls {
		waited := time.Since(c.came)
		cost, sent := c.do()
		busy := micros(cost)
		time.Sleep(busy)
		close(c.done)
		if sent {
			deliver := micros(s.costs.Delivery) * time.Duration(s.replicas)
			time.Sleep(deliver)
			busy += deliver
		}
		s.count(func(n *forecast.Simulation) {
			n.Commands++
			n.Wait += waited
			n.Busy += busy
		})
	}
}

func (s *simRedis) count(add func(*forecast.Simulation)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	add(&s.seen)
}

// random is a number that depends on nothing but what it is for and on the virtual time: the order in which goroutines
// run has no part in it.
func (s *simRedis) random(replica int, what string) uint64 {
	x := s.seed ^ uint64(replica)<<32 ^ uint64(time.Since(s.began))
	for _, c := range []byte(what) {
		x = (x ^ uint64(c)) * 1099511628211 // FNV's
	}
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9 // and SplitMix64's end
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// travel takes from half to one and a half times the mean latency.
func (s *simRedis) travel(replica int, what string) time.Duration {
	return s.latency/2 + time.Duration(s.random(replica, what)%uint64(s.latency))
}

// simStore is simRedis as one replica sees it.
type simStore struct {
	*simRedis
	replica int
}

// call has the server do something, there and back again.
func (s simStore) call(what string, do func() (cost float64, sent bool)) {
	time.Sleep(s.travel(s.replica, what))
	c := simCall{came: time.Now(), do: do, done: make(chan struct{})}
	s.calls <- c
	<-c.done
	time.Sleep(s.travel(s.replica, what+" answered"))
}

func (s simStore) Get(ctx context.Context, key string) (value []byte, err error) {
	s.call("get "+key, func() (float64, bool) {
		value, err = s.Memory.Get(ctx, key)
		cost := s.costs.Get
		if err != nil {
			cost = s.costs.Miss
		}
		s.count(func(n *forecast.Simulation) {
			n.Gets++
			if err != nil {
				n.Misses++
			}
		})
		return cost, false
	})
	return value, err
}

func (s simStore) Acquire(ctx context.Context, key string, seen []byte, token string, note []byte, ttl time.Duration) (got cache.Acquired, err error) {
	s.call("acquire "+key, func() (cost float64, _ bool) {
		got, err = s.Memory.Acquire(ctx, key, seen, token, note, ttl)
		switch {
		case got.Held:
			cost = s.costs.Acquire
		case got.Value != nil:
			cost = s.costs.AcquireValue
		default:
			cost = s.costs.Refused
			s.count(func(n *forecast.Simulation) { n.Refused++ })
		}
		return cost, false
	})
	return got, err
}

func (s simStore) Renew(ctx context.Context, key, token string, ttl time.Duration) (held bool, err error) {
	s.call("renew "+key, func() (float64, bool) {
		held, err = s.Memory.Renew(ctx, key, token, ttl)
		return s.costs.Refused, false
	})
	return held, err
}

func (s simStore) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration, message []byte) (held bool, err error) {
	s.call("fill "+key, func() (float64, bool) {
		held, err = s.Memory.Fill(ctx, key, token, value, ttl, stamped(message, s.costs.Fill, time.Unix(0, 0)))
		if held {
			s.count(func(n *forecast.Simulation) { n.Messages++ })
		}
		return s.costs.Fill, held
	})
	return held, err
}

func (s simStore) Invalidate(ctx context.Context, key string, message []byte) (err error) {
	sent := time.Now()
	s.call("invalidate "+key, func() (float64, bool) {
		err = s.Memory.Invalidate(ctx, key, stamped(message, s.costs.Invalidate, sent))
		s.count(func(n *forecast.Simulation) { n.Messages++; n.Purges++ })
		return s.costs.Invalidate, true
	})
	return err
}

func (s simStore) Purges(ctx context.Context, scope string, known cache.Mark, era string) (a cache.Account, err error) {
	s.call("purges", func() (float64, bool) {
		a, err = s.Memory.Purges(ctx, scope, known, era)
		return s.costs.Account, false
	})
	return a, err
}

// stamped is a message behind the time from which on it is delivered, and when the purge was sent that it tells of.
func stamped(message []byte, cost float64, sent time.Time) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(micros(cost)).UnixNano()))
	return append(binary.BigEndian.AppendUint64(b, uint64(sent.UnixNano())), message...)
}

// Listen has messages come as from the server: to one subscriber after the other, and then through the network.
func (s simStore) Listen(ctx context.Context, l cache.Listener) (stop func()) {
	hear := l.Message
	l.Message = func(b []byte) {
		from, sent := int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))
		turn := time.Unix(0, from).Add(micros(s.costs.Delivery) * time.Duration(s.replica+1))
		time.Sleep(time.Until(turn) + s.travel(s.replica, "message"))
		hear(b[16:])
		s.delivered(time.Unix(0, sent))
	}
	return s.Memory.Listen(ctx, l)
}

// delivered notes that a replica has heard of what was sent then; of a load, at no time.
func (s *simRedis) delivered(sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.Delivered++
	if sent.Before(s.from) || !sent.Before(s.to) {
		return
	}
	lag := time.Since(sent)
	s.heard++
	s.lag += lag
	s.lags[sent.UnixNano()] = max(s.lags[sent.UnixNano()], lag)
}

// counts are those so far. Those of commands that run are not among them.
func (s *simRedis) counts() forecast.Simulation {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.seen
	n.Coherent = s.lag / time.Duration(max(s.heard, 1))
	for _, lag := range s.lags {
		n.Last += lag
	}
	n.Last /= time.Duration(max(len(s.lags), 1))
	return n
}
