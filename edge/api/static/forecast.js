// The page Forecast: what is expected in the next hour, how that was in the past, and how good the model is beside two
// that know nothing: persistence (it stays as it is) and the most frequent state.

import { html, useMemo } from "./preact.js";
import { get, mayAll, withQuery } from "./api.js";
import { Chart } from "./chart.js";
import { columnsOf, seriesPath } from "./day.js";
import { Heat } from "./heat.js";
import { VARIABLES, nowMs } from "./live.js";
import { minuteText } from "./now.js";
import { Contributors, Gossip, useGossip } from "./gossip.js";
import { HIGH, LOW, forecastOf, meanOf, optional, position, quantileOf, seconds, stateTexts, statesOf, until } from "./outlook.js";
import { Contents, Statistics } from "./models.js";
import { go, route } from "./route.js";
import { t, textOr } from "./texts.js";
import { Card, Choice, Chip, Empty, Failed, Loading, Page, Select, useLoaded } from "./widgets.js";
import { clock, duration, moment, number, percent, watts } from "./units.js";

const PAST_S = 3 * 3600;
const LONG_S = 23 * 3600;
const HOUR = "60";
const DAY = "1440";

export default function Forecast() {
  const { arg, query } = route.value;
  const scope = query.scope ?? "node";
  const variable = query.variable ?? "requested";
  const horizon = query.horizon ?? "30";
  const set = (change) => go("forecast", arg, { ...query, ...change });
  const learning = useLoaded((abort) => get("/learning", { signal: abort }), "learning", 30_000);
  const gossip = useGossip(scope);
  const state = learning.value?.scopes?.[scope];
  if (learning.error && !learning.value) return html`<${Page} title=${t("nav.forecast")}><${Failed} error=${learning.error} again=${learning.again} /><//>`;
  if (!learning.value) return html`<${Page} title=${t("nav.forecast")}><${Loading} /><//>`;
  if (!Object.keys(learning.value.scopes ?? {}).length)
    return html`<${Page} title=${t("nav.forecast")}><${Card}><${Empty} icon="forecast" title=${t("forecast.off")}>
      <p>${t("forecast.off_text")}</p><pre class="code"><code>${'[learning]\nnode_model = "markov"'}</code></pre><p>${t("forecast.off_run")}</p><pre class="code"><code>make run LEARN=markov</code></pre>
    <//><//><//>`;
  const aside = html`<${Choice} label=${t("scope")} name="scope" value=${scope} options=${["node", "cluster"].map((each) => [each, t(`scope.${each}`)])} onChange=${(value) => set({ scope: value })} />`;
  return html`<${Page} title=${t("nav.forecast")} lead=${state ? t("forecast.lead", { model: textOr(`model.${state.model}`, state.model), n: number(state.minutes) }) : null} aside=${aside}>
    <div class="toolbar">
      <${Select} label=${t("forecast.variable")} value=${variable} options=${VARIABLES.map((each) => [each, t(`variable.${each}`)])} onChange=${(value) => set({ variable: value })} />
      <${Select} label=${t("forecast.horizon")} value=${horizon} options=${HORIZONS.map((each) => [each, leadText(each)])} onChange=${(value) => set({ horizon: value })} />
    </div>
    <${Next} scope=${scope} variable=${variable} range=${query.range ?? HOUR} set=${set} />
    <${Past} scope=${scope} variable=${variable} horizon=${horizon} moment=${query.at ?? ""} today=${query.as === "today"} set=${set} />
    <${Accuracy} scope=${scope} variable=${variable} />
    <${Statistics} scope=${scope} variable=${variable} query=${query} set=${set} />
    ${mayAll() && html`<${Contents} scope=${scope} variable=${variable} />`}
    <div class="columns even">
      <${Training} state=${state} learning=${learning.value} />
      <${Gossip} state=${gossip} variable=${variable} horizon=${horizon} />
    </div>
    <${Contributors} state=${gossip} variable=${variable} />
  <//>`;
}

// The last hours as measured, the next one as a band.
function Next({ scope, variable, range, set }) {
  const minute = Math.floor(nowMs.value / 60_000);
  const ahead = useLoaded((abort) => forecastOf(scope, abort), `${scope}`, 60_000);
  const past = useLoaded((abort) => get(seriesPath(scope, 60 * minute - PAST_S, 60 * minute, 1), { signal: abort }), `${scope}/${minute}`);
  const long = (ahead.value?.leads.at(-1) ?? 0) > Number(HOUR);
  const seen = useMemo(() => ahead.value && until(ahead.value, Number(long ? range : HOUR)), [ahead.value, range]);
  const found = useMemo(() => nextOf(past.value, seen, variable), [past.value, seen, variable]);
  if (ahead.error && !ahead.value) return html`<${Card} title=${t("forecast.next")}><${Failed} error=${ahead.error} again=${ahead.again} /><//>`;
  if (!past.value || (ahead.stale && !ahead.value)) return html`<${Card} title=${t("forecast.next")}><div class="chart-wait"><${Loading} /></div><//>`;
  if (!ahead.value) return html`<${Card} title=${t("forecast.next")}><${Empty} icon="clock" title=${t("forecast.none_yet")}><p>${t("forecast.none_yet_text")}</p><//><//>`;
  const color = `--line-${variable}`;
  const shared = { color, unit: "W", format: watts };
  const series = [
    { ...shared, key: "past", label: t("forecast.measured"), values: found.past },
    { ...shared, key: "mean", label: t("forecast.expected"), values: found.mean, dash: [5, 4], spanGaps: true, points: true },
    { ...shared, key: "high", label: t("forecast.high"), values: found.high, spanGaps: true, quiet: true },
    { ...shared, key: "low", label: t("forecast.low"), values: found.low, spanGaps: true, quiet: true },
  ];
  const part = seen[variable];
  const last = part.mean.findLastIndex((each) => each != null);
  const bands = [{ upper: "high", lower: "low", color }];
  if (part.inWatts) {
    series.push({ ...shared, key: "upper", label: "", values: found.upper, spanGaps: true, quiet: true }, { ...shared, key: "lower", label: "", values: found.lower, spanGaps: true, quiet: true });
    bands.push({ upper: "upper", lower: "lower", color });
  }
  const title = t(long && range === DAY ? "forecast.next_day" : "forecast.next");
  return html`<${Card} title=${title} hint=${t(part.inWatts ? "forecast.next_hint_watts" : "forecast.next_hint", { time: clock(ahead.value.at) })}
    aside=${long && html`<${Choice} label=${t("forecast.range")} name="range" value=${range} options=${[[HOUR, t("forecast.hour")], [DAY, t("forecast.day")]]} onChange=${(value) => set({ range: value === HOUR ? "" : value })} />`}>
    ${last >= 0 && html`<p class="sentence">${t("forecast.sentence", { name: t(`variable.${variable}`), w: watts(part.mean[last]), low: watts(part.low[last]), high: watts(part.high[last]), time: clock(seen.times[last]) })}</p>`}
    <${Chart} label=${title} times=${found.times} series=${series} bands=${bands} now=${ahead.value.at} height=${280} />
    <h3>${t("forecast.states")}</h3>
    <${Heat} label=${t("forecast.states")} corner=${t("forecast.in")} columns=${stateTexts(part.limits)}
      rows=${ahead.value.horizons.map((each, i) => ({ label: t("forecast.minutes", { n: each }), values: part.rows[i], likeliest: part.rows[i].indexOf(Math.max(...part.rows[i])) }))} />
  <//>`;
}

function nextOf(past, ahead, variable) {
  if (!past || !ahead) return null;
  const { times, columns } = columnsOf(past);
  const values = columns[`${variable}_w`] ?? [];
  let last = values.length - 1;
  while (last >= 0 && values[last] == null) last--;
  const first = Math.max(0, values.findIndex((each) => each != null));
  const known = times.slice(first, last + 1).map((each, i) => [each, values[first + i]]).filter(([each]) => each <= ahead.at);
  const from = known.at(-1)?.[1] ?? null;
  const all = [...known.map(([each]) => each), ...(known.at(-1)?.[0] === ahead.at ? [] : [ahead.at]), ...ahead.times];
  const pad = all.length - ahead.times.length - 1;
  const tail = (list) => [...new Array(pad).fill(null), from, ...list];
  const part = ahead[variable];
  return {
    times: all,
    past: [...known.map(([, each]) => each), ...new Array(all.length - known.length).fill(null)],
    ...Object.fromEntries(["mean", "low", "high", "lower", "upper"].map((key) => [key, part[key] && tail(part[key])])),
  };
}

const HORIZONS = ["5", "10", "30", "60", "120", "240", "480", "960", "1440"];
const leadText = (lead) => (lead <= 60 ? t("forecast.minutes", { n: lead }) : t("forecast.hours", { n: lead / 60 }));

// Predictions of the past beside what was measured: from now, or replayed from any moment.
function Past({ scope, variable, horizon, moment: at, today, set }) {
  const minute = Math.floor(nowMs.value / 300_000) * 5;
  const far = Number(horizon) > Number(HOUR); // of which there are only forecasts in watts
  const span = far ? LONG_S : PAST_S;
  const end = at ? Math.floor(new Date(at).getTime() / 60_000) * 60 + span : 60 * minute;
  const begin = end - span;
  const key = `${scope}/${begin}/${span}`;
  const made = { scope, from: minuteText(begin - 60 * horizon), to: minuteText(end - 60 * horizon) };
  const again = { scope, from: minuteText(begin - 60 * horizon), to: minuteText(Math.min(end, 60 * minute - 120) - 60 * (far ? horizon : 0)), step: far ? 60 : 5, watts: far ? "yes" : "no" };
  const kept = useLoaded(async (abort) => (today ? null : ((await optional(withQuery("/forecasts", made), abort)) ?? null)), `${key}/${horizon}/${today}`);
  const told = useLoaded((abort) => get(today ? withQuery("/replay", again) : withQuery("/predictions", { scope, from: minuteText(begin), to: minuteText(end) }), { signal: abort }), `${key}/${today && horizon}`);
  const forecasts = today ? { value: far && told.value?.leads_min ? { ...told.value, forecasts: told.value.predictions.filter((each) => each.quantiles_w) } : null } : kept;
  const limits = useLoaded((abort) => get("/learning", { signal: abort }), scope);
  const truth = useLoaded((abort) => get(seriesPath(scope, begin, end + 3600, 1), { signal: abort }), key);
  const row = position(variable);
  const found = useMemo(() => {
    const scale = limits.value?.scopes?.[scope]?.limits_w?.[row];
    if (!told.value?.predictions?.length || !scale || !truth.value) return null;
    const states = statesOf(scale);
    const h = told.value.horizons_min.indexOf(Number(horizon));
    const series = columnsOf(truth.value);
    const index = new Map(series.times.map((each, i) => [each, i]));
    const blank = () => new Array(series.times.length).fill(null);
    const [mean, low, high] = [blank(), blank(), blank()];
    let [n, hits] = [0, 0];
    const band = bandOf(forecasts.value, row, Number(horizon), index, [mean, low, high]);
    for (const each of h < 0 ? [] : told.value.predictions) {
      const p = each.p[row][h].map((part) => part / 1000);
      const i = index.get(seconds(each.at) + 60 * Number(horizon));
      const actual = each.actual[row][h];
      if (actual) {
        n++;
        hits += Number(p.indexOf(Math.max(...p)) + 1 === actual);
      }
      if (i == null || band) continue;
      mean[i] = meanOf(p, states);
      low[i] = quantileOf(p, states, 0.1);
      high[i] = quantileOf(p, states, 0.9);
    }
    const values = series.columns[`${variable}_w`];
    const first = Math.max(0, series.times.findIndex((_, i) => values[i] != null || mean[i] != null));
    const stop = band ? series.times.findIndex((each) => each >= end) : -1;
    const from = (list) => list.slice(first, stop < 0 ? undefined : stop);
    return { times: from(series.times), truth: from(values), mean: from(mean), low: from(low), high: from(high), n, hits, band };
  }, [told.value, kept.value, limits.value, truth.value, variable, horizon, today]);
  const color = `--line-${variable}`;
  const shared = { color, unit: "W", format: watts };
  return html`<${Card} title=${t("forecast.past")} hint=${t("forecast.past_hint", { lead: leadText(horizon) })}
    aside=${html`${mayAll() && html`<${Choice} label=${t("forecast.as")} name="as" value=${today ? "today" : ""} options=${[["", t("forecast.as_then")], ["today", t("forecast.as_today")]]} onChange=${(value) => set({ as: value })} />`}<span class="field inline"><label class="label" for="replay">${t("forecast.replay")}</label><input id="replay" type="datetime-local" value=${at} max=${localText(Date.now())} onChange=${(event) => set({ at: event.target.value })} /></span>`}>
    ${told.error && html`<${Failed} error=${told.error} again=${told.again} />`}
    ${today && html`<p class="hint">${t("forecast.as_hint")}</p>`}
    ${told.stale && !told.error && html`<div class="chart-wait"><${Loading} /></div>`}
    ${!told.stale && !found && !told.error && html`<${Empty} icon="clock" title=${t("forecast.no_past")} />`}
    ${found && html`
      <p class="sentence">${[
        found.n && t("forecast.right", { n: number(found.n), share: percent(found.hits / found.n) }),
        found.band?.n && t("forecast.held", { n: number(found.band.n), share: percent(found.band.held / found.band.n) }),
      ].filter(Boolean).join(" ") || t("forecast.not_known_yet")}</p>
      <${Chart} label=${t("forecast.past")} times=${found.times} height=${260} bands=${[{ upper: "high", lower: "low", color }]} series=${[
        { ...shared, key: "truth", label: t("forecast.measured"), values: found.truth },
        { ...shared, key: "mean", label: t("forecast.told", { lead: leadText(horizon) }), values: found.mean, dash: [5, 4], spanGaps: Boolean(found.band), points: Boolean(found.band) },
        { ...shared, key: "high", label: t("forecast.high"), values: found.high, quiet: true, spanGaps: Boolean(found.band) },
        { ...shared, key: "low", label: t("forecast.low"), values: found.low, quiet: true, spanGaps: Boolean(found.band) },
      ]} />`}
  <//>`;
}

// Puts forecasts in watts at the times that they are about; says how many were judged, and how often the band held.
function bandOf(answer, row, lead, index, [mean, low, high]) {
  const at = answer?.leads_min?.indexOf(lead) ?? -1;
  if (at < 0 || !answer.forecasts.length) return null;
  const level = (q) => answer.levels.indexOf(q);
  let [n, held, shown] = [0, 0, 0];
  for (const each of answer.forecasts) {
    const quantiles = each.quantiles_w[row][at];
    const actual = each.actual_w[row][at];
    const i = index.get(seconds(each.at) + 60 * lead);
    if (!quantiles || i == null) continue;
    shown++;
    [mean[i], low[i], high[i]] = [quantiles[level(0.5)], quantiles[level(LOW)], quantiles[level(HIGH)]];
    if (actual == null) continue;
    n++;
    held += Number(low[i] - 1 <= actual && actual <= high[i] + 1);
  }
  return shown ? { n, held } : null;
}

const localText = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

function Accuracy({ scope, variable }) {
  const found = useLoaded((abort) => get(withQuery("/scores", { scope, days: 7 }), { signal: abort }), scope);
  if (found.error) return html`<${Card} title=${t("forecast.accuracy")}><${Failed} error=${found.error} again=${found.again} /><//>`;
  if (found.stale) return html`<${Card} title=${t("forecast.accuracy")}><${Loading} /><//>`;
  const models = Object.entries(found.value.models ?? {}).flatMap(([name, each]) => (each.scores?.[variable] ? [[name, each.scores[variable]]] : []));
  const any = models.some(([, scores]) => Object.values(scores).some((each) => each.n > 0));
  return html`<${Card} title=${t("forecast.accuracy")} hint=${t("forecast.accuracy_hint")}>
    ${!any && html`<${Empty} icon="clock" title=${t("forecast.no_scores")} />`}
    ${any && models.map(([name, scores]) => html`<div class="accuracy" key=${name}>
      <h3>${textOr(`model.${name}`, name)}</h3>
      <div class="scroll" tabindex="0" role="region" aria-label=${t("forecast.accuracy")}><table>
        <thead><tr><th>${t("forecast.horizon")}</th><th class="bars">${t("forecast.hits")}</th><th class="right">${t("forecast.skill")}</th><th class="right">${t("forecast.entropy")}</th><th class="right">${t("forecast.gini")}</th><th class="right">${t("forecast.n")}</th></tr></thead>
        <tbody>${Object.entries(scores).map(([horizon, each]) => html`<tr key=${horizon}>
          <th scope="row">${t("forecast.minutes", { n: horizon })}</th>
          <td><${Bars} rows=${[["model", each.accuracy], ["persistence", each.persistence_accuracy], ["majority", each.majority_accuracy]]} /></td>
          <td class="right">${each.skill == null ? "–" : html`<${Chip} tone=${each.skill > 0 ? "ok" : "warn"}>${each.skill > 0 ? "+" : ""}${number(each.skill, 2)}<//>`}</td>
          <td class="right">${each.shannon_entropy == null ? "–" : number(each.shannon_entropy, 2)}</td>
          <td class="right">${each.gini == null ? "–" : number(each.gini, 2)}</td>
          <td class="right">${number(each.n)}</td>
        </tr>`)}</tbody>
      </table></div>
    </div>`)}
    ${any && html`<p class="hint">${t("forecast.skill_hint")}</p>`}
  <//>`;
}

const Bars = ({ rows }) => html`<div class="score-bars">
  ${rows.map(([name, value]) => html`<p key=${name} class="score ${name}"><span class="score-name">${t(`forecast.by_${name}`)}</span>
    <span class="score-bar" aria-hidden="true"><span style=${{ width: `${100 * (value ?? 0)}%` }}></span></span><span class="score-value">${value == null ? "–" : percent(value)}</span></p>`)}
</div>`;

function Training({ state, learning }) {
  if (!state) return null;
  const last = state.last_training;
  const pairs = [
    [t("forecast.model"), textOr(`model.${state.model}`, state.model)],
    [t("forecast.seen"), duration(60 * state.minutes)],
    state.last_minute && [t("forecast.last_minute"), moment(seconds(state.last_minute))],
    [t("forecast.trainings"), `${number(state.trainings)} (${t("forecast.rejected", { n: state.rejected })})`],
    last && [t("forecast.last_training"), last.accepted ? t("forecast.accepted") : t("forecast.not_accepted")],
    [t("forecast.doing"), state.working ? t("forecast.working") : learning.work?.waits_for ? t("forecast.waits", { why: learning.work.waits_for }) : t("forecast.idle")],
    learning.work && [t("forecast.cpu"), duration(learning.work.cpu_s)],
  ].filter(Boolean);
  return html`<${Card} title=${t("forecast.learning")}>
    <dl class="pairs">${pairs.map(([key, value]) => html`<div key=${key}><dt>${key}</dt><dd>${value}</dd></div>`)}</dl>
    ${state.trouble && html`<p class="notice warn">${state.trouble}</p>`}
  <//>`;
}
