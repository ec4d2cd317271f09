// The strip: the last minute of all replicas. Each answer is one replica's, whichever the load balancer chose; what it does
// not hear of any more is left out.

import { ask, Away } from "./answer.js";
import { answered, failed } from "./trouble.js";
import { duration } from "./words.js";

const every = 1000;
const forgotten = 15000; // milliseconds after which a replica counts as gone
const heard = new Map(); // by replica
const $ = (id) => document.getElementById(id);

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

// sumUp adds up what replicas said.
export function sumUp(minutes) {
  const answers = {};
  for (const { answers: each } of minutes) for (const [outcome, n] of Object.entries(each)) answers[outcome] = (answers[outcome] ?? 0) + n;
  const kept = sum(["hit", "stale", "stale_error"].map((outcome) => answers[outcome] ?? 0));
  // Who bypasses, or is turned away, has not asked the cache.
  const asked = kept + sum(["miss", "coalesced", "revalidated"].map((outcome) => answers[outcome] ?? 0));
  return {
    asked,
    ratio: kept / asked,
    saved: sum(minutes.map((m) => m.saved_seconds)) * 1000,
    loading: sum(minutes.map((m) => m.loads_in_flight)),
    hit: median(minutes.flatMap((m) => m.hits)),
    miss: median(minutes.flatMap((m) => m.misses)),
    replicas: minutes.length,
  };
}

// median is that of durations of which so many (n) took at most so long (ms).
export function median(counts) {
  const half = sum(counts.map(({ n }) => n)) / 2;
  let before = 0;
  for (const { ms, n } of counts.toSorted((a, b) => a.ms - b.ms)) if ((before += n) >= half) return ms;
  return NaN;
}

function show() {
  for (const [replica, { at }] of heard) if (performance.now() - at > forgotten) heard.delete(replica);
  const now = sumUp([...heard.values()].map(({ minute }) => minute));
  $("ratio").textContent = now.asked > 0 ? `${(now.ratio * 100).toFixed(now.ratio > 0.995 || now.ratio < 0.1 ? 1 : 0)} %` : "–";
  $("saved").textContent = now.asked > 0 ? duration(now.saved) : "–";
  $("hit-p50").textContent = duration(now.hit);
  $("miss-p50").textContent = duration(now.miss);
  $("loading").textContent = String(now.loading);
  $("replicas").textContent = String(now.replicas);
}

// watch asks for as long as somebody looks.
export async function watch() {
  for (let attempt = 0; ; ) {
    if (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
    let status = 0;
    let retryAfter = 0;
    try {
      const answer = await ask("/minute");
      ({ status, retryAfter } = answer);
      if (answer.ok) {
        const minute = await answer.response.json();
        heard.set(minute.instance, { minute, at: performance.now() });
        attempt = 0;
        answered();
        show();
        await new Promise((resolve) => setTimeout(resolve, every));
        continue;
      }
    } catch (error) {
      if (!(error instanceof Away || error instanceof TypeError || error instanceof SyntaxError)) throw error;
    }
    await failed(status, { retryAfter, attempt: attempt++ });
  }
}
