// The network as GeoJSON for the map, and Mercator arithmetic for the buses.
import type * as GeoJSON from "geojson";
import type { Network } from "../store/network";

const DEG = Math.PI / 180;

/** Web Mercator, 0-1 from the north-west corner. */
export function mercator(lat: number, lon: number): [number, number] {
  const y = 0.5 - Math.log(Math.tan(Math.PI / 4 + (lat * DEG) / 2)) / (2 * Math.PI);
  return [lon / 360 + 0.5, y];
}

export function lines(network: Network): GeoJSON.FeatureCollection {
  return {
    type: "FeatureCollection",
    features: network.patterns.map((pattern) => ({
      type: "Feature",
      properties: { route: pattern.route, color: `#${network.routes[pattern.route]?.color ?? "7f8a95"}` },
      geometry: { type: "LineString", coordinates: pattern.shape.map(([lat, lon]) => [lon, lat]) },
    })),
  };
}

export function stops(network: Network): GeoJSON.FeatureCollection {
  const used = new Set(network.patterns.flatMap((pattern) => pattern.stops));
  return {
    type: "FeatureCollection",
    features: network.stops.flatMap((stop, index) =>
      used.has(index)
        ? [
            {
              type: "Feature" as const,
              properties: { name: stop.name },
              geometry: { type: "Point" as const, coordinates: [stop.lon, stop.lat] },
            },
          ]
        : [],
    ),
  };
}

/** West, south, east, north of everything drawn; null for an empty city. */
export function bounds(network: Network): [number, number, number, number] | null {
  let found: [number, number, number, number] | null = null;
  for (const pattern of network.patterns) {
    for (const [lat, lon] of pattern.shape) {
      found = found
        ? [Math.min(found[0], lon), Math.min(found[1], lat), Math.max(found[2], lon), Math.max(found[3], lat)]
        : [lon, lat, lon, lat];
    }
  }
  return found;
}
