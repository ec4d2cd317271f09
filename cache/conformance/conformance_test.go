// Package conformance holds cache.Handler against the public tests for HTTP caches, and nginx beside it.
package conformance

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/conformance.md anew")

// TestConformance: what docs/conformance.md says is so, and nothing that the suite requires fails.
func TestConformance(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin") // where Debian has nginx, beyond a user's PATH
	s := install(t)
	origin := s.origin(t)
	known := readDocument(t)
	now := document{Suite: s.version}
	t.Run("of", func(t *testing.T) {
		t.Run("vitrine", func(t *testing.T) {
			t.Parallel()
			now.Vitrine = s.run(t, vitrine(t, origin), known.Vitrine)
			t.Log(summary(now.Vitrine))
		})
		t.Run("nginx", func(t *testing.T) {
			t.Parallel()
			base, version := nginx(t, origin)
			then := known.Nginx
			if version != known.Version {
				then = nil
			}
			now.Version, now.Nginx = version, s.run(t, base, then)
			steady(now.Nginx)
			t.Log(summary(now.Nginx))
		})
	})
	if t.Failed() {
		return
	}
	checkReasons(t, now.Vitrine)
	counts := count(now.Vitrine)
	if n := counts["required"]["fail"]; n > 0 {
		t.Errorf("required tests that fail: %d", n)
	}
	if passed := counts["optimal"].share("pass"); passed < .95 {
		t.Errorf("optimal tests that pass: %.1f %%", passed*100)
	}
	if *update {
		now.write(t)
		return
	}
	if now.Nginx == nil || now.Version != known.Version {
		now.Nginx, now.Version = known.Nginx, known.Version // another nginx is no fault of Vitrine's
	}
	now.compare(t, known)
}

// steady: nginx reuses what expires at once until the second is over. The one test of that passes where a second ends between its
// two requests, by luck, and that is not counted.
func steady(nginx []row) {
	for i := range nginx {
		if nginx[i].ID == "freshness-expires-present" {
			nginx[i].Verdict = "fail"
		}
	}
}
