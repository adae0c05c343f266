// The page Now: who supplies whom, the six variables, what waits, what is wrong, and how the microgrid does.

import { html } from "./preact.js";
import { get, may, withQuery } from "./api.js";
import { Flow } from "./flow.js";
import { VARIABLES, ageS, nowMs, powerOf, snapshot } from "./live.js";
import { t } from "./texts.js";
import { Button, Card, Chip, Icon, Loading, Page, Power, Sparkline, label, sentence, twinLabel, useLoaded } from "./widgets.js";
import { duration, longDate, percent, watts } from "./units.js";
import { AddTwin } from "./changes.js";
import { open } from "./dialogs.js";

const LAST_HOUR_S = 3600;

export default function Now() {
  const newest = snapshot.value;
  if (!newest) return html`<${Page} title=${t("nav.now")}><${Loading} /><//>`;
  if (!newest.twins.length) return html`<${Page} title=${t("first.title")} lead=${t("first.lead")}><${FirstRun} /><//>`;
  return html`<${Page} title=${t("nav.now")} lead=${longDate(newest.at_s)}>
    <${Headline} of=${newest} />
    <${Variables} of=${newest} />
    <div class="columns">
      <${Card} title=${t("flow.title")} hint=${t("flow.hint")} class="wide"><${Flow} snapshot=${newest} /><//>
      <div class="column">
        <${Waiting} of=${newest} />
        <${Alerts} of=${newest} />
        <${Microgrid} of=${newest} />
      </div>
    </div>
  <//>`;
}

// One sentence for the whole building, and where its power comes from.
function Headline({ of }) {
  const asked = powerOf(of.powers_w, "requested");
  const missing = powerOf(of.powers_w, "missing");
  const unknown = of.twins.filter((each) => each.known === false).length;
  const waits = of.waiting.length;
  let tone = "ok";
  let text = t("now.all_supplied", { w: watts(asked) });
  if (asked == null || missing == null) [tone, text] = ["warn", t("now.unknown", { n: unknown || 1 })];
  else if (waits || missing > 5) [tone, text] = ["bad", t("now.waits", { n: waits || 1, w: watts(missing) })];
  else if (asked < 1) text = t("now.nothing_needed");
  const parts = sourcesOf(of);
  const sum = parts.reduce((total, each) => total + each.w, 0);
  return html`<section class="headline ${tone}">
    <p class="headline-text"><span class="headline-icon"><${Icon} name=${tone === "ok" ? "check" : "clock"} size="22" /></span>${text}</p>
    ${sum > 1 &&
    html`<div class="mix">
      <div class="mix-bar" aria-hidden="true">
        ${parts.map((each) => html`<span key=${each.key} class="mix-part ${each.tone}" style=${{ flexGrow: each.w }}></span>`)}
      </div>
      <div class="mix-foot"><ul class="mix-list"><li>${t("now.comes_from")}</li>
        ${parts.map((each) => html`<li key=${each.key}><span class="dot ${each.tone}"></span>${each.label} <b>${percent(each.w / sum)}</b></li>`)}
      </ul>
      ${(of.imported_w > 1 || of.exported_w > 1) && html`<p class="grid-line"><${Icon} name="grid" size="18" />${gridOf(of)}</p>`}</div>
    </div>`}
  </section>`;
}

// A meter tells what passes the connection. Without one, contracts do, and other nodes may take power from it, too.
function gridOf({ twins, flows, node, imported_w, exported_w }) {
  const grids = twins.filter((each) => each.source === "grid");
  const names = grids.map((each) => each.name);
  const onward = flows.reduce((sum, each) => sum + (names.includes(each.supplier) && each.consumer_node !== node && each.w), 0);
  const text = t(grids.some((each) => each.input) ? "now.grid" : "now.contracts", { from: watts(imported_w), to: watts(exported_w) });
  return onward > 1 ? `${text} ${t("now.onward", { w: watts(onward) })}` : text;
}

function sourcesOf(of) {
  const source = new Map(of.twins.map((each) => [each.name, each.source]));
  const found = new Map();
  const add = (key, text, tone, w) => {
    const part = found.get(key) ?? { key, label: text, tone, w: 0 };
    part.w += w;
    found.set(key, part);
  };
  for (const flow of of.flows) {
    if (flow.consumer_node !== of.node) continue;
    const home = flow.supplier_node;
    if (home === of.node) {
      const kind = source.get(flow.supplier) || "other";
      add(kind, t(`source.${kind}`), `source-${kind}`, flow.w);
    } else add(`@${home}`, label(home), "source-node", flow.w);
  }
  const missing = powerOf(of.powers_w, "missing");
  if (missing > 5) add("missing", t("variable.missing"), "source-missing", missing);
  const order = ["pv", "battery", "other", "grid"];
  const rank = ({ key }) => (key === "missing" ? 99 : key[0] === "@" ? 50 : order.indexOf(key));
  return [...found.values()].sort((a, b) => rank(a) - rank(b) || a.key.localeCompare(b.key));
}

function Variables({ of }) {
  const minute = Math.floor((of.at_s ?? nowMs.value / 1000) / 60) * 60;
  const past = useLoaded(
    (abort) => get(withQuery("/series", { scope: "node", from: minuteText(minute - LAST_HOUR_S), to: minuteText(minute), step: 1 }), { signal: abort }),
    "hour",
    60_000,
  );
  return html`<section class="tiles" aria-label=${t("now.variables")}>
    ${VARIABLES.map((name) => {
      const values = [...(past.value?.columns?.[`${name}_w`] ?? []), powerOf(of.powers_w, name)];
      const bad = name === "missing" && powerOf(of.powers_w, name) > 5;
      return html`<div class="tile ${bad ? "bad" : ""}" key=${name} title=${t(`variable.${name}_means`)}>
        <p class="tile-name">${t(`variable.${name}`)}</p>
        <p class="tile-value"><${Power} w=${powerOf(of.powers_w, name)} /></p>
        <${Sparkline} values=${values} tone="line-${name}" />
      </div>`;
    })}
  </section>`;
}

export const minuteText = (seconds) => `${new Date(1000 * seconds).toISOString().slice(0, 16)}Z`;

function Waiting({ of }) {
  const all = [...of.waiting].sort((a, b) => a.since_s - b.since_s);
  return html`<${Card} title=${t("waiting.title")}>
    ${!all.length && html`<p class="quiet-line"><${Icon} name="check" size="18" />${t("waiting.nothing")}</p>`}
    <ul class="rows">
      ${all.slice(0, 8).map(
        (each) => html`<li key=${each.twin}>
          <a class="row" href="#/twins/${encodeURIComponent(each.twin)}">
            <span class="row-main"><b>${twinLabel(each.twin, of.node)}</b>
              <span class="muted">${t("waiting.since", { d: duration(ageS(each.since_s)) })}${each.priority === "high" && html` <${Chip} tone="warn">${t("priority.high")}<//>`}</span></span>
            <${Power} w=${each.w} />
          </a>
        </li>`,
      )}
    </ul>
    ${all.length > 8 && html`<p class="muted">${t("and_more", { n: all.length - 8 })}</p>`}
  <//>`;
}

function Alerts({ of }) {
  const all = of.alerts;
  const { limits } = of;
  return html`<${Card} title=${t("alerts.title")}>
    ${!all.length && !limits.length && html`<p class="quiet-line"><${Icon} name="check" size="18" />${t("alerts.nothing")}</p>`}
    <ul class="rows">
      ${all.slice(0, 6).map(
        (each, i) => html`<li key=${i} class="alert-row"><${Icon} name="alert" size="18" />
          <span>${sentence(each.text)}</span></li>`,
      )}
      ${limits.map((each, i) => html`<li key=${`l${i}`} class="alert-row"><${Icon} name="stop" size="18" /><span>${t("alerts.limit", { w: watts(each.w) })}</span></li>`)}
    </ul>
    ${all.length > 0 && html`<a class="link" href="#/system">${t("alerts.what_to_do")}</a>`}
  <//>`;
}

function Microgrid({ of }) {
  const grid = of.microgrid;
  return html`<${Card} title=${t("nav.microgrid")} aside=${html`<a class="link" href="#/microgrid">${t("open")}</a>`}>
    ${grid.nodes.length < 2
      ? html`<p class="quiet-line">${t("microgrid.alone")}</p>`
      : !grid.powers_w
      ? html`<p class="quiet-line">${t("microgrid.lead", { n: grid.nodes.length, node: label(of.node) })}</p>`
      : html`<p class="muted">${t("microgrid.sum", { n: grid.nodes_summed })}</p>
          <dl class="pairs">
            ${["consumed", "produced", "missing"].map(
              (name) => html`<div key=${name}><dt>${t(`variable.${name}`)}</dt><dd><${Power} w=${powerOf(grid.powers_w, name)} /></dd></div>`,
            )}
          </dl>`}
  <//>`;
}

// A node without twins: what to do next, in the order in which one does it.
function FirstRun() {
  const steps = ["meters", "twins", "neighbours"];
  return html`<div class="steps">
    ${steps.map(
      (each, i) => html`<section class="card step" key=${each}>
        <span class="step-number" aria-hidden="true">${i + 1}</span>
        <h2>${t(`first.${each}`)}</h2>
        <p>${t(`first.${each}_text`)}</p>
        ${each !== "twins" && html`<pre class="code"><code>${t(`first.${each}_code`)}</code></pre>`}
        ${each === "twins" &&
        html`<${Button} icon="plus" tone="primary" onClick=${() => open(AddTwin)}>${t("twins.add")}<//>
          ${!may("operate") && html`<p class="hint">${t("needs_sign_in")}</p>`}`}
        ${each === "neighbours" && html`<a class="link" href="#/microgrid">${t("nav.microgrid")}</a>`}
      </section>`,
    )}
    <section class="card step demo">
      <h2>${t("first.demo")}</h2>
      <p>${t("first.demo_text")}</p>
      <pre class="code"><code>make demo</code></pre>
    </section>
  </div>`;
}
