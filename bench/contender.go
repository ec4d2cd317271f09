package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// contenderVariable names the contender that a process of this program is.
	contenderVariable = "BENCH_CONTENDER"
	// profilesVariable is a folder in which each of them leaves a profile of its CPU, for whoever wants to know why.
	profilesVariable = "BENCH_PROFILES"
)

// contender is what is compared: either a server, or work that the process does itself.
type contender struct {
	name string
	env  []string
	// serve returns what the process serves.
	serve func(context.Context) (http.Handler, error)
	// listen serves without net/http.
	listen func(net.Listener) error
	// work returns what a caller does with the i-th of a round's operations.
	work func(context.Context) (func(i int), error)
	// asks are further figures that the process can be asked for at any time, by name.
	asks func() map[string]float64
}

// contenders are all that there are, by the names under which processes find them.
var contenders = map[string]contender{}

// enlist makes contenders known, so that a process of their own can be one. Names are of a suite and what it shows.
func enlist(suite string, all ...contender) []contender {
	for i := range all {
		all[i].name = suite + "/" + all[i].name
		contenders[all[i].name] = all[i]
	}
	return all
}

// order is what a process is told to do, and used what it has used until it is done.
type order struct {
	Callers int  `json:"callers"`
	Ops     int  `json:"ops"`
	First   int  `json:"first,omitempty"` // the number of the first of them
	Timed   bool `json:"timed,omitempty"` // each is timed, which itself takes 0.1 µs
}

// used is what a process has used since it began; of what it was ordered to do last, Wall and Took.
type used struct {
	CPU     time.Duration      `json:"cpu"`
	Allocs  uint64             `json:"allocs"`
	Bytes   uint64             `json:"bytes"`
	Wall    time.Duration      `json:"wall"`
	Took    []time.Duration    `json:"took,omitempty"` // by each operation, if they were timed
	Figures map[string]float64 `json:"figures,omitempty"`
}

// contend is a process that is a contender: it says where it serves, or nothing, and follows orders until its standard
// input ends.
func contend(name string) error {
	c, ok := contenders[name]
	if !ok {
		return fmt.Errorf("there is no such contender")
	}
	ctx := context.Background()
	do, addr := func(int) {}, "-"
	listen := c.listen
	if c.serve != nil {
		h, err := c.serve(ctx)
		if err != nil {
			return err
		}
		listen = func(l net.Listener) error { return http.Serve(l, h) }
	}
	switch {
	case listen != nil:
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		go func() { _ = listen(l) }() // ends with the process
		addr = l.Addr().String()
	case c.work != nil:
		var err error
		if do, err = c.work(ctx); err != nil {
			return err
		}
	}
	if dir := os.Getenv(profilesVariable); dir != "" {
		end, err := profile(filepath.Join(dir, strings.ReplaceAll(name, "/", ": ")+".pprof"))
		if err != nil {
			return err
		}
		defer end()
	}
	fmt.Println(addr)
	answers := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		start := time.Now()
		took := obey(o, do)
		wall := time.Since(start)
		u, err := usage()
		if err != nil {
			return err
		}
		u.Wall, u.Took = wall, took
		if c.asks != nil {
			u.Figures = c.asks()
		}
		if err := answers.Encode(u); err != nil {
			return err
		}
	}
	return nil
}

// profile writes one of the CPU until end.
func profile(file string) (end func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, pprof.StartCPUProfile(f)
}

// obey has so many callers share the operations, and returns what each operation took if they are timed.
func obey(o order, do func(int)) (took []time.Duration) {
	if o.Timed {
		took = make([]time.Duration, o.Ops)
		untimed := do
		do = func(i int) {
			start := time.Now()
			untimed(i)
			took[i-o.First] = time.Since(start)
		}
	}
	if o.Callers <= 1 {
		for i := range o.Ops {
			do(o.First + i)
		}
		return took
	}
	var all sync.WaitGroup
	for c := range o.Callers {
		all.Go(func() {
			for i := c; i < o.Ops; i += o.Callers {
				do(o.First + i)
			}
		})
	}
	all.Wait()
	return took
}

func usage() (used, error) {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return used{}, err
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return used{CPU: time.Duration(use.Utime.Nano() + use.Stime.Nano()), Allocs: mem.Mallocs, Bytes: mem.TotalAlloc}, nil
}

// process is a contender that runs.
type process struct {
	name   string
	addr   string
	orders *json.Encoder
	in     interface{ Close() error }
	out    *json.Decoder
	cmd    *exec.Cmd
}

// start starts a contender. Whoever started it has to stop it.
func (c contender) start(env ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(append(append(os.Environ(), contenderVariable+"="+c.name), c.env...), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	addr, err := lines.ReadString('\n')
	if err != nil {
		_ = in.Close()
		return nil, fmt.Errorf("%s did not begin: %w", c.name, cmd.Wait())
	}
	return &process{
		name: c.name, addr: addr[:len(addr)-1], orders: json.NewEncoder(in), in: in, out: json.NewDecoder(lines), cmd: cmd,
	}, nil
}

func (p *process) stop() error {
	_ = p.in.Close()
	return p.cmd.Wait()
}

// order has the process do so many operations, and returns what it has used since it began.
func (p *process) order(callers, ops int) (used, error) {
	return p.follow(order{Callers: callers, Ops: ops})
}

// follow has the process follow an order.
func (p *process) follow(o order) (u used, err error) {
	if err := p.orders.Encode(o); err != nil {
		return u, fmt.Errorf("%s: %w", p.name, err)
	}
	if err := p.out.Decode(&u); err != nil {
		return u, fmt.Errorf("%s: %w", p.name, err)
	}
	return u, nil
}
