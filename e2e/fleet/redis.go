package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a real redis-server on a loopback port, which keeps nothing on disk.
type redisServer struct {
	addr   string
	client *redis.Client
	cmd    *exec.Cmd
	dir    string
}

func startRedis(ctx context.Context) (*redisServer, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return nil, err
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	s := &redisServer{addr: addr, dir: dir, client: redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})}
	s.cmd = exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir, "--loglevel", "warning")
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("redis-server: %w", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		// Another server may have taken the port.
		if info, err := s.info(ctx); err == nil && info.text["process_id"] == strconv.Itoa(s.cmd.Process.Pid) {
			return s, nil
		} else if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("redis-server does not answer: %w", err), s.stop())
		}
	}
}

func (s *redisServer) stop() error {
	_ = s.client.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // "signal: killed"
	return os.RemoveAll(s.dir)
}

func (s *redisServer) version(ctx context.Context) (string, error) {
	info, err := s.info(ctx)
	return info.text["redis_version"], err
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// redisInfo is what INFO says.
type redisInfo struct {
	text  map[string]string
	calls map[string]float64 // of commands, those that scripts make included
}

func (s *redisServer) info(ctx context.Context) (redisInfo, error) {
	text, err := s.client.Info(ctx, "everything").Result()
	if err != nil {
		return redisInfo{}, fmt.Errorf("INFO: %w", err)
	}
	return parseInfo(text)
}

func parseInfo(text string) (redisInfo, error) {
	i := redisInfo{text: map[string]string{}, calls: map[string]float64{}}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ":")
		if !found {
			continue
		}
		i.text[name] = value
		if command, isStat := strings.CutPrefix(name, "cmdstat_"); isStat {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			n, err := strconv.ParseFloat(calls, 64)
			if err != nil {
				return i, fmt.Errorf("INFO: %q: %w", line, err)
			}
			i.calls[command] = n
		}
	}
	return i, nil
}

// number is one of INFO's fields; NaN, which no later sum hides, if it is none.
func (i redisInfo) number(name string) float64 {
	n, err := strconv.ParseFloat(i.text[name], 64)
	if err != nil {
		return nan
	}
	return n
}

// cpu is what the thread has used that does the commands, in µs.
func (i redisInfo) cpu() float64 {
	return 1e6 * (i.number("used_cpu_user_main_thread") + i.number("used_cpu_sys_main_thread"))
}
