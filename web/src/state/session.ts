// Who is signed in.

import { computed, ref } from "vue";

import { get, post, put, Refusal, whenSessionIsOver } from "../api/http";
import type { Language, Me } from "../api/types";
import { setLanguage } from "../text/locale";
import { tellError } from "./toasts";

export const me = ref<Me | null>(null);
/** False until the first answer of the gateway, so that the sign-in page does not flash up. */
export const sessionKnown = ref(false);
export const sessionLapsed = ref(false);
export const mayAct = computed(() => me.value !== null && me.value.role !== "auditor");
export const isAdmin = computed(() => me.value?.role === "admin");

const SIGNED_IN = "xiangtong.signed_in"; // a hint only: asking in vain would look like an error in the browser's log

whenSessionIsOver(() => endSession());

export async function loadSession(): Promise<void> {
  if (!localStorage.getItem(SIGNED_IN)) {
    sessionKnown.value = true;
    return;
  }
  try {
    adopt(await get<Me>("/api/me"));
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 401) tellError(error);
  } finally {
    sessionKnown.value = true;
  }
}

export async function signIn(name: string, password: string): Promise<void> {
  adopt(await post<Me>("/api/sign-in", { name, password }));
  sessionLapsed.value = false;
}

export async function signOut(): Promise<void> {
  await post<void>("/api/sign-out").catch(tellError);
  localStorage.removeItem(SIGNED_IN);
  me.value = null;
}

/** The gateway no longer knows this session. */
export function endSession(): void {
  sessionLapsed.value = me.value !== null;
  localStorage.removeItem(SIGNED_IN);
  me.value = null;
}

export async function changePassword(password: string, newPassword: string): Promise<void> {
  adopt(await post<Me>("/api/password", { password, new_password: newPassword }));
}

export async function changeLanguage(language: Language): Promise<void> {
  setLanguage(language);
  if (me.value) me.value = await put<Me>("/api/me", { language });
}

function adopt(account: Me): void {
  me.value = account;
  localStorage.setItem(SIGNED_IN, "1");
  setLanguage(account.language);
}
