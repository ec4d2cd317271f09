package component

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a real redis-server on a loopback port of its own.
type RedisServer struct {
	Addr string

	t     testing.TB
	path  string
	dir   string
	args  []string
	mu    sync.Mutex
	cmd   *exec.Cmd
	ended <-chan struct{}
}

// Redis starts a server that lives as long as the test and keeps nothing on disk unless it is told SAVE. Its arguments are args, such
// as those of a cluster or a Sentinel, and then its own.
func Redis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	s := &RedisServer{t: t, path: Command(t, "redis-server"), dir: t.TempDir(), args: args}
	t.Cleanup(s.Kill)
	// A port that was free may be another's a moment later: then this server is not the one that answers.
	for range 10 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.Addr = l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if s.start() {
			return s
		}
	}
	t.Fatal("redis-server found no free port")
	return nil
}

// URL is what a client connects to.
func (s *RedisServer) URL() string { return "redis://" + s.Addr + "/0" }

// Start starts the server again after a Kill, and waits until it answers.
func (s *RedisServer) Start() {
	s.t.Helper()
	if !s.start() {
		s.t.Fatalf("redis-server cannot have %s again", s.Addr)
	}
}

// start tells whether the server answers. It does not where its port is taken.
func (s *RedisServer) start() bool {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(s.path, append(slices.Clone(s.args), "--port", port, "--bind", "127.0.0.1", "--save", "",
		"--appendonly", "no", "--dir", s.dir, "--loglevel", "warning")...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // "signal: killed", or what it says of a taken port
		close(ended)
	}()
	s.ended = ended
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		switch pid, err := processID(s.Addr); {
		case err == nil && pid == s.cmd.Process.Pid:
			return true
		case time.Now().After(deadline):
			s.t.Fatalf("redis-server on %s does not answer: %v", s.Addr, err)
		}
		select {
		case <-ended:
			return false
		default:
		}
	}
}

// Kill ends the server at once.
func (s *RedisServer) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.ended
	s.cmd = nil
}

// Freeze stops the server without closing its connections, until Thaw.
func (s *RedisServer) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *RedisServer) Thaw() { s.signal(syscall.SIGCONT) }

func (s *RedisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// processID asks the server at addr who it is.
func processID(addr string) (int, error) {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return 0, err
	}
	if _, err := c.Write([]byte("INFO server\r\n")); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if pid, ok := strings.CutPrefix(lines.Text(), "process_id:"); ok {
			return strconv.Atoi(pid)
		}
	}
	return 0, fmt.Errorf("no process_id: %w", cmp.Or(lines.Err(), io.ErrUnexpectedEOF))
}
