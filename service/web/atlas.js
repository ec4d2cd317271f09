// The atlas: a map of the tiles, what they say, and what can be done to them.

import { ask } from "./answer.js";
import { watch } from "./minute.js";
import { aboutCrowd, aboutTile, refused, shut } from "./panel.js";
import { bounds, crs, deepest, link, linked, middle } from "./place.js";
import { outcomeText, Tiles } from "./tiles.js";
import { plural } from "./words.js";

const $ = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

const map = L.map("map", {
  crs, maxZoom: deepest, maxBounds: bounds.pad(0.5), zoomControl: false, attributionControl: false,
  zoomAnimation: !still, fadeAnimation: !still, inertia: !still,
});
// Leaflet moves by steps where keys or the map's bounds move it, whatever its options say.
if (still) map.panBy = (offset, options) => L.Map.prototype.panBy.call(map, offset, { ...options, animate: false });
L.control.zoom({ position: "bottomright" }).addTo(map);
const tiles = new Tiles({ bounds, noWrap: true, maxNativeZoom: deepest, keepBuffer: 1, updateWhenZooming: false }).addTo(map);

// The address is the view, and the view the address.
function follow() {
  const { zoom, centre } = linked();
  map.setView(centre, zoom, { animate: false });
}
follow();
addEventListener("hashchange", follow);
map.on("moveend", () => history.replaceState(null, "", link(map.getZoom(), map.getCenter())));

function tell(tile) {
  if (!tile?.answer) return;
  for (const other of document.querySelectorAll(".tile.chosen")) other.classList.remove("chosen");
  tile.classList.add("chosen");
  aboutTile(tile.dataset.path, tile.answer, () => {
    tiles.on("answer", function told(event) {
      if (event.tile !== tile) return;
      tiles.off("answer", told);
      tell(tile);
    });
    tiles.show(tile);
  });
}
map.on("click", ({ latlng }) => tell(tiles.at(latlng)));
map.getContainer().addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target === map.getContainer()) tell(tiles.at(map.getCenter()));
  if (event.key === "Escape") shut();
});

// What the tiles in view say together is said aloud once they have all been answered.
let saying;
tiles.on("answer", () => {
  clearTimeout(saying);
  saying = setTimeout(() => {
    const tally = Map.groupBy(tiles.inView().filter(({ answer }) => answer).map(({ answer }) => outcomeText(answer)), (what) => what);
    $("said").textContent = `Level ${map.getZoom()}: ${[...tally].map(([what, { length }]) => `${plural(length, "tile")} ${what}`).join(", ")}.`;
  }, 500);
});

$("again").onclick = () => tiles.again();
$("keep").onchange = ({ target }) => document.body.classList.toggle("keep", target.checked);
$("stampede").onclick = async ({ target }) => {
  target.disabled = true;
  try {
    const answer = await ask("/stampede", { method: "POST" });
    if (!answer.ok) {
      refused(answer.status === 429 ? "The last one is too near: try again in a few seconds." : `The server says ${answer.status}.`);
      return;
    }
    const did = await answer.response.json();
    const [z, x, y] = did.tile.split("/").map(Number);
    aboutCrowd(did, answer.trace, () => map.setView(middle({ z, x, y }), z, { animate: false }));
  } catch {
    refused("The server does not answer.");
  } finally {
    target.disabled = false;
  }
};

watch();
