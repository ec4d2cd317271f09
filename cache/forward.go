package cache

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/felixge/httpsnoop"
)

// forward has next answer r itself. What an unsafe method has changed is purged before its client learns that it has
// (RFC 9111, section 4.4).
func (h *Handler) forward(w http.ResponseWriter, r *http.Request, res Result) {
	begun := false
	var around http.Header // what others have set
	var said *wishes
	if r.Method == http.MethodPost {
		around = w.Header().Clone()
		var within context.Context
		within, said = withWishes(r.Context())
		r = r.WithContext(within)
	}
	var copied *posted
	defer func() { copied.leave() }()
	begin := func(status int) {
		if begun || status < 200 {
			return
		}
		begun = true
		if !safe(r.Method) && status < 400 {
			h.cache.changed(r, w.Header())
			if r.Method == http.MethodPost {
				copied = h.posted(r, said, status, added(w.Header(), around))
			}
		}
		w.Header().Add("Cache-Status", res.CacheStatus()) // behind those of caches nearer to the origin
	}
	h.next.ServeHTTP(httpsnoop.Wrap(w, httpsnoop.Hooks{
		WriteHeader: func(next httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(status int) { begin(status); next(status) }
		},
		Write: func(next httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(b []byte) (int, error) { begin(http.StatusOK); copied.write(b); return next(b) }
		},
		ReadFrom: func(next httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(from io.Reader) (int64, error) {
				begin(http.StatusOK)
				if copied != nil {
					from = io.TeeReader(from, copied)
				}
				return next(from)
			}
		},
		Flush: func(next httpsnoop.FlushFunc) httpsnoop.FlushFunc {
			return func() { begin(http.StatusOK); next() }
		},
	}), r)
	begin(http.StatusOK)
	copied.keep()
}

// safe tells whether a method is known to change nothing (RFC 9110, section 9.2.1).
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// changed purges what r, whose method is not safe, has changed: its URL, and those on its host that the answer names.
func (c *Cache) changed(r *http.Request, answer http.Header) {
	keys := []entryKey{c.responseKey(r)}
	for _, name := range []string{"Location", "Content-Location"} {
		u, err := url.Parse(answer.Get(name))
		if err != nil || answer.Get(name) == "" || u.Opaque != "" {
			continue
		}
		if u.Host != "" && !strings.EqualFold(u.Host, r.Host) {
			continue // of another origin, which this one has no say in
		}
		if k := c.keyOf(r.Host, r.URL.ResolveReference(u)); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	for _, k := range keys {
		if err := c.purge(context.WithoutCancel(r.Context()), Hard, k); err != nil {
			c.opts.Logger.WarnContext(r.Context(), "changed, and purged in this process only", "cache", c.opts.Name, "error", err)
		}
	}
}
