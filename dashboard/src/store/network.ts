// The city's lines and stops, as /api/network gives them; index order is the live frame's.
export interface Route {
  id: string;
  short_name: string;
  long_name: string;
  color: string;
  text_color: string;
}

export interface Pattern {
  id: string;
  route: number;
  direction: number;
  headsign: string;
  length_m: number;
  shape: [number, number][];
  stops: number[];
  stop_along_m: number[];
}

export interface Stop {
  id: string;
  name: string;
  lat: number;
  lon: number;
}

export interface Network {
  version: string;
  agency: string;
  timezone: string;
  routes: Route[];
  patterns: Pattern[];
  stops: Stop[];
}

export const NO_NETWORK: Network = { version: "", agency: "", timezone: "UTC", routes: [], patterns: [], stops: [] };

export async function fetchNetwork(): Promise<Network> {
  const answer = await fetch("/api/network");
  if (!answer.ok) throw new Error(`/api/network answered ${answer.status}`);
  return (await answer.json()) as Network;
}
