// What the node expects, in watts: its forecasts of up to a day, or, from probabilities of the seven states of each
// variable, the mean and the band that holds four in five of the next hour.

import { get, withQuery } from "./api.js";
import { minuteText } from "./now.js";
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

export const seconds = (text) => Date.parse(text) / 1000;

// `undefined` where a node does not have it, or does not learn
export const optional = (path, abort) =>
  get(path, { signal: abort }).catch((error) => {
    if (error.status === 400 || error.status === 404 || error.status === 503) return undefined;
    throw error;
  });

// The newest prediction of a scope as series; null without learning.
export async function forecastOf(scope, abort) {
  const newest = (await optional(`/predictions?scope=${scope}`, abort))?.[scope];
  return newest ? ahead(newest, await far(newest, scope, abort)) : null;
}

// Forecasts of more than an hour are made each quarter of an hour: the last one, if the newest has none.
async function far(newest, scope, abort) {
  const quantiles = newest.watts?.quantiles_w;
  if (!quantiles || NAMES.some((name) => quantiles[name]?.["1440"])) return null;
  const at = seconds(newest.at);
  const query = { scope, from: minuteText(at - 1800), to: minuteText(at) };
  const found = await optional(withQuery("/forecasts", query), abort);
  const last = found?.forecasts?.at(-1);
  return last ? { at: seconds(last.at), leads: found.leads_min, rows: last.quantiles_w } : null;
}

const HOUR_MIN = 60;

// Of each variable the mean, and bands of four in five and of one in two: of forecasts in watts, where there are any, and
// else of the probabilities of states.
export function ahead(newest, later) {
  const at = seconds(newest.at);
  const ascending = (row) => Object.keys(row ?? {}).map(minutes).sort((a, b) => a - b);
  const horizons = ascending(Object.values(newest.probabilities)[0]);
  const levels = newest.watts?.levels ?? [];
  const quantiles = newest.watts?.quantiles_w ?? {};
  const leads = ascending(Object.values(quantiles)[0]).filter((each) => each <= HOUR_MIN || later || NAMES.some((name) => quantiles[name]?.[each]));
  const steps = leads.length ? leads : horizons;
  const since = (lead) => (later && lead > HOUR_MIN ? later.at : at);
  const found = { times: steps.map((each) => since(each) + 60 * each), at, model: newest.model, newest, horizons, leads: steps };
  NAMES.forEach((name, v) => {
    const rows = newest.probabilities[name];
    if (!rows) return;
    const states = statesOf(newest.limits_w[v]);
    const near = steps.map((lead) => quantiles[name]?.[lead] ?? (later && lead > HOUR_MIN ? later.rows[v][later.leads.indexOf(lead)] : null));
    const inWatts = near.some((each) => each);
    const at = (level, ofStates) =>
      steps.map((lead, i) => (inWatts ? (near[i]?.[levels.indexOf(level)] ?? null) : rows[lead] ? ofStates(rows[lead]) : null));
    const quantile = (level) => at(level, (p) => quantileOf(p, states, level));
    found[name] = {
      mean: at(0.5, (p) => meanOf(p, states)),
      low: quantile(LOW),
      high: quantile(HIGH),
      lower: inWatts ? quantile(0.25) : null,
      upper: inWatts ? quantile(0.75) : null,
      rows: horizons.map((each) => rows[each]),
      limits: newest.limits_w[v],
      inWatts,
    };
  });
  return found;
}

// its part of the next so many minutes
export function until(outlook, lead) {
  const n = outlook.leads.filter((each) => each <= lead).length;
  const cut = (part) => part && { ...part, ...Object.fromEntries(["mean", "low", "high", "lower", "upper"].map((key) => [key, part[key]?.slice(0, n)])) };
  return { ...outlook, leads: outlook.leads.slice(0, n), times: outlook.times.slice(0, n), ...Object.fromEntries(NAMES.map((name) => [name, cut(outlook[name])])) };
}

export const minutes = (text) => Number(String(text).replace(/\D/g, ""));
export const position = (name) => NAMES.indexOf(name);
