import type * as GeoJSON from "geojson";
import { type GeoJSONSource, Map as MapLibre, type StyleSpecification, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { useEffect, useRef, useState } from "react";
import "maplibre-gl/dist/maplibre-gl.css";
import { useWords } from "../i18n";
import type { Fleet } from "../store/fleet";
import type { Network } from "../store/network";
import { UNKNOWN } from "../wire";
import { BusLayer } from "./busLayer";
import { bounds, lines, stops } from "./geo";
import { PALETTE, type Theme } from "./palette";

setWorkerUrl(workerUrl);

const LABELS_FROM_ZOOM = 12.6;
const LABELS_MAX = 300;
const PICK_PX = 18;
const DRAW_MS = 1000;
const NOTHING: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };

interface Props {
  fleet: Fleet;
  network: Network;
  theme: Theme;
  selected: number;
  route: number | null;
  nowS: () => number;
  onSelect: (index: number) => void;
}

function style(theme: Theme): StyleSpecification {
  const colors = PALETTE[theme];
  const text = { "text-color": colors.text, "text-halo-color": colors.halo, "text-halo-width": 1.4 };
  return {
    version: 8,
    sources: {
      lines: { type: "geojson", data: NOTHING },
      stops: { type: "geojson", data: NOTHING },
      labels: { type: "geojson", data: NOTHING },
    },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": colors.ground } },
      {
        id: "lines",
        type: "line",
        source: "lines",
        layout: { "line-join": "round", "line-cap": "round" },
        paint: {
          "line-color": ["get", "color"],
          "line-width": ["interpolate", ["linear"], ["zoom"], 9, 1, 13, 3, 16, 6],
          "line-opacity": theme === "dark" ? 0.55 : 0.5,
        },
      },
      {
        id: "stops",
        type: "circle",
        source: "stops",
        minzoom: 11.5,
        paint: {
          "circle-radius": ["interpolate", ["linear"], ["zoom"], 11.5, 1.2, 15, 4],
          "circle-color": colors.ground,
          "circle-stroke-color": colors.stop,
          "circle-stroke-width": 1.2,
        },
      },
      {
        id: "stop-names",
        type: "symbol",
        source: "stops",
        minzoom: 14,
        layout: {
          "text-field": ["get", "name"],
          "text-size": 11,
          "text-anchor": "left",
          "text-offset": [0.8, 0],
          "text-optional": true,
        },
        paint: text,
      },
      {
        id: "bus-labels",
        type: "symbol",
        source: "labels",
        layout: {
          "text-field": ["get", "label"],
          "text-size": 12,
          "text-offset": [0, -1.3],
          "text-allow-overlap": true,
        },
        paint: text,
      },
    ],
  };
}

export function MapPane({ fleet, network, theme, selected, route, nowS, onSelect }: Props) {
  const words = useWords();
  const holder = useRef<HTMLElement>(null);
  const map = useRef<MapLibre | null>(null);
  const layer = useRef<BusLayer | null>(null);
  const [failed, setFailed] = useState(false);
  const current = useRef({ network, onSelect });
  current.current = { network, onSelect };

  useEffect(() => {
    if (!holder.current) return;
    let shown: MapLibre;
    try {
      shown = new MapLibre({
        container: holder.current,
        style: style(theme),
        attributionControl: false,
        canvasContextAttributes: { antialias: true },
        dragRotate: false,
        pitchWithRotate: false,
        maxZoom: 18,
        center: [0, 20],
        zoom: 1.5,
      });
    } catch {
      setFailed(true);
      return;
    }
    map.current = shown;
    shown.touchZoomRotate.disableRotation();
    const buses = new BusLayer(fleet, theme, nowS);
    layer.current = buses;
    shown.on("load", () => {
      shown.addLayer(buses, "bus-labels");
      show(shown, current.current.network, true);
    });
    shown.on("click", (event) => {
      const index = pick(shown, fleet, event.point.x, event.point.y);
      current.current.onSelect(index);
    });
    let drawn = -1;
    const timer = window.setInterval(() => {
      if (document.hidden || fleet.version === drawn) return;
      drawn = fleet.version;
      buses.update();
      label(shown, fleet, current.current.network);
    }, DRAW_MS);
    return () => {
      window.clearInterval(timer);
      shown.remove();
      map.current = null;
      layer.current = null;
    };
  }, [fleet, theme, nowS]);

  useEffect(() => {
    if (map.current?.isStyleLoaded()) show(map.current, network, true);
  }, [network]);

  useEffect(() => {
    if (!layer.current) return;
    layer.current.selected = selected;
    layer.current.route = route;
    layer.current.update();
    const shown = map.current;
    if (shown?.getLayer("lines")) {
      shown.setPaintProperty(
        "lines",
        "line-opacity",
        route === null ? 0.55 : ["case", ["==", ["get", "route"], route], 0.95, 0.12],
      );
    }
  }, [selected, route]);

  return (
    <section className="map" aria-label={words.mapLabel} ref={holder}>
      {failed ? <p className="map-failed">{words.noWebgl}</p> : null}
    </section>
  );
}

function show(map: MapLibre, network: Network, fit: boolean): void {
  (map.getSource("lines") as GeoJSONSource | undefined)?.setData(lines(network));
  (map.getSource("stops") as GeoJSONSource | undefined)?.setData(stops(network));
  const box = bounds(network);
  if (fit && box) map.fitBounds(box, { padding: 30, animate: false });
}

function label(map: MapLibre, fleet: Fleet, network: Network): void {
  const source = map.getSource("labels") as GeoJSONSource | undefined;
  if (!source) return;
  const features: GeoJSON.Feature[] = [];
  if (map.getZoom() >= LABELS_FROM_ZOOM) {
    const view = map.getBounds();
    for (let i = 0; i < fleet.size && features.length < LABELS_MAX; i++) {
      if (!fleet.placed(i)) continue;
      const point: [number, number] = [fleet.get("lon_e6", i) / 1e6, fleet.get("lat_e6", i) / 1e6];
      const name = network.routes[fleet.get("route", i)]?.short_name;
      if (name && view.contains(point)) {
        features.push({
          type: "Feature",
          properties: { label: name },
          geometry: { type: "Point", coordinates: point },
        });
      }
    }
  }
  source.setData({ type: "FeatureCollection", features });
}

function pick(map: MapLibre, fleet: Fleet, x: number, y: number): number {
  let best = -1;
  let nearest = PICK_PX;
  for (let i = 0; i < fleet.size; i++) {
    if (fleet.get("lat_e6", i) === UNKNOWN.i32) continue;
    const at = map.project([fleet.get("lon_e6", i) / 1e6, fleet.get("lat_e6", i) / 1e6]);
    const distance = Math.hypot(at.x - x, at.y - y);
    if (distance < nearest) {
      nearest = distance;
      best = i;
    }
  }
  return best;
}
