package telemetry_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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
			screen, terminal := openTerminal(t)
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

// openTerminal is a pseudo terminal, from both of its sides.
func openTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		component.Missing(t, "/dev/ptmx", err.Error())
	}
	t.Cleanup(func() { screen.Close() })
	fd := int(screen.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return screen, terminal
}
