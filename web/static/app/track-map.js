/** A day on the map: the way coloured by speed, stops, silence as dashes, the marker of now. */

import { FONTS, addPosts, calm, circle, createMap, maplibregl, token } from "app/map";
import { el } from "app/dom";
import { t } from "app/i18n";

export class TrackMap {
  #at = Infinity;

  constructor(model) {
    this.model = model;
    this.raw = false;
  }

  async open(container) {
    this.map = await createMap(container, {
      install: (map) => this.#install(map), zoom: 14, maxZoom: 19, keyboard: false,
    });
    this.arrow = el("div", { class: "now-marker", "aria-hidden": "true" });
    this.marker = new maplibregl.Marker({ element: this.arrow, rotationAlignment: "map" });
    return this.map;
  }

  /** Put the marker where the model says the person was; null hides it. */
  place(where, { follow, at, step = 1 }) {
    if (where.mode === "before") {
      this.marker.remove();
      this.map.getSource("accuracy")?.setData(empty());
      return;
    }
    const point = [where.lon, where.lat];
    this.arrow.dataset.mode = where.mode;
    this.arrow.dataset.course = where.course === null ? "none" : "known";
    this.marker.setLngLat(point).setRotation(where.course ?? 0);
    if (!this.marker._map) this.marker.addTo(this.map);
    this.map.getSource("accuracy")?.setData(where.accuracy_m ? feature(circle(...point, where.accuracy_m)) : empty());
    if (Math.abs(at - this.#at) >= step || at < this.#at) {
      this.#at = at;
      this.map.setFilter("way-done", ["<=", ["get", "at"], at]);
    }
    if (follow) this.#keepInSight(point);
  }

  showRaw(on) {
    this.raw = on;
    for (const id of ["raw", "raw-rings"]) this.map.setLayoutProperty(id, "visibility", on ? "visible" : "none");
  }

  lookAt(lon, lat) {
    this.map.easeTo({ center: [lon, lat], zoom: Math.max(this.map.getZoom(), 15.5), animate: !calm(), duration: 300 });
  }

  #keepInSight(point) {
    const { x, y } = this.map.project(point);
    const box = this.map.getContainer();
    const inside = x > box.clientWidth * 0.2 && x < box.clientWidth * 0.7 && y > box.clientHeight * 0.2 && y < box.clientHeight * 0.8;
    if (!inside && !this.map.isMoving()) this.map.easeTo({ center: point, animate: !calm(), duration: 250 });
  }

  /** Show the whole day; once the page has its final shape, for the map shrinks with it. */
  fit() {
    this.map.resize();
    const bounds = new maplibregl.LngLatBounds();
    this.model.times.forEach((_t, i) => {
      const p = this.model.point(i);
      bounds.extend([p.lon, p.lat]);
    });
    // The list lies over the right part of a wide map.
    const right = this.map.getContainer().clientWidth > 720 ? 340 : 40;
    if (!bounds.isEmpty()) this.map.fitBounds(bounds, { padding: { top: 60, bottom: 50, left: 40, right }, maxZoom: 16.5, animate: false });
  }

  #install(map) {
    const { model } = this;
    addPosts(map, model.day.posts);
    map.addSource("way", { type: "geojson", data: way(model, false) });
    map.addSource("silence", { type: "geojson", data: way(model, true) });
    map.addSource("stops", { type: "geojson", data: stops(model) });
    map.addSource("raw", { type: "geojson", data: fixes(model) });
    map.addSource("raw-rings", { type: "geojson", data: rings(model) });
    map.addSource("accuracy", { type: "geojson", data: empty() });
    const speed = ["interpolate", ["linear"], ["get", "kmh"],
      0, token("--speed-0"), 6, token("--speed-1"), 20, token("--speed-2"), 50, token("--speed-3")];
    const paper = token("--map-paper");
    const round = { "line-join": "round", "line-cap": "round" };
    map.addLayer({ id: "way-case", type: "line", source: "way", layout: round, paint: { "line-color": paper, "line-width": 7, "line-opacity": 0.9 } });
    map.addLayer({ id: "silence", type: "line", source: "silence", paint: { "line-color": token("--no-signal"), "line-width": 1.6, "line-dasharray": [1, 3], "line-opacity": 0.8 } });
    map.addLayer({ id: "way", type: "line", source: "way", layout: round, paint: { "line-color": speed, "line-width": 3, "line-opacity": 0.35 } });
    map.addLayer({ id: "way-done", type: "line", source: "way", layout: round, paint: { "line-color": speed, "line-width": 4.5 } });
    const visibility = this.raw ? "visible" : "none";
    map.addLayer({ id: "raw-rings", type: "fill", source: "raw-rings", layout: { visibility }, paint: { "fill-color": token("--travelling"), "fill-opacity": 0.05 } });
    map.addLayer({
      id: "raw", type: "circle", source: "raw", layout: { visibility },
      paint: {
        "circle-radius": 3.4, "circle-stroke-width": 1.2, "circle-stroke-color": paper,
        "circle-color": ["case", ["get", "doubt"], token("--stale"), token("--travelling")],
      },
    });
    map.addLayer({ id: "accuracy", type: "fill", source: "accuracy", paint: { "fill-color": token("--travelling"), "fill-opacity": 0.12 } });
    map.addLayer({ id: "stops", type: "circle", source: "stops", paint: { "circle-radius": 13, "circle-color": token("--surface"), "circle-stroke-width": 2.5, "circle-stroke-color": token("--brand") } });
    map.addLayer({
      id: "stops-minutes", type: "symbol", source: "stops",
      layout: { "text-field": ["get", "minutes"], "text-font": FONTS, "text-size": 11, "text-allow-overlap": true },
      paint: { "text-color": token("--ink") },
    });
    map.setFilter("way-done", ["<=", ["get", "at"], this.#at]);
  }
}

const empty = () => ({ type: "FeatureCollection", features: [] });
const feature = (geometry, properties = {}) => ({ type: "Feature", properties, geometry });
const collection = (features) => ({ type: "FeatureCollection", features });

/** Steps between neighbouring fixes; those across a gap apart from the others. */
function way(model, silent) {
  const features = [];
  for (let i = 0; i + 1 < model.times.length; i += 1) {
    if (model.broken(i) !== silent) continue;
    const [a, b] = [model.point(i), model.point(i + 1)];
    features.push(feature({ type: "LineString", coordinates: [[a.lon, a.lat], [b.lon, b.lat]] }, {
      at: model.times[i], kmh: model.speed(i + 1) ?? 0,
    }));
  }
  return collection(features);
}

function stops(model) {
  return collection(model.stops.map((s, i) => feature({ type: "Point", coordinates: [s.lon, s.lat] }, {
    i, minutes: t("%(minutes)s′", { minutes: Math.round((s.end - s.start) / 60) }),
  })));
}

function fixes(model) {
  return collection(model.times.map((at, i) => {
    const { lon, lat } = model.point(i);
    return feature({ type: "Point", coordinates: [lon, lat] }, { at, doubt: model.day.fixes.flags[i].length > 0 });
  }));
}

function rings(model) {
  return collection(model.times.flatMap((_at, i) => {
    const p = model.point(i);
    return p.accuracy_m ? [feature(circle(p.lon, p.lat, p.accuracy_m, 24))] : [];
  }));
}
