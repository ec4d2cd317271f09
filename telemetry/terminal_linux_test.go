package telemetry_test

import (
	"bufio"
	"strings"
	"testing"

	"vitrine/e2e/component"
	"vitrine/telemetry"
)

func TestColourOnTerminal(t *testing.T) {
	for _, test := range []struct {
		desc, noColor string
		format        string
		colour, json  bool
	}{
		{"auto", "", "auto", true, false},
		{"text", "", "text", true, false},
		{"NO_COLOR", "1", "auto", false, false},
		{"json", "", "json", false, true},
	} {
		t.Run(test.desc, func(t *testing.T) {
			t.Setenv("NO_COLOR", test.noColor)
			clearEnv(t, nil)
			screen, terminal := component.Terminal(t)
			o := telemetry.Options{Logs: terminal}
			if err := o.LogFormat.UnmarshalText([]byte(test.format)); err != nil {
				t.Fatal(err)
			}
			tel, err := telemetry.Setup(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			tel.Logger.Info("message")
			line, err := bufio.NewReader(screen).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if colour := strings.Contains(line, "\x1b["); colour != test.colour {
				t.Errorf("colour is %t in %q", colour, line)
			}
			if json := strings.HasPrefix(line, "{"); json != test.json {
				t.Errorf("JSON is %t in %q", json, line)
			}
			shutdown(t, tel)
		})
	}
}
