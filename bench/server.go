package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"vitrine/e2e/cputime"
)

// server is one that is asked over HTTP: a contender, or a program of somebody else.
type server struct {
	name    string
	addr    string
	request func(i int) []byte
	used    func() (used, error) // since it began; of a program of somebody else, the CPU alone
	stop    func() error
}

// server is p as one that is asked.
func (p *process) server(request func(int) []byte) server {
	return server{name: p.name, addr: p.addr, request: request, stop: p.stop, used: func() (used, error) { return p.order(0, 0) }}
}

// program is a running program of somebody else.
type program struct {
	cmd *exec.Cmd
}

// run starts a program, which must serve addr within ten seconds. It is to say nothing.
func run(name, addr string, env []string, args ...string) (program, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return program{}, err
	}
	p := program{cmd}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return p, conn.Close()
		}
		if time.Now().After(deadline) {
			return p, errors.Join(fmt.Errorf("%s does not serve: %w", filepath.Base(name), err), p.stop())
		}
	}
}

func (p program) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = p.cmd.Wait() // many say how they were ended
	return nil
}

// used is what the program and its children have taken, which the kernel tells in hundredths of a second.
func (p program) used() (u used, err error) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", p.cmd.Process.Pid))
	if err != nil {
		return u, err
	}
	for _, text := range append(strings.Fields(string(children)), strconv.Itoa(p.cmd.Process.Pid)) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			return u, err
		}
		took, err := cputime.Of(pid)
		if err != nil {
			return u, err
		}
		u.CPU += took
	}
	return u, nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// serving compares servers, which it stops. A round is so many requests.
func (b *bench) serving(servers []server, requests int) (results []costs, err error) {
	defer func() {
		for _, s := range servers {
			if failed := s.stop(); err == nil && failed != nil {
				err = fmt.Errorf("%s: %w", s.name, failed)
			}
		}
	}()
	for _, s := range servers {
		if _, err := visitors(s.addr, connections, max(requests/4, connections), s.request); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return b.turns(len(servers), func(i int) (cost, error) {
		s := servers[i]
		before, err := s.used()
		if err != nil {
			return cost{}, err
		}
		v, err := visitors(s.addr, connections, requests, s.request)
		if err != nil {
			return cost{}, fmt.Errorf("%s: %w", s.name, err)
		}
		after, err := s.used()
		c := costOf(before, after, requests)
		c.wall, c.p99, c.bytes = float64(v.wall), float64(v.within(.99)), v.bytes
		return c, err
	})
}

// label is the server's name without its suite's.
func (s server) label() string {
	_, label, _ := strings.Cut(s.name, "/")
	return label
}
