// Package redisserver runs a real redis-server for measurements, and reads what it says of itself.
package redisserver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server on a loopback port, which keeps nothing on disk.
type Server struct {
	Addr   string
	Client *redis.Client

	cmd *exec.Cmd
	dir string
}

// Start starts a server and waits until it answers. Whoever started it has to stop it.
func Start(ctx context.Context) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		return nil, err
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	s := &Server{Addr: addr, dir: dir, Client: redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})}
	s.cmd = exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir, "--loglevel", "warning")
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("redis-server: %w", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		// Another server may have taken the port.
		if info, err := s.Info(ctx); err == nil && info.Text["process_id"] == strconv.Itoa(s.cmd.Process.Pid) {
			return s, nil
		} else if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("redis-server does not answer: %w", err), s.Stop())
		}
	}
}

// Stop ends the server at once.
func (s *Server) Stop() error {
	_ = s.Client.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // "signal: killed"
	return os.RemoveAll(s.dir)
}

// Version is the server's.
func (s *Server) Version(ctx context.Context) (string, error) {
	info, err := s.Info(ctx)
	return info.Text["redis_version"], err
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Info is what INFO says.
type Info struct {
	Text  map[string]string
	Calls map[string]float64 // of commands, those that scripts make included
}

// Info asks the server.
func (s *Server) Info(ctx context.Context) (Info, error) {
	text, err := s.Client.Info(ctx, "everything").Result()
	if err != nil {
		return Info{}, fmt.Errorf("INFO: %w", err)
	}
	return ParseInfo(text)
}

// ParseInfo reads what INFO answers.
func ParseInfo(text string) (Info, error) {
	i := Info{Text: map[string]string{}, Calls: map[string]float64{}}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ":")
		if !found {
			continue
		}
		i.Text[name] = value
		if command, isStat := strings.CutPrefix(name, "cmdstat_"); isStat {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			n, err := strconv.ParseFloat(calls, 64)
			if err != nil {
				return i, fmt.Errorf("INFO: %q: %w", line, err)
			}
			i.Calls[command] = n
		}
	}
	return i, nil
}

// Number is one of INFO's fields; NaN, which no later sum hides, if it is none.
func (i Info) Number(name string) float64 {
	n, err := strconv.ParseFloat(i.Text[name], 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

// CPU is what the thread has used that does the commands, in µs.
func (i Info) CPU() float64 {
	return 1e6 * (i.Number("used_cpu_user_main_thread") + i.Number("used_cpu_sys_main_thread"))
}
