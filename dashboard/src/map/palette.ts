// Colours checked for contrast and colour blindness in the dashboard reference, section 5.
export type Theme = "dark" | "light";

export const PALETTE = {
  dark: {
    ground: "#1f2328",
    water: "#181b1f",
    normal: "#9aa6b2",
    early: "#58b0ff",
    late: "#ffc233",
    critical: "#e8552b",
    selected: "#ffffff",
    text: "#dfe4ea",
    halo: "#1f2328",
    stop: "#5b6570",
  },
  light: {
    ground: "#eceff1",
    water: "#dfe4e8",
    normal: "#56616c",
    early: "#0b63c5",
    late: "#b06a00",
    critical: "#a1003c",
    selected: "#101418",
    text: "#20262c",
    halo: "#ffffff",
    stop: "#8a949e",
  },
} as const;

export type Rgb = [number, number, number];

export function rgb(hex: string): Rgb {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255) as Rgb;
}
