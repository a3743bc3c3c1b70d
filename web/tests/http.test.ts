import { afterEach, expect, test, vi } from "vitest";

import { get, post, queryText, Refusal, whenSessionIsOver } from "../src/api/http";

afterEach(() => vi.unstubAllGlobals());

function answering(status: number, body?: unknown): ReturnType<typeof vi.fn> {
  const fetched = vi.fn(async () => new Response(body === undefined ? null : JSON.stringify(body), { status }));
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

test("queries leave out what is empty and repeat lists", () => {
  expect(queryText({ plate: "湘A", kinds: ["coach", "bus"], page_token: "", region: undefined })).toBe("?plate=%E6%B9%98A&kinds=coach&kinds=bus");
  expect(queryText({})).toBe("");
});

test("an answer is its JSON, and no content is nothing", async () => {
  const fetched = answering(200, { name: "a" });
  expect(await get("/api/me")).toEqual({ name: "a" });
  answering(204);
  expect(await post("/api/sign-out")).toBeUndefined();
  expect(fetched).toHaveBeenCalledWith("/api/me", expect.objectContaining({ method: "GET" }));
});

test("a refusal carries reason, fields and when to try again", async () => {
  answering(429, { reason: "TOO_MANY_ATTEMPTS", message: "wait", retry_after_ms: 900 });
  await expect(post("/api/sign-in")).rejects.toMatchObject({ reason: "TOO_MANY_ATTEMPTS", status: 429, retryAfterMs: 900 });
  answering(502);
  await expect(get("/api/me")).rejects.toMatchObject({ reason: "HTTP_502" });
});

test("no answer at all is a refusal too", async () => {
  vi.stubGlobal("fetch", vi.fn(async () => Promise.reject(new TypeError("failed to fetch"))));
  await expect(get("/api/me")).rejects.toBeInstanceOf(Refusal);
});

test("the end of a session is told", async () => {
  const ended = vi.fn();
  whenSessionIsOver(ended);
  answering(401, { reason: "NOT_AUTHENTICATED", message: "" });
  await expect(get("/api/fences")).rejects.toBeInstanceOf(Refusal);
  expect(ended).toHaveBeenCalledOnce();
});
