package cache_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"vitrine/cache"
)

// fleetEnv has the test binary be a process of a fleet. Its value is a fleetConfig.
const fleetEnv = "VITRINE_CACHE_FLEET"

// fleetConfig is what a process of a fleet is to be: a cache over Redis, which loads from an origin over HTTP.
type fleetConfig struct {
	Name, Redis, Origin string
	Limits              cache.Limits
	Tuning              cache.Tuning
}

// asking is what a process is asked for: a key, by so many callers at once.
type asking struct {
	Key     string
	Callers int
}

// asked is what came of it.
type asked struct {
	Took     []time.Duration
	Outcomes map[cache.Outcome]int
	Values   map[string]int
	Errors   map[string]int
	Remote   int // errors that are a *cache.RemoteError
}

// readyKey begins the keys of values that no origin is asked for.
const readyKey = "ready "

// fleetMain answers on stdout what it is asked on stdin, until that ends.
func fleetMain(text string) int {
	err := func() error {
		var config fleetConfig
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			return err
		}
		client := redis.NewClient(&redis.Options{Addr: config.Redis, ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1})
		defer client.Close()
		c, err := cache.New(cache.Redis(client, "test:"), cache.Options{TTL: time.Minute, Limits: config.Limits, Tuning: config.Tuning})
		if err != nil {
			return err
		}
		in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
		for {
			var a asking
			if err := in.Decode(&a); errors.Is(err, io.EOF) {
				return c.Close(context.Background())
			} else if err != nil {
				return err
			}
			if err := out.Encode(config.ask(c, a)); err != nil {
				return err
			}
		}
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (config fleetConfig) ask(c *cache.Cache, a asking) asked {
	came := asked{Outcomes: map[cache.Outcome]int{}, Values: map[string]int{}, Errors: map[string]int{}}
	load := func(ctx context.Context) (string, error) {
		if strings.HasPrefix(a.Key, readyKey) {
			return "", nil
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Origin+"?by="+url.QueryEscape(config.Name), nil)
		if err != nil {
			return "", err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode != http.StatusOK {
			err = errors.New(string(body))
		}
		return string(body), err
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range a.Callers {
		all.Go(func() {
			ctx, recorder := cache.WithRecorder(context.Background())
			start := time.Now()
			v, err := cache.Fetch(ctx, c, a.Key, load)
			took := time.Since(start)
			result, _ := recorder.Result()
			mu.Lock()
			defer mu.Unlock()
			came.Took = append(came.Took, took)
			came.Outcomes[result.Outcome]++
			if err == nil {
				came.Values[v]++
				return
			}
			came.Errors[err.Error()]++
			var remote *cache.RemoteError
			if errors.As(err, &remote) {
				came.Remote++
			}
		})
	}
	all.Wait()
	return came
}

// fleetOrigin is what a fleet loads from. Its values count the loads that have begun.
type fleetOrigin struct {
	url    string
	takes  time.Duration
	fails  bool
	begun  atomic.Int64
	asking chan string // by whom
}

func startOrigin(t *testing.T, takes time.Duration) *fleetOrigin {
	t.Helper()
	o := &fleetOrigin{takes: takes, asking: make(chan string, 1000)}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

func (o *fleetOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := o.begun.Add(1)
	o.asking <- r.FormValue("by")
	select {
	case <-time.After(o.takes):
	case <-r.Context().Done():
		return
	}
	if o.fails {
		w.WriteHeader(http.StatusTeapot)
		n = -n
	}
	fmt.Fprint(w, n)
}

// fleetProcess is one of a fleet.
type fleetProcess struct {
	name string
	cmd  *exec.Cmd
	in   *json.Encoder
	out  *json.Decoder
	kill func()
}

// startFleet starts processes that are as replicas over one Redis, and returns once they hear each other.
func startFleet(t *testing.T, processes int, config fleetConfig) []*fleetProcess {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	fleet := make([]*fleetProcess, processes)
	for i := range fleet {
		config.Name = strconv.Itoa(i)
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), fleetEnv+"="+string(text))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p := &fleetProcess{name: config.Name, cmd: cmd, in: json.NewEncoder(in), out: json.NewDecoder(out)}
		p.kill = sync.OnceFunc(func() {
			_ = cmd.Process.Kill() // it may have ended
			_ = cmd.Wait()         // "signal: killed"
		})
		t.Cleanup(p.kill)
		fleet[i] = p
		if came := <-p.ask(t, readyKey+p.name, 1); came.Outcomes[cache.Miss] != 1 {
			t.Fatalf("process %s is not ready: %+v", p.name, came)
		}
	}
	return fleet
}

// ask returns a channel for what comes of it, which is closed without where the process ends first.
func (p *fleetProcess) ask(t *testing.T, key string, callers int) <-chan asked {
	t.Helper()
	if err := p.in.Encode(asking{key, callers}); err != nil {
		t.Fatal(err)
	}
	came := make(chan asked, 1)
	go func() {
		defer close(came)
		var a asked
		if p.out.Decode(&a) == nil {
			came <- a
		}
	}()
	return came
}
