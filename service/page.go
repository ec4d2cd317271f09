package main

import (
	"embed"
	"net/http"
)

//go:embed web
var web embed.FS

// page is GET /: a map of the tiles that says of each how it was answered.
func page() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		http.ServeFileFS(w, r, web, "web/index.html")
	})
}

func assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.ServeFileFS(w, r, web, "web/"+r.PathValue("name"))
	})
}
