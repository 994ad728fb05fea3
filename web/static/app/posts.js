/** The map above the list of posts; the list itself needs no script. */

import { addPosts, calm, createMap, maplibregl } from "app/map";
import { fetchJson } from "app/dom";

const box = document.querySelector("[data-posts-map]");

if (box) {
  const posts = await fetchJson(box.dataset.shapes);
  const map = await createMap(box, {
    install: (target) => addPosts(target, posts), zoom: 12, maxZoom: 18,
  });
  const bounds = new maplibregl.LngLatBounds();
  for (const { geometry } of posts.features) {
    for (const point of geometry.coordinates.flat(geometry.type === "MultiPolygon" ? 2 : 1)) bounds.extend(point);
  }
  if (!bounds.isEmpty()) map.fitBounds(bounds, { padding: 40, maxZoom: 16, animate: false });
  map.on("click", "posts-fill", (event) => {
    location.assign(`${box.dataset.open}/${event.features[0].properties.id}`);
  });
  map.on("mouseenter", "posts-fill", () => { map.getCanvas().style.cursor = "pointer"; });
  map.on("mouseleave", "posts-fill", () => { map.getCanvas().style.cursor = ""; });
  if (calm()) map.stop();
  map.once("idle", () => { document.documentElement.dataset.ready = "1"; });
  map.triggerRepaint();
}
