/**
 * GCJ-02 in the browser: the shift of Chinese map pictures, undone tile by tile.
 *
 * Everything else on a map stays WGS-84: markers, fences, clicks. The formula is that of
 * geo/crs.py, and a test holds both equal; where it applies is told by the server's outline.
 */

const SEMI_MAJOR_M = 6378245.0;
const ECCENTRICITY_SQUARED = 0.00669342162296594323;
const TILE = 256;

const radians = (deg) => (deg * Math.PI) / 180;
const degrees = (rad) => (rad * 180) / Math.PI;

/** The GCJ-02 position of a WGS-84 one, both [lon, lat] degrees, as if inside the outline. */
export function gcjFromWgs(lon, lat) {
  const x = lon - 105;
  const y = lat - 35;
  const { PI, sin } = Math;
  const root = Math.sqrt(Math.abs(x));
  const ripple = 20 * sin(6 * x * PI) + 20 * sin(2 * x * PI);
  const third = 2 / 3;
  const north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    + third * (ripple + 20 * sin(y * PI) + 40 * sin((y / 3) * PI))
    + third * (160 * sin((y / 12) * PI) + 320 * sin((y / 30) * PI));
  const east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    + third * (ripple + 20 * sin(x * PI) + 40 * sin((x / 3) * PI))
    + third * (150 * sin((x / 12) * PI) + 300 * sin((x / 30) * PI));
  const phi = radians(lat);
  const w = 1 - ECCENTRICITY_SQUARED * sin(phi) ** 2;
  const meridianM = (SEMI_MAJOR_M * (1 - ECCENTRICITY_SQUARED)) / (w * Math.sqrt(w));
  const parallelM = (SEMI_MAJOR_M / Math.sqrt(w)) * Math.cos(phi);
  return [lon + degrees(east / parallelM), lat + degrees(north / meridianM)];
}

/** Whether a position lies inside a ring of [lon, lat]. */
export function insideRing(ring, lon, lat) {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
    const [xi, yi] = ring[i];
    const [xj, yj] = ring[j];
    if (yi > lat !== yj > lat && lon < ((xj - xi) * (lat - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** Pixels of the world from its north-west corner at a zoom, tiles of 256. */
export function pixelOf(lon, lat, z) {
  const size = TILE * 2 ** z;
  const s = Math.sin(radians(lat));
  return [(lon / 360 + 0.5) * size, (0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI)) * size];
}

/** [lon, lat] of a pixel of the world. */
export function placeOf(px, py, z) {
  const size = TILE * 2 ** z;
  return [(px / size - 0.5) * 360, degrees(Math.atan(Math.sinh(Math.PI * (1 - (2 * py) / size))))];
}

/** How far right and down, in pixels, the picture of a tile lies on the provider's map. */
export function shiftOf(z, x, y, outline) {
  const middle = [(x + 0.5) * TILE, (y + 0.5) * TILE];
  const [lon, lat] = placeOf(...middle, z);
  if (!insideRing(outline, lon, lat)) return [0, 0];
  const shifted = pixelOf(...gcjFromWgs(lon, lat), z);
  return [shifted[0] - middle[0], shifted[1] - middle[1]];
}

/**
 * Pieces of the provider's tiles that make one tile of ours:
 * [{x, y, left, top}], each tile drawn with its corner at (left, top) of ours.
 */
export function piecesOf(z, x, y, [right, down]) {
  const [px, py] = [x * TILE + right, y * TILE + down];
  const pieces = [];
  for (let ty = Math.floor(py / TILE); ty * TILE < py + TILE; ty += 1) {
    for (let tx = Math.floor(px / TILE); tx * TILE < px + TILE; tx += 1) {
      if (tx >= 0 && ty >= 0 && tx < 2 ** z && ty < 2 ** z) pieces.push({ x: tx, y: ty, left: tx * TILE - px, top: ty * TILE - py });
    }
  }
  return pieces;
}

/** One of our tiles as PNG bytes, drawn from the provider's. `picture(z, x, y)` gives an ImageBitmap. */
export async function shiftedTile(z, x, y, { outline, picture }) {
  const pieces = piecesOf(z, x, y, shiftOf(z, x, y, outline).map(Math.round));
  const canvas = new OffscreenCanvas(TILE, TILE);
  const context = canvas.getContext("2d");
  await Promise.all(pieces.map(async (piece) => {
    const bitmap = await picture(z, piece.x, piece.y);
    context.drawImage(bitmap, piece.left, piece.top, TILE, TILE);
    bitmap.close();
  }));
  return (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer();
}
