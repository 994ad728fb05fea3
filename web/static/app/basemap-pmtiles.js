/** A quiet style for a tenant's own file of tiles: Protomaps layers, others as plain lines. */

/** Style of a PMTiles file. `colours` by name, `fonts` as in CSS. */
export async function styleOfFile(url, { colours, fonts, attribution }) {
  const archive = new window.pmtiles.PMTiles(url);
  const header = await archive.getHeader();
  const raster = header.tileType !== 1;
  const source = { type: raster ? "raster" : "vector", url: `pmtiles://${url}`, attribution, ...(raster ? { tileSize: 256 } : {}) };
  const layers = [{ id: "paper", type: "background", paint: { "background-color": colours.paper } }];
  if (raster) layers.push({ id: "pictures", type: "raster", source: "file" });
  else {
    const metadata = await archive.getMetadata();
    const names = (metadata.vector_layers ?? []).map((layer) => layer.id);
    layers.push(...(names.includes("earth") || names.includes("roads") ? protomaps(names, colours, fonts) : lines(names, colours)));
  }
  const center = [(header.minLon + header.maxLon) / 2, (header.minLat + header.maxLat) / 2];
  return { version: 8, name: "file", center, sources: { file: source }, layers };
}

function protomaps(names, colours, fonts) {
  const kind = (...kinds) => ["match", ["get", "kind"], kinds, true, false];
  const width = (...stops) => ["interpolate", ["exponential", 1.6], ["zoom"], ...stops];
  const all = [
    { id: "earth", "source-layer": "earth", type: "fill", paint: { "fill-color": colours.paper } },
    { id: "green", "source-layer": "landuse", type: "fill", filter: kind("park", "forest", "wood", "grass", "nature_reserve", "cemetery", "golf_course"), paint: { "fill-color": colours.green } },
    { id: "water", "source-layer": "water", type: "fill", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": colours.water } },
    { id: "buildings", "source-layer": "buildings", type: "fill", minzoom: 13, paint: { "fill-color": colours.building } },
    { id: "rail", "source-layer": "roads", type: "line", filter: kind("rail"), minzoom: 11, paint: { "line-color": colours.edge, "line-width": 1, "line-dasharray": [4, 3] } },
    { id: "path", "source-layer": "roads", type: "line", filter: kind("path"), minzoom: 14, paint: { "line-color": colours.road, "line-width": 1 } },
    { id: "minor-edge", "source-layer": "roads", type: "line", filter: kind("minor_road", "other"), minzoom: 12, paint: { "line-color": colours.edge, "line-width": width(12, 0.6, 18, 15) } },
    { id: "minor", "source-layer": "roads", type: "line", filter: kind("minor_road", "other"), minzoom: 12, paint: { "line-color": colours.road, "line-width": width(12, 0.3, 18, 13) } },
    { id: "major-edge", "source-layer": "roads", type: "line", filter: kind("major_road", "medium_road", "highway"), minzoom: 6, paint: { "line-color": colours.edge, "line-width": width(6, 0.6, 18, 25) } },
    { id: "major", "source-layer": "roads", type: "line", filter: kind("major_road", "medium_road", "highway"), minzoom: 8, paint: { "line-color": colours.road, "line-width": width(8, 0.4, 18, 22) } },
    { id: "borders", "source-layer": "boundaries", type: "line", paint: { "line-color": colours.edge, "line-width": 1, "line-dasharray": [3, 2] } },
    { id: "road-names", "source-layer": "roads", type: "symbol", minzoom: 14, layout: { "symbol-placement": "line", "text-field": ["get", "name"], "text-font": fonts, "text-size": 11.5 }, paint: { "text-color": colours.label, "text-halo-color": colours.paper, "text-halo-width": 1.2 } },
    { id: "place-names", "source-layer": "places", type: "symbol", layout: { "text-field": ["get", "name"], "text-font": fonts, "text-size": ["interpolate", ["linear"], ["zoom"], 4, 11, 14, 15] }, paint: { "text-color": colours.label, "text-halo-color": colours.paper, "text-halo-width": 1.4 } },
  ];
  return all.filter((layer) => names.includes(layer["source-layer"])).map((layer) => ({ ...layer, source: "file" }));
}

function lines(names, colours) {
  return names.map((name) => ({ id: name, source: "file", "source-layer": name, type: "line", paint: { "line-color": colours.edge, "line-width": 1 } }));
}
