// What a model has learnt of a variable, and how good its predictions were by hour, day, variable or horizon.

import { html, useEffect, useRef, useState } from "./preact.js";
import { get, withQuery } from "./api.js";
import { Heat } from "./heat.js";
import { minuteText } from "./now.js";
import { stateTexts } from "./outlook.js";
import { t } from "./texts.js";
import { Card, Choice, Empty, Failed, Loading, Select, useLoaded } from "./widgets.js";
import { number, percent } from "./units.js";

const DAY_S = 86_400;
const KINDS = ["hours", "days", "variables", "horizons"];
const two = (n) => String(n).padStart(2, "0");
const slotText = (slot) => (slot === 0 ? "00:00–06:00" : `${two(slot + 5)}:00–${two(slot + 6)}:00`);
const slotNow = () => Math.max(0, new Date().getHours() - 5);

export function Contents({ scope, variable }) {
  const [slot, setSlot] = useState(String(slotNow()));
  const found = useLoaded((abort) => get(withQuery("/models", { scope, variable, slot }), { signal: abort }), `${scope}/${variable}/${slot}`);
  const title = t("model.contents");
  if (found.error && !found.value) return html`<${Card} title=${title}><${Failed} error=${found.error} again=${found.again} /><//>`;
  if (!found.value) return html`<${Card} title=${title}><${Loading} /><//>`;
  const { chains, networks, experts, shares, limits_w: limits } = found.value;
  const states = stateTexts(limits);
  const aside = chains && html`<${Select} label=${t("model.slot")} value=${slot} options=${Array.from({ length: 19 }, (_, i) => [String(i), slotText(i)])} onChange=${setSlot} />`;
  return html`<${Card} title=${title} hint=${t("model.contents_hint", { name: t(`variable.${variable}`) })} aside=${aside}>
    ${!chains && !networks.length && !shares && html`<p class="quiet-line">${t("model.nothing")}</p>`}
    ${chains && html`<${Chains} of=${chains} states=${states} />`}
    ${shares && html`<${Heat} label=${title} corner="" columns=${states} rows=${[{ label: t("model.shares"), values: shares }]} />`}
    ${experts && html`<h3>${t("model.experts")}</h3><${Experts} of=${experts} />`}
    ${networks.map((each, i) => html`<${Network} key=${i} of=${each} />`)}
  <//>`;
}

function Chains({ of, states }) {
  const [kind, setKind] = useState("probabilities");
  const days = of.days.length;
  return html`<div class="toolbar"><${Choice} label=${t("model.show")} name="chains" value=${kind} options=${["probabilities", "counts"].map((each) => [each, t(`model.${each}`)])} onChange=${setKind} />
    <p class="muted small">${days ? t("model.days", { n: days, from: of.days[0], to: of.days.at(-1), here: number(of.by_day.length) }) : t("model.no_days")}</p></div>
    ${of.slots.map((each) => {
      const most = Math.max(1, ...each.counts.flat());
      const rows = each.counts.map((counts, i) => ({
        label: states[i],
        values: kind === "counts" ? counts.map((n) => n / most) : each.probabilities[i],
        texts: kind === "counts" ? counts.map((n) => number(n)) : null,
      }));
      return html`<div key=${each.context}>${of.contexts > 1 && html`<h3>${t("model.context", { n: each.context + 1 })}</h3>`}<${Heat} label=${t("model.contents")} corner=${t("model.from_to")} columns=${states} rows=${rows} /></div>`;
    })}
    <p class="hint">${t("model.chains_hint")}</p>`;
}

const Experts = ({ of }) => html`<div class="scroll" tabindex="0" role="region" aria-label=${t("model.experts")}><table>
  <thead><tr><th>${t("model.expert")}</th>${[5, 10, 30, 60].map((each) => html`<th class="right" key=${each}>${t("forecast.minutes", { n: each })}</th>`)}</tr></thead>
  <tbody>${Object.entries(of).map(([name, weights]) => html`<tr key=${name}><th scope="row">${name.replaceAll("_", " ")}</th>${weights.map((each, i) => html`<td class="right" key=${i}>${percent(each, 1)}</td>`)}</tr>`)}</tbody>
</table></div>`;

const Network = ({ of }) => html`<h3>${t("model.network")}</h3>
  <p class="muted small">${t("model.inputs", { names: of.inputs.join(", ") })}${of.trained ? "" : ` ${t("model.untrained")}`}</p>
  <div class="layers">${of.layers.flatMap((layer) => ["w", "u", "b"].filter((each) => layer[each]).map((each) => html`<${Weights} key=${layer.name + each} name="${layer.name}: ${each}" of=${each === "b" ? [layer.b] : layer[each]} />`))}</div>
  <p class="hint">${t("model.network_hint")}</p>`;

// One pixel for each weight: blue above 0, orange below, the stronger the further.
function Weights({ name, of }) {
  const self = useRef();
  const [rows, columns] = [of.length, of[0].length];
  const most = Math.max(1e-9, ...of.map((row) => Math.max(...row.map(Math.abs))));
  useEffect(() => {
    const context = self.current.getContext("2d");
    const image = context.createImageData(columns, rows);
    of.forEach((row, y) => row.forEach((w, x) => image.data.set([...(w < 0 ? [213, 94, 0] : [0, 114, 178]), Math.round((255 * Math.abs(w)) / most)], 4 * (y * columns + x))));
    context.putImageData(image, 0, 0);
  }, [of]);
  const text = t("model.weights", { name, rows, columns, most: number(most, 2) });
  return html`<figure><canvas ref=${self} width=${columns} height=${rows} role="img" aria-label=${text}></canvas><figcaption>${text}</figcaption></figure>`;
}

export function Statistics({ scope, variable, query, set }) {
  const by = KINDS.includes(query.by) ? query.by : "hours";
  const days = by === "days" ? "7" : (query.days ?? "7");
  const trivial = query.trivial === "yes" ? "yes" : "no";
  const to = Math.floor(Date.now() / 60_000) * 60;
  const asked = { scope, variable: by === "variables" ? "" : variable, merge: KINDS.filter((each) => each !== by).join(","), trivial, from: minuteText(to - Number(days) * DAY_S) };
  const found = useLoaded((abort) => get(withQuery("/statistics", asked), { signal: abort }), `${scope}/${variable}/${by}/${days}/${trivial}`);
  const name = (row) => ({ hours: `${two(row.hour)}:00`, days: row.day, variables: row.variable && t(`variable.${row.variable}`), horizons: t("forecast.minutes", { n: row.horizon_min }) })[by];
  return html`<${Card} title=${t("statistics.title")} hint=${t("statistics.hint")}>
    <div class="toolbar">
      <${Select} label=${t("statistics.by")} value=${by} options=${KINDS.map((each) => [each, t(`statistics.${each}`)])} onChange=${(value) => set({ by: value })} />
      ${by !== "days" && html`<${Select} label=${t("statistics.period")} value=${days} options=${["1", "7", "30", "100"].map((each) => [each, t("statistics.days_n", { n: Number(each) })])} onChange=${(value) => set({ days: value })} />`}
      <${Select} label=${t("statistics.trivial")} value=${trivial} options=${["no", "yes"].map((each) => [each, t(`statistics.trivial_${each}`)])} onChange=${(value) => set({ trivial: value })} />
    </div>
    ${found.error && html`<${Failed} error=${found.error} again=${found.again} />`}
    ${!found.error && found.stale && html`<${Loading} />`}
    ${!found.error && !found.stale && !found.value.rows.length && html`<${Empty} icon="clock" title=${t("forecast.no_scores")} />`}
    ${!found.error && !found.stale && found.value.rows.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label=${t("statistics.title")}><table>
      <thead><tr><th>${t(`statistics.${by}`)}</th>${COLUMNS.map(([key]) => html`<th class="right" key=${key}>${t(`statistics.${key}`)}</th>`)}<th class="right">${t("forecast.n")}</th></tr></thead>
      <tbody>${found.value.rows.map((row, i) => html`<${Line} key=${i} name=${name(row)} row=${row} />`)}</tbody>
      <tfoot>${found.value.totals.map((row) => html`<${Line} key=${row.model} name=${t("statistics.total")} row=${row} />`)}</tfoot>
    </table></div>`}
    <p class="hint">${t("statistics.differences")}</p>
  <//>`;
}

const COLUMNS = [
  ["accuracy", percent],
  ["persistence_accuracy", percent],
  ["state_difference", (each) => number(each, 2)],
  ["vector_difference", (each) => number(each, 2)],
  ["shannon_entropy", (each) => number(each, 2)],
  ["gini", (each) => number(each, 2)],
];

const Line = ({ name, row }) => html`<tr><th scope="row">${name}</th>${COLUMNS.map(([key, format]) => html`<td class="right" key=${key}>${row[key] == null ? "–" : format(row[key])}</td>`)}<td class="right">${number(row.n)}</td></tr>`;
