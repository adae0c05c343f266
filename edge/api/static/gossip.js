// What a node exchanges with its neighbours to learn: sent, received, merged, refused; who contributes; what it gains.

import { html } from "./preact.js";
import { optional } from "./outlook.js";
import { t, textOr } from "./texts.js";
import { Card, Chip, label, sentence, useLoaded } from "./widgets.js";
import { bytes, duration, number, percent, spoken } from "./units.js";

// The state of a scope; null without gossip, undefined while it is loaded.
export function useGossip(scope) {
  const found = useLoaded(async (abort) => (await optional("/gossip", abort)) ?? null, "gossip", 30_000);
  return found.value === undefined ? undefined : (found.value?.scopes?.[scope] ?? null);
}

export function Gossip({ state, variable, horizon }) {
  if (!state) return html`<${Card} title=${t("gossip.title")}><p class="quiet-line">${t(state === undefined ? "loading" : "gossip.off")}</p><//>`;
  const both = (each) => t("gossip.both", { models: t("gossip.models", { n: number(each.models) }), predictions: t("gossip.predictions", { n: number(each.predictions) }) });
  const refused = Object.entries(state.refused).filter(([, n]) => n > 0);
  const last = state.last_merge ?? {};
  const pairs = [
    [t("gossip.sent"), both(state.sent)],
    [t("gossip.received"), both(state.received)],
    [t("gossip.merged"), t("gossip.merges", { n: number(state.merged), adopted: number(state.adopted) })],
    last.adopted?.length && [t("gossip.adopted"), last.adopted.map((each) => t(`variable.${each}`)).join(", ")],
    last.operators?.[variable] && [t("gossip.operator"), spoken(last.operators[variable])],
    [t("gossip.bytes"), t("gossip.of_budget", { used: bytes(state.bytes.last_hour), most: bytes(state.bytes.per_hour) })],
    state.waited_for_budget > 0 && [t("gossip.waited"), duration(60 * state.waited_for_budget)],
    [t("gossip.refused"), refused.map(([reason, n]) => `${number(n)} ${spoken(reason)}`).join(", ") || number(0)],
  ].filter(Boolean);
  const why = Object.entries(state.refused_why ?? {});
  return html`<${Card} title=${t("gossip.title")} hint=${t("gossip.hint")}>
    <${Gain} all=${state.gain?.all} one=${state.gain?.[variable]?.[horizon]} about=${{ name: t(`variable.${variable}`), lead: t("forecast.minutes", { n: horizon }) }} />
    <dl class="pairs">${pairs.map(([key, value]) => html`<div key=${key}><dt>${key}</dt><dd>${value}</dd></div>`)}</dl>
    ${why.map(([name, text]) => html`<p class="notice warn" key=${name}><b>${label(name)}:</b> ${sentence(text)}</p>`)}
  <//>`;
}

// Both are judged on the same minutes: what was published, and what the own model alone would have said.
function Gain({ all, one, about }) {
  if (!all?.n) return html`<p class="sentence">${t("gossip.no_gain")}</p>`;
  const change = all.own_log_loss ? 1 - all.log_loss / all.own_log_loss : 0;
  const text = Math.abs(change) < 0.005 ? t("gossip.same") : t(change > 0 ? "gossip.better" : "gossip.worse", { p: percent(Math.abs(change), Math.abs(change) < 0.1 ? 1 : 0) });
  return html`<p class="sentence">${text}</p>
    ${one?.n > 0 && html`<p class="muted gain">${t("gossip.hits", { ...about, own: percent(one.own_accuracy, 1), with: percent(one.accuracy, 1) })}</p>`}`;
}

export function Contributors({ state, variable }) {
  if (!state) return null;
  const rows = Object.entries(state.contributors ?? {});
  if (!rows.length) return html`<${Card} title=${t("gossip.contributors")}><p class="quiet-line">${t("gossip.nobody")}</p><//>`;
  const share = (weights) => (weights?.[variable] == null ? "–" : percent(weights[variable]));
  const lines = [
    [t("gossip.own"), "", state.own_weight.models, state.own_weight.predictions, null],
    ...rows.map(([name, each]) => [label(name), t("gossip.heard", { d: duration(60 * each.heard_min_ago) }), each.model_weight, each.prediction_weight, each]),
  ];
  return html`<${Card} title=${t("gossip.contributors")} hint=${t("gossip.weights_of", { name: t(`variable.${variable}`) })}><div class="scroll" tabindex="0" role="region" aria-label=${t("gossip.contributors")}><table class="contributors">
    <thead><tr><th>${t("gossip.contributor")}</th><th>${t("gossip.model")}</th><th class="right">${t("gossip.model_weight")}</th><th class="right">${t("gossip.prediction_weight")}</th></tr></thead>
    <tbody>${lines.map(([name, heard, models, predictions, each]) => html`<tr key=${name}>
      <th scope="row"><b>${name}</b>${heard && html`<span class="small muted">${heard}</span>`}
        ${each && !each.here && html`<${Chip} tone="warn">${t("gossip.left")}<//>`}${each?.missing.length > 0 && html` <${Chip}>${t("gossip.asked_again")}<//>`}</th>
      <td>${each?.model && textOr(`model.${each.model}`, each.model)}${each?.model_age_min != null && html`<span class="small muted">${t("gossip.age", { d: duration(60 * each.model_age_min) })}</span>`}</td>
      <td class="right">${share(models)}</td><td class="right">${share(predictions)}</td>
    </tr>`)}</tbody>
  </table></div><//>`;
}
