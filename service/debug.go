package main

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"

	"vitrine/cache"
)

//go:embed ops
var ops embed.FS

// cachesView is what /debug/cache says, as a page and in JSON.
type cachesView struct {
	Instance string      `json:"instance"`
	N        int         `json:"-"`
	Caches   []cacheView `json:"caches"`
}

type cacheView struct {
	Name     string      `json:"name"`
	Entries  int         `json:"entries"`
	Bytes    int64       `json:"bytes"`
	Capacity int64       `json:"capacity_bytes"`
	Requests int64       `json:"whatif_requests"`
	Rate     float64     `json:"whatif_sampling_rate"`
	WhatIf   []whatIf    `json:"whatif"`
	Hottest  []entryView `json:"hottest"`
}

type whatIf struct {
	Capacity float64 `json:"capacity"`
	Bytes    int64   `json:"bytes"`
	HitRatio float64 `json:"hit_ratio"`
	Saved    seconds `json:"saved_seconds"`
}

type entryView struct {
	Key     string  `json:"key"`
	Variant string  `json:"variant,omitempty"`
	Bytes   int64   `json:"bytes"`
	Age     seconds `json:"age_seconds"`
	TTL     seconds `json:"ttl_seconds"`
	Cost    seconds `json:"load_seconds"`
	Hits    int64   `json:"hits"`
	Saved   seconds `json:"saved_seconds"`
}

// seconds is a duration that programs read as a number and people in three digits or so.
type seconds float64

func (s seconds) duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

func (s seconds) String() string {
	d := s.duration()
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d.Abs() >= unit {
			return d.Round(unit / 10).String()
		}
	}
	return d.String()
}

func viewOf(c *cache.Cache, n int) cacheView {
	fill, sizes := c.Fill(), c.WhatIf()
	view := cacheView{Name: c.Name(), Entries: fill.Entries, Bytes: fill.Bytes, Capacity: fill.Capacity, Requests: sizes.Requests, Rate: sizes.Rate}
	for _, s := range sizes.Capacities {
		view.WhatIf = append(view.WhatIf, whatIf{s.Capacity, s.Bytes, s.HitRatio, seconds(s.Saved.Seconds())})
	}
	for _, e := range c.Hottest(n) {
		view.Hottest = append(view.Hottest, entryView{
			e.Key, e.Variant, e.Bytes, seconds(e.Age.Seconds()), seconds(e.TTL.Seconds()), seconds(e.Cost.Seconds()), e.Hits, seconds(e.Saved().Seconds()),
		})
	}
	return view
}

var cachePage = template.Must(template.New("cache.html").Funcs(template.FuncMap{
	"bytes":   func(n int64) string { return units.BytesSize(float64(n)) },
	"percent": func(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) + " %" },
	"short": func(key string) string {
		const most = 80
		if runes := []rune(key); len(runes) > most {
			return string(runes[:most-1]) + "…"
		}
		return key
	},
}).ParseFS(ops, "ops/cache.html"))

// showCaches is GET /debug/cache: a page, or with ?format=json or Accept: application/json the same for
// programs. ?n= is how many entries of each cache it has.
func (s *server) showCaches(w http.ResponseWriter, r *http.Request) {
	n := 50
	if text := r.FormValue("n"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 0 || n > 1000 {
			problem(w, http.StatusBadRequest, fmt.Sprintf("n must be from 0 to 1000, not %q", text))
			return
		}
	}
	data := cachesView{Instance: s.instance(), N: n}
	for _, c := range s.caches.all() {
		data.Caches = append(data.Caches, viewOf(c, n))
	}
	if r.FormValue("format") == "json" || strings.Contains(r.Header.Get("Accept"), "application/json") {
		writeJSON(w, http.StatusOK, data)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	if err := cachePage.Execute(w, data); err != nil {
		s.telemetry.Logger.WarnContext(r.Context(), "the page of the caches broke off", "error", err)
	}
}

func cacheStyle(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, ops, "ops/cache.css")
}
