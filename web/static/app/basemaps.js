/** The page that chooses the streets: a map of what is drawn, nothing else. */

import { createMap } from "app/map";

const page = document.getElementById("basemaps");
const container = page.querySelector("[data-map]");
try {
  const map = await createMap(container, { install: () => {}, zoom: 14 });
  const chosen = JSON.parse(container.dataset.basemap);
  // Chinese maps are judged by a place where the shift shows.
  if (chosen.kind === "amap" || chosen.kind === "tianditu") map.jumpTo({ center: [121.4737, 31.2304], zoom: 14 });
  container.probe = () => ({ layers: map.getStyle().layers.map((layer) => layer.id), credits: page.querySelector(".maplibregl-ctrl-attrib-inner")?.textContent });
  map.once("idle", () => document.documentElement.setAttribute("data-ready", ""));
} catch {
  page.querySelector("[data-no-map]").hidden = false;
}
