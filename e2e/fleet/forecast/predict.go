package forecast

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Constants are what single steps cost, as `go run ./e2e/fleet` measures them.
type Constants struct {
	Redis string `json:"redis"` // its version
	Go    string `json:"go"`

	// CPU time of Redis' main thread, µs.
	Get          float64 `json:"redis_get_us"`         // of a value of 1 KiB
	GetPerKiB    float64 `json:"redis_get_us_per_kib"` // of each further KiB
	Miss         float64 `json:"redis_miss_us"`        // a GET that finds nothing
	Acquire      float64 `json:"redis_acquire_us"`     // that gets the lease
	Refused      float64 `json:"redis_acquire_refused_us"`
	AcquireValue float64 `json:"redis_acquire_value_us"` // that finds a value of 1 KiB
	Fill         float64 `json:"redis_fill_us"`          // of 1 KiB, delivered to nobody
	Invalidate   float64 `json:"redis_invalidate_us"`    // likewise
	Void         float64 `json:"redis_void_us"`          // likewise
	Account      float64 `json:"redis_purges_us"`        // that finds the account as it was
	Ping         float64 `json:"redis_ping_us"`
	Delivery     float64 `json:"redis_delivery_us"`         // of a message to one subscriber, one message at a time
	DeliveryBusy float64 `json:"redis_delivery_batched_us"` // where others are published meanwhile

	// Bytes that Redis sends and receives, protocol included.
	DeliveryBytes float64 `json:"redis_delivery_bytes"`
	GetBytes      float64 `json:"redis_get_bytes"`  // beside the value, both ways
	FillBytes     float64 `json:"redis_fill_bytes"` // beside the value and what is delivered

	// CPU time of a replica, µs.
	NearHit float64 `json:"replica_near_hit_us"`
	FarHit  float64 `json:"replica_far_hit_us"`
	Origin  float64 `json:"replica_load_us"`    // a miss and its load, of an origin that computes next to nothing
	Hearing float64 `json:"replica_message_us"` // of another replica's message

	// What a replica asks of Redis that nobody asks of it, a second: whether it is there, and for new purges.
	IdlePings    float64 `json:"idle_pings_per_second"`
	IdleAccounts float64 `json:"idle_purges_per_second"`

	// Connections of a replica to Redis.
	Pool       float64 `json:"connections_per_processor"` // at most, of the pool of commands
	Others     float64 `json:"connections_others"`        // of the pool of pipelines at most, and the one that listens
	Connection float64 `json:"redis_connection_bytes"`    // of Redis' memory that one takes
}

//go:embed constants.json
var constants []byte

// Measured are the constants in constants.json.
func Measured() (c Constants, err error) {
	if err := json.Unmarshal(constants, &c); err != nil {
		return c, fmt.Errorf("constants.json: %w", err)
	}
	return c, nil
}

// Prediction is what a workload makes of a fleet.
type Prediction struct {
	Counts
	Commands  float64       // that replicas send to Redis, a second
	Redis     float64       // share of its main thread that is busy; above 1 it falls behind
	Idle      float64       // share of it for what nobody asks
	Telling   float64       // share of it that delivers messages
	Wait      time.Duration // of a command for its turn, the mean; meaningless where Redis falls behind
	Coherent  time.Duration // from a purge until half of the replicas have heard of it, the mean
	Last      time.Duration // until all have
	Sent      float64       // bytes a second that leave Redis
	Hearing   float64       // share of one processor of each replica that takes in messages
	PerAsk    float64       // CPU µs of the replicas for a request
	Redundant float64       // share of deliveries that told the replica nothing
}

const micro = 1e-6

// job is what Redis does so many times a second, for so long.
type job struct{ rate, seconds float64 }

// jobs are all that Redis does. A message is delivered within the command that sends it.
func (c Constants) jobs(w Workload, n Counts) []job {
	more := (w.Value/1024 - 1) * c.GetPerKiB
	deliver := float64(w.Replicas) * c.Delivery
	return []job{
		{n.Gets - n.Misses, micro * (c.Get + more)},
		{n.Misses, micro * c.Miss},
		{n.Loads, micro * c.Acquire},
		{n.Refused, micro * c.Refused},
		{n.Refused, micro * (c.AcquireValue + more)},
		{n.Loads, micro * (c.Fill + more + deliver)},
		{n.Purges, micro * (c.Invalidate + deliver)},
		{float64(w.Replicas) * c.IdlePings, micro * c.Ping},
		{float64(w.Replicas) * c.IdleAccounts, micro * c.Account},
	}
}

// Predict puts counts and costs together. Redis is one server that takes one command after the other, which come at
// random (M/G/1): the mean wait is Σ rate·time² / (2·(1−busy)) (Pollaczek and Khinchine).
func (c Constants) Predict(w Workload) Prediction {
	n := w.Count()
	f := Prediction{Counts: n}
	moment := 0.0
	for _, j := range c.jobs(w, n) {
		f.Commands += j.rate
		f.Redis += j.rate * j.seconds
		moment += j.rate * j.seconds * j.seconds
	}
	replicas := float64(w.Replicas)
	f.Idle = micro * replicas * (c.IdlePings*c.Ping + c.IdleAccounts*c.Account)
	f.Telling = micro * n.Delivered * c.Delivery
	if f.Redis < 1 {
		wait := moment / (2 * (1 - f.Redis))
		once := 2*w.Latency.Seconds() + wait + micro*c.Invalidate
		f.Wait = seconds(wait)
		f.Coherent = seconds(once + micro*c.Delivery*(replicas+1)/2)
		f.Last = seconds(once + micro*c.Delivery*replicas)
	}
	f.Sent = n.Delivered*c.DeliveryBytes + (n.Gets-n.Misses+n.Refused)*(w.Value+c.GetBytes)
	f.Hearing = micro * n.Messages * c.Hearing
	found := max(n.Gets-n.Misses+n.Refused, 0)
	f.PerAsk = (max(n.Requests-n.Loads-found, 0)*c.NearHit + found*c.FarHit + n.Loads*c.Origin + n.Delivered*c.Hearing) / n.Requests
	f.Redundant = 1 - n.Needed/max(n.Delivered, 1e-9)
	return f
}

// Connections is how many a fleet may open to Redis, where each replica has so many processors.
func (c Constants) Connections(replicas, processors int) float64 {
	return float64(replicas) * (c.Pool*float64(processors) + c.Others)
}

// Limit is how many replicas w may grow to before bad holds, to within one; 0 if it holds for one, and most if it never does.
func Limit(w Workload, most int, bad func(Workload) bool) int {
	low, high := 0, most+1
	for high-low > 1 {
		w.Replicas = low + (high-low)/2
		if bad(w) {
			high = w.Replicas
		} else {
			low = w.Replicas
		}
	}
	return low
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * float64(time.Second))) }

// Example is the workload of docs/scaling.md: what a site of a hundred thousand pages asks of each replica.
func Example(replicas int) Workload {
	return Workload{
		Replicas: replicas, Rate: 500, Keys: 100_000, Skew: 1, Purges: 10,
		TTL: time.Minute, NearTTL: 30 * time.Second, Load: 100 * time.Millisecond, Value: 4096, Latency: 250 * time.Microsecond,
	}
}

// Gathered is what a delivery costs, in µs, where so many messages leave in one write: each write costs the same, and
// each message a little. The constants have it for one, and for as many as were measured at once.
func (c Constants) Gathered(messages float64) float64 {
	const atOnce = 16
	write := (c.Delivery - c.DeliveryBusy) / (1 - 1./atOnce)
	return c.Delivery - write + write/messages
}
