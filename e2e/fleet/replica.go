package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"vitrine/e2e/cputime"
)

// replica is a process of the real service.
type replica struct {
	url, ops string
	cmd      *exec.Cmd
}

// build builds the service into dir.
func build(ctx context.Context, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "vitrine")
	out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "vitrine/service").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

// startReplica starts a service before that Redis, without traces, whose values outlive the measurement.
func startReplica(binary, redisAddr string) (*replica, error) {
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(),
		"VITRINE_ADDR=127.0.0.1:0", "VITRINE_OPS_ADDR=127.0.0.1:0", "VITRINE_CACHE=tiered",
		"VITRINE_REDIS_URL=redis://"+redisAddr+"/0", "VITRINE_CACHE_TTL=1h", "VITRINE_FAULTS=true",
		"VITRINE_LOG_FORMAT=json", "OTEL_TRACES_SAMPLER=always_off", "GOMAXPROCS="+strconv.Itoa(processors))
	logs, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &replica{cmd: cmd}
	for lines := bufio.NewScanner(logs); lines.Scan(); {
		var line struct {
			Msg     string `json:"msg"`
			Addr    string `json:"addr"`
			OpsAddr string `json:"ops_addr"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			r.url, r.ops = "http://"+line.Addr, "http://"+line.OpsAddr
			go func() { _, _ = io.Copy(io.Discard, logs) }() // ends with the process
			return r, nil
		}
	}
	_ = cmd.Process.Kill()
	return nil, fmt.Errorf("the service does not serve: %w", cmd.Wait())
}

func (r *replica) stop() error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return r.cmd.Wait()
}

// cpu is what the process has used, in µs; the kernel tells it in hundredths of a second.
func (r *replica) cpu() (float64, error) {
	took, err := cputime.Of(r.cmd.Process.Pid)
	return float64(took.Microseconds()), err
}

// post sends a form to the operations port.
func (r *replica) post(ctx context.Context, method, path string, form url.Values) error {
	req, err := http.NewRequestWithContext(ctx, method, r.ops+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode == http.StatusAccepted {
		return fmt.Errorf("%w: a purge did not reach Redis in time", errBusy)
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
	}
	return nil
}

// purge purges a key of stats in all replicas.
func (r *replica) purge(ctx context.Context, key string) error {
	return r.post(ctx, http.MethodPost, "/debug/cache/purge", url.Values{"cache": {"stats"}, "key": {"v:" + key}})
}

// slow has the loads of stats take that much longer.
func (r *replica) slow(ctx context.Context, by time.Duration) error {
	q := url.Values{"cache": {"stats"}, "delay": {by.String()}, "for": {"30m"}}
	return r.post(ctx, http.MethodPut, "/debug/faults?"+q.Encode(), nil)
}

// metrics are the exposition's samples, by name and labels as they are written.
type metrics map[string]float64

func (r *replica) metrics(ctx context.Context) (metrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.ops+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return parseMetrics(res.Body)
}

func parseMetrics(text io.Reader) (metrics, error) {
	m := metrics{}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		line := lines.Text()
		end := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || end < 0 {
			continue
		}
		n, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", line, err)
		}
		m[line[:end]] += n
	}
	return m, lines.Err()
}

// sum is that of the series of a name whose labels have all of these.
func (m metrics) sum(name string, labels ...string) (sum float64) {
series:
	for series, v := range m {
		family, rest, _ := strings.Cut(series, "{")
		if family != name {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(rest, label) {
				continue series
			}
		}
		sum += v
	}
	return sum
}
