// Requests to the gateway. An answer is data; everything else is a Refusal with a reason that the page has words for.

export class Refusal extends Error {
  constructor(
    readonly reason: string,
    message: string,
    readonly status: number,
    readonly fields: Record<string, string> = {},
    readonly retryAfterMs = 0,
  ) {
    super(message);
    this.name = "Refusal";
  }
}

type Query = Record<string, string | number | readonly (string | number)[] | undefined>;
const REQUEST_MS_MAX = 30_000;
let sessionOver: () => void = () => undefined;

/** What to do when the gateway says that nobody is signed in any more. */
export function whenSessionIsOver(effect: () => void): void {
  sessionOver = effect;
}

export function get<T>(path: string, query: Query = {}): Promise<T> {
  return request<T>("GET", path + queryText(query));
}

export function post<T>(path: string, body: unknown = {}): Promise<T> {
  return request<T>("POST", path, JSON.stringify(body));
}

export function put<T>(path: string, body: unknown): Promise<T> {
  return request<T>("PUT", path, JSON.stringify(body));
}

export function remove(path: string, query: Query = {}): Promise<void> {
  return request<void>("DELETE", path + queryText(query));
}

/** Sends a file as it is. */
export function upload<T>(path: string, query: Query, file: Blob): Promise<T> {
  return request<T>("POST", path + queryText(query), file, "application/octet-stream");
}

/** `?a=1&b=2&b=3`; empty values are left out, lists are repeated. */
export function queryText(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one !== undefined && one !== "")
      .map((one) => `${name}=${encodeURIComponent(String(one))}`),
  );
  return pairs.length ? `?${pairs.join("&")}` : "";
}

async function request<T>(method: string, path: string, body?: BodyInit, type = "application/json"): Promise<T> {
  const options: RequestInit = { method, signal: AbortSignal.timeout(REQUEST_MS_MAX), credentials: "same-origin" };
  if (body !== undefined) Object.assign(options, { body, headers: { "Content-Type": type } });
  const response = await fetch(path, options).catch(() => {
    throw new Refusal("NETWORK", "the gateway does not answer", 0);
  });
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  const refusal = await refusalOf(response);
  if (response.status === 401 && refusal.reason === "NOT_AUTHENTICATED") sessionOver();
  throw refusal;
}

async function refusalOf(response: Response): Promise<Refusal> {
  const body = await response.json().catch(() => ({}));
  return new Refusal(
    body.reason ?? `HTTP_${response.status}`,
    body.message ?? response.statusText,
    response.status,
    body.fields ?? {},
    body.retry_after_ms ?? 0,
  );
}
