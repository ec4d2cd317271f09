package cache_test

import (
	"os"
	"testing"
)

// TestMain is also what the processes run that a test starts: see startFleet.
func TestMain(m *testing.M) {
	if config := os.Getenv(fleetEnv); config != "" {
		os.Exit(fleetMain(config))
	}
	os.Exit(m.Run())
}
