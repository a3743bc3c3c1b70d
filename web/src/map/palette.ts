// Colours that the map, the lists and the legend share.

import type { Kind, Level } from "../api/types";

/** Of each kind, dark enough to be told apart on a light map. */
export const KIND_COLOURS: Record<Kind, string> = {
  coach: "#1763d6",
  tour_coach: "#7a3fd0",
  charter: "#b0309c",
  hazmat: "#e2500c",
  bus: "#0b8a4a",
  taxi: "#0a8ea0",
  freight: "#8a5a1f",
  other: "#4b5a6b",
};

export const LEVEL_COLOURS: Record<Level, string> = { low: "#c99700", medium: "#e8730c", high: "#d3182d" };
export const OFFLINE_COLOUR = "#98a3b0";
export const SELECTED_COLOUR = "#0f2f5c";

/** Speed classes of a track: up to so many km/h, in that colour. */
export const SPEED_CLASSES: readonly { kmhMax: number; colour: string }[] = [
  { kmhMax: 5, colour: "#7b8794" },
  { kmhMax: 40, colour: "#1f9d55" },
  { kmhMax: 80, colour: "#1763d6" },
  { kmhMax: 100, colour: "#e8a30c" },
  { kmhMax: Infinity, colour: "#d3182d" },
];

export function speedClass(kmh: number): number {
  return SPEED_CLASSES.findIndex(({ kmhMax }) => kmh <= kmhMax);
}

/** `#rrggbb` as three numbers from 0 to 1. */
export function rgb(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) / 255, ((value >> 8) & 255) / 255, (value & 255) / 255];
}
