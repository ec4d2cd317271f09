package nginx_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// BenchmarkBalance asks three replicas, by whoever balances, for pages of which few are popular, and reports where the
// answers were found: in the near tier, in the far one, or nowhere (percent), and how much more than its third the
// busiest replica answered. The near tier of each holds so much of all that is asked for.
func BenchmarkBalance(b *testing.B) {
	const pages, size, overhead = 2000, 4 << 10, 1.15
	for _, holds := range []float64{.1, .25, .5, 1.2} {
		for _, balance := range []string{"least_conn", "hash"} {
			b.Run(fmt.Sprintf("near=%.0f%%/%s", holds*100, balance), func(b *testing.B) {
				text, err := os.ReadFile("balance/" + balance + ".conf")
				if err != nil {
					b.Fatal(err)
				}
				far := new(storetest.Memory)
				var replicas []http.Handler
				for i := range 3 {
					c, err := cache.New(far, cache.Options{Name: "pages", TTL: time.Hour, Near: int64(holds * pages * size * overhead)})
					if err != nil {
						b.Fatal(err)
					}
					b.Cleanup(func() {
						if err := c.Close(context.Background()); err != nil {
							b.Error(err)
						}
					})
					page := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						_, _ = io.WriteString(w, strings.Repeat("x", size))
					}))
					replicas = append(replicas, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Replica", fmt.Sprint(i))
						page.ServeHTTP(w, r)
					}))
				}
				balancer := startBalancer(b, settings{balance: string(text)}, replicas...)
				popular := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.05, 20, pages-1)
				client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
				found, share, all := map[string]int{}, map[string]int{}, 0
				ask := func() http.Header {
					res, err := client.Get(fmt.Sprintf("%s/tiles/%d", balancer.inner, popular.Uint64()))
					if err != nil {
						b.Fatal(err)
					}
					defer res.Body.Close()
					_, _ = io.Copy(io.Discard, res.Body)
					return res.Header
				}
				for range 10 * pages { // until the tiers hold what they will hold
					ask()
				}
				for b.Loop() {
					header := ask()
					_, tier, _ := strings.Cut(header.Get("Cache-Status"), "detail=") // pages; hit; ttl=3600; detail=near
					found[tier]++
					share[header.Get("Replica")]++
					all++
				}
				for _, tier := range []string{"near", "far"} {
					b.ReportMetric(100*float64(found[tier])/float64(all), tier+"-%")
				}
				b.ReportMetric(300*float64(max(share["0"], share["1"], share["2"]))/float64(all)-100, "busiest-more-%")
			})
		}
	}
}
