// The panel: how one tile was answered, or what became of a stampede.

import { said, timed } from "./answer.js";
import { outcomeText } from "./tiles.js";
import { duration, element, plural, seconds, short } from "./words.js";

const panel = document.getElementById("panel");
const { jaeger, grafana } = document.body.dataset;
let before; // what had the focus

function open(title, ...content) {
  if (panel.hidden) before = document.activeElement;
  const close = element("button", { className: "close", textContent: "×", ariaLabel: "Close", onclick: shut });
  panel.replaceChildren(element("h2", { textContent: title, tabIndex: -1 }), close, ...content);
  panel.hidden = false;
  panel.querySelector("h2").focus();
}

export function shut() {
  if (panel.hidden) return;
  panel.hidden = true;
  before?.focus();
}

panel.addEventListener("keydown", (event) => {
  if (event.key === "Escape") shut();
});

// links are those that there are: to a trace in Jaeger, and to a route in Grafana.
function links(trace, route) {
  const all = element("p", { className: "links" });
  const add = (textContent, href) => all.append(element("a", { textContent, href, target: "_blank", rel: "noopener" }));
  if (jaeger && trace) add("its trace in Jaeger", `${jaeger}/trace/${trace}`);
  if (grafana) add("its route in Grafana", `${grafana}/d/vitrine-service?var-route=${encodeURIComponent(route)}&from=now-15m&to=now`);
  return all;
}

// facts is a list of names and values, of which empty ones are left out.
const facts = (pairs) =>
  element("dl", {}, ...pairs.filter(([, value]) => value !== "").flatMap(([name, value]) => [
    element("dt", { textContent: name }), element("dd", {}, value),
  ]));


// aboutTile shows how a tile was answered. again asks for it once more.
export function aboutTile(path, answer, again) {
  open(path,
    facts([
      ["outcome", element("span", { className: "swatch", data: { outcome: answer.outcome }, textContent: outcomeText(answer) })],
      ["in the server", duration(answer.ms)],
      ["in the browser", duration(answer.total)],
      ["age", Number.isFinite(answer.age) ? seconds(answer.age) : ""],
      ["fresh for", answer.ttl >= 0 ? seconds(answer.ttl) : ""],
      ["replica", answer.replica ?? ""],
      ["trace", element("code", { textContent: answer.trace || "–" })],
    ]),
    links(answer.trace, "/tiles/{z}/{x}/{y}"),
    element("p", {}, element("button", { textContent: "Ask again", onclick: again })));
}

// aboutCrowd shows what became of a stampede: did is the answer to POST /stampede.
export function aboutCrowd(did, trace, visit) {
  const all = did.answers.map((each) => ({ ...each, ...said(each.cache_status, each.status === 200), ...timed(each.server_timing) }));
  const ran = all.filter(({ outcome }) => outcome === "miss");
  const tally = Map.groupBy(all, outcomeText);
  const replicas = Map.groupBy(all.filter(({ replica }) => replica), ({ replica }) => replica);
  const loaded = Math.max(...ran.map(({ ms }) => ms));
  const good = all.filter(({ status }) => status === 200).length;
  const dots = element("div", { className: "crowd", role: "img", ariaLabel: [...tally].map(([what, { length }]) => `${length} ${what}`).join(", ") },
    ...all.map((each) => element("i", { data: { outcome: each.outcome }, title: `${outcomeText(each)}, ${duration(each.ms)}, ${short(each.replica)}` })));
  open(`${plural(ran.length, "load")} answered ${good === all.length ? `all ${good}` : `${good} of ${all.length}`}`,
    element("p", { textContent: `${all.length} requests at once for a tile that nobody had asked for, /tiles/${did.tile}. The last answer came after ${duration(did.took_ms)}.` }),
    dots,
    facts([
      ...[...tally].map(([what, each]) => [what, String(each.length)]),
      ["the load took", ran.length ? duration(loaded) : ""],
      ["without a cache", ran.length ? `${all.length} × ${duration(loaded)} of a processor` : ""],
      ["by replica", [...replicas].map(([replica, each]) => `${short(replica)}: ${each.length}`).join(", ")],
    ]),
    links(trace, "/stampede"),
    element("p", {}, element("button", { textContent: "Go to the tile", onclick: visit })));
  panel.dataset.loads = ran.length;
}

// refused says why there was no stampede.
export function refused(why) {
  open("No stampede", element("p", { textContent: why }));
}
