/** Places of a line on a map: a click fills in the field used last. The fields stay the way for keyboards. */

import { addPins, addPosts, circle, createMap, EMPTY, onPick } from "app/map";
import { t } from "app/i18n";

const box = document.querySelector("[data-claim-map]");
const fields = [...document.querySelectorAll("[data-place]")];
const hint = box?.querySelector("[data-claim-map-hint]");
let chosen = fields[0];

const several = (field) => field.dataset.place === "many";

/** A typed place as the server reads it: name, longitude, latitude and kilometres; null if it is none. */
function read(text, radius) {
  const [name, ...numbers] = text.split(/[,，]/).map((part) => part.trim());
  const [lon, lat, km] = numbers.map(Number);
  if (numbers.length < 2 || !(Math.abs(lon) <= 180 && Math.abs(lat) <= 90)) return null;
  return { name, lon, lat, radius: km > 0 ? km * 1000 : radius };
}

const places = () => fields.flatMap((field) =>
  field.value.split("\n").map((text) => read(text, several(field) ? 300 : 20000)).filter(Boolean));

function drawn() {
  const features = places().map(({ name, lon, lat, radius }, id) => ({
    type: "Feature",
    geometry: circle(lon, lat, radius),
    properties: { id: String(id), name, label: [lon, lat] },
  }));
  return features.length ? { type: "FeatureCollection", features } : EMPTY;
}

const pinned = () => ({ type: "MultiPoint", coordinates: places().map(({ lon, lat }) => [lon, lat]) });

function fill(field, lon, lat) {
  if (several(field)) {
    const lines = field.value.split("\n").filter((text) => text.trim());
    const name = t("Stop %(number)s", { number: lines.length + 1 });
    field.value = [...lines, `${name}, ${lon}, ${lat}`].join("\n");
    return;
  }
  const [name, , , ...reach] = field.value.split(/[,，]/).map((part) => part.trim());
  field.value = [name || t("Place"), lon, lat, ...reach].join(", ");
}

function choose(field) {
  chosen = field;
  const label = document.querySelector(`label[for="${field.id}"]`).firstChild.textContent.trim();
  hint.textContent = t("A click fills in “%(field)s”. Names and numbers can be changed above.", { field: label });
}

async function open() {
  const [first] = places();
  const map = await createMap(box.querySelector(".map"), {
    install: (target) => {
      addPosts(target, drawn());
      addPins(target, pinned());
    },
    ...(first && { center: [first.lon, first.lat] }), zoom: first ? 10 : 11, maxZoom: 18,
  });
  const draw = () => {
    map.getSource("posts")?.setData(drawn());
    map.getSource("pins")?.setData(pinned());
  };
  for (const field of fields) field.addEventListener("input", draw);
  onPick(map, (lon, lat) => {
    fill(chosen, lon, lat);
    draw();
  });
  map.once("idle", () => { document.documentElement.dataset.ready = "1"; });
  map.triggerRepaint();
}

if (box && fields.length) {
  for (const field of fields) field.addEventListener("focus", () => choose(field));
  choose(chosen);
  box.addEventListener("toggle", open, { once: true });
}
