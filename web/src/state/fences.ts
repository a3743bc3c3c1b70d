// Fences, and the one that is being drawn or edited.

import { computed, ref, shallowRef } from "vue";

import { get, post, put, Refusal, remove } from "../api/http";
import type { Fence, Shape } from "../api/types";
import type { DrawMode } from "../map/draw_tool";
import { t } from "../text/locale";
import { tell, tellError } from "./toasts";

const PAGE_SIZE = 1000;
const FENCES_MAX = 10_000; // what the map draws at once

export const fences = shallowRef<Fence[]>([]);
export const fencesLoaded = ref(false);
export const fencesFailed = ref(false);
export const selectedFenceId = ref(0);
export const draft = ref<Fence | null>(null);
export const drawMode = ref<DrawMode>("idle");
export const fenceNames = computed(() => new Map(fences.value.map((fence) => [fence.fence_id, fence.name])));

export async function loadFences(): Promise<void> {
  try {
    const found: Fence[] = [];
    let token = "";
    do {
      const page = await get<{ fences: Fence[]; next_page_token: string }>("/api/fences", { page_size: PAGE_SIZE, page_token: token });
      found.push(...page.fences);
      token = page.next_page_token;
    } while (token && found.length < FENCES_MAX);
    fences.value = found;
    fencesFailed.value = false;
  } catch (error) {
    fencesFailed.value = true;
    tellError(error);
  } finally {
    fencesLoaded.value = true;
  }
}

/** A fence that has a shape only. */
export function newFence(shape: Shape): Fence {
  return {
    fence_id: 0,
    name: "",
    shape,
    vehicle_kinds: [],
    triggers: ["enter"],
    level: "medium",
    speed_kmh_max: 0,
    dwell_s: 0,
    hysteresis_m: 0,
    time_windows: [],
    source_datum: "WGS84",
    enabled: true,
    etag: "",
    update_time_ms: 0,
  };
}

/** Stores the draft; a stale one is loaded again. Returns whether it was stored. */
export async function saveFence(fence: Fence): Promise<boolean> {
  try {
    const { update_time_ms: _, fence_id, etag, ...body } = fence;
    const saved = fence_id
      ? await put<Fence>(`/api/fences/${fence_id}`, { ...body, fence_id, etag })
      : await post<Fence>("/api/fences", { ...body, request_id: crypto.randomUUID() });
    fences.value = [...fences.value.filter((one) => one.fence_id !== saved.fence_id), saved].sort((a, b) => a.fence_id - b.fence_id);
    selectedFenceId.value = saved.fence_id;
    tell(t("fences.saved"));
    return true;
  } catch (error) {
    tellError(error);
    if (error instanceof Refusal && error.reason === "STALE_ETAG") await loadFences();
    return false;
  }
}

export async function deleteFence(fence: Fence): Promise<boolean> {
  try {
    await remove(`/api/fences/${fence.fence_id}`, { etag: fence.etag });
    fences.value = fences.value.filter((one) => one.fence_id !== fence.fence_id);
    if (selectedFenceId.value === fence.fence_id) selectedFenceId.value = 0;
    tell(t("fences.deleted"));
    return true;
  } catch (error) {
    tellError(error);
    await loadFences();
    return false;
  }
}
