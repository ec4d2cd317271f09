package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

func TestProxySuite(t *testing.T) {
	checkGoals(t, try(t, suite{"proxy", proxySuite}, "nginx"), "nginx proxy_cache hit")
}

// TestProxiesRepeat: nginx and the bare server answer what the origin did, and ask it once.
func TestProxiesRepeat(t *testing.T) {
	requests := new(atomic.Int64)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		explained(w, r)
	}))
	defer origin.Close()
	at := origin.Listener.Addr().String()
	b := &bench{scratch: t.TempDir()}
	for _, test := range []struct {
		desc  string
		start func() (server, error)
		asks  int64
	}{
		{"nginx", func() (server, error) { return b.nginx("", "off", at, always("/slow")) }, 1},
		{"net/http", func() (server, error) {
			p, err := proxyContenders[0].start(originVariable + "=" + at)
			if err != nil {
				return server{}, err
			}
			return p.server(always("/slow")), nil
		}, int64(len(proxied))},
	} {
		t.Run(test.desc, func(t *testing.T) {
			requests.Store(0)
			s, err := test.start()
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.stop(); err != nil {
					t.Error(err)
				}
			}()
			for range 3 {
				header, body, err := answer(t.Context(), s.addr, "/slow")
				if err != nil {
					t.Fatal(err)
				}
				if string(body) != slowText {
					t.Errorf("the body is %q", body)
				}
				for _, field := range ours {
					if got := header.Get(field.name); got != field.value {
						t.Errorf("%s is %q, want %q", field.name, got, field.value)
					}
				}
			}
			if got := requests.Load(); got != test.asks {
				t.Errorf("the origin was asked %d times, want %d", got, test.asks)
			}
		})
	}
}
