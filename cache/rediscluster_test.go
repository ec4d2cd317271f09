package cache_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"vitrine/e2e/component"
)

// told are the spans that ended, each with its node and what became of it, without those of handshakes.
func told(t testing.TB, spans *tracetest.SpanRecorder) (all []string) {
	t.Helper()
	for _, s := range spans.Ended() {
		attrs := map[string]string{}
		for _, a := range s.Attributes() {
			if _, ok := attrs[string(a.Key)]; ok {
				t.Errorf("%s has %s twice", s.Name(), a.Key)
			}
			attrs[string(a.Key)] = a.Value.String()
		}
		switch name, _, _ := strings.Cut(strings.TrimPrefix(s.Name(), "PIPELINE "), " "); name {
		case "HELLO", "CLIENT", "COMMAND", "CLUSTER", "READONLY":
			continue
		}
		at := s.Name() + " " + net.JoinHostPort(attrs["server.address"], attrs["server.port"]) + " " + attrs["error.type"]
		all = append(all, strings.TrimSpace(at))
	}
	spans.Reset()
	return all
}

// clusterNode starts a server that may join a cluster.
func clusterNode(t *testing.T) (addr, bus string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, bus, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return component.Redis(t, "--cluster-enabled", "yes", "--cluster-port", bus).Addr, bus
}

// byName is a node's address that go-redis takes as it is: a loopback's number means itself to any node.
func byName(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return "localhost:" + port
}

func TestRedisSpansOfACluster(t *testing.T) {
	here, _ := clusterNode(t)
	there, bus := clusterNode(t)
	thereHost, therePort, err := net.SplitHostPort(there)
	if err != nil {
		t.Fatal(err)
	}
	one, two := redisClient(t, here), redisClient(t, there)
	here = byName(t, here)
	for _, cmd := range []redis.Cmder{
		one.ClusterAddSlotsRange(t.Context(), 0, 8191), two.ClusterAddSlotsRange(t.Context(), 8192, 16383),
		one.Do(t.Context(), "cluster", "meet", thereHost, therePort, bus),
	} {
		if cmd.Err() != nil {
			t.Fatal(cmd.Err())
		}
	}
	for _, node := range []redis.UniversalClient{one, two} {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			info, err := node.ClusterInfo(t.Context()).Result()
			if err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:2") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(info, err)
			}
		}
	}

	// It believes that all slots are here, until it is told.
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{here},
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{{Start: 0, End: 16383, Nodes: []redis.ClusterNode{{Addr: here}}}}, nil
		},
	})
	defer client.Close()
	ctx, spans := traced(t, client)
	key := func(first string) string { // {a} has slot 15495, {b} 3300
		return "{" + first + "}" + secretKey
	}
	for _, test := range []struct {
		desc string
		do   func() error
		want []string
	}{
		{"the right node", func() error { return client.Set(ctx, key("b"), secretValue, 0).Err() }, []string{"SET " + here}},
		{"a redirection", func() error { return client.Set(ctx, key("a"), secretValue, 0).Err() },
			[]string{"SET " + here + " MOVED", "SET " + there}},
		{"a pipeline, all of which goes elsewhere", func() error {
			_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
				p.Get(ctx, key("a"))
				return p.Get(ctx, key("a")).Err()
			})
			return err
		}, []string{"PIPELINE GET " + here + " MOVED", "PIPELINE GET " + there}},
	} {
		t.Run(test.desc, func(t *testing.T) {
			if err := test.do(); err != nil {
				t.Error(err)
			}
			if got := told(t, spans); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// Behind Sentinel the client learns the address with each dial: a span says where the command went, also
// where it is the one that waited for the dial.
func TestRedisSpansBehindSentinel(t *testing.T) {
	first, second := component.Redis(t), component.Redis(t)
	monitor := func(s *component.RedisServer) []any {
		host, port, err := net.SplitHostPort(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		return []any{"sentinel", "monitor", "main", host, port, "1"}
	}
	// It keeps its state in its configuration.
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := redisClient(t, component.Redis(t, config, "--sentinel").Addr)
	do := func(args ...any) {
		t.Helper()
		if err := sentinel.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	do(monitor(first)...)

	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: "main", SentinelAddrs: []string{sentinel.(*redis.Client).Options().Addr}, MaxRetries: -1, DialerRetries: 1,
	})
	defer client.Close()
	ctx, spans := traced(t, client)
	for _, want := range []string{"SET " + first.Addr, "SET " + first.Addr} {
		if err := client.Set(ctx, secretKey, secretValue, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if got := told(t, spans); !reflect.DeepEqual(got, []string{want}) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	do("sentinel", "remove", "main")
	do(monitor(second)...)
	first.Kill()
	for deadline := time.Now().Add(20 * time.Second); client.Ping(t.Context()).Err() != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the client does not find the second server")
		}
	}
	if err := client.Set(ctx, secretKey, secretValue, 0).Err(); err != nil {
		t.Error(err)
	}
	if got, want := told(t, spans), []string{"SET " + second.Addr}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The keys of one pipeline go to the nodes that hold them, and each tells its own.
func TestRedisSpansOfAPipelineOfTwoNodes(t *testing.T) {
	here, there := byName(t, miniredis.RunT(t).Addr()), byName(t, miniredis.RunT(t).Addr())
	client := redis.NewClusterClient(&redis.ClusterOptions{
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{
				{Start: 0, End: 8191, Nodes: []redis.ClusterNode{{Addr: here}}},
				{Start: 8192, End: 16383, Nodes: []redis.ClusterNode{{Addr: there}}},
			}, nil
		},
	})
	defer client.Close()
	ctx, spans := traced(t, client)
	if _, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Unlink(ctx, "{a}1")
		p.Unlink(ctx, "{a}2")
		return p.Unlink(ctx, "{b}1").Err()
	}); err != nil {
		t.Error(err)
	}
	got := told(t, spans)
	if len(got) == 2 && strings.HasPrefix(got[0], "PIPELINE") {
		got[0], got[1] = got[1], got[0] // they run side by side
	}
	if want := []string{"UNLINK " + here, "PIPELINE UNLINK " + there}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
