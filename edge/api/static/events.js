// What happened, newest first, with filters; and, where the node keeps them, the offers and what became of them.

import { html, useEffect, useState } from "./preact.js";
import { get, link, withQuery } from "./api.js";
import { happened, snapshot } from "./live.js";
import { minuteText } from "./now.js";
import { t, textOr } from "./texts.js";
import { Button, Card, Chip, Empty, Failed, Icon, Loading, Select, twinLabel } from "./widgets.js";
import { clockSeconds, dotted, duration, spoken, watts } from "./units.js";

const PAGE = 15;
const KINDS = ["start", "update", "stop", "expiry", "switch", "merge"];
const FILTERS = {
  all: () => true,
  unsatisfied: (each) => each.role === "request" && (each.cause === "tolerance" || each.kind === "expiry"),
  alert: (each) => ["withdrawn", "curtailed", "lost", "unconfirmed", "stop_order", "tolerance"].includes(each.cause),
};
const TONES = { start: "ok", stop: "", expiry: "", update: "accent", merge: "accent", switch: "warn" };

export function Events({ from, to, twin: only = "", live }) {
  const [twin, setTwin] = useState(only);
  const [kind, setKind] = useState("");
  const [filter, setFilter] = useState("all");
  const [state, setState] = useState({ events: null, next: null, error: null });
  const [tab, setTab] = useState("events");
  const [offers, moreOffers] = useOffers(tab === "offers", from, to, twin);
  const node = snapshot.value?.node ?? "";
  const query = { from: minuteText(from), to: minuteText(to), twin, kind };
  const load = async (cursor, before) => {
    try {
      const found = await get(withQuery("/events", { ...query, limit: PAGE, cursor }));
      setState({ events: [...before, ...found.events], next: found.next, error: null });
    } catch (error) {
      setState((old) => ({ ...old, error }));
    }
  };
  const fresh = live ? Math.floor((happened.value[0]?.at_s ?? 0) / 5) : 0; // at most every 5 s
  useEffect(() => {
    setState({ events: null, next: null, error: null });
    load("", []);
  }, [from, to, twin, kind]);
  useEffect(() => {
    if (fresh && state.events && state.events.length <= PAGE) load("", []);
  }, [fresh]);

  const twins = [["", t("events.all_twins")], ...(snapshot.value?.twins ?? []).map((each) => [each.name, twinLabel(each.name, node)])];
  const shown = (state.events ?? []).filter(FILTERS[filter]);
  const csv = link("/events", { ...query, format: "csv", limit: 1000 });
  return html`<${Card}
    title=${t("events.title")}
    hint=${t("events.hint")}
    aside=${html`<div class="tabs" role="group" aria-label=${t("events.title")}>
      ${["events", "offers"].map((each) => html`<button type="button" key=${each} class="tab" aria-pressed=${tab === each} onClick=${() => setTab(each)}>${t(`events.${each}`)}</button>`)}
    </div>`}
  >
    <div class="toolbar">
      ${!only && html`<${Select} label=${t("events.twin")} hideLabel value=${twin} options=${twins} onChange=${setTwin} />`}
      ${tab === "events" &&
      html`<${Select} label=${t("events.kind")} hideLabel value=${kind} options=${[["", t("events.all_kinds")], ...KINDS.map((each) => [each, t(`event.${each}`)])]} onChange=${setKind} />
        <${Select} label=${t("events.which")} hideLabel value=${filter} options=${Object.keys(FILTERS).map((each) => [each, t(`events.${each}`)])} onChange=${setFilter} />
        <a class="button" href=${csv} download><${Icon} name="download" size="18" /><span>CSV</span></a>`}
    </div>
    ${state.error && html`<${Failed} error=${state.error} again=${() => load("", [])} />`}
    ${tab === "offers"
      ? html`<${Offers} offers=${offers} node=${node} />`
      : state.events == null && !state.error
        ? html`<${Loading} />`
        : !shown.length
          ? html`<${Empty} icon="clock" title=${t("events.nothing")} />`
          : html`<ol class="timeline">
              ${shown.map((each) => html`<${Event} key=${`${each.twin}/${each.number}/${each.at_s}`} event=${each} node=${node} />`)}
            </ol>`}
    ${tab === "offers" && moreOffers && html`<${Button} onClick=${moreOffers}>${t("load_more")}<//>`}
    ${tab === "events" && state.next && html`<${Button} onClick=${() => load(state.next, state.events)}>${t("load_more")}<//>`}
  <//>`;
}

function Event({ event, node }) {
  const kind = textOr(`event.${event.kind}`, spoken(event.kind));
  const role = textOr(`role.${event.role}`, event.role);
  const cause = event.cause ? textOr(`cause.${event.cause}`, spoken(event.cause)) : "";
  const partner = event.partner ? twinLabel(event.partner, node) : "";
  const lasts = event.ends_s != null && event.begins_s != null && event.ends_s > event.begins_s ? duration(event.ends_s - event.begins_s) : "";
  return html`<li>
    <time>${clockSeconds(event.at_s)}</time>
    <span class="timeline-dot ${TONES[event.kind] ?? ""}" aria-hidden="true"></span>
    <div class="timeline-body">
      <p><b>${twinLabel(event.twin, node)}</b> ${t("events.line", { role, kind: kind.toLowerCase() })}
        ${event.complementary ? html` <${Chip}>${t("events.complementary")}<//>` : null}</p>
      <p class="muted small">${dotted([
        partner && (event.partners > 1 ? t("events.partners", { name: partner, n: event.partners - 1 }) : t("events.partner", { name: partner })),
        cause,
        lasts && event.kind !== "start" && event.kind !== "update" && t("events.lasted", { d: lasts }),
      ])}</p>
    </div>
    <span class="timeline-power">${watts(event.power_w)}</span>
  </li>`;
}

// undefined while they are loaded, null where the node keeps none; and what loads more, if there are more
function useOffers(wanted, from, to, twin) {
  const [state, setState] = useState({});
  const load = async (cursor, before, gone) => {
    try {
      const found = await get(withQuery("/offers", { from: minuteText(from), to: minuteText(to), twin, limit: 50, cursor }));
      if (!gone()) setState({ offers: [...before, ...found.offers], next: found.next });
    } catch {
      if (!gone()) setState({ offers: before.length ? before : null });
    }
  };
  useEffect(() => {
    let left = false;
    if (!wanted) return;
    setState({});
    load("", [], () => left);
    return () => (left = true);
  }, [wanted, from, to, twin]);
  return [state.offers, state.next && (() => load(state.next, state.offers, () => false))];
}

function Offers({ offers, node }) {
  if (offers === undefined) return html`<${Loading} />`;
  if (offers === null) return html`<${Empty} icon="clock" title=${t("offers.not_kept")} />`;
  if (!offers.length) return html`<${Empty} icon="clock" title=${t("offers.nothing")} />`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${t("events.offers")}><table>
    <thead><tr><th>${t("time")}</th><th>${t("flow.supplier")}</th><th>${t("flow.consumer")}</th><th class="right">${t("power")}</th><th>${t("offers.became")}</th></tr></thead>
    <tbody>${offers.map(
      (each, i) => html`<tr key=${i}><td>${clockSeconds(each.at_s)}</td><td>${twinLabel(each.supplier, node)}</td><td>${twinLabel(each.consumer, node)}</td>
        <td class="right">${watts(each.power_w)}</td><td>${textOr(`offer.${each.outcome}`, spoken(each.outcome))}</td></tr>`,
    )}</tbody>
  </table></div>`;
}
