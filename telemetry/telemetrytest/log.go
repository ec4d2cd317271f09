// Package telemetrytest receives in tests what a service tells of itself: its log and its spans.
package telemetrytest

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
)

// Log keeps what is logged, and may be read while it is written. The zero value is empty.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Lines counts them.
func (l *Log) Lines() int { return strings.Count(l.String(), "\n") }

// Records are the lines of a JSON log that have the message.
func (l *Log) Records(t testing.TB, message string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		record := map[string]any{}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("not a line of JSON: %s", line)
		}
		if record["msg"] == message {
			all = append(all, record)
		}
	}
	return all
}

// Record is the one line that has the message.
func (l *Log) Record(t testing.TB, message string) map[string]any {
	t.Helper()
	all := l.Records(t, message)
	if len(all) != 1 {
		t.Fatalf("%d lines say %q, want 1:\n%s", len(all), message, l)
	}
	return all[0]
}
