// Requests to the node, and what this browser may do there.

import { signal } from "./preact.js";
import { t } from "./texts.js";

const ROOT = "/api/v1";
export const session = signal({ scopes: ["read"], node: "", release: "", role: "", demo: false });
export const mustSignIn = signal(false); // not even reading is allowed without it

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem?.detail || problem?.title || problem?.error || t("api.failed", { status }));
    this.status = status;
    this.problem = problem ?? {};
  }
}

const BUSY_MS = [300, 800, 2000]; // a node answers few requests at a time and says so with 503

export async function ask(path, { method = "GET", body, signal: abort, headers, root = ROOT } = {}) {
  let answer;
  for (const waitMs of [...BUSY_MS, 0]) {
    try {
      answer = await fetch(root + path, {
        method,
        signal: abort,
        headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, { detail: t("api.unreachable") });
    }
    if (answer.status !== 503 || method !== "GET" || !waitMs) break;
    await new Promise((done) => setTimeout(done, waitMs));
    if (abort?.aborted) throw new DOMException("not wanted any more", "AbortError");
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && method === "GET") mustSignIn.value = true;
  throw new ApiError(answer.status, await answer.json().catch(() => null));
}

export async function get(path, options) {
  return (await ask(path, options)).json();
}

export async function change(method, path, body) {
  const answer = await ask(path, { method, body: body ?? (method === "POST" ? {} : undefined) });
  return answer.status === 204 ? null : answer.json().catch(() => null);
}

// `path` with those parameters that have a value
export function withQuery(path, parameters) {
  const found = Object.entries(parameters).filter(([, value]) => value !== "" && value != null);
  return found.length ? `${path}?${new URLSearchParams(found)}` : path;
}

export const link = (path, parameters) => ROOT + withQuery(path, parameters);
export const mayAll = () => session.value.role !== "member"; // a member sees only its own twins
export const may = (scope) => session.value.scopes.includes(scope);

export async function readSession() {
  try {
    session.value = await get("/session");
    mustSignIn.value = !may("read");
  } catch {
    // the live connection says what is wrong
  }
}

export async function signIn(token) {
  await change("POST", "/session", { token });
  await readSession();
}

// A link may carry a token behind #, which browsers send to nobody. It leaves the address at once. Returns what the
// node has against it.
export async function signInByLink() {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (!token) return readSession();
  history.replaceState(null, "", "#/now");
  dispatchEvent(new HashChangeEvent("hashchange"));
  try {
    await signIn(token);
  } catch (error) {
    await readSession();
    return error.message;
  }
}

export async function signOut() {
  await change("DELETE", "/session");
  await readSession();
}
