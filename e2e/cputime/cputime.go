// Package cputime tells how much of the processors running processes have taken.
package cputime

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Of is the time that a process has taken, which the kernel tells in hundredths of a second.
func Of(pid int) (time.Duration, error) {
	file := fmt.Sprintf("/proc/%d/stat", pid)
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s: %q", file, b)
	}
	var sum time.Duration
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum, nil
}
