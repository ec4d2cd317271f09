package telemetry_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vitrine/telemetry"
)

// TestFlush: a byte that was flushed is there while the handler still runs.
func TestFlush(t *testing.T) {
	for _, test := range []struct {
		desc  string
		flush func(http.ResponseWriter) error
	}{
		{"ResponseController", func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }},
		{"Flusher", func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil }},
	} {
		t.Run(test.desc, func(t *testing.T) {
			tel, _ := setup(t, nil, telemetry.Options{})
			read := make(chan struct{})
			srv := httptest.NewServer(tel.Server(route("GET /", func(w http.ResponseWriter, r *http.Request) {
				hello(w, r)
				if err := test.flush(w); err != nil {
					t.Error(err)
				}
				select {
				case <-read:
				case <-r.Context().Done():
				}
			}), nil))
			defer srv.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel() // ends a request whose bytes never come
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b := make([]byte, 5)
			if _, err := io.ReadFull(res.Body, b); err != nil || string(b) != "hello" {
				t.Errorf("%q, %v", b, err)
			}
			close(read)
		})
	}
}

func TestHijack(t *testing.T) {
	x := request(t, route("GET /", func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 299 By Hand\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
		if err := rw.Flush(); err != nil {
			t.Error(err)
		}
	}), "GET", "/", nil)
	if x.err != nil || x.res.StatusCode != 299 || x.body != "hello" {
		t.Errorf("%v, %q, %v; want what was written by hand", x.res, x.body, x.err)
	}
}

// TestReadFrom: a file is handed to the connection, which knows better than to copy it.
func TestReadFrom(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	x := request(t, route("GET /", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(io.ReaderFrom); !ok {
			t.Error("no ReaderFrom")
		}
		http.ServeFile(w, r, name)
	}), "GET", "/", nil)
	if x.err != nil || len(x.body) != 1<<20 {
		t.Errorf("%d bytes, %v", len(x.body), x.err)
	}
	if x.line["bytes"] != float64(1<<20) {
		t.Errorf("the access line says %v bytes", x.line["bytes"])
	}
}

// TestDeadline: the rest of http.ResponseController works too.
func TestDeadline(t *testing.T) {
	x := request(t, route("GET /", func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
			t.Error(err)
		}
		hello(w, nil)
	}), "GET", "/", nil)
	if x.err == nil {
		t.Error("an answer after the deadline for writing")
	}
}

// TestEarlyHints: the client has the hint and the answer, and the hint is no status.
func TestEarlyHints(t *testing.T) {
	tel, logs := setup(t, nil, telemetry.Options{})
	srv := httptest.NewServer(tel.Server(route("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		hello(w, r)
	}), nil))
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	r := bufio.NewReader(conn)
	for _, want := range []int{http.StatusEarlyHints, http.StatusOK} {
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != want {
			t.Fatalf("%v, %v; want status %d", res, err, want)
		}
	}
	srv.Close()
	if line := logs.Record(t, "request"); line["status"] != 200. {
		t.Errorf("the access line says status %v, want 200", line["status"])
	}
}

func TestAnnotate(t *testing.T) {
	type key struct{}
	tel, logs := setup(t, nil, telemetry.Options{})
	annotate := func(ctx context.Context) (context.Context, telemetry.Note) {
		said := new(string)
		return context.WithValue(ctx, key{}, said), func() ([]slog.Attr, bool) { return []slog.Attr{slog.String("said", *said)}, false }
	}
	h := tel.Server(route("GET /{word}", func(_ http.ResponseWriter, r *http.Request) {
		*r.Context().Value(key{}).(*string) = r.PathValue("word")
		tel.Logger.InfoContext(r.Context(), "within")
	}), annotate)
	if _, _, err := ask(t, h, "GET", "/cheese", nil); err != nil {
		t.Fatal(err)
	}
	line := logs.Record(t, "request")
	if line["said"] != "cheese" || line["route"] != "/{word}" || line["path"] != "/cheese" {
		t.Errorf("%v, want what the handler left in its context, and the route", line)
	}
	if within := logs.Record(t, "within"); within["trace_id"] == nil || within["trace_id"] != line["trace_id"] {
		t.Errorf("trace %v within the request and %v after it", within["trace_id"], line["trace_id"])
	}
}
