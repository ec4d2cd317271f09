package cache_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// Versions of a type, as an update of the program may have them.
type (
	priceV1 struct {
		Name  string
		Cents int
	}
	renamed struct {
		Name   string
		Amount int
	}
	retyped struct {
		Name  string
		Cents float64
	}
	retagged struct {
		Name  string
		Cents int `json:"cents"`
	}
	extended struct {
		Name     string
		Cents    int
		Currency string
	}
	nested   struct{ Price *priceV1 }
	nestedV2 struct{ Price *retyped }
	sameV1   struct {
		Name  string
		Cents int
		_     int // what encoding does not see
	}
)

// TestAnotherSchemaIsAMiss, and counted: it would often decode without an error, and be wrong.
func TestAnotherSchemaIsAMiss(t *testing.T) {
	type asking func(*testing.T, *cache.Cache) cache.Result
	price, other := as[priceV1], as[nested]
	for _, test := range []struct {
		desc   string
		writes asking
		reads  asking
		hit    bool
	}{
		{"the same", price, price, true},
		{"another name of the type, and what encoding does not see", price, as[sameV1], true},
		{"a field renamed", price, as[renamed], false},
		{"a field of another type", price, as[retyped], false},
		{"a field encoded under another name", price, as[retagged], false},
		{"one field more", price, as[extended], false},
		{"further down", other, as[nestedV2], false},
		{"a slice of it", price, as[[]priceV1], false},
		{"a map of it", as[map[string]priceV1], as[map[string]renamed], false},
		{"an array's length", as[[2]int], as[[3]int], false},
		{"a time", as[time.Time], as[struct{ ext int64 }], false},
	} {
		t.Run(test.desc, func(t *testing.T) {
			var far storetest.Memory
			registry := prometheus.NewRegistry()
			test.writes(t, newCache(t, &far, cache.Options{TTL: time.Hour}))
			c := newCache(t, &far, cache.Options{TTL: time.Hour, Registerer: registry})
			if r := test.reads(t, c); (r.Outcome == cache.Hit) != test.hit {
				t.Errorf("%+v, want a hit: %t", r, test.hit)
			}
			if n := storeCalls(t, registry, "get", "corrupt"); (n == 0) != test.hit {
				t.Errorf("%d counted as corrupt", n)
			}
			if r := test.reads(t, c); r.Outcome != cache.Hit {
				t.Errorf("%+v, want what it loaded itself", r)
			}
		})
	}
}

func as[T any](t *testing.T, c *cache.Cache) cache.Result {
	t.Helper()
	_, r, err := fetch(t, c, "key", func(context.Context) (v T, err error) { return v, nil })
	if err != nil {
		t.Error(err)
	}
	return r
}

// TestAnotherCodecIsAMiss: bytes of one are noise to another.
func TestAnotherCodecIsAMiss(t *testing.T) {
	var far storetest.Memory
	as[priceV1](t, newCache(t, &far, cache.Options{TTL: time.Hour}))
	if r := as[priceV1](t, newCache(t, &far, cache.Options{TTL: time.Hour, Codec: &counted{}})); r.Outcome != cache.Miss {
		t.Errorf("%+v", r)
	}
}

// TestUndecodableIsAMiss, and counted.
func TestUndecodableIsAMiss(t *testing.T) {
	var far storetest.Memory
	registry := prometheus.NewRegistry()
	codec := &counted{fails: true}
	c := newCache(t, &far, cache.Options{TTL: time.Hour, Near: -1, Codec: codec, Registerer: registry})
	from := new(origins)
	for _, want := range []string{"1", "2"} {
		if v, r, err := fetch(t, c, "key", from.load); v != want || err != nil || r.Outcome != cache.Miss || !r.Stored {
			t.Errorf("%q, %+v, %v; want a miss", v, r, err)
		}
	}
	if n := storeCalls(t, registry, "get", "corrupt"); n != 1 {
		t.Errorf("%d counted as corrupt, want 1", n)
	}
}

// counted is JSON, and counts what it decodes.
type counted struct {
	fails   bool
	decoded int
}

func (c *counted) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

func (c *counted) Unmarshal(b []byte, v any) error {
	c.decoded++
	if c.fails {
		return errors.New("no such thing")
	}
	return json.Unmarshal(b, v)
}

// TestTwoVersionsDoNotFight: while a new version of the program is rolled out, each keeps its own values near.
func TestTwoVersionsDoNotFight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := new(storetest.Memory)
		before, after := newCache(t, far, cache.Options{TTL: time.Hour}), newCache(t, far, cache.Options{TTL: time.Hour})
		loads := 0
		for range 10 {
			if _, err := cache.Fetch(t.Context(), before, "key", func(context.Context) (priceV1, error) { loads++; return priceV1{}, nil }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if _, err := cache.Fetch(t.Context(), after, "key", func(context.Context) (renamed, error) { loads++; return renamed{}, nil }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if loads > 4 { // New may look after its account once
			t.Errorf("%d loads of 20 calls, want one a version", loads)
		}
	})
}

// Types that know each other, as those of an object-relational mapper do.
type (
	knot  struct{ A, B, C, D, E, F, G, H, I, J *knots }
	knots struct {
		A *knotA
		B *knotB
		C *knotC
		D *knotD
		E *knotE
		F *knotF
	}
	knotA struct{ Knots *knots }
	knotB struct {
		Knots *knots
		A     *knotA
	}
	knotC struct {
		Knots *knots
		A     *knotA
		B     *knotB
	}
	knotD struct {
		Knots *knots
		A     *knotA
		B     *knotB
		C     *knotC
	}
	knotE struct {
		Knots *knots
		A     *knotA
		B     *knotB
		C     *knotC
		D     *knotD
	}
	knotF struct {
		Knots *knots
		A     *knotA
		B     *knotB
		C     *knotC
		D     *knotD
		E     *knotE
	}
)

// TestSchemaOfTypesThatKnowEachOther is a matter of milliseconds, and of hours for who follows every path.
func TestSchemaOfTypesThatKnowEachOther(t *testing.T) {
	c := newCache(t, nil, cache.Options{TTL: time.Hour})
	if _, err := cache.Fetch(t.Context(), c, "key", func(context.Context) (knot, error) { return knot{}, nil }); err != nil {
		t.Error(err)
	}
}
