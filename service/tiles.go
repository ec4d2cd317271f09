package main

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"

	"vitrine/cache"
)

// maxZoom is the deepest level: below it neighbouring pixels are too near for float64. It is a leaf level.
const maxZoom = 29

// tile is one square of the map at level z, which has 2^z × 2^z of them.
type tile struct{ z, x, y int }

func (t tile) String() string { return fmt.Sprintf("%d/%d/%d", t.z, t.x, t.y) }

// zoom is the tag of what is known of tiles at one level, by which it can be purged.
func (t tile) zoom() string { return fmt.Sprintf("zoom:%d", t.z) }

// tileFrom reads the tile that the path names. Only the canonical spelling names one: 01/1/1 would be a
// second key for 1/1/1. status is the answer to a path that names none.
func tileFrom(r *http.Request) (t tile, status int, err error) {
	for _, part := range []struct {
		name string
		into *int
	}{{"z", &t.z}, {"x", &t.x}, {"y", &t.y}} {
		value := r.PathValue(part.name)
		n, err := strconv.Atoi(value)
		if err != nil || strconv.Itoa(n) != value {
			return tile{}, http.StatusBadRequest, fmt.Errorf("%s must be a whole number, not %q", part.name, value)
		}
		*part.into = n
	}
	if t.z < 0 || t.z > maxZoom {
		return tile{}, http.StatusNotFound, fmt.Errorf("z must be from 0 to %d, not %d", maxZoom, t.z)
	}
	if side := 1 << t.z; t.x < 0 || t.x >= side || t.y < 0 || t.y >= side {
		return tile{}, http.StatusNotFound, fmt.Errorf("level %d has tiles 0 to %d, and no %d/%d", t.z, side-1, t.x, t.y)
	}
	return t, 0, nil
}

// validTile answers paths that name no tile, before they reach a cache. For those the cache has no answer at
// hand.
type validTile struct{ *cache.Handler }

func (v validTile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, status, err := tileFrom(r); err != nil {
		problem(w, status, err.Error())
		return
	}
	v.Handler.ServeHTTP(w, r)
}

// tileImage computes GET /tiles/{z}/{x}/{y}: a PNG of 256 × 256 pixels.
func tileImage() http.Handler {
	s := newStudio(runtime.GOMAXPROCS(0))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, status, err := tileFrom(r)
		if err != nil {
			problem(w, status, err.Error())
			return
		}
		cache.AddTags(r.Context(), t.zoom())
		file, err := s.draw(r.Context(), t)
		switch {
		case err == nil:
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write(file) // a client that is gone: the server notices
		case r.Context().Err() != nil:
			brokenOff(w, r)
		default:
			problem(w, http.StatusInternalServerError, "the tile could not be encoded")
		}
	})
}
