// Regions and enterprises: names for codes and ids.

import { computed, shallowRef } from "vue";

import { get } from "../api/http";
import type { Enterprise, Region } from "../api/types";
import { language } from "../text/locale";
import { tellError } from "./toasts";

const PAGE_SIZE = 1000;
const PAGES_MAX = 20;

export const regions = shallowRef<Region[]>([]);
const enterprises = shallowRef(new Map<number, Enterprise>());
export const regionNames = computed(
  () => new Map(regions.value.map((r) => [r.region_code, language.value === "zh" ? r.name : r.english_name])),
);

export async function loadRegister(): Promise<void> {
  try {
    regions.value = (await get<{ regions: Region[] }>("/api/regions")).regions;
    await loadEnterprises();
  } catch (error) {
    tellError(error);
  }
}

export function enterpriseName(enterpriseId: number): string {
  return enterprises.value.get(enterpriseId)?.name ?? "";
}

async function loadEnterprises(): Promise<void> {
  const found = new Map<number, Enterprise>();
  let token = "";
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer = await get<{ enterprises: Enterprise[]; next_page_token: string }>("/api/enterprises", { page_size: PAGE_SIZE, page_token: token });
    for (const enterprise of answer.enterprises) found.set(enterprise.enterprise_id, enterprise);
    token = answer.next_page_token;
    if (!token) break;
  }
  enterprises.value = found;
}
