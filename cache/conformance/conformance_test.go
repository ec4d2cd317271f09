// Package conformance holds cache.Handler against the public tests for HTTP caches, beside nginx.
package conformance

import (
	"os"
	"testing"
)

func TestConformance(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin") // where Debian has nginx, beyond a user's PATH
	s := install(t)
	origin := s.origin(t)
	t.Run("both", func(t *testing.T) {
	t.Run("vitrine", func(t *testing.T) {
		t.Parallel()
		for _, r := range s.run(t, vitrine(t, origin)) { t.Logf("%+v", r) }
	})
	t.Run("nginx", func(t *testing.T) {
		t.Parallel()
		base, version := nginx(t, origin)
		_ = version
		for _, r := range s.run(t, base) { t.Logf("%+v", r) }
	})
	})
}
