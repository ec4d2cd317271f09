package main

import (
	"fmt"
	"testing"
)

func TestTileReport(t *testing.T) {
	r, err := tileReport(someMeasured(t, someBenchmarks))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(r.Rows), "[[seahorses, z=12 1 ms 4 ms × 0.25 4 40 800 900]]"; got != want {
		t.Errorf("rows are %s, want %s", got, want)
	}
	checkGoals(t, r, "the first version")
	if got := r.Goals[0].Got.Median; got != .25 {
		t.Errorf("the ratio is %v", got)
	}
	if _, err := tileReport(measured{}); err == nil {
		t.Error("no benchmark is no error")
	}
	if _, err := tileReport(someMeasured(t, "BenchmarkTile/now/seahorses_z=12 1 1 ns/op\n")); err == nil {
		t.Error("a tile without its first version is no error")
	}
}

func TestOriginSuite(t *testing.T) {
	checkGoals(t, try(t, suite{"origin", originSuite}), "the first version")
}
