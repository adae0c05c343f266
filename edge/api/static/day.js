// The page Day: past, now and forecast on one axis; what happened; the day in numbers and as files.

import { html, useMemo, useState } from "./preact.js";
import { get, link, withQuery } from "./api.js";
import { Chart, DASHES, Legend } from "./chart.js";
import { Events } from "./events.js";
import { VARIABLES, nowMs, snapshot } from "./live.js";
import { minuteText } from "./now.js";
import { forecastOf } from "./outlook.js";
import { go, route } from "./route.js";
import { t } from "./texts.js";
import { Button, Card, Choice, Empty, Failed, Icon, Loading, Page, Select, useLoaded } from "./widgets.js";
import { energyParts, longDate, percent, watts } from "./units.js";

const DAY_S = 86_400;
const YOUNG_S = 2 * 3600;
const HIDDEN_AT_FIRST = ["supplied", "available"];

// A grid connection counts with its whole capacity: where it is larger than every need, its line would press the others flat.
function hiddenAtFirst(answer) {
  const produced = (answer?.columns?.produced_w ?? []).filter((each) => each != null);
  const asked = (answer?.columns?.requested_w ?? []).filter((each) => each != null);
  const flat = produced.length && Math.min(...produced) > 1.5 * Math.max(...asked);
  return new Set(flat ? ["produced", "available"] : HIDDEN_AT_FIRST);
}

// midnight of the civil day of this browser, in seconds
export function dayStart(text) {
  const found = text ? new Date(`${text}T00:00`) : new Date();
  found.setHours(0, 0, 0, 0);
  return found.getTime() / 1000;
}
const dayText = (seconds) => {
  const d = new Date(seconds * 1000);
  return `${d.getFullYear()}-${String(d.getMonth() + 1).padStart(2, "0")}-${String(d.getDate()).padStart(2, "0")}`;
};
export const nextDay = (seconds, days) => {
  const d = new Date(seconds * 1000);
  d.setDate(d.getDate() + days);
  return d.getTime() / 1000;
};

export const seriesPath = (scope, from, to, step) => withQuery("/series", { scope, from: minuteText(from), to: minuteText(to), step });

// Where minutes are not kept any more, quarter-hours are.
async function kept(scope, from, to, step, abort) {
  const found = await get(seriesPath(scope, from, to, step), { signal: abort });
  const gone = step === 1 && to < nowMs.value / 1000 && Object.values(found.columns).every((each) => each.every((value) => value == null));
  return gone ? get(seriesPath(scope, from, to, 15), { signal: abort }) : found;
}

// {times in seconds, columns} of an answer
export function columnsOf(answer) {
  if (!answer) return { times: [], columns: {} };
  const step = 60 * answer.step;
  const length = Math.max(0, ...Object.values(answer.columns).map((each) => each.length));
  return { times: Array.from({ length }, (_, i) => 60 * answer.start + i * step), columns: answer.columns };
}

export default function Day() {
  const { arg, query } = route.value;
  const today = dayStart();
  const from = dayStart(arg);
  const to = nextDay(from, 1);
  const isToday = from === today;
  const scope = query.scope ?? "node";
  const compare = query.compare ?? "none";
  const step = Number(query.step ?? 1);
  const set = (change) => go("day", arg, { ...query, ...change });
  const move = (days) => go("day", nextDay(from, days) === today ? "" : dayText(nextDay(from, days)), query);
  const past = useLoaded((abort) => kept(scope, from, to, step, abort), `${scope}/${from}/${step}`, isToday ? 60_000 : 0);
  const back = { before: 1, week: 7 }[compare];
  const other = useLoaded(
    async (abort) => back && kept(scope, nextDay(from, -back), nextDay(to, -back), step, abort),
    `${scope}/${from}/${step}/${compare}`,
  );
  const ahead = useLoaded((abort) => (isToday ? forecastOf(scope, abort) : null), `${scope}/${isToday}`, isToday ? 60_000 : 0);
  const aside = html`<div class="day-picker">
    <${Button} icon="left" aria-label=${t("day.before")} onClick=${() => move(-1)} />
    <label><span class="sr">${t("day.date")}</span><input type="date" value=${dayText(from)} max=${dayText(today)} onChange=${(event) => event.target.value && go("day", event.target.value === dayText(today) ? "" : event.target.value, query)} /></label>
    <${Button} icon="right" aria-label=${t("day.after")} disabled=${isToday} onClick=${() => move(1)} />
    ${!isToday && html`<${Button} onClick=${() => go("day", "", query)}>${t("day.today")}<//>`}
  </div>`;
  return html`<${Page} title=${isToday ? t("day.today") : longDate(from + DAY_S / 2)} lead=${isToday ? longDate(nowMs.value / 1000) : null} aside=${aside}>
    <${Card} title=${t("day.power")} hint=${isToday && ahead.value ? t(ahead.value.leads.at(-1) > 60 ? "day.hint_forecast_day" : "day.hint_forecast") : t("day.hint")}
      aside=${html`<${Choice} label=${t("scope")} name="scope" value=${scope} options=${[["node", t("scope.node")], ["cluster", t("scope.cluster")]]} onChange=${(value) => set({ scope: value })} />`}>
      <${DayChart} past=${past} other=${other.value} ahead=${ahead.value} ...${{ from, to, isToday, step, set, compare, scope }} />
    <//>
    <${Totals} past=${past.value} other=${back ? other.value : null} compare=${compare} isToday=${isToday} />
    <${Events} from=${from} to=${to} live=${isToday} />
  <//>`;
}

function DayChart({ past, other, ahead, from, to, isToday, step, set, compare, scope }) {
  const [chosen, setHidden] = useState(null);
  const hidden = useMemo(() => chosen ?? hiddenAtFirst(past.value), [chosen, past.value]);
  const toggle = (key) => {
    const next = new Set(hidden);
    if (!next.delete(key)) next.add(key);
    setHidden(next);
  };
  const found = useMemo(() => joined(past.value, other, ahead, from), [past.value, other, ahead, from]);
  if (past.error && !past.value) return html`<${Failed} error=${past.error} again=${past.again} />`;
  if (past.stale) return html`<div class="chart-wait"><${Loading} /></div>`;
  const lines = VARIABLES.map((name) => ({
    key: name,
    label: t(`variable.${name}`),
    values: found.past[name],
    color: `--line-${name}`,
    dash: DASHES[name],
    width: name === "requested" ? 3.5 : 2, // seen behind what is consumed, where both are the same
    hidden: hidden.has(name),
    fill: name === "missing",
    unit: "W",
    format: watts,
  }));
  const extra = [];
  const bands = [];
  for (const name of VARIABLES) {
    if (hidden.has(name)) continue;
    const shared = { color: `--line-${name}`, format: watts, unit: "W" };
    if (found.compared) extra.push({ ...shared, key: `${name}-other`, label: t("day.compared", { name: t(`variable.${name}`) }), values: found.compared[name], dash: [1, 4], width: 1.5 });
    if (found.ahead?.[name]) {
      extra.push({ ...shared, key: `${name}-high`, label: "", values: found.ahead[name].high, quiet: true, spanGaps: true });
      extra.push({ ...shared, key: `${name}-low`, label: "", values: found.ahead[name].low, quiet: true, spanGaps: true });
      extra.push({ ...shared, key: `${name}-mean`, label: t("day.forecast", { name: t(`variable.${name}`) }), values: found.ahead[name].mean, dash: [5, 4], width: 2, spanGaps: true });
      if (!bands.length) bands.push({ upper: `${name}-high`, lower: `${name}-low`, color: `--line-${name}` });
    }
  }
  const [begin, end] = isToday ? seenOf(found, from, to) : [from, to];
  const count = Math.max(...lines.map((each) => each.values.filter((value) => value != null).length));
  const few = count < (isToday && !other ? 2 : 1) && !found.ahead; // one value makes no line
  const unsummed = scope === "cluster" && !snapshot.value?.microgrid.powers_w;
  const why = unsummed ? t("forecast.off") : isToday && t("day.soon", { d: t("day.minutes", { n: 2 * step }) });
  return html`
    <${Legend} series=${lines} toggle=${toggle} />
    ${few ? html`<div class="chart-wait"><${Empty} icon="clock" title=${why || t("day.nothing")} /></div>` : html`<${Chart} label=${t("day.chart")} times=${found.times} series=${[...lines, ...extra]} bands=${bands} from=${begin} to=${end} now=${isToday ? nowMs.value / 1000 : null} />`}
    <div class="toolbar">
      <${Select} label=${t("day.step")} value=${String(step)} options=${[["1", t("day.minutes", { n: 1 })], ["15", t("day.minutes", { n: 15 })], ["60", t("day.hour")]]} onChange=${(value) => set({ step: value === "1" ? "" : value })} />
      <${Select} label=${t("day.compare")} value=${compare} options=${["none", "before", "week"].map((each) => [each, t(`day.compare_${each}`)])} onChange=${(value) => set({ compare: value === "none" ? "" : value })} />
      <a class="button" download href=${link("/series", { scope, from: minuteText(from), to: minuteText(to), step, format: "csv" })}><${Icon} name="download" size="18" /><span>CSV</span></a>
    </div>`;
}

// A node that began to record a short while ago is seen closely, with the forecast beside it.
function seenOf(found, from, to) {
  const first = found.times.find((_, i) => found.past.requested[i] != null);
  const now = nowMs.value / 1000;
  if (found.compared || first == null || now - first > YOUNG_S) return [from, to];
  return [Math.floor(first / 60) * 60, now + (found.ahead ? 3600 : 600)];
}

// Everything on one axis: the day, the day that it is compared with, and what is expected.
function joined(past, other, ahead, from) {
  const now = columnsOf(past);
  const byTime = new Map(now.times.map((each, i) => [each, i]));
  const times = [...now.times];
  for (const each of ahead?.times ?? []) if (!byTime.has(each)) times.push(each);
  const old = columnsOf(other);
  const shifted = old.times.map((_, i) => from + i * 60 * other.step);
  if (other) for (const each of shifted) if (!byTime.has(each)) times.push(each);
  const all = [...new Set(times)].sort((a, b) => a - b);
  const index = new Map(all.map((each, i) => [each, i]));
  const spread = (at, values) => {
    const row = new Array(all.length).fill(undefined); // no gap, only no point of this line
    at.forEach((each, i) => (row[index.get(each)] = values?.[i] ?? null));
    return row;
  };
  const each = (of) => Object.fromEntries(VARIABLES.map((name) => [name, of(name)]));
  return {
    times: all,
    past: each((name) => spread(now.times, now.columns[`${name}_w`])),
    compared: other && each((name) => spread(shifted, old.columns[`${name}_w`])),
    ahead: ahead && each((name) => ahead[name] && { mean: spread(ahead.times, ahead[name].mean), low: spread(ahead.times, ahead[name].low), high: spread(ahead.times, ahead[name].high) }),
  };
}

// In Wh; of another day only the times that are known of this one, too.
export function energyOf(answer, name, as = answer) {
  const column = `${name}_w`;
  const other = as?.columns?.[column] ?? [];
  const known = (answer?.columns?.[column] ?? []).filter((each, i) => each != null && other[i] != null);
  return known.length ? (known.reduce((sum, each) => sum + each, 0) * answer.step) / 60 : null;
}

function Totals({ past, other, compare, isToday }) {
  if (!past) return null;
  const names = ["requested", "consumed", "missing", "supplied"];
  return html`<section class="tiles four" aria-label=${t("day.energy")}>
    ${names.map((name) => {
      const wh = energyOf(past, name);
      const before = other ? energyOf(other, name, past) : null;
      const [value, unit] = energyParts(wh);
      const change = wh != null && before ? wh / before - 1 : null;
      return html`<div class="tile" key=${name}>
        <p class="tile-name"><span class="dot line-${name}"></span>${t(`day.energy_${name}`)}</p>
        <p class="tile-value"><span class="figure ${wh == null ? "unknown" : ""}">${value}<span class="unit">\u00a0${unit}</span></span></p>
        ${other && html`<p class="muted small">${change == null ? t("day.no_comparison") : t(`day.${change < 0 ? "less" : "more"}${isToday ? "_so_far" : ""}`, { p: percent(Math.abs(change)), day: t(`day.than_${compare}`) })}</p>`}
      </div>`;
    })}
  </section>`;
}
