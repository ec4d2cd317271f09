package main

import (
	"fmt"
	"testing"
)

func TestBodyReport(t *testing.T) {
	r, err := bodyReport(someMeasured(t, someBenchmarks))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(r.Rows), "[[json/1KiB 1,024 382 – 401 ns 450 ns – – – –]]"; got != want {
		t.Errorf("rows are %s, want %s", got, want)
	}
	if _, err := bodyReport(measured{}); err == nil {
		t.Error("no benchmark is no error")
	}
}

func TestBodiesSuite(t *testing.T) { try(t, suite{"bodies", bodiesSuite}) }
