package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"vitrine/telemetry"
)

// showConfig lists what the program would run with: its variables, and OpenTelemetry's where they are set. Its error is
// what a start would end with.
func showConfig(ctx context.Context, getenv func(string) string, environ []string, stdout, logs io.Writer) error {
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, v := range variables {
		from := "default"
		if getenv(v.name) != "" {
			from = "environment"
		}
		fmt.Fprintf(t, "%s\t%s\t%q\n", v.name, from, redacted(cmp.Or(getenv(v.name), v.initial)))
	}
	for _, name := range otherVariables(environ) {
		if !strings.HasPrefix(name, "OTEL_") { // a slip of the pen, or somebody else's: what it holds nobody knows
			fmt.Fprintf(t, "%s\tunknown\t%q\n", name, "xxxxx")
			continue
		}
		fmt.Fprintf(t, "%s\tenvironment\t%q\n", name, masked(name, getenv(name)))
	}
	err := t.Flush()
	cfg, configErr := configFrom(getenv)
	return errors.Join(err, configErr, checkTelemetry(ctx, cfg, logs))
}

// otherVariables are the names in environ that begin like the program's or OpenTelemetry's and are not in variables.
func otherVariables(environ []string) (names []string) {
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		ours := slices.ContainsFunc(variables, func(v variable) bool { return v.name == name })
		if value != "" && !ours && (strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "VITRINE_")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// secret are names of variables whose whole value may be one.
var secret = regexp.MustCompile(`HEADER|KEY|TOKEN|PASSWORD|SECRET`)

func masked(name, value string) string {
	if secret.MatchString(name) {
		return "xxxxx"
	}
	return redacted(value)
}

// checkTelemetry finds what is wrong with OTEL_ variables, by setting up what they say. That sends nothing.
func checkTelemetry(ctx context.Context, cfg config, logs io.Writer) error {
	t, err := telemetry.Setup(ctx, telemetry.Options{Logs: logs, LogFormat: cfg.logFormat, LogLevel: cfg.logLevel})
	if err != nil {
		return usageError{err}
	}
	return t.Shutdown(ctx)
}
