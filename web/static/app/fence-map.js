/**
 * Drawing a fence. A circle is its centre and radius with two handles; a simple area is edited
 * by terra-draw; an area with holes or several parts is shown and edited by its numbers.
 */

import {
  TerraDraw, TerraDrawCircleMode, TerraDrawPolygonMode, TerraDrawRectangleMode, TerraDrawSelectMode,
} from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import { EMPTY, addPosts, calm, circle, createMap, maplibregl, metres, token } from "app/map";
import { el } from "app/dom";

const DIGITS = 6; // 0.1 m
const round = ([lon, lat]) => [Number(lon.toFixed(DIGITS)), Number(lat.toFixed(DIGITS))];

/** True for one ring without holes, which can be edited by dragging. */
export function simple(geometry) {
  return geometry?.type === "Polygon" && geometry.coordinates.length === 1;
}

export class FenceMap {
  #shape = null;
  #draw = null;
  #own = null; // id of the area inside terra-draw
  #handles = [];
  #wrong = null;

  constructor({ mayEdit, onShape, onTool }) {
    this.mayEdit = mayEdit;
    this.onShape = onShape;
    this.onTool = onTool;
  }

  async open(container, others) {
    this.map = await createMap(container, {
      install: (map) => this.#install(map, others), zoom: 14, maxZoom: 19, doubleClickZoom: !this.mayEdit,
    });
    if (this.mayEdit) this.#startDrawing();
    return this.map;
  }

  /** Show a shape: {kind: "circle", lon, lat, radius_m} or {kind: "polygon", geometry}; null for none. */
  show(shape) {
    this.#shape = shape;
    this.map.getSource("fence")?.setData(this.#feature());
    this.#showHandles();
    this.#showArea();
  }

  fit(others = EMPTY) {
    const bounds = new maplibregl.LngLatBounds();
    const points = (geometry) => geometry.coordinates.flat(geometry.type === "MultiPolygon" ? 2 : 1);
    const own = this.#feature();
    for (const f of own.features.length ? own.features : others.features) points(f.geometry).forEach((p) => bounds.extend(p));
    if (!bounds.isEmpty()) this.map.fitBounds(bounds, { padding: Math.min(80, this.map.getContainer().clientHeight / 6), maxZoom: own.features.length ? 17 : 15, animate: false });
  }

  /** select, circle, polygon or rectangle. */
  use(tool) {
    if (!this.#draw) return;
    this.#draw.setMode(tool);
    this.onTool(tool);
    if (tool !== "select") this.#clearArea();
    else this.#showArea();
  }

  /** Mark the place a refusal is about; null removes the mark. */
  pointOut(point) {
    this.#wrong?.remove();
    this.#wrong = null;
    if (!point) return;
    this.#wrong = new maplibregl.Marker({ element: el("div", { class: "fence-wrong" }) }).setLngLat(point).addTo(this.map);
    if (!this.map.getBounds().contains(point)) this.map.easeTo({ center: point, animate: !calm() });
  }

  #install(map, others) {
    addPosts(map, others);
    map.setPaintProperty("posts-fill", "fill-color", token("--no-signal"));
    map.setPaintProperty("posts-line", "line-color", token("--no-signal"));
    map.addSource("fence", { type: "geojson", data: this.#feature() });
    const brand = token("--brand");
    map.addLayer({ id: "fence-fill", type: "fill", source: "fence", paint: { "fill-color": brand, "fill-opacity": 0.2 } });
    map.addLayer({ id: "fence-line", type: "line", source: "fence", paint: { "line-color": brand, "line-width": 2.5 } });
  }

  #startDrawing() {
    const brand = hex(token("--brand"));
    const surface = hex(token("--surface"));
    const area = { fillColor: brand, fillOpacity: 0.2, outlineColor: brand, outlineWidth: 3 };
    const points = { closingPointColor: surface, closingPointOutlineColor: brand, closingPointWidth: 5, closingPointOutlineWidth: 2 };
    this.#draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map: this.map, coordinatePrecision: 9 }),
      modes: [
        new TerraDrawSelectMode({
          flags: { polygon: { feature: { draggable: true, coordinates: { midpoints: true, draggable: true, deletable: true } } } },
          styles: {
            selectedPolygonColor: brand, selectedPolygonFillOpacity: 0.2, selectedPolygonOutlineColor: brand, selectedPolygonOutlineWidth: 3,
            selectionPointColor: brand, selectionPointOutlineColor: surface, selectionPointWidth: 6, selectionPointOutlineWidth: 2,
            midPointColor: surface, midPointOutlineColor: brand, midPointWidth: 4, midPointOutlineWidth: 2,
          },
        }),
        new TerraDrawPolygonMode({ styles: { ...area, ...points } }),
        new TerraDrawRectangleMode({ styles: area }),
        new TerraDrawCircleMode({ styles: area }),
      ],
    });
    this.#draw.start();
    this.#draw.setMode("select");
    this.#draw.on("finish", (id, context) => this.#finished(id, context));
    this.#draw.on("change", (ids, type) => {
      if (type === "delete" && ids.includes(this.#own)) this.#own = null;
    });
  }

  #finished(id, context) {
    const feature = this.#draw.getSnapshot().find((f) => f.id === id);
    if (!feature) return;
    if (context.action === "draw") {
      const ring = feature.geometry.coordinates[0];
      const drawn = context.mode === "circle" ? asCircle(ring) : asPolygon(ring);
      queueMicrotask(() => {
        this.#draw.removeFeatures([id]);
        this.use("select");
        this.onShape(drawn);
      });
      return;
    }
    if (id === this.#own) this.onShape(asPolygon(feature.geometry.coordinates[0]), { drawn: true });
  }

  #showArea() {
    if (!this.#draw || this.#draw.getMode() !== "select") return;
    const wanted = this.#shape?.kind === "polygon" && simple(this.#shape.geometry) ? this.#shape.geometry : null;
    if (!wanted) {
      this.#clearArea();
      return;
    }
    const known = this.#own && this.#draw.getSnapshot().find((f) => f.id === this.#own);
    if (known && JSON.stringify(asPolygon(known.geometry.coordinates[0]).geometry) === JSON.stringify(wanted)) return;
    this.#clearArea();
    const [result] = this.#draw.addFeatures([{ type: "Feature", properties: { mode: "polygon" }, geometry: wanted }]);
    if (!result?.valid) return; // e.g. it crosses itself: shown by our own layer, mended by numbers
    this.#own = result.id;
    this.#draw.selectFeature(this.#own);
  }

  #clearArea() {
    if (!this.#own) return;
    const id = this.#own;
    this.#own = null;
    if (this.#draw.getSnapshot().some((f) => f.id === id)) {
      if (this.#draw.getMode() === "select") this.#draw.deselectFeature(id);
      this.#draw.removeFeatures([id]);
    }
  }

  #showHandles() {
    this.#handles.forEach((handle) => handle.remove());
    this.#handles = [];
    const shape = this.#shape;
    if (!this.mayEdit || shape?.kind !== "circle") return;
    const edge = rim(shape);
    const marker = (point, name) => new maplibregl.Marker({
      element: el("div", { class: `fence-handle fence-handle--${name}`, dataset: { handle: name } }), draggable: true,
    }).setLngLat(point).addTo(this.map);
    const centre = marker([shape.lon, shape.lat], "centre");
    const radius = marker(edge, "edge");
    const preview = (changed) => this.map.getSource("fence").setData(featureOf(changed));
    const moved = () => {
      const [lon, lat] = round(centre.getLngLat().toArray());
      return { ...shape, lon, lat };
    };
    const sized = () => ({ ...shape, radius_m: Math.round(Math.max(20, metres([shape.lon, shape.lat], radius.getLngLat().toArray()))) });
    centre.on("drag", () => {
      preview(moved());
      radius.setLngLat(rim(moved()));
    });
    centre.on("dragend", () => this.onShape(moved()));
    radius.on("drag", () => preview(sized()));
    radius.on("dragend", () => this.onShape(sized()));
    this.#handles = [centre, radius];
  }

  #feature() {
    return featureOf(this.#shape);
  }
}

function featureOf(shape) {
  if (!shape) return EMPTY;
  const geometry = shape.kind === "circle" ? circle(shape.lon, shape.lat, shape.radius_m) : shape.geometry;
  if (!["Polygon", "MultiPolygon"].includes(geometry?.type)) return EMPTY;
  return { type: "FeatureCollection", features: [{ type: "Feature", properties: {}, geometry }] };
}

function rim({ lon, lat, radius_m }) {
  return circle(lon, lat, radius_m).coordinates[0][0];
}

function asCircle(ring) {
  const lons = ring.map(([lon]) => lon);
  const lats = ring.map(([, lat]) => lat);
  const [lon, lat] = round([(Math.min(...lons) + Math.max(...lons)) / 2, (Math.min(...lats) + Math.max(...lats)) / 2]);
  return { kind: "circle", lon, lat, radius_m: Math.round(Math.max(20, metres([lon, lat], ring[0]))) };
}

function asPolygon(ring) {
  return { kind: "polygon", geometry: { type: "Polygon", coordinates: [ring.map(round)] } };
}

function hex(color) {
  return `#${color.match(/[\d.]+/g).slice(0, 3).map((n) => Math.round(Number(n)).toString(16).padStart(2, "0")).join("")}`;
}
