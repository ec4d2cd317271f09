package cache_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// patient is for tests that count loads: a machine so busy that Redis takes long must not make it two.
const patient = 10 * time.Second

// patientClient is as patient as that.
func patientClient(t testing.TB, addr string) redis.UniversalClient {
	client := redis.NewClient(&redis.Options{
		Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1, DialTimeout: patient, ReadTimeout: patient, DialerRetries: 1,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// commands are what the server has processed, by name and in all: also what scripts call.
func commands(t *testing.T, client redis.UniversalClient) (all int, each map[string]int) {
	t.Helper()
	info, err := client.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	each = map[string]int{}
	for line := range strings.Lines(info) {
		stat, isStat := strings.CutPrefix(line, "cmdstat_")
		name, rest, _ := strings.Cut(stat, ":calls=")
		if calls, _, _ := strings.Cut(rest, ","); isStat {
			n, err := strconv.Atoi(calls)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			each[name] = n
			all += n
		}
	}
	return all, each
}

// TestFleetLoadsOnce: a thousand callers in three processes ask for a key that nobody has.
func TestFleetLoadsOnce(t *testing.T) {
	t.Parallel()
	server := component.Redis(t)
	client := redisClient(t, server.Addr)
	origin := startOrigin(t, time.Second)
	fleet := startFleet(t, 3, fleetConfig{Redis: server.Addr, Origin: origin.url, Limits: cache.Limits{StoreTimeout: patient}})

	before, eachBefore := commands(t, client)
	start := time.Now()
	var answers []<-chan asked
	for i, callers := range []int{334, 333, 333} {
		answers = append(answers, fleet[i].ask(t, "key", callers))
	}
	var took []time.Duration
	values, outcomes, failed := map[string]int{}, map[cache.Outcome]int{}, map[string]int{}
	for _, answer := range answers {
		came := <-answer
		took = append(took, came.Took...)
		for v, n := range came.Values {
			values[v] += n
		}
		for o, n := range came.Outcomes {
			outcomes[o] += n
		}
		maps.Copy(failed, came.Errors)
	}
	all := time.Since(start)
	after, each := commands(t, client)
	for name, n := range eachBefore {
		if each[name] -= n; each[name] == 0 {
			delete(each, name)
		}
	}

	if len(took) != 1000 || values["1"] != 1000 || origin.begun.Load() != 1 {
		t.Errorf("%d answers, values %v, errors %v, %d loads; want 1000 of the first load", len(took), values, failed, origin.begun.Load())
	}
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	perRequest := float64(after-before) / 1000
	t.Logf("%d load; outcomes %v; all in %s; p50 %s, p99 %s: %.3f of the origin's %s",
		origin.begun.Load(), outcomes, all, p50, p99, p99.Seconds()/origin.takes.Seconds(), origin.takes)
	t.Logf("%.3f Redis commands a request: %d, those of scripts, pings and this count included: %v", perRequest, after-before, each)
	if perRequest > 0.1 {
		t.Errorf("%.3f Redis commands a request, want at most 0.1", perRequest)
	}
	if p99 > 10*origin.takes {
		t.Errorf("p99 is %s, and the origin takes %s", p99, origin.takes)
	}
}

// TestFleetOutlivesTheHolder: the process that loads is killed, and one of those that wait takes over.
func TestFleetOutlivesTheHolder(t *testing.T) {
	t.Parallel()
	server := component.Redis(t)
	origin := startOrigin(t, time.Second)
	const lease = 2 * time.Second
	fleet := startFleet(t, 3, fleetConfig{
		Redis: server.Addr, Origin: origin.url, Limits: cache.Limits{StoreTimeout: patient}, Tuning: cache.Tuning{Lease: lease},
	})
	holder := fleet[0].ask(t, "key", 1)
	<-origin.asking
	others := []<-chan asked{fleet[1].ask(t, "key", 10), fleet[2].ask(t, "key", 10)}
	waiting(t, redisClient(t, server.Addr), 3)
	fleet[0].kill()
	killed := time.Now()
	for _, other := range others {
		if came := <-other; came.Values["2"] != 10 {
			t.Errorf("%+v, want 10 answers of the second load", came)
		}
	}
	took := time.Since(killed)
	if _, ok := <-holder; ok {
		t.Error("a process that was killed has answered")
	}
	t.Logf("%d loads; the others had their answers %s after the kill, with a lease of %s and an origin that takes %s",
		origin.begun.Load(), took, lease, origin.takes)
	if n := origin.begun.Load(); n != 2 {
		t.Errorf("%d loads, want 2", n)
	}
	if most := lease + origin.takes + patient; took > most {
		t.Errorf("it took %s, want at most %s", took, most)
	}
}

// waiting returns once all but one of so many processes wait for that one's load.
func waiting(t *testing.T, client redis.UniversalClient, processes int) {
	t.Helper()
	eventually(t, "all processes but one wait", func() bool {
		_, each := commands(t, client)
		return each["pttl"] >= processes-1 // which a script calls for those alone that have to wait
	})
}

// eventually waits until done, and fails the test where that takes very long.
func eventually(t testing.TB, what string, done func() bool) (took time.Duration) {
	t.Helper()
	start := time.Now()
	for !done() {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}

// TestFleetLoadOutlastsItsLease: whoever loads says so for as long as it does.
func TestFleetLoadOutlastsItsLease(t *testing.T) {
	t.Parallel()
	server := component.Redis(t)
	origin := startOrigin(t, 3*time.Second)
	const lease = time.Second
	fleet := startFleet(t, 3, fleetConfig{
		Redis: server.Addr, Origin: origin.url, Limits: cache.Limits{StoreTimeout: patient}, Tuning: cache.Tuning{Lease: lease},
	})
	start := time.Now()
	var answers []<-chan asked
	for _, p := range fleet {
		answers = append(answers, p.ask(t, "key", 10))
	}
	for _, answer := range answers {
		if came := <-answer; came.Values["1"] != 10 {
			t.Errorf("%+v, want 10 answers of the first load", came)
		}
	}
	t.Logf("%d load of %s under leases of %s; all had their answers after %s", origin.begun.Load(), origin.takes, lease, time.Since(start))
	if n := origin.begun.Load(); n != 1 {
		t.Errorf("%d loads, want 1", n)
	}
}

// TestFleetOutlivesRedis: each process goes on alone.
func TestFleetOutlivesRedis(t *testing.T) {
	t.Parallel()
	server := component.Redis(t)
	origin := startOrigin(t, time.Second)
	fleet := startFleet(t, 3, fleetConfig{Redis: server.Addr, Origin: origin.url, Limits: cache.Limits{StoreTimeout: patient}})
	var answers []<-chan asked
	for _, p := range fleet {
		answers = append(answers, p.ask(t, "key", 10))
	}
	waiting(t, redisClient(t, server.Addr), 3)
	server.Kill()
	killed := time.Now()
	values := map[string]int{}
	for _, answer := range answers {
		came := <-answer
		if len(came.Values) != 1 || len(came.Errors) != 0 {
			t.Errorf("%+v, want one value and no error", came)
		}
		for v, n := range came.Values {
			values[v] += n
		}
	}
	t.Logf("%d loads by 3 processes; values %v; all had their answers %s after the kill", origin.begun.Load(), values, time.Since(killed))
	if n := origin.begun.Load(); n > 3 || values["1"] < 10 {
		t.Errorf("%d loads, values %v; want at most one further load by each process that waited", n, values)
	}
}

// TestFleetSharesAnError: of a load that fails, and for ErrorTTL also after it.
func TestFleetSharesAnError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		desc     string
		errorTTL time.Duration
		loads    int64
	}{{"errors are not kept", 0, 2}, {"errors are kept", time.Minute, 1}} {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			server := component.Redis(t)
			origin := startOrigin(t, time.Second)
			origin.fails = true
			fleet := startFleet(t, 3, fleetConfig{
				Redis: server.Addr, Origin: origin.url, Limits: cache.Limits{StoreTimeout: patient}, Tuning: cache.Tuning{ErrorTTL: test.errorTTL},
			})
			var answers []<-chan asked
			for _, p := range fleet {
				answers = append(answers, p.ask(t, "key", 10))
			}
			errors, remote := map[string]int{}, map[int]int{}
			for _, answer := range answers {
				came := <-answer
				for text, n := range came.Errors {
					errors[text] += n
				}
				remote[came.Remote]++
			}
			t.Logf("%d load; errors %v; processes by how many of their 10 errors are of another: %v", origin.begun.Load(), errors, remote)
			if origin.begun.Load() != 1 || errors["-1"] != 30 || remote[0] != 1 || remote[10] != 2 {
				t.Error("want 1 load, whose error all have, and 2 processes from the third")
			}
			for i, p := range fleet {
				came := <-p.ask(t, "key", 1)
				if n := origin.begun.Load(); test.errorTTL > 0 && (n != 1 || came.Errors["-1"] != 1) || test.errorTTL == 0 && n != int64(i)+2 {
					t.Errorf("process %s, again: %+v, after %d loads in all", p.name, came, n)
				}
				if test.errorTTL == 0 {
					break
				}
			}
			if n := origin.begun.Load(); n != test.loads {
				t.Errorf("%d loads, want %d", n, test.loads)
			}
		})
	}
}
