package cache

import (
	"slices"
	"sync"
	"weak"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// redisMetrics are those of all clients of a registerer: OpenTelemetry's for databases, in Prometheus
// spelling. It is one collector, so that it is registered whole or not at all.
type redisMetrics struct {
	operations *prometheus.HistogramVec
	created    prometheus.Histogram
	count      *prometheus.Desc
	limit      *prometheus.Desc
	pending    *prometheus.Desc
	timeouts   *prometheus.Desc

	mu       sync.Mutex
	nodes    []*redisNode
	timedOut [pools]float64
}

// Pools of a node, by the names that go-redis has for them.
const (
	mainPool = iota
	pipelinePool
	pools
)

var poolNames = [pools]string{"main", "pipeline"}

// redisNode is a client whose pools are counted for as long as it is there: a cluster lets go of nodes
// without a word, and what such a node has counted since the last scrape goes with it.
type redisNode struct {
	client   weak.Pointer[redis.Client]
	timeouts [pools]uint32 // when it was last counted
}

func newRedisMetrics() *redisMetrics {
	pool := []string{"db_client_connection_pool_name"}
	duration := histogram("db_client_operation_duration_seconds",
		"Duration of commands and pipelines, retries and the wait for a connection included.",
		prometheus.Labels{"db_system_name": "redis"}, storeBuckets)
	return &redisMetrics{
		operations: prometheus.NewHistogramVec(duration, []string{"db_namespace", "db_operation_name", "error_type"}),
		created: prometheus.NewHistogram(histogram("db_client_connection_create_time_seconds",
			"Duration of dials that succeeded, without Redis' handshake.", nil, storeBuckets)),
		count: prometheus.NewDesc("db_client_connection_count", "Open connections by state (idle, used).",
			append(pool, "db_client_connection_state"), nil),
		limit: prometheus.NewDesc("db_client_connection_max", "Connections that may be in use at a time.", pool, nil),
		pending: prometheus.NewDesc("db_client_connection_pending_requests",
			"Requests that wait for a connection.", pool, nil),
		timeouts: prometheus.NewDesc("db_client_connection_timeouts_total",
			"Requests that waited for a connection in vain.", pool, nil),
	}
}

// duration is the series of an operation. Error types that are neither Redis' own nor the client's share
// one: a script may make up any number of them.
func (m *redisMetrics) duration(namespace, operation, kind string) prometheus.Observer {
	if kind != "" && !slices.Contains(errorTypes, kind) {
		kind = failedOther
	}
	return m.operations.WithLabelValues(namespace, operation, kind)
}

// errorTypes are the client's and those that Redis' own commands answer with.
var errorTypes = []string{
	failedTimeout, failedCanceled, failedPool, failedConnection,
	"ERR", "WRONGTYPE", "NOAUTH", "WRONGPASS", "NOPERM", "NOPROTO", "OOM", "MISCONF", "LOADING", "READONLY", "BUSY",
	"NOSCRIPT", "EXECABORT", "NOREPLICAS", "MASTERDOWN", "MOVED", "ASK", "TRYAGAIN", "CROSSSLOT", "CLUSTERDOWN",
}

func (m *redisMetrics) watch(node *redis.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodes = append(m.nodes, &redisNode{client: weak.Make(node)})
}

// Describe implements prometheus.Collector.
func (m *redisMetrics) Describe(to chan<- *prometheus.Desc) {
	m.operations.Describe(to)
	m.created.Describe(to)
	for _, desc := range []*prometheus.Desc{m.count, m.limit, m.pending, m.timeouts} {
		to <- desc
	}
}

// Collect implements prometheus.Collector. It asks each node's client and not the cluster's, which would
// look for the cluster first where it is not there.
func (m *redisMetrics) Collect(to chan<- prometheus.Metric) {
	m.operations.Collect(to)
	m.created.Collect(to)
	m.mu.Lock()
	defer m.mu.Unlock()
	var idle, used, limit, pending [pools]float64
	m.nodes = slices.DeleteFunc(m.nodes, func(n *redisNode) bool {
		client := n.client.Value()
		if client == nil {
			return true
		}
		o, stats := client.Options(), client.PoolStats()
		for pool, s := range [pools]*redis.PoolStats{stats, (*redis.PoolStats)(stats.PipelineStats)} {
			if s == nil {
				continue // there is no pool for pipelines alone
			}
			idle[pool] += float64(s.IdleConns)
			used[pool] += float64(max(s.TotalConns, s.IdleConns) - s.IdleConns) // they are not read at once
			pending[pool] += float64(s.PendingRequests)
			// By difference: the sum must not fall when a node leaves.
			m.timedOut[pool] += float64(s.Timeouts - n.timeouts[pool])
			n.timeouts[pool] = s.Timeouts
		}
		limit[mainPool] += float64(o.PoolSize)
		if stats.PipelineStats != nil {
			limit[pipelinePool] += float64(pipelinePoolSize(o))
		}
		return false
	})
	for pool, name := range poolNames {
		for desc, v := range map[*prometheus.Desc]float64{m.limit: limit[pool], m.pending: pending[pool]} {
			to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, name)
		}
		to <- prometheus.MustNewConstMetric(m.count, prometheus.GaugeValue, idle[pool], name, "idle")
		to <- prometheus.MustNewConstMetric(m.count, prometheus.GaugeValue, used[pool], name, "used")
		to <- prometheus.MustNewConstMetric(m.timeouts, prometheus.CounterValue, m.timedOut[pool], name)
	}
}

func pipelinePoolSize(o *redis.Options) int {
	if o.PipelinePoolSize == 0 {
		return redis.DefaultPipelinePoolSize
	}
	return o.PipelinePoolSize
}
