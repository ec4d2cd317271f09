// What an answer says of itself, and how to ask for one.

// said reads Cache-Status (RFC 9211), as docs/signals.md spells the outcomes.
export function said(cacheStatus, ok) {
  const last = (cacheStatus ?? "").split(",").at(-1);
  const [cache, ...parts] = last.split(";").map((part) => part.trim());
  const of = Object.fromEntries(parts.map((part) => part.split("=")));
  const has = (name) => name in of;
  const detail = of.detail ?? "";
  const about = (outcome, tier = "") => ({ cache, outcome, tier, ttl: Number(of.ttl), stored: has("stored") });
  if (["stale", "stale_error", "rejected"].includes(detail)) return about(detail);
  if (!ok || !cache) return about("bypass");
  if (has("hit")) return about("hit", detail);
  if (has("collapsed")) return about("coalesced");
  if (of["fwd-status"] === "304") return about("revalidated");
  if (has("stored") || ["uri-miss", "vary-miss", "stale", "partial"].includes(of.fwd)) return about("miss");
  return about("bypass");
}

// timed reads Server-Timing (W3C): how long the server took, in milliseconds of which it tells hundredths, and which replica it
// was.
export function timed(serverTiming) {
  const [, ms, replica] = /app;dur=([\d.]+);desc="((?:[^"\\]|\\.)*)"/.exec(serverTiming ?? "") ?? [];
  return { ms: ms === undefined ? NaN : Math.max(Number(ms), 0.005), replica: (replica ?? "").replace(/\\(.)/g, "$1") };
}

// Away is the error where no answer came at all.
export class Away extends Error {}

// ask returns an answer with its body unread. The browser's own cache is left out: the server's are on show here.
export async function ask(path, options = {}) {
  const start = performance.now();
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away("no answer", { cause: error });
  }
  const field = (name) => response.headers.get(name);
  return {
    path, response, ok: response.ok, status: response.status,
    ...said(field("Cache-Status"), response.ok),
    ...timed(field("Server-Timing")),
    total: performance.now() - start,
    age: field("Age") === null ? NaN : Number(field("Age")),
    trace: field("Traceresponse")?.split("-")[1] ?? "",
    retryAfter: Number(field("Retry-After")) || 0,
  };
}
