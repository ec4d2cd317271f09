package main

import (
	"net/http"
	"time"
)

// slow is the smallest slow endpoint: it sleeps. A shutdown or a deadline wakes it.
func slow(delay time.Duration, instance string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			brokenOff(w, r)
			return
		}
		writeJSON(w, http.StatusOK, struct {
			Status     string    `json:"status"`
			ComputedAt time.Time `json:"computed_at"`
			Took       string    `json:"took"`
			Instance   string    `json:"instance"`
		}{"ok", start.UTC(), time.Since(start).String(), instance})
	})
}
