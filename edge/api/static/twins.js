// The page Twins: every device as a card with its state in a word; the detail of one, and what may be done with it.

import { html, useState } from "./preact.js";
import { may, withQuery } from "./api.js";
import { AddButton, AddTwin, ModifyTwin, removeTwin, restartTwin, stopTwin } from "./changes.js";
import { open } from "./dialogs.js";
import { Events } from "./events.js";
import { nowMs, snapshot } from "./live.js";
import { minuteText } from "./now.js";
import { optional } from "./outlook.js";
import { dayStart, nextDay } from "./day.js";
import { route } from "./route.js";
import { t, textOr } from "./texts.js";
import { Button, Card, Chip, Choice, Empty, Icon, Loading, Page, Power, iconOf, label, twinLabel, useLoaded } from "./widgets.js";
import { duration, energy, shortName, titled, watts } from "./units.js";

// what a person would say of it: [tone, text]
export function stateOf(twin) {
  if (twin.stopped || twin.disabled) return ["", t("twin.stopped")];
  if (twin.known === false) return ["warn", t("twin.unknown")];
  if (twin.gave_up) return ["bad", t("twin.gave_up")];
  if (twin.waiting_s > 0) return ["bad", t("twin.waits", { d: duration(twin.waiting_s) })];
  if (twin.requested_w > 0) return ["ok", t("twin.supplied")];
  if (twin.supplied_w > 0) return ["ok", t("twin.supplies")];
  if (twin.produced_w > 0) return ["accent", t("twin.ready")];
  return ["", t("twin.idle")];
}

const FILTERS = {
  all: () => true,
  consumers: (twin) => !twin.source || twin.requested_w > 0,
  suppliers: (twin) => Boolean(twin.source),
  waiting: (twin) => twin.waiting_s > 0 || twin.gave_up || twin.known === false,
};

export default function Twins() {
  const newest = snapshot.value;
  const [filter, setFilter] = useState("all");
  const [text, setText] = useState("");
  if (!newest) return html`<${Page} title=${t("nav.twins")}><${Loading} /><//>`;
  const name = route.value.arg;
  if (name) return html`<${Detail} name=${name} newest=${newest} />`;
  const all = newest.twins;
  const found = all
    .filter(FILTERS[filter])
    .filter((twin) => label(twin.name).includes(label(text.toLowerCase())))
    .sort((a, b) => a.name.localeCompare(b.name));
  return html`<${Page} title=${t("nav.twins")} lead=${t("twins.lead", { n: all.length })} aside=${html`<${AddButton} Part=${AddTwin}>${t("twins.add")}<//>`}>
    ${all.length > 0 &&
    html`<div class="toolbar">
      <${Choice} label=${t("twins.which")} name="which" value=${filter} onChange=${setFilter}
        options=${Object.keys(FILTERS).map((each) => [each, `${t(`twins.${each}`)} ${all.filter(FILTERS[each]).length}`])} />
      ${all.length > 8 && html`<label class="search"><span class="sr">${t("search")}</span><input type="search" placeholder=${t("search")} value=${text} onInput=${(event) => setText(event.target.value)} /></label>`}
    </div>`}
    ${!all.length && html`<${Card}><${Empty} icon="twins" title=${t("twins.none")}><p>${t("twins.none_text")}</p><//><//>`}
    ${all.length > 0 && !found.length && html`<${Card}><${Empty} icon="check" title=${t("twins.nothing_found")} /><//>`}
    <ul class="cards">${found.map((twin) => html`<${TwinCard} key=${twin.name} twin=${twin} newest=${newest} />`)}</ul>
  <//>`;
}

function TwinCard({ twin, newest }) {
  const [tone, text] = stateOf(twin);
  const supplies = Boolean(twin.source);
  const [now, most] = supplies ? [twin.supplied_w, twin.produced_w] : [twin.consumed_w, twin.requested_w];
  const share = most > 0 ? Math.min(1, now / most) : 0;
  return html`<li class="card twin">
    <a href="#/twins/${encodeURIComponent(twin.name)}" aria-label="${twinLabel(twin.name, newest.node)}, ${text}">
      <span class="twin-head"><span class="twin-icon source-${supplies ? twin.source : "use"}"><${Icon} name=${iconOf(twin)} /></span>
        <span class="twin-name">${twinLabel(twin.name, newest.node)}</span></span>
      <span class="twin-figures"><${Power} w=${supplies ? now : twin.known === false ? null : now} class="big" />
        <span class="muted">${most != null && most > 0 ? t(supplies ? "twin.of_ready" : "twin.of_needed", { w: watts(most) }) : ""}</span></span>
      <span class="bar ${supplies ? `source-${twin.source}` : "source-use"} ${share < 1 && !supplies && most > 0 ? "short" : ""}" aria-hidden="true"><span style=${{ width: `${100 * share}%` }}></span></span>
      <${Chip} tone=${tone}>${text}<//>
    </a>
  </li>`;
}

function Detail({ name, newest }) {
  const twin = newest.twins.find((each) => each.name === name) ?? newest.twins.find((each) => shortName(each.name, newest.node) === name);
  const back = html`<a class="back" href="#/twins"><${Icon} name="left" size="18" />${t("nav.twins")}</a>`;
  if (!twin) return html`<${Page} title=${twinLabel(name, newest.node)} back=${back}><${Card}><${Empty} icon="twins" title=${t("twin.gone")}><p>${t("twin.gone_text")}</p><//><//><//>`;
  const [tone, text] = stateOf(twin);
  const flows = newest.flows.filter((each) => each.supplier === twin.name || each.consumer === twin.name);
  const supplies = Boolean(twin.source);
  const pairs = [
    !supplies || twin.requested_w > 0 ? [t("twin.needs"), html`<${Power} w=${twin.requested_w} />`] : null,
    !supplies || twin.consumed_w > 0 ? [t("twin.gets"), html`<${Power} w=${twin.consumed_w} />`] : null,
    supplies ? [t("twin.produces"), html`<${Power} w=${twin.produced_w} />`] : null,
    supplies ? [t("twin.gives"), html`<${Power} w=${twin.supplied_w} />`] : null,
    supplies ? [t("twin.offered"), html`<${Power} w=${twin.offered_w} />`] : null,
    twin.response_s != null ? [t("twin.response"), twin.response_s < 1 ? `${Math.round(1000 * twin.response_s)}\u00a0ms` : duration(twin.response_s)] : null,
  ].filter(Boolean);
  const today = dayStart();
  return html`<${Page}
    title=${twinLabel(twin.name, newest.node)} back=${back}
    aside=${html`<div class="actions">
      <${Button} icon="edit" onClick=${() => open(ModifyTwin, { twin })}>${t("twins.modify")}<//>
      ${twin.stopped || twin.disabled
        ? html`<${Button} icon="restart" onClick=${() => restartTwin(twin)}>${t("twins.restart")}<//>`
        : html`<${Button} icon="stop" onClick=${() => stopTwin(twin)}>${t("twins.stop")}<//>`}
      <${Button} icon="close" tone="danger-text" onClick=${() => removeTwin(twin)}>${t("remove")}<//>
    </div>`}
  >
    <section class="headline ${tone === "bad" ? "bad" : tone === "warn" ? "warn" : "ok"}">
      <p class="headline-text"><span class="headline-icon"><${Icon} name=${iconOf(twin)} size="22" /></span>${text}</p>
    </section>
    <div class="columns three">
      <${Card} title=${t("power")}><dl class="pairs">${pairs.map(([key, value]) => html`<div key=${key}><dt>${key}</dt><dd>${value}</dd></div>`)}</dl><//>
      <${Card} title=${t("twin.contracts")} hint=${t("twin.contracts_hint")}>
        ${!flows.length && html`<p class="quiet-line">${t("twin.no_contracts")}</p>`}
        <ul class="rows">${flows.map((each) => {
          const other = each.supplier === twin.name ? each.consumer : each.supplier;
          return html`<li key=${`${each.supplier}/${each.consumer}/${each.w}`}><span class="row">
            <span class="row-main"><b>${twinLabel(other, newest.node)}</b>
              <span class="muted">${t(each.supplier === twin.name ? "twin.receives_from_here" : "twin.delivers")}${each.since_s ? `, ${t("since", { d: duration(Math.max(0, newest.at_s - each.since_s)) })}` : ""}</span></span>
            <${Power} w=${each.w} /></span></li>`;
        })}</ul>
      <//>
      <${Device} twin=${twin} newest=${newest} />
      <${TwinEnergy} twin=${twin} from=${today} node=${newest.node} />
    </div>
    <${Events} key=${twin.name} from=${today} to=${nextDay(today, 1)} twin=${twin.name} live />
    ${!may("operate") && html`<p class="hint">${t("needs_sign_in")}</p>`}
  <//>`;
}

function Device({ twin, newest }) {
  const entries = [
    [t("twin.kind"), textOr(`kind.${twin.kind}`, twin.source ? t(`source.${twin.source}`) : t("kind.load"))],
    [t("twin.node"), label(newest.node)],
    twin.category && [t("twin.category"), label(twin.category)],
    (twin.input || twin.sensor) && [t("twin.input"), twin.input || twin.sensor],
    [t("field.priority"), t(`priority.${twin.priority}`)],
    [t("twin.validated"), `${twin.validated} (${t("twin.across", { n: twin.validated_across })})`],
    twin.shed > 0 && [t("twin.shed"), twin.shed],
    twin.interrupted > 0 && [t("twin.interrupted"), twin.interrupted],
  ].filter(Boolean);
  return html`<${Card} title=${t("twin.device")}>
    <dl class="pairs">${entries.map(([key, value]) => html`<div key=${key}><dt>${key}</dt><dd>${value}</dd></div>`)}</dl>
  <//>`;
}

// Energy by partner of today. What a supplier gave to consumers of its node is noted with those.
function TwinEnergy({ twin, from, node }) {
  const begin = minuteText(from);
  const found = useLoaded(
    async (abort) => [await optional(withQuery("/energy", { from: begin, twin: twin.name }), abort), await optional(withQuery("/energy", { from: begin, partner: twin.name }), abort)],
    `${twin.name}/${Math.floor(nowMs.value / 300_000)}`,
  );
  const [own, others] = (found.value ?? []).map((each) => each?.partners ?? []);
  if (!own?.length) return null;
  const rows = [
    ...own.flatMap((each) => [
      [each.partner ? t("twin.energy_from", { name: twinLabel(each.partner, node) }) : t("twin.energy_device"), each.drawn_wh, each],
      [each.partner ? t("twin.energy_to", { name: twinLabel(each.partner, node) }) : t("twin.energy_device"), each.given_wh, each],
    ]),
    ...others.map((each) => [t("twin.energy_to", { name: twinLabel(each.twin, node) }), each.drawn_wh, each]),
  ].filter(([, wh]) => wh > 0);
  if (!rows.length) return null;
  return html`<${Card} title=${t("twin.energy")} hint=${t("day.today")}>
    <dl class="pairs">${rows.map(([name, wh, each]) => html`<div key=${name}><dt>${titled(name)}${each.quality !== "measured" && html` <${Chip}>${t("twin.energy_filled")}<//>`}</dt><dd class="whole">${energy(wh)}</dd></div>`)}</dl>
  <//>`;
}
