package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"vitrine/cache"
)

// tileStatistics is the answer to GET /stats/{z}/{x}/{y}.
type tileStatistics struct {
	Tile           string    `json:"tile"`
	MeanIterations float64   `json:"mean_iterations"`
	SetShare       float64   `json:"set_share"` // of the tile's points, 0 to 1
	ComputedAt     time.Time `json:"computed_at"`
	Instance       string    `json:"instance"`
}

// statsSource finds the statistics of tiles: a leaf computes its own, the others ask for their children's.
type statsSource struct {
	cache    *cache.Cache
	upstream string
	client   *http.Client
	instance string
}

// upstreamTransport keeps connections for four children at once, and as many requests: the default of two
// idle ones would dial anew for most of them.
func upstreamTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	return t
}

func (s *server) tileStats() http.Handler {
	source := statsSource{
		cache:    s.caches.stats,
		upstream: s.cfg.upstreamURL,
		client:   &http.Client{Transport: s.telemetry.Transport(s.upstream)},
		instance: s.instance(),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, status, err := tileFrom(r)
		if err != nil {
			problem(w, status, err.Error())
			return
		}
		answer, err := cache.Fetch(r.Context(), source.cache, t.String(), func(ctx context.Context) (tileStatistics, error) {
			if err := s.faults.inject(ctx, source.cache.Name()); err != nil {
				return tileStatistics{}, err
			}
			return source.load(ctx, t)
		})
		if result, ok := cache.RecorderFrom(r.Context()).Result(); ok {
			w.Header().Set("Cache-Status", result.CacheStatus())
		}
		switch {
		case err == nil:
			writeJSON(w, http.StatusOK, answer)
		case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
			panic(http.ErrAbortHandler) // the client is gone: an empty 200 would be a lie
		default:
			s.telemetry.Logger.ErrorContext(r.Context(), "stats", "tile", t.String(), "error", err)
			statsFailed(w, err)
		}
	})
}

func statsFailed(w http.ResponseWriter, err error) {
	var rejected *cache.RejectedError
	switch {
	case errors.As(err, &rejected):
		w.Header().Set("Retry-After", strconv.Itoa(int(rejected.RetryAfter.Seconds())))
		problem(w, http.StatusServiceUnavailable, "too many statistics are wanted at once")
	case errors.Is(err, cache.ErrLoadTimeout):
		problem(w, http.StatusGatewayTimeout, "the children's statistics took too long")
	default:
		problem(w, http.StatusBadGateway, "the children's statistics could not be had")
	}
}

// leaf tells whether a tile computes its own statistics: every third level does, so that no request goes
// more than two levels down.
func (t tile) leaf() bool { return t.z%3 == 2 }

func (t tile) children() [4]tile {
	z, x, y := t.z+1, 2*t.x, 2*t.y
	return [4]tile{{z, x, y}, {z, x + 1, y}, {z, x, y + 1}, {z, x + 1, y + 1}}
}

func (s statsSource) load(ctx context.Context, t tile) (tileStatistics, error) {
	cache.AddTags(ctx, t.zoom())
	answer := tileStatistics{Tile: t.String(), ComputedAt: time.Now().UTC(), Instance: s.instance}
	if t.leaf() {
		answer.MeanIterations, answer.SetShare = t.stats()
		return answer, nil
	}
	var parts [4]tileStatistics
	group, each := errgroup.WithContext(ctx)
	for i, child := range t.children() {
		group.Go(func() (err error) {
			parts[i], err = s.ask(each, child)
			return err
		})
	}
	// The children may be this process' to load.
	if err := cache.Yield(ctx, group.Wait); err != nil {
		return tileStatistics{}, err
	}
	// Children are of equal size.
	for _, part := range parts {
		answer.MeanIterations += part.MeanIterations / float64(len(parts))
		answer.SetShare += part.SetShare / float64(len(parts))
	}
	return answer, nil
}

func (s statsSource) ask(ctx context.Context, t tile) (answer tileStatistics, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("stats of %s: %w", t, err)
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.upstream+"/stats/"+t.String(), nil)
	if err != nil {
		return answer, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return answer, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		// Read to the end, so that the connection lives on.
		_, err := io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
		if wait, convErr := strconv.Atoi(res.Header.Get("Retry-After")); convErr == nil && res.StatusCode == http.StatusServiceUnavailable {
			err = errors.Join(err, &cache.RejectedError{Cache: s.cache.Name(), RetryAfter: time.Duration(wait) * time.Second})
		}
		return answer, errors.Join(fmt.Errorf("status %s", res.Status), err)
	}
	return answer, json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&answer)
}
