// A steady rate, whatever becomes of the answers, for tests of faults: so many requests are begun in each second,
// also while earlier ones wait. Each that fails or waits is a line of JSON on stderr, the sums are JSON on stdout.
// It goes on until it is interrupted, or for DURATION.
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Trend } from 'k6/metrics';

const base = __ENV.BASE_URL || 'http://nginx:8080';
const number = (name, initial) => Number(__ENV[name] || initial);

export const options = {
  scenarios: {
    steady: {
      executor: 'constant-arrival-rate',
      rate: number('RATE', 50),
      timeUnit: '1s',
      duration: __ENV.DURATION || '10m',
      gracefulStop: '60s',
      preAllocatedVUs: number('VUS', 150),
      // Whoever waits for a replica that hangs occupies one. What is not begun for want of them is no failure of the
      // service's: k6 counts it as dropped.
      maxVUs: number('MAX_VUS', 400),
    },
  },
  systemTags: ['status'],
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max'],
  userAgent: 'vitrine-steady',
};

const begun = new Counter('begun');
const failed = new Counter('failed');
const answers = new Trend('answers', true);
const hits = new Trend('hits', true);

// How many leave after so many milliseconds: later than any timeout of the load balancer's.
const patience = 60000;
// From here on somebody waits who will remember it.
const long = 2000;

const between = (n) => Math.floor(Math.random() * n);
const place = (z) => `${z}/${between(2 ** z)}/${between(2 ** z)}`;

// What is asked for, and how often of 100 times: most of it is in the cache, and 4 in 100 are not.
const visits = [
  [40, () => '/slow'],
  [32, () => `/tiles/${place(2)}`],
  [12, () => `/stats/${place(2)}`],
  [12, () => '/health'],
  [3, () => `/tiles/${place(24)}`],
  [1, () => `/stats/${place(24)}`],
];

const tell = (line) => console.error(JSON.stringify({ at: new Date().toISOString(), ...line }));

export function setup() {
  tell({ event: 'begins' });
}

export default async function () {
  let dice = Math.random() * 100;
  const path = visits.find(([share]) => (dice -= share) < 0)[1]();
  const which = exec.scenario.iterationInTest;
  begun.add(1);
  let waits = false;
  const timer = setTimeout(() => {
    waits = true;
    tell({ event: 'waits', which, path });
  }, long);
  const res = await http.asyncRequest('GET', base + path, null, { timeout: patience });
  clearTimeout(timer);
  const took = res.timings.duration + res.timings.blocked;
  answers.add(took);
  if (waits) tell({ event: 'waited', which, path, took });
  const cached = res.headers['Cache-Status'] || '';
  // A body that breaks off has an error and a good status.
  if (res.status !== 200 || res.error_code) {
    failed.add(1);
    tell({ event: 'failed', which, path, took, status: res.status, code: res.error_code, error: res.error });
  } else if (cached.includes('; hit')) {
    hits.add(took);
  }
}

export function handleSummary({ metrics }) {
  const count = (name) => (metrics[name] ? metrics[name].values.count : 0);
  const times = (name) => {
    const v = metrics[name] ? metrics[name].values : {};
    return { p50: v.med || 0, p95: v['p(95)'] || 0, p99: v['p(99)'] || 0, max: v.max || 0 };
  };
  return {
    stdout: JSON.stringify({
      requests: count('http_reqs'),
      failed: count('failed'),
      unfinished: count('begun') - count('http_reqs'),
      dropped: count('dropped_iterations'),
      all: times('answers'),
      hits: times('hits'),
    }),
  };
}
