package cache

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
)

// Batches, as the conventions for Redis call them.
const (
	pipeline    = "PIPELINE"
	transaction = "MULTI"
)

// otherCommand stands for names that are no command's, and for those beyond maxOperations.
const otherCommand = "_OTHER"

// maxOperations bounds the series: a program sends a few kinds of commands, and what it takes from its
// users for one must not grow them without end.
const maxOperations = 100

// storeOperations are those of a RedisStore: their series are there from the start.
var storeOperations = []operationKey{{"", "get"}, {"", "mget"}, {"", "set"}, {"", "unlink"}, {pipeline, "unlink"}, {"", "evalsha"}}

// operationKey is a command's name as go-redis has it, or what the commands of a batch have in common.
type operationKey struct{ batch, name string }

// redisOperation is what is the same for all its calls.
type redisOperation struct {
	name  string // db.operation.name, and the span's
	attrs trace.SpanStartOption

	succeeded func() prometheus.Observer
	failed    func(kind string) prometheus.Observer
}

// duration is the series of calls that ended in kind.
func (o *redisOperation) duration(kind string) prometheus.Observer {
	if kind == "" {
		return o.succeeded()
	}
	return o.failed(kind)
}

// redisOperations are those that a client has sent, each prepared once.
type redisOperations struct {
	metrics   *redisMetrics // nil: none
	namespace string

	mu    sync.Mutex // to write
	known atomic.Pointer[map[operationKey]*redisOperation]
}

func newRedisOperations(m *redisMetrics, namespace string) *redisOperations {
	o := &redisOperations{metrics: m, namespace: namespace}
	known := map[operationKey]*redisOperation{}
	for _, key := range []operationKey{{"", otherCommand}, {pipeline, ""}, {transaction, ""}} {
		known[key] = o.prepare(key)
	}
	for _, key := range storeOperations {
		known[key] = o.prepare(key)
		if m != nil {
			known[key].duration("")
			// What an outage is made of: the first of them must be seen to increase.
			known[key].duration(failedTimeout)
			known[key].duration(failedConnection)
		}
	}
	o.known.Store(&known)
	return o
}

func (o *redisOperations) find(batch, name string) *redisOperation {
	key := operationKey{batch, name}
	if operation, ok := (*o.known.Load())[key]; ok {
		return operation
	}
	return o.learn(key)
}

func (o *redisOperations) learn(key operationKey) *redisOperation {
	other := operationKey{batch: key.batch}
	if key.batch == "" {
		other.name = otherCommand
	}
	if !isCommand(key.name) || len(*o.known.Load()) >= maxOperations {
		return (*o.known.Load())[other]
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	known := *o.known.Load()
	if operation, ok := known[key]; ok {
		return operation
	}
	if len(known) >= maxOperations {
		return known[other]
	}
	known = maps.Clone(known)
	known[key] = o.prepare(key)
	o.known.Store(&known)
	return known[key]
}

func (o *redisOperations) prepare(key operationKey) *redisOperation {
	name := strings.TrimSpace(key.batch + " " + strings.ToUpper(key.name))
	operation := &redisOperation{name: name, attrs: trace.WithAttributes(semconv.DBOperationName(name))}
	if o.metrics != nil {
		operation.succeeded = sync.OnceValue(func() prometheus.Observer { return o.metrics.duration(o.namespace, name, "") })
		operation.failed = func(kind string) prometheus.Observer { return o.metrics.duration(o.namespace, name, kind) }
	}
	return operation
}

// isCommand tells whether a command may have this name: letters, digits and what modules join them with.
// A whole command line in one string has blanks, and must not become a name.
func isCommand(name string) bool {
	if len(name) == 0 || len(name) > 32 {
		return false
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// batchOf says what the commands of a pipeline or transaction have in common. One alone is no batch.
func batchOf(cmds []redis.Cmder) (batch, name string, size int) {
	batch = pipeline
	if last := len(cmds) - 1; last > 0 && cmds[0].Name() == "multi" && cmds[last].Name() == "exec" {
		batch, cmds = transaction, cmds[1:last]
	}
	for i, cmd := range cmds {
		switch {
		case i == 0:
			name = cmd.Name()
		case name != cmd.Name():
			name = ""
		}
	}
	if len(cmds) == 1 {
		batch = ""
	}
	return batch, name, len(cmds)
}
