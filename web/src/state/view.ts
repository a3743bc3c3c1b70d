// What is open, what is selected, and the map that panels steer.

import { ref, shallowRef } from "vue";

import type { Track } from "../api/types";
import type { MapParts } from "../map/parts";
import { table } from "./fleet";

export type Panel = "map" | "vehicles" | "fences" | "alarms";

export const leftTab = ref<"vehicles" | "fences">("vehicles");
export const leftOpen = ref(true);
export const rightOpen = ref(true);
/** On a phone one panel covers the map at a time. */
export const phonePanel = ref<Panel>("map");
export const selectedVehicleId = ref(0);
export const following = ref(false);
export const trackVehicleId = ref(0);
export const track = shallowRef<Track | null>(null);
export const mapParts = shallowRef<MapParts | null>(null);

export function isPhone(): boolean {
  return window.matchMedia("(max-width: 760px)").matches;
}

/** Opens a vehicle's card and, when asked, brings it into sight. */
export function selectVehicle(vehicleId: number, options: { fly?: boolean } = {}): void {
  selectedVehicleId.value = vehicleId;
  following.value = false;
  mapParts.value?.select(vehicleId);
  if (vehicleId && options.fly) {
    if (isPhone()) phonePanel.value = "map";
    const slot = table.slotOf(vehicleId);
    if (slot >= 0 && table.states[slot]) flyTo(table.longitudesE7[slot]! / 1e7, table.latitudesE7[slot]! / 1e7);
  }
}

export function flyTo(longitude: number, latitude: number): void {
  if (isPhone()) phonePanel.value = "map";
  mapParts.value?.flyTo([longitude, latitude]);
}

export function openTrack(vehicleId: number): void {
  trackVehicleId.value = vehicleId;
  if (isPhone()) phonePanel.value = "map";
}

export function closeTrack(): void {
  trackVehicleId.value = 0;
  track.value = null;
  mapParts.value?.track.show(null);
}
