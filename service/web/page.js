// The map: sixteen tiles two levels below the one in view, each framed by how it was answered.
const $ = (id) => document.getElementById(id);
const maxZoom = 29;

// The fragment names the tile in view, as #z/x/y, so that a view can be shared.
function viewed() {
  const [z = 0, x = 0, y = 0] = location.hash.slice(1).split("/").map(Number);
  const ok = [z, x, y].every(Number.isInteger) && z >= 0 && z + 2 <= maxZoom && Math.max(x, y) < 2 ** z && Math.min(x, y) >= 0;
  return ok ? { z, x, y } : { z: 0, x: 0, y: 0 };
}

const look = ({ z, x, y }) => { location.hash = `${z}/${x}/${y}`; };

// What the answer says of itself: Cache-Status (RFC 9211) and Traceresponse (W3C Trace Context).
function outcome(response) {
  const status = response.headers.get("Cache-Status") ?? "";
  const detail = /detail="?([^";,]+)/.exec(status)?.[1] ?? "";
  if (["stale", "stale_error", "rejected"].includes(detail)) return { outcome: detail, tier: "" };
  if (!response.ok) return { outcome: "bypass", tier: "" };
  if (/;\s*hit/.test(status)) return { outcome: "hit", tier: detail };
  if (/;\s*collapsed/.test(status)) return { outcome: "coalesced", tier: "" };
  if (/;\s*fwd-status=304/.test(status)) return { outcome: "revalidated", tier: "" };
  if (/;\s*fwd=(uri-miss|vary-miss|stale|partial)/.test(status)) return { outcome: "miss", tier: "" };
  return { outcome: "bypass", tier: detail };
}

async function get(path) {
  const response = await fetch(path, { cache: "no-store" });
  const body = await response.blob();
  const said = outcome(response);
  const trace = response.headers.get("Traceresponse")?.split("-")[1] ?? "";
  note(path, said, took(response.url), trace);
  return { ok: response.ok, body, ...said };
}

// From request to last byte: the browser's own queue is not the server's time.
function took(url) {
  const timing = performance.getEntriesByName(url).at(-1);
  return timing ? timing.responseEnd - timing.requestStart : NaN;
}

function note(path, said, ms, trace) {
  const row = $("answers").insertRow(0);
  for (const text of [path, said.outcome, said.tier, Number.isNaN(ms) ? "" : ms.toFixed(ms < 10 ? 1 : 0)]) row.insertCell().textContent = text;
  const cell = row.insertCell();
  if (trace) {
    const link = document.createElement("a");
    link.href = `${port(16686)}/trace/${trace}`;
    link.textContent = trace.slice(0, 8);
    cell.append(link);
  }
  while ($("answers").rows.length > 16) $("answers").deleteRow(-1);
}

const port = (number) => `${location.protocol}//${location.hostname}:${number}`;

function show() {
  const view = viewed();
  performance.clearResourceTimings();
  $("where").textContent = `level ${view.z}, tile ${view.x}/${view.y}`;
  $("up").disabled = view.z === 0;
  const z = view.z + 2;
  const cells = [];
  for (let y = 0; y < 4; y++) {
    for (let x = 0; x < 4; x++) cells.push({ z, x: view.x * 4 + x, y: view.y * 4 + y });
  }
  $("map").replaceChildren(...cells.map(cell));
}

function cell(tile) {
  const button = document.createElement("button");
  const path = `/tiles/${tile.z}/${tile.x}/${tile.y}`;
  button.setAttribute("aria-label", `tile ${path}`);
  button.onclick = () => {
    if (tile.z + 2 <= maxZoom) look(tile);
  };
  get(path).then((answer) => {
    button.classList.add(answer.outcome);
    button.title = `${answer.outcome} ${answer.tier}`;
    if (!answer.ok) return;
    const image = new Image();
    image.alt = "";
    image.onload = () => URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(answer.body);
    button.append(image);
  }).catch(() => button.classList.add("bypass"));
  return button;
}

$("up").onclick = () => {
  const view = viewed();
  const up = Math.min(2, view.z);
  look({ z: view.z - up, x: view.x >> up, y: view.y >> up });
};
$("reload").onclick = show;
window.onhashchange = show;
$("slow").onclick = () => get("/slow");
$("stats").onclick = () => {
  const view = viewed();
  get(`/stats/${view.z}/${view.x}/${view.y}`);
};
for (const [name, number] of [["Grafana", 3000], ["Prometheus", 9090], ["Jaeger", 16686]]) {
  const link = document.createElement("a");
  link.href = port(number);
  link.textContent = `${name}, port ${number} of the Compose stack`;
  const item = document.createElement("li");
  item.append(link);
  $("links").append(item);
}
show();
