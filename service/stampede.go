package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// stampede is POST /stampede: it asks for one tile that nobody has asked for, so many times at once, and tells what each
// was answered. The requests go where those of /stats do, so that all replicas get their share.
type stampede struct {
	upstream string
	client   *http.Client

	mu      sync.Mutex
	running bool
	next    time.Time // none begins before
}

const (
	crowd = 200
	// Whoever asks for a stampede costs about as much as a cold tile and a few more, and no more often than this after the
	// last has ended: where loads are slow, two would take the places of others.
	stampedeEvery = 3 * time.Second
)

// stampeded is the answer.
type stampeded struct {
	Tile    string         `json:"tile"`
	Took    float64        `json:"took_ms"`
	Answers []crowdsAnswer `json:"answers"` // in the order in which they came
}

// crowdsAnswer is one of them. Its fields are as they came.
type crowdsAnswer struct {
	Status       int     `json:"status"` // 0: none came
	CacheStatus  string  `json:"cache_status"`
	ServerTiming string  `json:"server_timing"`
	Took         float64 `json:"ms"`
}

// Whoever sends one, from whatever page, costs no more than stampedeEvery allows.
func (s *server) stampede() http.Handler {
	return &stampede{upstream: s.cfg.upstreamURL, client: &http.Client{Transport: s.telemetry.Transport(s.upstream), Timeout: s.cfg.loadTimeout}}
}

func (s *stampede) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.begins(time.Now()) {
		w.Header().Set("Retry-After", fmt.Sprint(int(stampedeEvery.Seconds())))
		problem(w, http.StatusTooManyRequests, "the last stampede is too near")
		return
	}
	defer func() { s.ends(time.Now()) }()
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, s.run(r.Context(), coldTile()))
}

func (s *stampede) begins(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running || now.Before(s.next) {
		return false
	}
	s.running = true
	return true
}

func (s *stampede) ends(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.next = false, now.Add(stampedeEvery)
}

func (s *stampede) run(ctx context.Context, t tile) stampeded {
	did := stampeded{Tile: t.String()}
	start := time.Now()
	answers := make(chan crowdsAnswer, crowd)
	for range crowd {
		go func() { answers <- s.ask(ctx, t, start) }()
	}
	for range crowd {
		did.Answers = append(did.Answers, <-answers)
	}
	did.Took = milliseconds(time.Since(start))
	return did
}

// ask is one request. Why it got no answer is on its span.
func (s *stampede) ask(ctx context.Context, t tile, start time.Time) crowdsAnswer {
	failed := func() crowdsAnswer { return crowdsAnswer{Took: milliseconds(time.Since(start))} }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.upstream+"/tiles/"+t.String(), nil)
	if err != nil {
		return failed()
	}
	res, err := s.client.Do(req)
	if err != nil {
		return failed()
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return failed()
	}
	return crowdsAnswer{res.StatusCode, res.Header.Get("Cache-Status"), res.Header.Get("Server-Timing"), milliseconds(time.Since(start))}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// coldTile is one of so many deep ones that nobody has asked for it, and takes long to compute: it has a point that stays
// for hundreds of steps, and leaves.
func coldTile() tile {
	const z = 24
	across, limit := math.Exp2(z)/mapSide, iterations(z)
	for {
		x, y := rand.Float64(), rand.Float64()
		if n := escape(mapLeft+mapSide*x, mapTop-mapSide*y, limit); n > limit/2 && n < limit {
			return tile{z, int(mapSide * x * across), int(mapSide * y * across)}
		}
	}
}
