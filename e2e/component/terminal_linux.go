package component

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Terminal is a pseudo terminal, from both of its sides: what is written to terminal is read from screen.
func Terminal(t testing.TB) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		Missing(t, "/dev/ptmx", err.Error())
	}
	t.Cleanup(func() { screen.Close() })
	n := 0
	control := func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}
	// Not by Fd, after which no reading would heed a deadline.
	if raw, rawErr := screen.SyscallConn(); rawErr != nil || raw.Control(control) != nil || err != nil {
		t.Fatal(rawErr, err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return screen, terminal
}
