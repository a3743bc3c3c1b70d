// The language of the page: Chinese unless the account says otherwise.

import { computed, ref } from "vue";

import { Refusal } from "../api/http";
import type { Language } from "../api/types";
import { en } from "./en";
import { zh, type Key } from "./zh";

export type { Key } from "./zh";
const REMEMBERED = "xiangtong.language";

export const language = ref<Language>(remembered());
const words = computed(() => (language.value === "zh" ? zh : en));

export function setLanguage(chosen: Language): void {
  language.value = chosen;
  if (typeof document === "undefined") return;
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  document.title = `${t("app.name")} · ${t("app.title")}`;
  localStorage.setItem(REMEMBERED, chosen);
}

/** The words of a key, with `{name}` replaced. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return words.value[key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The words of a key that is put together at run time; the key itself when there are none. */
export function tAny(key: string, values: Record<string, string | number> = {}): string {
  return key in words.value ? t(key as Key, values) : key;
}

/** What went wrong and what to do, for people. */
export function errorText(error: unknown): string {
  if (!(error instanceof Refusal)) return t("error.other", { reason: "PAGE", detail: String(error) });
  const detail = Object.entries(error.fields).map(([field, message]) => `${field}: ${message}`).join("; ") || error.message;
  const values = { detail, reason: error.reason, seconds: Math.max(1, Math.ceil(error.retryAfterMs / 1000)) };
  if (`error.${error.reason}` in zh) return tAny(`error.${error.reason}`, values);
  if (error.reason.endsWith("_NOT_FOUND")) return t("error.NOT_FOUND");
  if (error.reason.endsWith("_UNAVAILABLE") || error.status >= 502) return t("error.UNAVAILABLE");
  return t("error.other", values);
}

function remembered(): Language {
  return typeof localStorage !== "undefined" && localStorage.getItem(REMEMBERED) === "en" ? "en" : "zh";
}
