// What the node expects of the next hour, in watts: from probabilities of the seven states of each variable, the mean
// and the band that holds four in five.

import { get } from "./api.js";
import { t } from "./texts.js";
import { watts } from "./units.js";

export const LOW = 0.1;
export const HIGH = 0.9;
const NAMES = ["requested", "produced", "consumed", "supplied", "missing", "available"]; // the order of the node

// Limits of the seven states: 0, five steps up to the limit, above. `limits`: upper limits of the first six.
export function statesOf(limits) {
  const step = limits[5] - limits[4] || limits[5] || 1;
  return limits.map((upper, i) => [i ? limits[i - 1] : 0, upper]).concat([[limits[5], limits[5] + step]]);
}

export function meanOf(p, states) {
  return p.reduce((sum, each, i) => sum + (each * (states[i][0] + states[i][1])) / 2, 0);
}

// the power below which it stays with probability `q`, taking each state as even
export function quantileOf(p, states, q) {
  let below = 0;
  for (let i = 0; i < p.length; i++) {
    if (below + p[i] >= q && p[i] > 0) return states[i][0] + ((q - below) / p[i]) * (states[i][1] - states[i][0]);
    below += p[i];
  }
  return states.at(-1)[1];
}

export const stateTexts = (limits) =>
  statesOf(limits).map(([low, high], i) => (i === 0 ? t("state.zero") : i === 6 ? t("state.above", { w: watts(low) }) : t("state.up_to", { w: watts(high) })));

export const seconds = (text) => (typeof text === "number" ? (text < 1e9 ? 60 * text : text) : new Date(text).getTime() / 1000);

// The newest prediction of a scope as series; null without learning.
export async function forecastOf(scope, abort) {
  const answer = await get(`/predictions?scope=${scope}`, { signal: abort }).catch((error) => {
    if (error.status === 400 || error.status === 404 || error.status === 503) return null;
    throw error;
  });
  const newest = answer?.[scope];
  return newest ? ahead(newest) : null;
}

export function ahead(newest) {
  const at = seconds(newest.at);
  const horizons = Object.keys(Object.values(newest.probabilities)[0]).map(minutes).sort((a, b) => a - b);
  const found = { times: horizons.map((each) => at + 60 * each), at, model: newest.model, newest, horizons };
  NAMES.forEach((name, v) => {
    const rows = newest.probabilities[name];
    if (!rows) return;
    const states = statesOf(newest.limits_w[v]);
    const keys = Object.keys(rows).sort((a, b) => minutes(a) - minutes(b));
    found[name] = {
      mean: keys.map((each) => meanOf(rows[each], states)),
      low: keys.map((each) => quantileOf(rows[each], states, LOW)),
      high: keys.map((each) => quantileOf(rows[each], states, HIGH)),
      rows: keys.map((each) => rows[each]),
      limits: newest.limits_w[v],
    };
  });
  return found;
}

export const minutes = (text) => Number(String(text).replace(/\D/g, ""));
export const position = (name) => NAMES.indexOf(name);
