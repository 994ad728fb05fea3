/** The map of an evidence card, of an alert or a visit, and the same fixes as a table. */

import { EMPTY, addPins, addPosts, circle, createMap, maplibregl, token } from "app/map";
import { el, fetchJson } from "app/dom";
import { clock, length, t } from "app/i18n";

const box = document.querySelector("[data-evidence]");

function collection(fixes, geometryOf) {
  return {
    type: "FeatureCollection",
    features: fixes.at.map((at, i) => ({
      type: "Feature", properties: { at, proof: fixes.proof[i] }, geometry: geometryOf(i),
    })).filter((f) => f.geometry),
  };
}

function install(map, evidence) {
  const { fixes, fence } = evidence;
  const proof = token(box.dataset.tone ?? "--off-post");
  const plain = token("--no-signal");
  const tone = ["case", ["get", "proof"], proof, plain];
  addPosts(map, fence ? { type: "FeatureCollection", features: [fence] } : EMPTY);
  const rings = collection(fixes, (i) => (fixes.accuracy_m[i] && fixes.proof[i] ? circle(fixes.lon[i], fixes.lat[i], fixes.accuracy_m[i]) : null));
  map.addSource("rings", { type: "geojson", data: rings });
  map.addSource("fixes", { type: "geojson", data: collection(fixes, (i) => ({ type: "Point", coordinates: [fixes.lon[i], fixes.lat[i]] })) });
  map.addLayer({ id: "rings", type: "fill", source: "rings", paint: { "fill-color": tone, "fill-opacity": 0.1 } });
  map.addLayer({ id: "rings-line", type: "line", source: "rings", paint: { "line-color": tone, "line-width": 1, "line-opacity": 0.5 } });
  map.addLayer({
    id: "fixes", type: "circle", source: "fixes",
    layout: { "circle-sort-key": ["case", ["get", "proof"], 1, 0] },
    paint: { "circle-radius": ["case", ["get", "proof"], 5, 3.5], "circle-color": tone, "circle-stroke-width": 1.5, "circle-stroke-color": token("--map-paper") },
  });
  if (evidence.pin) {
    addPins(map, { type: "Point", coordinates: evidence.pin });
  }
}

function table(fixes, zone) {
  const rows = fixes.at.map((at, i) => el("tr", {},
    el("td", {}, clock(at, { zone })),
    el("td", {}, fixes.accuracy_m[i] === null ? t("unknown") : `±${length(fixes.accuracy_m[i])}`),
    el("td", {}, fixes.proof[i] ? t("yes") : "")));
  return el("table", {}, el("thead", {}, el("tr", {}, ...[t("When"), t("Accuracy"), box.dataset.proves ?? t("Proves the absence")].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...rows));
}

if (box) {
  try {
    const evidence = await fetchJson(box.dataset.evidence);
    document.querySelector("[data-evidence-table]").append(table(evidence.fixes, box.dataset.zone));
    const map = await createMap(box, { install: (target) => install(target, evidence), zoom: 14, maxZoom: 19 });
    const bounds = new maplibregl.LngLatBounds();
    evidence.fixes.at.forEach((_at, i) => bounds.extend([evidence.fixes.lon[i], evidence.fixes.lat[i]]));
    for (const point of evidence.fence?.geometry.coordinates.flat(evidence.fence.geometry.type === "MultiPolygon" ? 2 : 1) ?? []) bounds.extend(point);
    if (!bounds.isEmpty()) map.fitBounds(bounds, { padding: 40, maxZoom: 17, animate: false });
    map.on("click", "fixes", (event) => {
      const { at } = event.features[0].properties;
      new maplibregl.Popup({ closeButton: false }).setLngLat(event.lngLat).setText(clock(at, { zone: box.dataset.zone })).addTo(map);
    });
    map.once("idle", () => { document.documentElement.dataset.ready = "1"; });
    map.triggerRepaint();
  } catch (error) {
    box.replaceWith(el("p", { class: "state", role: "alert" }, t("The evidence could not be loaded: %(reason)s", { reason: error.message })));
  }
}
