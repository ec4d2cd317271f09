package main

import (
	"reflect"
	"testing"
)

const someBenchmarks = `goos: linux
pkg: vitrine/some
BenchmarkTile/first/seahorses_z=12 	 10	 4000000 ns/op	 900 png-B	 5 B/op	 40 allocs/op
BenchmarkTile/now/seahorses_z=12   	 10	 1000000 ns/op	 800 png-B	 5 B/op	 4 allocs/op
BenchmarkBody/json/1KiB/hit/identity	 10	 500 ns/op	 400.5 cpu-ns/op	 1024 wire-B
BenchmarkBody/json/1KiB/hit/zstd	 10	 500 ns/op	 450 cpu-ns/op	 382 wire-B
PASS
`

func someMeasured(t *testing.T, outputs ...string) (m measured) {
	t.Helper()
	for _, out := range outputs {
		if err := m.add([]byte(out)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// TestMeasured: names keep their order, units are those that were written, and each run is a round.
func TestMeasured(t *testing.T) {
	m := someMeasured(t, someBenchmarks, someBenchmarks)
	if want := []string{"Tile/first/seahorses_z=12", "Tile/now/seahorses_z=12", "Body/json/1KiB/hit/identity", "Body/json/1KiB/hit/zstd"}; !reflect.DeepEqual(m.names, want) {
		t.Errorf("names are %q, want %q", m.names, want)
	}
	for unit, want := range map[string][]float64{"ns/op": {1e6, 1e6}, "png-B": {800, 800}, "allocs/op": {4, 4}, "sec/op": nil} {
		if got := m.values["Tile/now/seahorses_z=12"][unit]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", unit, got, want)
		}
	}
	if err := new(measured).add([]byte("BenchmarkTile/now/x 10 ten ns/op\n")); err == nil {
		t.Error("what is no number was read")
	}
}
