// What is wrong, in words, and when it is tried again. Everything that asks reports here, and waits here.

import { element } from "./words.js";

const longest = 15; // seconds
const waiters = new Set();
const words = document.getElementById("trouble");
const reason = element("span");
const countdown = element("span", { ariaHidden: "true" }); // nobody wants to hear it
words.append(reason, " ", countdown);

// The worst first. 0: no answer came.
const reasons = new Map([
  [0, "The server does not answer."],
  [502, "The load balancer finds no replica (502)."],
  [503, "The server has too much to do (503)."],
  [504, "The server took too long (504)."],
  [429, "That was much at once, and the server asks for a moment (429)."],
]);
const worst = (status) => [...reasons.keys()].indexOf(status) >>> 0;

// failed says what is wrong, and resolves when it is time to try again: later after each attempt, at once when the server is
// back, and when signal aborts.
export function failed(status, { retryAfter = 0, attempt = 0, signal } = {}) {
  // Not all browsers at the same moment.
  const seconds = Math.max(retryAfter, Math.min(2 ** attempt, longest)) * (0.9 + 0.2 * Math.random());
  return new Promise((resolve) => {
    const waiter = { status, until: performance.now() + seconds * 1000, wake };
    const timer = setTimeout(wake, seconds * 1000);
    function wake() {
      clearTimeout(timer);
      waiters.delete(waiter);
      show();
      resolve();
    }
    signal?.addEventListener("abort", wake, { once: true });
    waiters.add(waiter);
    show();
  });
}

// answered says that there is somebody again.
export function answered() {
  for (const waiter of waiters) if (waiter.status === 0 || waiter.status === 502) waiter.wake();
}

let ticking;

function show() {
  words.hidden = waiters.size === 0;
  clearTimeout(ticking);
  if (words.hidden) return;
  const [first] = [...waiters].sort((a, b) => worst(a.status) - worst(b.status));
  const why = reasons.get(first.status) ?? `The server failed (${first.status}).`;
  if (reason.textContent !== why) reason.textContent = why; // it is read aloud
  const left = Math.ceil((Math.min(...[...waiters].map((waiter) => waiter.until)) - performance.now()) / 1000);
  countdown.textContent = left > 0 ? `Trying again in ${left} s.` : "Trying again…";
  ticking = setTimeout(show, 250);
}

addEventListener("online", () => waiters.forEach((waiter) => waiter.wake()));
