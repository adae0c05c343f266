// What the node says now. A number is only shown as new while the node gives signs of life: the stream sends
// something at least every 15 s. It is closed while nobody looks, and opened again with a fresh snapshot.

import { batch, signal } from "./preact.js";
import { get, ask, mustSignIn } from "./api.js";

export const snapshot = signal(null);
export const health = signal(null);
export const contact = signal("connecting"); // connecting, live, lost, paused
export const seenMs = signal(0); // when the node last gave a sign of life, by the clock of this browser
export const nowMs = signal(Date.now());
export const happened = signal([]); // newest events of the stream, newest first

const SILENT_MS = 35_000;
const LONGEST_WAIT_MS = 8_000;
const KEPT_EVENTS = 50;
let opened = null; // AbortController of the connection
let lastId = "";

setInterval(() => {
  if (document.hidden) return;
  nowMs.value = Date.now();
  if (contact.value === "live" && nowMs.value - seenMs.value > SILENT_MS) restart();
}, 1000);

export function start() {
  document.addEventListener("visibilitychange", () => (document.hidden ? pause() : restart()));
  addEventListener("pageshow", (event) => event.persisted && restart());
  addEventListener("pagehide", pause);
  addEventListener("offline", () => restart());
  addEventListener("online", () => restart());
  if (!document.hidden) restart();
}

export function restart() {
  opened?.abort();
  opened = new AbortController();
  nowMs.value = Date.now();
  if (contact.value === "paused" || nowMs.value - seenMs.value > SILENT_MS) contact.value = "connecting";
  follow(opened.signal);
}

function pause() {
  opened?.abort();
  opened = null;
  contact.value = "paused";
}

async function follow(abort) {
  let waitMs = 500;
  while (!abort.aborted) {
    if (await refresh(abort)) {
      waitMs = 500;
      await listen(abort).catch(() => {}); // without a stream, the snapshot is asked for again and again
    }
    if (abort.aborted) return;
    await Promise.race([pauseOf(waitMs), gone(abort)]);
    waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    while (mustSignIn.value && !abort.aborted) await pauseOf(500);
  }
}

// Whether a new snapshot was read.
async function refresh(abort) {
  try {
    const [newest, well] = await Promise.all([get("/snapshot", { signal: abort }), get("/health", { signal: abort })]);
    if (abort.aborted) return false;
    batch(() => {
      snapshot.value = newest;
      health.value = well;
      alive();
    });
    return true;
  } catch {
    if (!abort.aborted) contact.value = "lost";
    return false;
  }
}

async function listen(abort) {
  const answer = await ask("/stream", {
    signal: abort,
    headers: { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) },
  });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done || abort.aborted) return;
    alive();
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) take(block);
  }
}

function take(block) {
  let kind = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "event") kind = value;
    else if (field === "data") data.push(value);
    else if (field === "id") lastId = value;
  }
  if (!data.length) return; // a heartbeat
  const content = JSON.parse(data.join("\n"));
  if (kind === "snapshot") snapshot.value = content;
  else if (kind === "health") health.value = { ...health.value, ...content };
  else if (kind === "event") happened.value = [content, ...happened.value].slice(0, KEPT_EVENTS);
}

function alive() {
  batch(() => {
    seenMs.value = Date.now();
    nowMs.value = Date.now();
    contact.value = "live";
  });
}

const pauseOf = (ms) => new Promise((done) => setTimeout(done, ms));
const gone = (abort) => new Promise((done) => abort.addEventListener("abort", done, { once: true }));

// Seconds since a moment of the node's clock, as it was when the newest snapshot was made.
export function ageS(sinceS) {
  const at = snapshot.value?.at_s;
  return at == null || sinceS == null ? null : Math.max(0, at - sinceS);
}

export const powerOf = (powers, name) => powers?.[name] ?? null;
export const VARIABLES = ["requested", "consumed", "missing", "produced", "supplied", "available"];
