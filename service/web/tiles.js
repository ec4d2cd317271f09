// The layer of tiles, each with how it was answered.

import { ask, Away } from "./answer.js";
import { answered, failed } from "./trouble.js";
import { duration, element, seconds, short } from "./words.js";

const moment = 6000; // for which a label is to be read

// Tiles asks for each tile by itself, because an <img> does not say what its answer's fields were.
export const Tiles = L.GridLayer.extend({
  createTile(coords, done) {
    const tile = element("div", { className: "tile", data: { path: `/tiles/${coords.z}/${coords.x}/${coords.y}` } });
    tile.coords = coords;
    // Leaflet shows a tile from then on, and wants to hear it once. A failed one has its label to show.
    tile.ready = () => {
      tile.ready = () => {};
      done(null, tile);
    };
    this.show(tile);
    return tile;
  },

  async show(tile) {
    tile.leaves?.abort();
    const { signal } = (tile.leaves = new AbortController());
    for (let attempt = 0; !signal.aborted; attempt++) {
      let answer;
      try {
        answer = await ask(tile.dataset.path, { signal });
        if (answer.status !== 502) answered();
        if (answer.ok) {
          const picture = await answer.response.blob();
          this.label(tile, answer);
          await draw(tile, picture);
          tile.ready();
          return;
        }
        this.label(tile, answer);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Away || error instanceof TypeError)) throw error; // a body may break off
        this.label(tile, { outcome: "bypass", tier: "", ms: NaN, status: 0 });
      }
      tile.ready();
      await failed(answer?.status ?? 0, { retryAfter: answer?.retryAfter, attempt, signal });
    }
  },

  label(tile, answer) {
    tile.answer = answer;
    Object.assign(tile.dataset, { outcome: answer.outcome, tier: answer.tier, trace: answer.trace ?? "" });
    const words = [duration(answer.ms)];
    if (Number.isFinite(answer.age)) words.push(`${seconds(answer.age)} old`);
    if (answer.replica) words.push(short(answer.replica));
    const label = element("div", { className: "label" },
      element("b", { textContent: outcomeText(answer) }), element("span", { textContent: words.join(" · ") }));
    tile.querySelector(".label")?.remove();
    tile.append(label);
    clearTimeout(tile.fades);
    tile.classList.remove("read");
    tile.fades = setTimeout(() => tile.classList.add("read"), moment);
    this.fire("answer", { tile, answer });
  },

  // again asks for all tiles in view once more.
  again() {
    for (const { el, current } of Object.values(this._tiles)) if (current) this.show(el);
  },

  // inView are the tiles that Leaflet shows.
  inView() {
    return Object.values(this._tiles).filter(({ current }) => current).map(({ el }) => el);
  },

  // at is the tile at a point of the map, if there is one.
  at(latlng) {
    const { x, y } = this._map.project(latlng, this._tileZoom).divideBy(256).floor();
    return this._tiles[`${x}:${y}:${this._tileZoom}`]?.el;
  },
});

Tiles.addInitHook(function () {
  this.on("tileunload", ({ tile }) => {
    tile.leaves?.abort();
    clearTimeout(tile.fades);
  });
});

// outcomeText is what a label begins with: what failed has no outcome to speak of.
export function outcomeText({ outcome, tier, status }) {
  if (status === 0) return "no answer";
  if (status >= 400 && outcome === "bypass") return `failed: ${status}`;
  return tier ? `${outcome} ${tier}` : outcome;
}

// draw puts a picture into a tile, or in the place of the one that it has.
async function draw(tile, picture) {
  const image = element("img", { alt: "", src: URL.createObjectURL(picture) });
  try {
    await image.decode();
  } finally {
    URL.revokeObjectURL(image.src);
  }
  tile.querySelector("img")?.remove();
  tile.prepend(image);
}
