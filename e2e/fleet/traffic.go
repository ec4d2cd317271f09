package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sort"
	"sync"
	"sync/atomic"

	"vitrine/e2e/fleet/forecast"
)

// step is one request, or purge, of one replica.
type step struct {
	replica int
	key     string
	purge   bool
}

// traffic is what all sizes of a fleet are asked: the same keys in the same order.
type traffic struct {
	requests, keys int
	skew           float64
	purgeEvery     int // requests
	strip          int // of tiles: another has other keys
}

// steps spread the traffic over so many replicas in turn, as a load balancer does.
func (t traffic) steps(replicas int) []step {
	var upTo []float64
	sum := 0.0
	for share := range forecast.Zipf(t.keys, t.skew) {
		sum += share
		upTo = append(upTo, sum)
	}
	rng := rand.New(rand.NewPCG(1, 0))
	draw := func() string { return tileOf(min(sort.SearchFloat64s(upTo, rng.Float64()), t.keys-1), t.strip) }
	var all []step
	for i := range t.requests {
		all = append(all, step{i % replicas, draw(), false})
		if (i+1)%t.purgeEvery == 0 {
			all = append(all, step{i / t.purgeEvery % replicas, draw(), true})
		}
	}
	return all
}

// tileOf is a tile far from the set, at a level that asks for no children: its statistics cost next to nothing.
func tileOf(x, y int) string { return fmt.Sprintf("29/%d/%d", x, y) }

// ideal is what a fleet makes of steps that come one after the other: every version of a key is loaded once, and looked
// for once by each other replica that is asked for it.
func ideal(all []step) (loads, farHits int) {
	type copyOf struct {
		replica int
		key     string
	}
	far, near := map[string]int{}, map[copyOf]int{} // versions, from 1 on
	versions := map[string]int{}
	for _, s := range all {
		if s.purge {
			delete(far, s.key)
			continue
		}
		at := copyOf{s.replica, s.key}
		switch version := far[s.key]; {
		case version == 0:
			versions[s.key]++
			far[s.key], near[at] = versions[s.key], versions[s.key]
			loads++
		case near[at] != version:
			near[at] = version
			farHits++
		}
	}
	return loads, farHits
}

// drive sends the steps, so many at a time. Every answer must be a 200.
func drive(ctx context.Context, fleet []*replica, all []step, atOnce int) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(all) {
					return
				}
				s := all[i]
				var err error
				if s.purge {
					err = fleet[s.replica].purge(ctx, s.key)
				} else {
					err = ask(ctx, client, fleet[s.replica].url+"/stats/"+s.key)
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

func ask(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("%s: %s", url, res.Status))
	}
	return errors.Join(err, res.Body.Close())
}
