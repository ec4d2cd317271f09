package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// profileSuite shows the first entries of the profiles that make profile writes.
func profileSuite(ctx context.Context, b *bench) (r report, err error) {
	cmd := exec.CommandContext(ctx, "make", "profile")
	cmd.Dir = b.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return r, fmt.Errorf("make profile: %w\n%s", err, out)
	}
	r.Head = []string{"function", "path", "of", "itself", "with what it calls"}
	for _, path := range []string{"hit", "load"} {
		file := func(kind string) string { return filepath.Join(b.dir, "profiles", path+"."+kind) }
		for _, of := range []struct{ label, file, sample string }{
			{"CPU", file("cpu"), "cpu"}, {"allocations", file("mem"), "alloc_objects"}, {"waiting for locks", file("mutex"), "delay"},
		} {
			rows, err := top(ctx, file("test"), of.file, of.sample)
			if err != nil {
				return r, err
			}
			for _, row := range rows {
				r.Rows = append(r.Rows, []string{"`" + row.function + "`", path, of.label, row.flat, row.cum})
			}
		}
	}
	return r, nil
}

type profileRow struct{ function, flat, cum string }

// top are the first entries of a profile, by what functions take themselves.
func top(ctx context.Context, binary, profile, sample string) ([]profileRow, error) {
	const entries = 6
	cmd := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", fmt.Sprintf("-nodecount=%d", entries), "-sample_index="+sample, binary, profile)
	cmd.Env = append(os.Environ(), "PPROF_TMPDIR="+os.TempDir())
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("pprof %s: %w", sample, err)
	}
	var rows []profileRow
	for lines, begun := bufio.NewScanner(bytes.NewReader(out)), false; lines.Scan(); {
		// flat flat% sum% cum cum% function
		fields := strings.Fields(lines.Text())
		if begun && len(fields) >= 6 && fields[1] != "0%" {
			rows = append(rows, profileRow{strings.Join(fields[5:], " "), fields[1], fields[4]})
		}
		begun = begun || len(fields) > 0 && fields[0] == "flat"
	}
	return rows, nil
}
