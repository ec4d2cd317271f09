// Where the map is: the complex plane, by zoom, real and imaginary part, as #2/-0.75/0.

// The map shows this square: service/mandelbrot.go.
const left = -2.25, top = 1.5, side = 3;
export const deepest = 29;
const first = 2; // at 0 and 1 there is little to see

// crs has the map be the unit square, from its upper left corner down.
export const crs = L.extend({}, L.CRS.Simple, { transformation: new L.Transformation(256, 0, 256, 0) });
export const bounds = L.latLngBounds([0, 0], [1, 1]);

const within = (n, least, most) => Math.min(Math.max(n, least), most);

// firstView shows the whole set, if there is room.
function firstView() {
  const room = Math.floor(Math.log2(Math.min(innerWidth, innerHeight) / 256));
  return { zoom: Math.max(first, room), centre: L.latLng(0.5, (-0.7 - left) / side) };
}

// linked is the view that the address names.
export function linked() {
  const parts = location.hash.slice(1).split("/").map((part) => (part === "" ? NaN : Number(part)));
  if (parts.length !== 3 || !parts.every(Number.isFinite)) return firstView();
  const [zoom, re, im] = parts;
  return {
    zoom: within(Math.round(zoom), 0, deepest),
    centre: L.latLng(within((top - im) / side, 0, 1), within((re - left) / side, 0, 1)),
  };
}

// link is the address of a view, to the pixel.
export function link(zoom, centre) {
  const digits = Math.ceil(Math.log10(256 * 2 ** zoom));
  const at = (n) => Number(n.toFixed(digits));
  return `#${zoom}/${at(left + side * centre.lng)}/${at(top - side * centre.lat)}`;
}

// middle is the centre of a tile.
export const middle = ({ z, x, y }) => L.latLng((y + 0.5) / 2 ** z, (x + 0.5) / 2 ** z);
