package cache_test

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
)

// TestAtHand: the near tier's answer without a handler is the one with it; what needs one is not at hand.
func TestAtHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(origin)
		h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: time.Hour}}).Handler(o)
		r := httptest.NewRequest("GET", "/", nil)
		if a := h.AtHand(r); a != nil {
			t.Errorf("%v before it was loaded", a)
		}
		do(h, "GET", "/")
		if a := h.AtHand(httptest.NewRequest("POST", "/", nil)); a != nil {
			t.Errorf("%v for a POST", a)
		}
		for _, age := range []string{"10", "10", "20"} {
			if age != r.Header.Get("X-Before") {
				time.Sleep(10 * time.Second)
			}
			r.Header.Set("X-Before", age)
			ctx, recorder := cache.WithRecorder(t.Context())
			a := h.AtHand(r)
			if a == nil {
				t.Fatal("not at hand")
			}
			w := httptest.NewRecorder()
			w.Header().Set("Cache-Status", "outer")
			status, n := a.Serve(w, r.WithContext(ctx))
			result, _ := recorder.Result()
			if status != 200 || n != 1 || w.Body.String() != "1" || w.Header().Get("Age") != age || len(w.Header()["Cache-Status"]) != 2 || result.Outcome != cache.Hit {
				t.Errorf("%d, %d bytes %q, %v, %+v", status, n, w.Body, w.Header(), result)
			}
			if got, want := fmt.Sprint(a.LogAttrs()), "[cache=c outcome=hit tier=near age="+age+"]"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if attrs := a.AppendSpanAttrs(nil); len(attrs) != 4 {
				t.Errorf("%v", attrs)
			}
		}
		time.Sleep(time.Minute)
		if a := h.AtHand(r); a != nil {
			t.Errorf("%v once it is stale", a)
		}
		if n := o.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}
