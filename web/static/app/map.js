/** One way to make a map: the basemap that was chosen, by theme, our marker drawings, fences of posts. */

import * as maplibregl from "maplibre-gl";
import { t } from "app/i18n";
import { el } from "app/dom";
import { basemapStyle, prepareBasemaps, transformRequest } from "app/basemap";

export const FONTS = ["system-ui", "Noto Sans CJK SC", "sans-serif"];
export const STATUSES = ["on_post", "off_post", "travelling", "stale", "no_signal", "off_duty"];
export const EMPTY = { type: "FeatureCollection", features: [] };
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
export { maplibregl };

const darkQuery = matchMedia("(prefers-color-scheme: dark)");

/** light or dark: the chosen theme, else the system's. */
export function shade() {
  const theme = document.documentElement.dataset.theme;
  return theme === "light" || theme === "dark" ? theme : darkQuery.matches ? "dark" : "light";
}

/** The colour that a CSS custom property has right now, as rgb(). */
export function token(name) {
  const probe = el("span", { hidden: true });
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

/** The same colour with another opacity, 0–1. */
export function faded(color, opacity) {
  const [r, g, b] = color.match(/[\d.]+/g).map(Number);
  return `rgba(${r}, ${g}, ${b}, ${opacity})`;
}

function plainStyle() {
  return {
    version: 8, name: "plain", sources: {},
    layers: [{ id: "paper", type: "background", paint: { "background-color": token("--map-paper") } }],
  };
}

/** What a container names: the tenant's choice, or two styles of our own. */
function chosenIn({ dataset }) {
  if (dataset.basemap) return JSON.parse(dataset.basemap);
  return { kind: "built_in", light: dataset.styleLight, dark: dataset.styleDark };
}

async function basemap(chosen) {
  const dark = shade() === "dark";
  const pick = (light, night) => (dark ? night : light);
  const paper = {
    paper: token("--map-paper"), water: pick("#cfe2ea", "#12303a"), green: pick("#e0eadb", "#1a2621"), building: pick("#e7e5e1", "#20272f"),
    road: pick("#ffffff", "#303944"), edge: pick("#d5d5d0", "#465260"), label: pick("#4a5058", "#98a2ae"),
  };
  try {
    return { style: await basemapStyle(chosen, shade(), { paper, fonts: FONTS }), found: true };
  } catch {
    return { style: plainStyle(), found: false };
  }
}

/** Where a map with nothing to show begins: at the streets of its style, else the whole of Asia. */
function home(style, zoom) {
  return Array.isArray(style.center) ? { center: style.center, zoom } : { center: [100, 33], zoom: 2.5 };
}

let leaving = false;
addEventListener("pagehide", () => { leaving = true; });
addEventListener("pageshow", () => { leaving = false; });

/**
 * Make a map inside an element with data-basemap (`basemap_attributes()` in templates).
 * It begins at `home` unless the page names a `center`.
 * `install(map)` adds images, sources and layers; it runs again after a change of theme.
 */
export async function createMap(container, { install, ...options }) {
  prepareBasemaps(maplibregl);
  const chosen = chosenIn(container);
  const { style, found } = await basemap(chosen);
  const map = new maplibregl.Map({
    container, style, transformRequest, attributionControl: false, maxPitch: 0, dragRotate: false, pitchWithRotate: false,
    localIdeographFontFamily: FONTS.join(", "), fadeDuration: calm() ? 0 : 150,
    locale: { "Map.Title": t("Map"), "NavigationControl.ZoomIn": t("Zoom in"), "NavigationControl.ZoomOut": t("Zoom out") },
    ...options, ...(options.center ? {} : home(style, options.zoom)),
  });
  // Without a listener MapLibre logs the error object, also for tiles that a page left behind.
  map.on("error", ({ error }) => leaving || console.error(error?.message || String(error)));
  map.touchZoomRotate.disableRotation();
  map.addControl(new maplibregl.AttributionControl({ compact: false }), "bottom-right");
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "bottom-right");
  map.addControl(new maplibregl.ScaleControl({ maxWidth: 90 }), "bottom-left");
  if (!found) {
    container.after(el("p", { class: "panel map-notice", role: "status" },
      chosen.kind === "built_in" ? t("No basemap is installed: positions are right, streets are missing.") : t("The basemap cannot be reached: positions are right, streets are missing.")));
  }
  const prepare = () => {
    addMarkers(map);
    install(map);
  };
  await new Promise((done) => map.once("load", done));
  prepare();
  darkQuery.addEventListener("change", async () => {
    if (document.documentElement.dataset.theme !== "auto") return;
    map.once("style.load", prepare);
    map.setStyle((await basemap(chosen)).style);
  });
  return map;
}

const SIZE = 22; // CSS pixels of a marker
const RATIO = 3;

const DRAW = {
  on_post(c, ink) {
    disc(c, 8);
    c.strokeStyle = ink;
    path(c, [[-3.4, 0.2], [-0.9, 2.7], [3.6, -2.4]]);
    c.lineWidth = 2;
    c.stroke();
  },
  off_post(c, ink) {
    path(c, [[0, -9.6], [9.6, 0], [0, 9.6], [-9.6, 0]], true);
    halo(c);
    c.fill();
    c.strokeStyle = ink;
    c.lineWidth = 2;
    path(c, [[0, -4], [0, 1]]);
    c.stroke();
    path(c, [[0, 4.1], [0, 4.3]]);
    c.stroke();
  },
  travelling(c) {
    path(c, [[0, -9], [7.4, 8.4], [0, 5], [-7.4, 8.4]], true);
    halo(c);
    c.fill();
  },
  stale(c) {
    ring(c, 6.8, 3.2, [4.6, 4.1]);
  },
  no_signal(c) {
    ring(c, 7, 2.4);
    path(c, [[-4.6, -4.6], [4.6, 4.6]]);
    c.stroke();
  },
  off_duty(c) {
    c.beginPath();
    c.roundRect(-6.4, -6.4, 12.8, 12.8, 2);
    halo(c);
    c.fill();
  },
};

function path(c, points, close = false) {
  c.beginPath();
  points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
  if (close) c.closePath();
}

function halo(c) {
  const { strokeStyle, lineWidth } = c;
  c.strokeStyle = c.halo;
  c.lineWidth = 3;
  c.stroke();
  c.strokeStyle = strokeStyle;
  c.lineWidth = lineWidth;
}

function disc(c, radius) {
  c.beginPath();
  c.arc(0, 0, radius, 0, 7);
  halo(c);
  c.fill();
}

function ring(c, radius, width, dash = []) {
  c.beginPath();
  c.arc(0, 0, radius, 0, 7);
  c.fillStyle = c.halo;
  c.fill();
  c.strokeStyle = c.halo;
  c.lineWidth = width + 2.6;
  c.stroke();
  c.setLineDash(dash);
  c.lineCap = dash.length ? "butt" : "round";
  c.strokeStyle = c.tone;
  c.lineWidth = width;
  c.stroke();
  c.setLineDash([]);
}

/** Draw the six status markers in the colours of the theme and give them to the map. */
export function addMarkers(map) {
  const ink = token("--on-fill");
  const paper = token("--map-paper");
  for (const status of STATUSES) {
    const canvas = el("canvas", { width: SIZE * RATIO, height: SIZE * RATIO });
    const c = canvas.getContext("2d");
    c.scale(RATIO, RATIO);
    c.translate(SIZE / 2, SIZE / 2);
    c.lineCap = c.lineJoin = "round";
    c.halo = paper;
    c.tone = c.fillStyle = c.strokeStyle = token(`--${status.replace("_", "-")}`);
    DRAW[status](c, ink);
    const image = c.getImageData(0, 0, canvas.width, canvas.height);
    const name = `status-${status}`;
    if (map.hasImage(name)) map.removeImage(name);
    map.addImage(name, image, { pixelRatio: RATIO });
  }
}

/** Fences of posts with their names. `data`: GeoJSON polygons with name and label [lon, lat]. */
export function addPosts(map, data) {
  const brand = token("--brand");
  const labels = {
    type: "FeatureCollection",
    features: data.features.map((f) => ({
      type: "Feature", properties: { name: f.properties.name },
      // On the northern edge, clear of the clusters that stand in the middle.
      geometry: { type: "Point", coordinates: [f.properties.label[0], northOf(f.geometry)] },
    })),
  };
  map.addSource("posts", { type: "geojson", data });
  map.addSource("post-labels", { type: "geojson", data: labels });
  map.addLayer({ id: "posts-fill", type: "fill", source: "posts", paint: { "fill-color": brand, "fill-opacity": 0.12 } });
  map.addLayer({
    id: "posts-line", type: "line", source: "posts",
    paint: { "line-color": brand, "line-width": 1.6, "line-dasharray": [3, 2] },
  });
  map.addLayer({
    id: "posts-name", type: "symbol", source: "post-labels", minzoom: 13.5,
    layout: { "text-field": ["get", "name"], "text-font": FONTS, "text-size": 12.5, "text-max-width": 9, "text-anchor": "bottom", "text-offset": [0, -0.3], "text-allow-overlap": true },
    paint: { "text-color": token("--brand-text"), "text-halo-color": token("--map-paper"), "text-halo-width": 1.4 },
  });
}

const northOf = ({ coordinates }) => Math.max(...coordinates.flat(Infinity).filter((_value, i) => i % 2 === 1));

const EARTH_M = 6371008.8;

/** Ring of `radius` metres around a point, for drawing only (verdicts are made on the server). */
export function circle(lon, lat, radius, steps = 64) {
  const k = (radius / EARTH_M) * (180 / Math.PI);
  const ringPoints = [];
  for (let i = 0; i <= steps; i += 1) {
    const a = (i / steps) * 2 * Math.PI;
    ringPoints.push([lon + (k * Math.cos(a)) / Math.cos((lat * Math.PI) / 180), lat + k * Math.sin(a)]);
  }
  return { type: "Polygon", coordinates: [ringPoints] };
}

/** Add a source `pins` and a ring at each of its points. */
export function addPins(map, data) {
  map.addSource("pins", { type: "geojson", data });
  map.addLayer({ id: "pins", type: "circle", source: "pins", paint: { "circle-radius": 6, "circle-color": token("--map-paper"), "circle-stroke-width": 3, "circle-stroke-color": token("--brand") } });
}

/** Take a click on the map as a position: `set` gets longitude and latitude, degrees with six digits. */
export function onPick(map, set) {
  map.getCanvas().style.cursor = "crosshair";
  map.on("click", ({ lngLat }) => {
    const { lng, lat } = lngLat.wrap();
    set(lng.toFixed(6), lat.toFixed(6));
  });
}

/** Great-circle metres between two points, for drawing and sorting only. */
export function metres([lon1, lat1], [lon2, lat2]) {
  const r = Math.PI / 180;
  const h = Math.sin(((lat2 - lat1) * r) / 2) ** 2
    + Math.cos(lat1 * r) * Math.cos(lat2 * r) * Math.sin(((lon2 - lon1) * r) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(h)));
}
