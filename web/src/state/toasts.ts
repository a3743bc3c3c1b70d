// Short messages at the edge of the screen. Errors stay longer, because they say what to do.

import { ref } from "vue";

import { errorText } from "../text/locale";

export interface Toast {
  id: number;
  kind: "done" | "error";
  text: string;
}

const TOASTS_MAX = 4;
const SHOWN_MS = { done: 3500, error: 9000 };
export const toasts = ref<Toast[]>([]);
let lastId = 0;

export function tell(text: string): void {
  add("done", text);
}

export function tellError(error: unknown): void {
  add("error", errorText(error));
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

function add(kind: Toast["kind"], text: string): void {
  const id = ++lastId;
  toasts.value = [...toasts.value.filter((toast) => toast.text !== text), { id, kind, text }].slice(-TOASTS_MAX);
  window.setTimeout(() => dismiss(id), SHOWN_MS[kind]);
}
