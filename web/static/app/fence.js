/** The fence editor: one shape, kept the same on the map, in the numbers and in the form. */

import { FenceMap, simple } from "app/fence-map";
import { EMPTY } from "app/map";
import { el, drawing, fetchJson, typing } from "app/dom";
import { t, tn } from "app/i18n";
import { toast } from "app/app";

const page = document.getElementById("fence");
const form = page.querySelector("form");
const fields = form.elements;
const mayEdit = page.dataset.mayEdit === "1";
const verdict = page.querySelector("[data-verdict]");
const hint = page.querySelector("[data-hint]");
const MAX_ROWS = 200;
const HINTS = {
  circle: () => t("Click the centre, then the edge."),
  polygon: () => t("Click to add vertices; click the first one or press Enter to finish, Esc to cancel."),
  rectangle: () => t("Click two opposite corners."),
};

const history = [];
let shape = null;
let asked = 0;

const map = new FenceMap({ mayEdit, onShape: (next) => change(next), onTool: showTool });

/** The shape that the form's fields say; null while they say none. */
function fromFields() {
  if (fields.kind.value === "circle") {
    const [lon, lat, radius] = ["lon", "lat", "radius_m"].map((name) => Number.parseFloat(fields[name].value));
    if (![lon, lat, radius].every(Number.isFinite) || Math.abs(lat) > 85 || Math.abs(lon) > 180) return null;
    return { kind: "circle", lon, lat, radius_m: radius };
  }
  try {
    const found = geometryOf(JSON.parse(fields.geometry.value));
    return found && { kind: "polygon", geometry: found };
  } catch {
    return null;
  }
}

/** The first area or circle of a GeoJSON document. */
function geometryOf(document) {
  if (document?.type === "FeatureCollection") return geometryOf(document.features?.[0]);
  if (document?.type === "Feature") {
    const radius = document.properties?.radius_m;
    return document.geometry?.type === "Point" && radius ? { ...document.geometry, radius_m: radius } : document.geometry;
  }
  return document;
}

function toFields(next) {
  fields.kind.value = next?.kind ?? fields.kind.value;
  if (next?.kind === "circle") {
    fields.lon.value = next.lon;
    fields.lat.value = next.lat;
    fields.radius_m.value = next.radius_m;
  } else if (next) {
    fields.geometry.value = JSON.stringify(next.geometry);
  }
}

/** Take over a shape from the map or a file; it can be undone. */
function change(next) {
  if (shape) history.push(shape);
  shape = next;
  toFields(shape);
  refresh();
}

function refresh() {
  const circle = fields.kind.value === "circle";
  page.querySelector("[data-kind-circle]").hidden = !circle;
  page.querySelector("[data-kind-polygon]").hidden = circle;
  const undo = page.querySelector("[data-undo]");
  if (undo) undo.disabled = !history.length;
  map.show(shape);
  if (!circle) showVertices();
  check();
}

function undo() {
  if (!history.length) return;
  shape = history.pop();
  toFields(shape);
  refresh();
}

function showTool(tool) {
  for (const button of page.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  }
  hint.hidden = !(tool in HINTS);
  if (tool in HINTS) hint.textContent = HINTS[tool]();
}

function showVertices() {
  const box = page.querySelector("[data-vertices]");
  const geometry = shape?.kind === "polygon" ? shape.geometry : null;
  if (!geometry) {
    box.replaceChildren(el("p", { class: "muted" }, t("Draw an area on the map, import a file, or type its GeoJSON below.")));
    return;
  }
  const ring = geometry.coordinates?.[0];
  if (!simple(geometry) || ring.length - 1 > MAX_ROWS) {
    box.replaceChildren(el("p", { class: "muted" }, t("This area has holes, parts or many vertices: edit it as GeoJSON.")));
    return;
  }
  const focused = document.activeElement?.dataset?.vertex;
  const open = ring.slice(0, -1);
  const store = (points) => change({ kind: "polygon", geometry: { type: "Polygon", coordinates: [[...points, points[0]]] } });
  const input = (i, axis) => el("input", {
    type: "text", inputmode: "decimal", value: open[i][axis], dataset: { vertex: `${i}-${axis}` }, autocomplete: "off",
    readonly: !mayEdit,
    "aria-label": axis ? t("Latitude of vertex %(number)s", { number: i + 1 }) : t("Longitude of vertex %(number)s", { number: i + 1 }),
    onchange: (event) => {
      const value = Number.parseFloat(event.target.value);
      if (!Number.isFinite(value)) return;
      store(open.map((point, k) => (k === i ? point.map((old, a) => (a === axis ? value : old)) : point)));
    },
  });
  box.replaceChildren(
    el("ol", { class: "vertices" }, ...open.map((_point, i) => el("li", {}, el("span", {}, String(i + 1)), input(i, 0), input(i, 1),
      mayEdit && open.length > 3 ? el("button", {
        type: "button", class: "icon-btn", "aria-label": t("Remove vertex %(number)s", { number: i + 1 }),
        onclick: () => store(open.filter((_p, k) => k !== i)),
      }, "×") : null))),
    mayEdit ? el("button", {
      type: "button", class: "btn btn--ghost btn--small",
      onclick: () => store([...open, open[0].map((v, a) => Number(((v + open.at(-1)[a]) / 2).toFixed(6)))]),
    }, t("Add a vertex")) : "",
  );
  if (focused) box.querySelector(`[data-vertex="${focused}"]`)?.focus();
}

/** The shape as the server reads it. */
function document_() {
  if (!shape) return null;
  return shape.kind === "circle"
    ? { type: "Point", coordinates: [shape.lon, shape.lat], radius_m: shape.radius_m }
    : shape.geometry;
}

let timer = 0;
function check() {
  clearTimeout(timer);
  if (!shape || !mayEdit) return;
  timer = setTimeout(ask, 250);
}

async function ask() {
  asked += 1;
  const mine = asked;
  try {
    const answer = await fetchJson(page.dataset.check, {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ shape: document_(), post_id: page.dataset.post || null }),
    });
    if (mine === asked) show(answer);
  } catch (error) {
    if (mine === asked) verdict.replaceChildren(note("warn", t("The fence could not be checked: %(reason)s", { reason: error.message })));
  }
}

function note(tone, text) {
  return el("p", { class: `notice notice--${tone}` }, drawing(tone), el("span", {}, text));
}

function squareMetres(value) {
  return value < 100000
    ? `${new Intl.NumberFormat(document.documentElement.lang).format(Math.round(value))} m²`
    : `${(value / 1e6).toFixed(2)} km²`;
}

function show(answer) {
  map.pointOut(answer.ok ? null : answer.point);
  page.dataset.verdict = answer.ok ? "ok" : answer.code;
  if (!answer.ok) {
    verdict.replaceChildren(note("danger", answer.reason));
    return;
  }
  const facts = [[t("Size"), squareMetres(answer.area_m2)]];
  if (answer.vertices) facts.push([t("Vertices"), String(answer.vertices)]);
  verdict.replaceChildren(
    el("dl", { class: "verdict" }, ...facts.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value)))),
    ...(answer.is_large ? [note("warn", t("This is larger than 10,000 km². Is that meant?"))] : []),
    ...answer.overlaps.map((o) => note("warn", t("Overlaps “%(name)s” by %(share)s %% of this area. People there are judged by the post they are rostered at.", {
      name: o.name, share: o.share < 0.01 ? "< 1" : Math.round(o.share * 100),
    }).replace("%%", "%"))),
    ...(answer.overlaps.length === 5 ? [el("p", { class: "muted" }, tn("%(num)d overlap is shown.", "The %(num)d largest overlaps are shown.", 5))] : []),
  );
}

async function importFile(input) {
  const [file] = input.files;
  input.value = "";
  if (!file) return;
  if (file.size > 2_000_000) {
    toast(t("The file is larger than 2 MB."), "danger");
    return;
  }
  try {
    const found = geometryOf(JSON.parse(await file.text()));
    if (!found?.type) throw new Error("no geometry");
    if (found.type === "Point" && found.radius_m) {
      change({ kind: "circle", lon: found.coordinates[0], lat: found.coordinates[1], radius_m: found.radius_m });
    } else {
      change({ kind: "polygon", geometry: found });
    }
    map.fit();
  } catch {
    toast(t("This file is not GeoJSON with an area."), "danger");
  }
}

form.addEventListener("change", (event) => {
  const { name } = event.target;
  if (name === "kind") {
    const next = fromFields();
    if (next) change(next);
    else refreshKind();
  } else if (["lon", "lat", "radius_m", "geometry"].includes(name)) {
    const next = fromFields();
    if (next) change(next);
    else if (name === "geometry") verdict.replaceChildren(note("danger", t("This is not GeoJSON with an area.")));
  }
});

function refreshKind() {
  if (shape) history.push(shape);
  shape = null;
  refresh();
}

page.addEventListener("click", (event) => {
  const tool = event.target.closest("[data-tool]")?.dataset.tool;
  if (tool) map.use(tool);
  if (event.target.closest("[data-undo]")) undo();
});
page.querySelector("[data-import]")?.addEventListener("change", (event) => importFile(event.target));
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !event.shiftKey && !typing(event) && mayEdit) {
    event.preventDefault();
    undo();
  }
});

shape = fromFields();
const all = await fetchJson(page.dataset.shapes).catch(() => EMPTY);
const others = { ...all, features: all.features.filter((f) => f.properties.id !== page.dataset.post) };
await map.open(page.querySelector("[data-map]"), others);
refresh();
map.fit(others);
map.map.once("idle", () => { document.documentElement.dataset.ready = "1"; });
map.map.triggerRepaint();
