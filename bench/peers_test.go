package main

import (
	"strings"
	"testing"

	"vitrine/e2e/component"
)

func TestPeersSuite(t *testing.T) {
	r := try(t, suite{"peers", peersSuite}, "redis-server")
	for _, note := range r.Notes {
		if strings.HasPrefix(note, "podinfo was not had") {
			component.Missing(t, "podinfo", note)
		}
	}
	checkGoals(t, r, "podinfo /healthz", "podinfo's Redis cache", "go-chi/stampede", "gin-contrib/cache", "chenyahui/gin-cache",
		"gofiber/fiber's cache (fasthttp)")
}

// TestMiddlewaresKeep: what is compared are hits, and all of them say the same.
func TestMiddlewaresKeep(t *testing.T) {
	for _, c := range middlewares {
		t.Run(c.name, func(t *testing.T) {
			p, err := c.start()
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := p.stop(); err != nil {
					t.Error(err)
				}
			}()
			const requests = 5
			for i := range requests {
				header, body, err := answer(t.Context(), p.addr, "/slow")
				if err != nil {
					t.Fatal(err)
				}
				if got := header.Get("Content-Type"); got != "application/json" || string(body) != slowText {
					t.Errorf("answered %q of type %q", body, got)
				}
				for _, field := range ours {
					if i > 0 && header.Get(field.name) == "" { // the first is no hit
						t.Errorf("%s is missing", field.name)
					}
				}
			}
			u, err := p.order(0, 0)
			if err != nil {
				t.Fatal(err)
			}
			switch asked, counted := u.Figures["origin"]; {
			case c.name == "peers/gofiber/fiber (fasthttp), bare":
				if asked != requests {
					t.Errorf("without a cache, the origin was asked %v times", asked)
				}
			case counted && asked != 1:
				t.Errorf("the origin was asked %v times", asked)
			}
		})
	}
}
