package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"vitrine/cache"
)

// purge is POST /debug/cache/purge, of a form with cache and one of: key, tag (or several), all=true; soft=true
// leaves what is purged to be served while it is computed again. A browser is sent back to the page.
func (s *server) purge(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil { // what was understood of it might purge more than was meant
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		problem(w, status, "the form cannot be read")
		return
	}
	name := r.PostForm.Get("cache")
	caches := s.caches.all()
	i := slices.IndexFunc(caches, func(c *cache.Cache) bool { return c.Name() == name })
	if i < 0 {
		problem(w, http.StatusNotFound, fmt.Sprintf("there is no cache %q", name))
		return
	}
	purge, err := purgeFrom(r.PostForm)
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	switch err := purge(r.Context(), caches[i]); {
	case errors.Is(err, cache.ErrKey):
		problem(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, cache.ErrUnsent):
		s.telemetry.Logger.WarnContext(r.Context(), "purged in this process only", "cache", name, "error", err)
		writeJSON(w, http.StatusAccepted, map[string]string{"status": "purged in this process; others will hear of it when the far tier is back"})
	case err != nil:
		s.telemetry.Logger.ErrorContext(r.Context(), "not purged", "cache", name, "error", err)
		problem(w, http.StatusInternalServerError, "it could not be purged")
	case strings.Contains(r.Header.Get("Accept"), "text/html"):
		http.Redirect(w, r, "/debug/cache", http.StatusSeeOther)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func purgeFrom(form url.Values) (func(context.Context, *cache.Cache) error, error) {
	soft, err := flagIn(form, "soft")
	if err != nil {
		return nil, err
	}
	all, err := flagIn(form, "all")
	if err != nil {
		return nil, err
	}
	mode, key, tags := cache.Mode(soft), form.Get("key"), form["tag"]
	if len(form["key"]) > 1 {
		return nil, errors.New("one key at a time")
	}
	switch {
	case form.Has("key") && len(tags) == 0 && !all:
		return func(ctx context.Context, c *cache.Cache) error { return c.PurgeKey(ctx, mode, key) }, nil
	case len(tags) > 0 && !form.Has("key") && !all:
		return func(ctx context.Context, c *cache.Cache) error { return c.PurgeTags(ctx, mode, tags...) }, nil
	case all && !form.Has("key") && len(tags) == 0:
		return func(ctx context.Context, c *cache.Cache) error { return c.PurgeAll(ctx, mode) }, nil
	}
	return nil, errors.New("what to purge is one of key, tag and all=true")
}

func flagIn(form url.Values, name string) (bool, error) {
	switch text := form.Get(name); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, fmt.Errorf("%s must be true or false, not %q", name, text)
	}
}
