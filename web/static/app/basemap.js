/**
 * The streets under every map, as the tenant chose them (web/basemaps/drawing.py).
 *
 * What comes from other hosts is fetched here, in the page, where the page's content policy
 * says which hosts may be asked: a worker would go by the policy of its own file.
 */

import { shiftedTile } from "app/gcj";
import { styleOfFile } from "app/basemap-pmtiles";

const OUTSIDE = "outside";
const SHIFTED = "gcj";
const providers = [];
let ready = false;

/** Teach MapLibre the ways streets come: own archives, other hosts, shifted pictures. */
export function prepareBasemaps(maplibregl) {
  if (ready) return;
  ready = true;
  if (window.pmtiles) maplibregl.addProtocol("pmtiles", new window.pmtiles.Protocol({ metadata: true }).tile);
  maplibregl.addProtocol(OUTSIDE, async ({ url, type }, { signal }) => {
    const answer = await outside(url.replace(`${OUTSIDE}://`, ""), signal);
    return { data: type === "json" ? await answer.json() : type === "string" ? await answer.text() : await answer.arrayBuffer() };
  });
  maplibregl.addProtocol(SHIFTED, async ({ url }, { signal }) => {
    const [number, z, x, y] = url.replace(`${SHIFTED}://`, "").split("/").map(Number);
    const { template, outline } = providers[number];
    const picture = async (...tile) => createImageBitmap(await (await outside(filled(template, tile), signal)).blob());
    return { data: await shiftedTile(z, x, y, { outline, picture }) };
  });
}

/** What MapLibre asks other hosts for goes through the page. */
export function transformRequest(url) {
  return /^https?:\/\//.test(url) && !url.startsWith(`${location.origin}/`) ? { url: `${OUTSIDE}://${url}` } : { url };
}

/**
 * The style of a choice in a shade; throws when it cannot be had.
 * `paper`: {paper, water, green, building, road, edge, label} colours for what has none.
 */
export async function basemapStyle(chosen, shade, { paper, fonts }) {
  const { kind, attribution } = chosen;
  if (kind === "built_in") return ownStyle(await json(chosen[shade]));
  if (kind === "pmtiles") return styleOfFile(location.origin + chosen.file, { colours: paper, fonts, attribution });
  if (kind === "style") return credited(await (await outside(chosen[shade])).json(), attribution);
  const tiles = kind === "amap" ? chosen.tiles.map((template) => shifted(template, chosen.outline)) : chosen.tiles;
  const source = (list, extra = {}) => ({ type: "raster", tiles: list, tileSize: 256, maxzoom: 18, ...extra });
  // Pictures are drawn for white paper; in the dark they are dimmed, not inverted.
  const paint = shade === "dark" ? { "raster-brightness-max": 0.55, "raster-saturation": -0.45, "raster-contrast": 0.05 } : { "raster-saturation": -0.35 };
  return {
    version: 8, name: kind,
    sources: { pictures: source(tiles, { attribution }), ...(chosen.labels ? { names: source(chosen.labels) } : {}) },
    layers: [
      { id: "paper", type: "background", paint: { "background-color": paper.paper } },
      { id: "pictures", type: "raster", source: "pictures", paint },
      ...(chosen.labels ? [{ id: "names", type: "raster", source: "names", paint }] : []),
    ],
  };
}

async function json(url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

/** Nobody outside learns more than which tile: no cookie, no address of the page. */
async function outside(url, signal) {
  const answer = await fetch(url, { signal, credentials: "omit", referrerPolicy: "no-referrer", mode: "cors" });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer;
}

function ownStyle(style) {
  for (const source of Object.values(style.sources)) {
    source.tiles = source.tiles?.map((url) => url.replace("pmtiles:///", `pmtiles://${location.origin}/`));
    if (source.url) source.url = source.url.replace("pmtiles:///", `pmtiles://${location.origin}/`);
  }
  return style;
}

/** The tenant's words beside those of the style's own sources. */
function credited(style, attribution) {
  const [first] = Object.values(style.sources ?? {});
  if (attribution && first) first.attribution = [first.attribution, attribution].filter(Boolean).join(" ");
  return style;
}

function shifted(template, outline) {
  providers.push({ template, outline });
  return `${SHIFTED}://${providers.length - 1}/{z}/{x}/{y}`;
}

function filled(template, [z, x, y]) {
  return template.replace("{z}", z).replace("{x}", x).replace("{y}", y);
}
