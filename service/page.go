package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed web
var web embed.FS

// page is GET /: the atlas, a map of the tiles that says of each how it was answered.
func page(cfg config) http.Handler {
	once := sync.OnceValue(func() *file {
		var text bytes.Buffer
		links := struct{ Jaeger, Grafana string }{cfg.jaegerURL, cfg.grafanaURL}
		if err := template.Must(template.ParseFS(web, "web/index.html")).Execute(&text, links); err != nil {
			panic(err) // the template is part of the program
		}
		return newFile("index.html", text.Bytes())
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "+
			"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		once().serve(w, r)
	})
}

// assets is GET /assets/{name...}: what the page consists of.
func assets() http.Handler {
	files := map[string]func() *file{}
	err := fs.WalkDir(web, "web", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && path.Ext(name) != ".html" {
			files[strings.TrimPrefix(name, "web/")] = sync.OnceValue(func() *file {
				content, err := web.ReadFile(name)
				if err != nil {
					panic(err) // it is part of the program
				}
				return newFile(name, content)
			})
		}
		return err
	})
	if err != nil {
		panic(err) // likewise
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.PathValue("name")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		f().serve(w, r)
	})
}

// file is one that never changes while the program runs, made when somebody first asks for it: no replica's start waits for
// a page that others may never show. A browser keeps it, and asks whether it is still the same.
type file struct {
	name          string
	plain, zipped []byte
	tag           string
}

func newFile(name string, content []byte) *file {
	sum := sha256.Sum256(content)
	f := &file{name: name, plain: content, tag: base64.RawURLEncoding.EncodeToString(sum[:12])}
	var zipped bytes.Buffer
	z, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression) // a level that there is
	_, _ = z.Write(content)                                    // into memory
	_ = z.Close()
	if zipped.Len() < len(content)*9/10 {
		f.zipped = zipped.Bytes()
	}
	return f
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	content, tag := f.plain, f.tag
	if f.zipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			content, tag = f.zipped, f.tag+"-gzip"
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", fmt.Sprintf("%q", tag))
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(content))
}

// acceptsGzip is true of every browser, which lists what it takes without weights. Whoever weighs gets plain text.
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if strings.TrimSpace(coding) == "gzip" {
			return true
		}
	}
	return false
}
