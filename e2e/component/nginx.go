package component

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// Nginx starts a real nginx in the foreground in dir, which lives as long as the test, and returns its version. conf
// must say "daemon off", listen where the listeners do, and keep all files in dir.
//
// nginx is handed its sockets as an old one of it would do: the ports are its own from the start, and what connects
// before it is ready waits.
func Nginx(t testing.TB, dir, conf string, listeners ...net.Listener) (version string) {
	t.Helper()
	path := Command(t, "nginx")
	out, err := exec.Command(path, "-v").CombinedOutput()
	m := regexp.MustCompile(`nginx/([0-9.]+)`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("nginx -v: %v\n%s", err, out)
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "-p", dir, "-c", file)
	var inherited strings.Builder
	for i, l := range listeners {
		socket, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, socket)
		fmt.Fprintf(&inherited, "%d;", 3+i)
	}
	cmd.Env = append(os.Environ(), "NGINX="+inherited.String())
	cmd.Stderr = t.Output()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends its workers
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the test's context has ended it
	return string(m[1])
}
