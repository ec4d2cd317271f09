package main

import (
	"bytes"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"testing"
)

func TestArguments(t *testing.T) {
	for _, args := range [][]string{{"serve"}, {"-x"}, {"healthcheck"}, {"-help", "health"}, {""}} {
		err := run(t.Context(), args, env(), io.Discard, io.Discard)
		checkUsage(t, err, fmt.Sprintf("vitrine: arguments %q: allowed are none, health, config, version or help\n", args))
	}
}

func TestHelp(t *testing.T) {
	for _, arg := range []string{"help", "-help", "--help", "-h"} {
		var stdout bytes.Buffer
		// Help helps where the configuration is wrong.
		if err := run(t.Context(), []string{arg}, env("VITRINE_CACHE", "foo"), &stdout, io.Discard); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"health", "config", "version", "help"} {
			if lineOf(stdout.String(), command) == nil {
				t.Errorf("%s does not list the command %s", arg, command)
			}
		}
		for _, v := range variables {
			want := append([]string{v.name}, strings.Fields(v.initial)...)
			if got := lineOf(stdout.String(), v.name); len(got) < len(want) || fmt.Sprint(got[:len(want)]) != fmt.Sprint(want) {
				t.Errorf("%s: %q, want it to begin with %q", arg, got, want)
			}
		}
	}
}

// lineOf is the words of the line that begins with name.
func lineOf(text, name string) []string {
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 && words[0] == name {
			return words
		}
	}
	return nil
}

func TestVersion(t *testing.T) {
	set := func(pairs ...string) *debug.BuildInfo {
		info := &debug.BuildInfo{GoVersion: "go1.26.7", Main: debug.Module{Version: "v1.2.3"}}
		for i := 0; i < len(pairs); i += 2 {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: pairs[i], Value: pairs[i+1]})
		}
		return info
	}
	for _, test := range []struct {
		desc string
		info *debug.BuildInfo
		want string
	}{
		{"of a clean tree", set("vcs.revision", "1f9c856", "vcs.modified", "false", "GOOS", "linux", "GOARCH", "arm64"),
			"version   v1.2.3\nrevision  1f9c856\ngo        go1.26.7\nplatform  linux/arm64\n"},
		{"of a changed tree", set("vcs.revision", "1f9c856", "vcs.modified", "true", "GOOS", "linux", "GOARCH", "amd64"),
			"version   v1.2.3\nrevision  1f9c856, modified\ngo        go1.26.7\nplatform  linux/amd64\n"},
		{"without git", set("GOOS", "linux", "GOARCH", "amd64"),
			"version   v1.2.3\nrevision  unknown\ngo        go1.26.7\nplatform  linux/amd64\n"},
		{"stripped", nil,
			"version   unknown\nrevision  unknown\ngo        unknown\nplatform  unknown/unknown\n"},
	} {
		t.Run(test.desc, func(t *testing.T) {
			var b strings.Builder
			if err := printVersion(&b, test.info); err != nil || b.String() != test.want {
				t.Errorf("%v\n%s\nwant\n%s", err, b.String(), test.want)
			}
		})
	}
}
