package cputime_test

import (
	"os"
	"testing"
	"time"

	"vitrine/e2e/cputime"
)

// TestOf: who works takes time, and a process that is not there is an error.
func TestOf(t *testing.T) {
	before, err := cputime.Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for after := before; after-before < 20*time.Millisecond; {
		if after, err = cputime.Of(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cputime.Of(-1); err == nil {
		t.Error("a process that is not there has taken time")
	}
}
