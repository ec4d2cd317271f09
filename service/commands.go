package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"text/tabwriter"
)

// run is the program, or one of its commands.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, logs io.Writer) error {
	if len(args) == 0 {
		return serve(ctx, getenv, logs)
	}
	if len(args) == 1 {
		switch args[0] {
		case "health":
			return askHealth(ctx, getenv)
		case "config":
			return showConfig(ctx, getenv, os.Environ(), stdout, logs)
		case "version":
			info, _ := debug.ReadBuildInfo()
			return printVersion(stdout, info)
		case "help", "-help", "--help", "-h":
			return printHelp(stdout)
		}
	}
	return usage("arguments %q: allowed are none, health, config, version or help", args)
}

// serve answers until ctx ends, and then shuts down in order.
func serve(ctx context.Context, getenv func(string) string, logs io.Writer) error {
	cfg, err := configFrom(getenv)
	if err != nil {
		return err
	}
	s, err := newServer(ctx, cfg, logs)
	if err != nil {
		return err
	}
	return s.serve(ctx)
}

// printVersion says what the program was made of. info is nil, or has no revision, where the build knew none.
func printVersion(w io.Writer, info *debug.BuildInfo) error {
	if info == nil {
		info = new(debug.BuildInfo)
	}
	setting := make(map[string]string)
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	if setting["vcs.modified"] == "true" {
		setting["vcs.revision"] += ", modified"
	}
	const unknown = "unknown"
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "version\t%s\n", cmp.Or(info.Main.Version, unknown))
	fmt.Fprintf(t, "revision\t%s\n", cmp.Or(setting["vcs.revision"], unknown))
	fmt.Fprintf(t, "go\t%s\n", cmp.Or(info.GoVersion, unknown))
	fmt.Fprintf(t, "platform\t%s/%s\n", cmp.Or(setting["GOOS"], unknown), cmp.Or(setting["GOARCH"], unknown))
	return t.Flush()
}

// printHelp lists the commands, and every variable with its default.
func printHelp(w io.Writer) error {
	fmt.Fprint(w, `Usage: service [command]

Serves slow endpoints from a cache. Without a command it runs until SIGTERM.

  health   asks a running one whether it is ready: exit code 0, or 1
  config   lists the variables in force and where each comes from; exit code 2 if one is wrong
  version  says what the program was made of
  help     prints this

The environment configures it:

`)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range variables {
		fmt.Fprintf(t, "  %s\t%s\t%s (%s)\n", v.name, v.initial, v.help, v.allowed)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprint(w, `
OTEL_* variables have their standard meaning. Traces leave the process once OTEL_EXPORTER_OTLP_ENDPOINT
(or OTEL_TRACES_EXPORTER) is set; /debug/tracez on the operations port shows them in any case.
`)
	return err
}
