package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"vitrine/cache"
	"vitrine/cache/storetest"
	"vitrine/telemetry"
)

// The first example of README.md.
func Example() {
	prices, err := cache.New(nil, cache.Options{Name: "prices", TTL: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer prices.Close(context.Background())
	ask := func(context.Context) (string, error) { fmt.Println("asking"); return "3 €", nil }
	fmt.Println(cache.Fetch(context.Background(), prices, "tea", ask)) // a value
	fmt.Println(cache.Fetch(context.Background(), prices, "tea", ask))
	mux := http.NewServeMux()
	mux.Handle("GET /slow", prices.Handler(http.HandlerFunc(slow))) // a route
	// Output:
	// asking
	// 3 € <nil>
	// 3 € <nil>
}

// The third example of README.md: in front of Redis, and observed. Where nobody answers at the address, it goes on without.
func Example_observed() {
	t, err := telemetry.Setup(context.Background(), telemetry.Options{Service: "shop"})
	if err != nil {
		log.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	pages, err := cache.New(cache.Redis(client, "shop:"), cache.Options{
		Name: "pages", TTL: time.Minute, Registerer: t.Registry, TracerProvider: t.TracerProvider, Logger: t.Logger,
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /slow", pages.Handler(http.HandlerFunc(slow)))
	shop := httptest.NewServer(t.Server(mux, cache.Annotate)) // span, metrics and access line say how it was answered
	defer shop.Close()
	for range 2 {
		res, err := http.Get(shop.URL + "/slow")
		fmt.Println(res.Status, err)
	}
	// Output:
	// 200 OK <nil>
	// 200 OK <nil>
}

func slow(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// A function that takes long, answered from memory.
func ExampleFetch() {
	c, err := cache.New(nil, cache.Options{Name: "prices", TTL: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(context.Background())

	price := func(ctx context.Context, name string) (int, error) {
		return cache.Fetch(ctx, c, name, func(context.Context) (int, error) {
			fmt.Println("asking for the price of", name)
			return 100 * len(name), nil
		})
	}
	for range 2 {
		fmt.Println(price(context.Background(), "tea"))
	}
	// Output:
	// asking for the price of tea
	// 300 <nil>
	// 300 <nil>
}

// Two replicas over one store, which would be cache.Redis(client, "app:") elsewhere: what one has loaded, the other
// finds.
func ExampleNew_tiers() {
	var store storetest.Memory
	for _, replica := range []string{"one", "two"} {
		c, err := cache.New(&store, cache.Options{Name: "prices", TTL: time.Minute})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer c.Close(context.Background())
		ctx, recorder := cache.WithRecorder(context.Background())
		from, _ := cache.Fetch(ctx, c, "tea", func(context.Context) (string, error) { return replica, nil })
		result, _ := recorder.Result()
		fmt.Printf("%s: loaded by %s, %s, tier %s\n", replica, from, result.Outcome, result.Tier)
	}
	// Output:
	// one: loaded by one, miss, tier none
	// two: loaded by one, hit, tier far
}

// What bears a tag is purged with it, in all processes.
func ExampleCache_PurgeTags() {
	c, err := cache.New(nil, cache.Options{TTL: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(context.Background())

	version := 1
	page := func(name string) (string, error) {
		return cache.Fetch(context.Background(), c, name, func(ctx context.Context) (string, error) {
			cache.AddTags(ctx, "template", "page:"+name)
			return fmt.Sprintf("%s, version %d", name, version), nil
		})
	}
	fmt.Println(page("home"))
	version = 2
	fmt.Println(page("home"))
	if err := c.PurgeTags(context.Background(), cache.Hard, "template"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(page("home"))
	// Output:
	// home, version 1 <nil>
	// home, version 1 <nil>
	// home, version 2 <nil>
}

// The last good value stands in while the origin fails.
func ExampleStaleness() {
	c, err := cache.New(nil, cache.Options{TTL: time.Millisecond, Stale: cache.Staleness{IfError: time.Hour}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(context.Background())

	var failure error
	load := func(context.Context) (string, error) { return "good", failure }
	fmt.Println(cache.Fetch(context.Background(), c, "key", load))
	time.Sleep(2 * time.Millisecond)
	failure = errors.New("origin is down")
	fmt.Println(cache.Fetch(context.Background(), c, "key", load))
	fmt.Println(cache.Fetch(context.Background(), c, "another", load))
	// Output:
	// good <nil>
	// good <nil>
	//  origin is down
}

// A route whose answers are kept for as long as HTTP allows.
func ExampleCache_Handler() {
	c, err := cache.New(nil, cache.Options{Name: "slow", TTL: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(context.Background())

	mux := http.NewServeMux()
	mux.Handle("GET /slow", c.Handler(http.HandlerFunc(slow)))
	for range 2 {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/slow", nil))
		status, _, _ := strings.Cut(w.Header().Get("Cache-Status"), "; ttl=")
		fmt.Println(w.Body, "-", status)
	}
	// Output:
	// hello - slow; fwd=uri-miss; stored
	// hello - slow; hit
}

// A cache in front of another server: what that says of its answers' freshness holds, and what is stale is asked for with a
// condition.
func ExampleCache_Handler_reverseProxy() {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache") // each answer is to be proven
		w.Header().Set("Vary", "Accept-Language")
		w.Header().Set("Etag", `"1"`)
		http.ServeContent(w, r, "page.txt", time.Time{}, strings.NewReader("hello"))
	}))
	defer origin.Close()
	u, err := url.Parse(origin.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := cache.New(nil, cache.Options{Name: "edge"}) // no TTL: it is the origin that says what is kept
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(context.Background())
	server := httptest.NewServer(c.Handler(httputil.NewSingleHostReverseProxy(u)))
	defer server.Close()

	for range 2 {
		res, err := http.Get(server.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		fmt.Printf("%s - %s\n", body, res.Header.Get("Cache-Status"))
	}
	// Output:
	// hello - edge; fwd=uri-miss; stored
	// hello - edge; fwd=stale; fwd-status=304; stored
}
