// The visitors: a gentle stream that never ends, so that no panel is ever empty.
// They look around a point that wanders along the edge of the set: most of what they
// ask for is in the cache, and something new always is not.
import http from 'k6/http';

const base = __ENV.BASE_URL || 'http://nginx:8080';

export const options = {
  scenarios: {
    visitors: {
      executor: 'constant-arrival-rate',
      rate: 5,
      timeUnit: '1s',
      duration: '8760h', // k6 wants an end; Compose starts it anew
      preAllocatedVUs: 5,
      maxVUs: 20, // a cold answer takes seconds, meanwhile others come
    },
  },
  // Nothing reads what k6 measures: the service measures itself. Memory must not grow with it.
  systemTags: ['status'],
  discardResponseBodies: true,
  userAgent: 'vitrine-visitors',
};

const lap = 20 * 60; // seconds that the point takes around the set

// A point of the main cardioid, whose edge has detail at every zoom, as shares of the map's width and height.
function focus() {
  const t = ((Date.now() / 1000 / lap) % 1) * 2 * Math.PI;
  const x = Math.cos(t) / 2 - Math.cos(2 * t) / 4;
  const y = Math.sin(t) / 2 - Math.sin(2 * t) / 4;
  return [(x + 2.25) / 3, (1.5 - y) / 3]; // the map shows -2.25 to 0.75, and 1.5i down to -1.5i
}

// 0 about half of the time, 1 half as often, and so on: few tiles are popular, and there is a long tail.
const rank = (max) => Math.min(max, Math.floor(-Math.log2(1 - Math.random())));
const side = () => (Math.random() < 0.5 ? -1 : 1);

function place(zooms) {
  const z = 2 + rank(zooms);
  const n = 2 ** z;
  const near = (share) => Math.min(n - 1, Math.max(0, Math.floor(share * n) + side() * rank(3)));
  return `${z}/${focus().map(near).join('/')}`;
}

// What they ask for, and how often of 100 times.
const visits = [
  [70, () => `/tiles/${place(5)}`],
  [12, () => `/stats/${place(3)}`],
  [8, () => '/slow'],
  [8, () => '/health'],
  [2, () => '/tiles/3/8/0'], // no such tile: level 3 ends at 7
];

export default function () {
  let dice = Math.random() * 100;
  const [, path] = visits.find(([share]) => (dice -= share) < 0);
  http.get(base + path());
}
