/** The circle of a site, and where its pin should perhaps be, beside its numbers; a click fills them in. */

import { addPosts, circle, createMap, EMPTY, onPick } from "app/map";
import { t } from "app/i18n";

const box = document.querySelector("[data-site-map]");
const field = (name) => document.querySelector(`.site__form [name="${name}"]`);

function place() {
  const [lon, lat, radius] = ["lon", "lat", "radius_m"].map((name) => Number.parseFloat(field(name).value));
  const known = field("lon").value.trim() !== "" && Math.abs(lon) <= 180 && Math.abs(lat) <= 90;
  return known ? { lon, lat, radius: radius > 0 && radius <= 50000 ? radius : 200 } : null;
}

function drawn() {
  const site = place();
  if (!site) return EMPTY;
  const geometry = circle(site.lon, site.lat, site.radius);
  const properties = { id: "site", name: field("name").value, label: [site.lon, site.lat] };
  const features = [{ type: "Feature", geometry, properties }];
  if (box.dataset.proposed) {
    const [lon, lat] = box.dataset.proposed.split(",").map(Number);
    features.push({ type: "Feature", geometry: circle(lon, lat, site.radius), properties: { id: "proposed", name: t("Proposed place"), label: [lon, lat] } });
  }
  return { type: "FeatureCollection", features };
}

if (box) {
  const site = place();
  const map = await createMap(box, {
    install: (target) => addPosts(target, drawn()),
    ...(site && { center: [site.lon, site.lat] }), zoom: site ? 15 : 12, maxZoom: 18,
  });
  if (!site && box.dataset.extent) {
    const [west, south, east, north] = box.dataset.extent.split(",").map(Number);
    map.fitBounds([[west, south], [east, north]], { padding: 40, maxZoom: 14, animate: false });
  }
  const draw = () => map.getSource("posts")?.setData(drawn());
  for (const name of ["lon", "lat", "radius_m", "name"]) {
    field(name).addEventListener("change", () => {
      draw();
      const now = place();
      if (now) map.jumpTo({ center: [now.lon, now.lat], zoom: Math.max(map.getZoom(), 12) });
    });
  }
  if (!field("lon").matches(":disabled")) {
    onPick(map, (lon, lat) => {
      field("lon").value = lon;
      field("lat").value = lat;
      draw();
    });
  }
  map.once("idle", () => { document.documentElement.dataset.ready = "1"; });
  map.triggerRepaint();
}
