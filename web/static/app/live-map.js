/** People on the map: clusters, markers, the selected person with accuracy ring and trail. */

import { EMPTY, FONTS, STATUSES, addPosts, calm, circle, createMap, faded, maplibregl, metres, token } from "app/map";
import { el, drawing } from "app/dom";
import { t } from "app/i18n";

const CLUSTER_MAX_ZOOM = 15;
const DISC = [12, 32]; // radius of the smallest and largest disc of counts, CSS pixels
const GAP_S = 300; // a longer silence is drawn as a gap, never as a way

export class LiveMap {
  #shown = new Map(); // id → person as the filter lets through
  #posts = EMPTY;
  #squares = EMPTY;
  #selected = null;
  #trail = null;
  #dirty = false;
  #popup = null;

  constructor({ words, onSelect }) {
    this.words = words;
    this.onSelect = onSelect;
    this.visible = { names: true, posts: true, trail: true };
  }

  async open(container, posts) {
    this.#posts = posts;
    this.map = await createMap(container, {
      install: (map) => this.#install(map), zoom: 14.5, minZoom: 3, maxZoom: 19,
    });
    const map = this.map;
    for (const layer of ["people", "clusters", "squares"]) {
      map.on("mouseenter", layer, () => { map.getCanvas().style.cursor = "pointer"; });
      map.on("mouseleave", layer, () => { map.getCanvas().style.cursor = ""; });
    }
    map.on("click", "people", (event) => this.onSelect(event.features[0].properties.id));
    map.on("click", "selected", (event) => this.onSelect(event.features[0].properties.id));
    map.on("click", "squares", (event) => {
      map.easeTo({ center: event.features[0].geometry.coordinates, zoom: map.getZoom() + 2, duration: calm() ? 0 : 300 });
    });
    map.on("click", "clusters", (event) => this.#openCluster(event.features[0]));
    setInterval(() => this.#flush(), 500);
    // For tests and support: what the map really shows, by name of a source.
    container.probe = (source) => this.#probe(source);
    return map;
  }

  /** Show exactly these people. */
  show(people) {
    this.#shown = new Map(people.filter(placed).map((p) => [p.id, p]));
    this.#dirty = true;
    this.#flush();
  }

  /** Show counts by square instead of people: [{lon, lat, people, bad}]; none hides them. */
  showSquares(squares) {
    const most = Math.max(1, ...squares.map((each) => each.people));
    this.#squares = {
      type: "FeatureCollection",
      features: this.#apart(squares, most).map(({ lon, lat, people, bad }) => ({
        type: "Feature", properties: { people, bad, size: Math.min(1, Math.sqrt(people / most)) }, geometry: { type: "Point", coordinates: [lon, lat] },
      })),
    };
    this.map?.getSource("squares")?.setData(this.#squares);
  }

  /** Join discs that would lie upon each other, the larger first; their sums stay exact. */
  #apart(squares, most) {
    if (!this.map) return squares;
    const discs = [];
    const size = (people) => DISC[0] + (DISC[1] - DISC[0]) * Math.sqrt(people / most);
    for (const square of squares.toSorted((a, b) => b.people - a.people)) {
      const at = this.map.project([square.lon, square.lat]);
      const upon = discs.find((disc) => Math.hypot(disc.at.x - at.x, disc.at.y - at.y) < (size(disc.people) + size(square.people)) * 0.85);
      if (!upon) discs.push({ ...square, at });
      else {
        upon.people += square.people;
        upon.bad += square.bad;
      }
    }
    return discs;
  }

  fitPoints(points) {
    if (!this.map || !points.length) return;
    const bounds = new maplibregl.LngLatBounds();
    points.forEach((point) => bounds.extend(point));
    this.map.fitBounds(bounds, { padding: this.#room(), maxZoom: 14, animate: false });
  }

  /** A shown person changed; drawn with the next half second's batch. */
  touch() {
    this.#dirty = true;
  }

  select(person) {
    if (person?.id !== this.#selected?.id || !placed(person)) this.#trail = null;
    this.#selected = person ?? null;
    this.#dirty = true;
    this.#flush();
  }

  setTrail(id, trail) {
    if (this.#selected?.id !== id || !placed(this.#selected)) return;
    this.#trail = trail;
    this.#drawTrail();
  }

  /** Extend the trail by the newest position of the selected person. */
  extendTrail(person) {
    if (!this.#trail || this.#selected?.id !== person.id || !placed(person)) return;
    const points = this.#trail.points;
    const last = points.at(-1);
    if (last && last[2] >= person.fixed_at) return;
    points.push([person.lon, person.lat, person.fixed_at]);
    while (points.length && points[0][2] < person.fixed_at - this.#trail.span_s) points.shift();
    this.#drawTrail();
  }

  set(name, on) {
    this.visible[name] = on;
    if (!this.map) return;
    const layers = {
      names: ["people-name", "selected-name"], posts: ["posts-fill", "posts-line", "posts-name"], trail: ["trail", "trail-gap"],
    }[name];
    for (const id of layers) this.map.setLayoutProperty(id, "visibility", on ? "visible" : "none");
  }

  flyTo(person, { zoom } = {}) {
    if (!this.map || !placed(person)) return;
    const { left, right } = this.#room();
    this.map.easeTo({
      center: [person.lon, person.lat], zoom: Math.max(this.map.getZoom(), zoom ?? 0),
      offset: [(left - right) / 2, 0], duration: calm() ? 0 : 400,
    });
  }

  fit(people, { animate = true } = {}) {
    if (!this.map) return;
    const bounds = new maplibregl.LngLatBounds();
    for (const f of this.#posts.features) {
      for (const point of f.geometry.coordinates.flat(f.geometry.type === "MultiPolygon" ? 2 : 1)) bounds.extend(point);
    }
    for (const p of people) if (placed(p)) bounds.extend([p.lon, p.lat]);
    if (bounds.isEmpty()) return;
    this.map.fitBounds(bounds, { padding: this.#room(), maxZoom: 16, animate: animate && !calm(), duration: 400 });
  }

  /** Space that the floating panels take from the map, CSS pixels. */
  #room() {
    const wide = this.map.getContainer().clientWidth > 760;
    return { top: 90, bottom: wide ? 90 : 110, left: 40, right: wide ? 350 : 40 };
  }

  /** People whose marker lies inside a ring of canvas points. */
  inside(ring) {
    return [...this.#shown.values()].filter(placed).filter((person) => {
      const { x, y } = this.map.project([person.lon, person.lat]);
      let inside = false;
      for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
        const [xi, yi] = ring[i];
        const [xj, yj] = ring[j];
        if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
      }
      return inside;
    });
  }

  async #probe(source) {
    this.#flush();
    this.map.triggerRepaint();
    await this.map.once("idle");
    if (source === "selected") {
      const [found] = this.map.querySourceFeatures("selected", { filter: ["has", "id"] });
      return found?.geometry.coordinates ?? null;
    }
    const seen = this.map.queryRenderedFeatures({ layers: source === "squares" ? ["squares"] : ["people", "clusters"] });
    return seen.map((each) => each.properties);
  }

  #flush() {
    if (!this.#dirty || !this.map?.getSource("people") || this.map.isMoving()) return;
    this.#dirty = false;
    const features = [];
    for (const person of this.#shown.values()) {
      if (person.id !== this.#selected?.id && placed(person)) features.push(feature(person));
    }
    this.map.getSource("people").setData({ type: "FeatureCollection", features });
    this.#drawSelected();
  }

  #drawSelected() {
    const person = this.#selected;
    const features = placed(person) ? [feature(person)] : [];
    if (placed(person) && person.accuracy_m) {
      features.push({ type: "Feature", properties: { ring: true, status: person.status }, geometry: circle(person.lon, person.lat, person.accuracy_m) });
    }
    this.map.getSource("selected").setData({ type: "FeatureCollection", features });
    this.#drawTrail();
  }

  #drawTrail() {
    if (!this.map?.getSource("trail")) return;
    const points = this.#trail?.points ?? [];
    const line = points.map(([lon, lat]) => [lon, lat]);
    const gaps = [];
    const stops = [];
    const color = token("--travelling");
    let total = 0;
    const lengths = points.map((p, i) => (i ? (total += metres(points[i - 1], p)) : 0));
    points.forEach((point, i) => {
      if (!total) return;
      const at = lengths[i] / total;
      const tone = faded(color, 0.15 + 0.85 * at);
      const gap = i > 0 && point[2] - points[i - 1][2] > GAP_S;
      if (gap) {
        const before = lengths[i - 1] / total;
        gaps.push({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: [line[i - 1], line[i]] } });
        stops.push([before + 1e-6, faded(color, 0)], [at - 1e-6, faded(color, 0)]);
      }
      stops.push([at, tone]);
    });
    const rising = stops.filter(([at], i) => i === 0 || at > stops[i - 1][0] + 1e-9)
      .reduce((kept, stop) => (kept.length && stop[0] <= kept.at(-1)[0] ? kept : [...kept, stop]), []);
    const drawn = rising.length > 1 && line.length > 1;
    this.map.getSource("trail").setData(drawn ? { type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: line } } : EMPTY);
    this.map.getSource("trail-gap").setData({ type: "FeatureCollection", features: gaps });
    if (drawn) this.map.setPaintProperty("trail", "line-gradient", ["interpolate", ["linear"], ["line-progress"], ...rising.flat()]);
  }

  async #openCluster(cluster) {
    const source = this.map.getSource("people");
    const id = cluster.properties.cluster_id;
    const center = cluster.geometry.coordinates;
    const zoom = await source.getClusterExpansionZoom(id);
    if (zoom <= CLUSTER_MAX_ZOOM && zoom > this.map.getZoom()) {
      this.map.easeTo({ center, zoom: zoom + 0.4, duration: calm() ? 0 : 300 });
      return;
    }
    const leaves = await source.getClusterLeaves(id, 50, 0);
    this.#popup?.remove();
    const list = el("ul", { class: "leaves", "aria-label": t("People here") }, ...leaves.map(({ properties: p }) => el("li", {},
      el("button", {
        type: "button", class: "menu__item",
        onclick: () => {
          this.#popup.remove();
          this.onSelect(p.id);
        },
      }, el("span", { class: `tone-${p.status}` }, drawing(p.status)), p.name))));
    this.#popup = new maplibregl.Popup({ closeButton: false, offset: 16, focusAfterOpen: true })
      .setLngLat(center).setDOMContent(list).addTo(this.map);
  }

  #install(map) {
    const paper = token("--map-paper");
    const ink = token("--ink");
    const off = token("--off-post");
    const calmRing = token("--on-post");
    addPosts(map, this.#posts);
    map.addSource("trail", { type: "geojson", data: EMPTY, lineMetrics: true });
    map.addSource("trail-gap", { type: "geojson", data: EMPTY });
    map.addSource("people", {
      type: "geojson", data: EMPTY, cluster: true, clusterMaxZoom: CLUSTER_MAX_ZOOM, clusterRadius: 34, clusterMinPoints: 2,
      clusterProperties: { off: ["+", ["case", ["==", ["get", "status"], "off_post"], 1, 0]] },
    });
    map.addSource("selected", { type: "geojson", data: EMPTY });

    map.addLayer({ id: "trail-gap", type: "line", source: "trail-gap", paint: { "line-color": token("--travelling"), "line-width": 2, "line-opacity": 0.5, "line-dasharray": [1, 2.5] } });
    map.addLayer({ id: "trail", type: "line", source: "trail", layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-width": 4, "line-gradient": ["interpolate", ["linear"], ["line-progress"], 0, faded(token("--travelling"), 0), 1, token("--travelling")] } });

    const tone = ["match", ["get", "status"], ...STATUSES.flatMap((s) => [s, token(`--${s.replace("_", "-")}`)]), ink];
    map.addLayer({ id: "accuracy", type: "fill", source: "selected", filter: ["has", "ring"], paint: { "fill-color": tone, "fill-opacity": 0.14 } });
    map.addLayer({ id: "accuracy-line", type: "line", source: "selected", filter: ["has", "ring"], paint: { "line-color": tone, "line-width": 1.2, "line-opacity": 0.7 } });
    map.addLayer({
      id: "clusters", type: "circle", source: "people", filter: ["has", "point_count"],
      paint: {
        "circle-color": token("--surface"), "circle-radius": ["step", ["get", "point_count"], 14, 10, 17, 50, 21, 500, 26],
        "circle-stroke-width": 3, "circle-stroke-color": ["case", [">", ["get", "off"], 0], off, calmRing],
      },
    });
    map.addLayer({
      id: "cluster-count", type: "symbol", source: "people", filter: ["has", "point_count"],
      layout: { "text-field": ["get", "point_count_abbreviated"], "text-font": FONTS, "text-size": 13, "text-allow-overlap": true },
      paint: { "text-color": ink },
    });
    map.addSource("squares", { type: "geojson", data: this.#squares });
    map.addLayer({
      id: "squares", type: "circle", source: "squares",
      paint: {
        "circle-color": token("--surface"), "circle-opacity": 0.92, "circle-radius": ["interpolate", ["linear"], ["get", "size"], 0, DISC[0], 1, DISC[1]],
        "circle-stroke-width": 3, "circle-stroke-color": ["case", [">", ["get", "bad"], 0], off, calmRing],
      },
    });
    map.addLayer({
      id: "squares-count", type: "symbol", source: "squares",
      layout: { "text-field": ["number-format", ["get", "people"], {}], "text-font": FONTS, "text-size": ["interpolate", ["linear"], ["get", "size"], 0, 11, 1, 15], "text-allow-overlap": true, "symbol-sort-key": ["-", ["get", "people"]] },
      paint: { "text-color": ink },
    });
    const heading = ["case", ["==", ["get", "status"], "travelling"], ["coalesce", ["get", "course"], 0], 0];
    const marker = (size) => ({ "icon-image": ["concat", "status-", ["get", "status"]], "icon-size": size, "icon-rotate": heading, "icon-rotation-alignment": "map", "icon-allow-overlap": true, "icon-ignore-placement": true });
    const name = { "text-field": ["get", "name"], "text-font": FONTS, "text-size": 12.5, "text-anchor": "top", "text-offset": [0, 0.85], "text-optional": true, "text-max-width": 12 };
    const words = { "text-color": ink, "text-halo-color": paper, "text-halo-width": 1.6 };
    const single = ["!", ["has", "point_count"]];
    const order = ["match", ["get", "status"], "off_post", 5, "no_signal", 4, "stale", 3, "travelling", 2, 1];
    map.addLayer({ id: "people", type: "symbol", source: "people", filter: single, layout: { ...marker(0.86), "symbol-sort-key": order } });
    map.addLayer({ id: "people-name", type: "symbol", source: "people", filter: single, minzoom: 14, layout: { ...name, visibility: this.visible.names ? "visible" : "none" }, paint: words });
    map.addLayer({ id: "selected-disc", type: "circle", source: "selected", filter: ["!", ["has", "ring"]], paint: { "circle-radius": 15, "circle-color": token("--surface"), "circle-stroke-width": 2.5, "circle-stroke-color": tone } });
    map.addLayer({ id: "selected", type: "symbol", source: "selected", filter: ["!", ["has", "ring"]], layout: marker(0.92) });
    map.addLayer({ id: "selected-name", type: "symbol", source: "selected", filter: ["!", ["has", "ring"]], layout: { ...name, "text-offset": [0, 1.4], "text-size": 13.5, "text-allow-overlap": true }, paint: words });
    this.#dirty = true;
    this.#flush();
  }
}

/** Whether it is known where somebody is; of people off duty it never is. */
function placed(person) {
  return typeof person?.lon === "number";
}

function feature(person) {
  return {
    type: "Feature",
    properties: { id: person.id, name: person.name, status: person.status, course: person.course_deg ?? 0 },
    geometry: { type: "Point", coordinates: [person.lon, person.lat] },
  };
}
