/** Hexagons of people, those of others, drawn areas; what is selected is outlined. */

import { TerraDraw, TerraDrawPolygonMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import { EMPTY, FONTS, calm, createMap, maplibregl, token } from "app/map";

const STEPS = 5;

export class DistributionMap {
  #data = { cells: EMPTY, labels: EMPTY, others: EMPTY, areas: EMPTY };
  #scale = { most: 1, versus: false };
  #selected = "";
  #draw = null;

  constructor({ onCell, onMove, onArea }) {
    this.onCell = onCell;
    this.onMove = onMove;
    this.onArea = onArea;
  }

  async open(container) {
    this.map = await createMap(container, {
      install: (map) => this.#install(map), center: [104, 35], zoom: 3, minZoom: 1.5, maxZoom: 18,
    });
    const map = this.map;
    map.on("mouseenter", "cells", () => { map.getCanvas().style.cursor = "pointer"; });
    map.on("mouseleave", "cells", () => { map.getCanvas().style.cursor = ""; });
    map.on("click", "cells", (event) => { if (!this.drawing) this.onCell(event.features[0].properties.id); });
    map.on("moveend", () => this.onMove());
    // For tests and support: what the map really shows.
    container.probe = async () => {
      map.triggerRepaint();
      await map.once("idle");
      return map.queryRenderedFeatures({ layers: ["cells", "others"] }).map((each) => each.properties);
    };
    return map;
  }

  /** Size of hexagons that suits the zoom. */
  resolution() {
    return Math.min(11, Math.max(2, Math.round(9 + (this.map.getZoom() - 13.2) / 1.4)));
  }

  /** What is in sight with a margin, or null where all of it is asked for anyway. */
  box() {
    if (this.map.getZoom() < 7) return null;
    const bounds = this.map.getBounds();
    const [w, e] = [bounds.getWest(), bounds.getEast()];
    const [s, n] = [bounds.getSouth(), bounds.getNorth()];
    const [dx, dy] = [(e - w) * 0.25, (n - s) * 0.25];
    const box = [Math.max(-180, w - dx), Math.max(-85, s - dy), Math.min(180, e + dx), Math.min(85, n + dy)];
    return box[0] < box[2] ? box.map((x) => x.toFixed(4)).join(",") : null;
  }

  /** rows: [{id, ring, centre, value, text}]; most: the value of the darkest; versus: values are differences. */
  show(rows, { most, versus, others }) {
    const polygon = (row, properties) => ({ type: "Feature", properties, geometry: { type: "Polygon", coordinates: [row.ring] } });
    this.#scale = { most: Math.max(1, most), versus };
    this.#data.cells = collection(rows.map((row) => polygon(row, { id: row.id, value: row.value, text: row.text })));
    this.#data.labels = collection(rows.map((row) => ({
      type: "Feature", properties: { text: row.text, value: Math.abs(row.value) }, geometry: { type: "Point", coordinates: row.centre },
    })));
    this.#data.others = collection(others.map((row) => polygon(row, { id: row.id, text: row.text })));
    this.#flush();
  }

  areas(polygons) {
    this.#data.areas = collection(polygons.map((geometry, i) => ({ type: "Feature", properties: { text: String(i + 1) }, geometry })));
    this.#flush();
  }

  select(id, centre) {
    this.#selected = id ?? "";
    if (!this.map?.getLayer("cell-selected")) return;
    this.map.setFilter("cell-selected", ["==", ["get", "id"], this.#selected]);
    if (centre && !this.map.getBounds().contains(centre)) this.map.easeTo({ center: centre, duration: calm() ? 0 : 300 });
  }

  fit(rows) {
    if (!this.map || !rows.length) return;
    const bounds = new maplibregl.LngLatBounds();
    for (const row of rows) row.ring.forEach((point) => bounds.extend(point));
    this.map.fitBounds(bounds, { padding: 48, maxZoom: 15, animate: false });
  }

  get drawing() {
    return this.#draw !== null;
  }

  startDrawing() {
    this.stopDrawing();
    const brand = hex(token("--brand"));
    this.#draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map: this.map, coordinatePrecision: 9 }),
      modes: [new TerraDrawPolygonMode({ styles: { fillColor: brand, fillOpacity: 0.15, outlineColor: brand, outlineWidth: 2 } })],
    });
    this.#draw.start();
    this.#draw.setMode("polygon");
    this.#draw.on("finish", (id) => {
      const found = this.#draw.getSnapshot().find((each) => each.id === id);
      // terra-draw is still at work inside this event.
      setTimeout(() => {
        this.stopDrawing();
        if (found) this.onArea(found.geometry);
      });
    });
  }

  stopDrawing() {
    this.#draw?.stop();
    this.#draw = null;
  }

  #flush() {
    if (!this.map?.getSource("cells")) return;
    this.map.getSource("cells").setData(this.#data.cells);
    this.map.getSource("cell-labels").setData(this.#data.labels);
    this.map.getSource("others").setData(this.#data.others);
    this.map.getSource("areas").setData(this.#data.areas);
    this.map.setPaintProperty("cells", "fill-color", this.#colour());
  }

  #colour() {
    const { most, versus } = this.#scale;
    if (versus) {
      return ["interpolate", ["linear"], ["get", "value"], -most, token("--less"), 0, token("--same"), most, token("--more")];
    }
    const stops = [];
    // Square roots: a few crowded hexagons do not wash out all others.
    for (let i = 0; i < STEPS; i += 1) stops.push(Math.sqrt(most) * (i / (STEPS - 1)), token(`--seq-${i}`));
    return ["interpolate", ["linear"], ["sqrt", ["max", 0, ["get", "value"]]], ...stops];
  }

  #install(map) {
    const paper = token("--map-paper");
    map.addSource("others", { type: "geojson", data: this.#data.others });
    map.addSource("cells", { type: "geojson", data: this.#data.cells });
    map.addSource("cell-labels", { type: "geojson", data: this.#data.labels });
    map.addSource("areas", { type: "geojson", data: this.#data.areas });
    map.addLayer({ id: "others", type: "fill", source: "others", paint: { "fill-color": token("--no-signal"), "fill-opacity": 0.16 } });
    map.addLayer({ id: "others-line", type: "line", source: "others", paint: { "line-color": token("--no-signal"), "line-width": 1, "line-dasharray": [3, 2] } });
    map.addLayer({ id: "cells", type: "fill", source: "cells", paint: { "fill-color": this.#colour(), "fill-opacity": 0.8 } });
    map.addLayer({ id: "cells-line", type: "line", source: "cells", paint: { "line-color": paper, "line-width": 1 } });
    map.addLayer({ id: "cell-selected", type: "line", source: "cells", filter: ["==", ["get", "id"], this.#selected], paint: { "line-color": token("--ink"), "line-width": 2.5 } });
    map.addLayer({ id: "areas", type: "fill", source: "areas", paint: { "fill-color": token("--brand"), "fill-opacity": 0.12 } });
    map.addLayer({ id: "areas-line", type: "line", source: "areas", paint: { "line-color": token("--brand"), "line-width": 2 } });
    const text = (size) => ({ "text-field": ["get", "text"], "text-font": FONTS, "text-size": size });
    const words = { "text-color": token("--ink"), "text-halo-color": paper, "text-halo-width": 1.4 };
    map.addLayer({ id: "others-text", type: "symbol", source: "others", layout: text(11.5), paint: { ...words, "text-color": token("--ink-2") } });
    map.addLayer({ id: "cells-text", type: "symbol", source: "cell-labels", layout: { ...text(12.5), "symbol-sort-key": ["-", ["get", "value"]] }, paint: words });
    map.addLayer({ id: "areas-text", type: "symbol", source: "areas", layout: text(14), paint: words });
  }
}

function collection(features) {
  return { type: "FeatureCollection", features };
}

function hex(color) {
  return `#${color.match(/\d+/g).slice(0, 3).map((x) => Number(x).toString(16).padStart(2, "0")).join("")}`;
}
