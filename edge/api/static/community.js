// The page Community: limits in force and the log of orders, credits, prices, storage, sharing, the statement of a month, the rules.

import { html, render, useState } from "./preact.js";
import { change, get, link, may, mayAll, withQuery } from "./api.js";
import { done } from "./changes.js";
import { Edit } from "./configuration.js";
import { close, open } from "./dialogs.js";
import { nowMs, snapshot } from "./live.js";
import { t, textOr } from "./texts.js";
import { Button, Card, Chip, Dialog, Empty, Failed, Form, Icon, Loading, Page, Sparkline, label, rich, twinLabel, useLoaded } from "./widgets.js";
import { clock, dotted, duration, energy, moment, number, percent, spoken, watts } from "./units.js";

const EVERY_MS = 5000;
const PAST_MS = 300_000;
const QUARTER_S = 900;
const DAY = 96; // quarter-hours
const ROWS = 12;
const SLOTS = 4;
const RULES = ["response", "pricing", "energy_mix", "connection", "emergency", "flexibility", "sharing_key", "data", "management"];

const nameOf = (twin) => twinLabel(twin, snapshot.value?.node ?? "");
const money = (value) => (value > 0 && value < 0.005 ? `< ${number(0.01, 2)}` : number(value, 2));
const price = (value) => (value == null ? "–" : number(value, 3));
const wattHours = (wh) => (wh && Math.abs(wh) < 100 ? `${number(wh, 2)}\u00a0Wh` : energy(wh));
const Pairs = ({ of }) => html`<dl class="pairs">${of.filter(Boolean).map(([key, value]) => html`<div key=${key}><dt>${key}</dt><dd>${value}</dd></div>`)}</dl>`;
function Table({ name, head, rows, most: first = ROWS }) {
  const [most, setMost] = useState(first);
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${name}><table>
  <thead><tr>${head.map((each, i) => html`<th key=${i} class=${each[1]}>${each[0]}</th>`)}</tr></thead>
  <tbody>${rows.slice(0, most).map((cells, i) => html`<tr key=${i}>${cells.map((each, j) => html`<td key=${j} class=${head[j][1]}>${each}</td>`)}</tr>`)}</tbody></table></div>
  ${rows.length > most && html`<${Button} onClick=${() => setMost(rows.length)}>${t("community.all", { n: rows.length })}<//>`}`;
}
// The last day of one: what did not change in a quarter-hour is in no row. `by` names it, `value` its figure.
function Trend({ rows = [], from, by, of, value, show }) {
  const values = Array(DAY).fill(null);
  rows.forEach((row) => row[by] === of && values.fill(row[value], Math.max(0, Math.floor(((row.at_s ?? row.start_s) - from) / QUARTER_S))));
  const known = values.filter((each) => each != null);
  if (!known.length) return "–";
  return html`<${Sparkline} values=${values} least=${1e-9} /><span class="muted small">${[...new Set([Math.min(...known), Math.max(...known)].map(show))].join(" … ")}</span>`;
}
const Hint = ({ text }) => html`<p class="muted">${rich(text)}</p>`;

export default function Community() {
  const found = useLoaded(
    async (abort) => {
      const [community, limits, orders] = await Promise.all(["/community", "/limits", `/orders?limit=${ROWS}`].map((path) => get(path, { signal: abort })));
      return { community, limits, orders };
    },
    "community",
    EVERY_MS,
  );
  const past = useLoaded((abort) => get("/accounts", { signal: abort }), "accounts", PAST_MS).value ?? {};
  const title = t("nav.community");
  if (found.error && !found.value) return html`<${Page} title=${title}><${Failed} error=${found.error} again=${found.again} /><//>`;
  if (!found.value) return html`<${Page} title=${title}><${Loading} /><//>`;
  const { community, limits, orders } = found.value;
  const rules = community.rules;
  const lead = rules ? t(rules.management === "external" ? "community.lead_external" : "community.lead", { name: rules.name || t("community.unnamed") }) : t("community.lead_none");
  return html`<${Page} title=${title} lead=${lead}>
    ${!rules && html`<${Card}><${Empty} icon="community" title=${t("community.none")}><p>${rich(t("community.none_text"))}</p><//><//>`}
    <div class="columns even">
      <${Limits} limits=${limits} again=${found.again} />
      <${Storages} all=${community.storages} donations=${community.donations} past=${past} />
    </div>
    ${(limits.regulated || orders.length > 0) && html`<${Orders} orders=${orders} />`}
    ${rules && html`<${Credits} all=${community.prosumers} rules=${rules} past=${past} />
      <div class="columns even"><${Prices} all=${community.suppliers} past=${past} /><${Sharing} community=${community} /></div>`}
    ${rules && html`<${Rules} rules=${rules} again=${found.again} />`}
    <${Statement} />
  <//>`;
}

const scopeOf = (scope) => (scope === "connection" ? t("community.connection") : label(scope));
const sourceOf = (source) => (source === "failsafe" ? t("community.failsafe") : source.replace(/^(api|mqtt):/, ""));

function Limits({ limits, again }) {
  const title = t("community.limits");
  if (!limits.regulated) return html`<${Card} title=${title}><${Hint} text=${t("community.no_regulator")} /><//>`;
  const end = async (source) => {
    await change("DELETE", `/limits/${source.slice(4)}`);
    done(t("community.ended"));
    again();
  };
  return html`<${Card} title=${title} hint=${t("community.limits_hint")}
    aside=${mayAll() && html`<${Button} icon="plus" onClick=${() => open(OrderLimit, { again })}>${t("community.order")}<//>`}>
    ${!limits.in_force.length && html`<p class="quiet-line"><${Icon} name="check" size="18" />${t("community.no_limit")}</p>`}
    <ul class="rows">${limits.in_force.map((each) => html`<li class="row" key=${each.direction + each.scope}>
      <span class="row-main"><b>${t(`limit.${each.direction}`, { w: watts(each.power_w) })}</b>
        <span class="muted">${dotted([scopeOf(each.scope), t("community.by", { name: sourceOf(each.source) }), t("community.measured", { w: watts(each.measured_w) }), each.until_s != null && t("community.left", { d: duration(each.until_s - nowMs.value / 1000) })])}</span></span>
      <${Chip} tone=${each.measured_w > each.power_w ? "bad" : "ok"}>${t(each.measured_w > each.power_w ? "community.exceeded" : "community.kept")}<//>
      ${each.source.startsWith("api:") && may("operate") && html`<${Button} onClick=${() => end(each.source)}>${t("community.end")}<//>`}
    </li>`)}</ul>
    ${limits.held_back.length > 0 && html`<h3>${t("community.held")}</h3><ul class="rows">${limits.held_back.map((each) => html`<li class="row" key=${each.twin}>
      <span class="row-main"><b>${label(each.twin)}</b><span class="muted">${textOr(`order.${each.reason}`, spoken(each.reason))} · ${t("community.review", { d: duration(each.review_s) })}</span></span>
      <span>${each.left_w ? t("community.at_most", { w: watts(each.left_w) }) : t("community.off")}</span></li>`)}</ul>`}
    ${limits.controller && html`<p class="hint">${t(limits.failsafe ? "community.silent" : "community.heard", { name: limits.controller })}</p>`}
  <//>`;
}

function OrderLimit({ again }) {
  const submit = async ({ direction, power_w, minutes }) => {
    const body = { direction, power_w: Number(power_w), ...(minutes && { lasts_s: 60 * Number(minutes) }) };
    await change("PUT", "/limits/dashboard", body);
    done(t("community.ordered"));
    again();
  };
  const fields = [
    { name: "direction", label: t("community.direction"), options: ["consume", "feed_in"].map((each) => [each, t(`community.${each}`)]) },
    { name: "power_w", label: t("power"), unit: "W", type: "number", min: 0, step: "any", required: true },
    { name: "minutes", label: t("community.lasts"), unit: "min", type: "number", min: 1, hint: t("community.lasts_hint") },
  ];
  return html`<${Dialog} title=${t("community.order")} onClose=${close}><${Form} intro=${t("community.order_hint")} fields=${fields} values=${{ power_w: 4200 }} submit=${submit} label=${t("community.order")} onClose=${close} /><//>`;
}

function Orders({ orders }) {
  const title = t("community.orders");
  return html`<${Card} title=${title} hint=${t("community.orders_hint")}
    aside=${html`<a class="button" href=${link("/orders", { format: "csv" })} download="orders.csv"><${Icon} name="download" size="18" /><span>CSV</span></a>`}>
    ${!orders.length ? html`<${Empty} icon="clock" title=${t("community.no_orders")} />` : html`<${Table} name=${title}
      head=${[[t("time")], [t("community.what")], [t("community.of")], [t("community.who")], [t("community.before"), "right"], [t("community.limit"), "right"], [t("community.after"), "right"], [t("community.highest"), "right"]]}
      rows=${orders.map((each) => [
        html`${moment(each.created_s)}<br /><span class="muted small">${each.finished_s ? t("community.to", { time: moment(each.finished_s) }) : t("community.running")}</span>`,
        textOr(`order.${each.kind}`, spoken(each.kind)), scopeOf(each.subject), sourceOf(each.source),
        ...["start_w", "limit_w", "after_w", "highest_w"].map((key) => (each[key] == null ? "–" : watts(each[key]))),
      ])} />`}
  <//>`;
}

function Storages({ all, donations, past }) {
  const title = t("community.storage");
  if (!all.length && !donations.length) return html`<${Card} title=${title}><${Hint} text=${t("community.no_storage")} /><//>`;
  return html`<${Card} title=${title}>
    ${all.map((each) => {
      const share = each.level_wh == null ? null : each.level_wh / each.capacity_wh;
      const flow = each.charging_w ? t("community.charging", { w: watts(each.charging_w) }) : each.giving_w ? t("community.giving", { w: watts(each.giving_w) }) : t("twin.idle");
      const text = share == null ? t("unit.unknown") : `${percent(share)} · ${energy(each.level_wh)} / ${energy(each.capacity_wh)}`;
      return html`<div key=${each.twin}><p class="big-line"><b>${nameOf(each.twin)}</b> ${each.common && html`<${Chip} tone="accent">${t("community.common")}<//>`} <span class="muted">${flow}</span></p>
        <div class="gauge-bar" role="img" aria-label=${text}><span style=${{ width: `${100 * (share ?? 0)}%` }}></span></div>
        <${Pairs} of=${[
          [t("community.level"), text],
          [t("community.day"), html`<${Trend} rows=${past.levels} from=${past.from_s} by="twin" of=${each.twin} value="level_wh" show=${energy} />`],
          each.reserve_wh > 0 && [t("community.reserve"), energy(each.reserve_wh)],
          [t("community.taken"), wattHours(each.taken_wh)],
          [t("community.gave"), wattHours(each.given_wh)],
          each.common && [t("community.donors"), number(each.donors)],
        ]} /></div>`;
    })}
    ${donations.length > 0 && html`<h3>${t("community.donations")}</h3><${Pairs} of=${donations.map((each) => [nameOf(each.twin), each.storage ? html`${wattHours(each.given_wh)} <span class="muted small">→ ${nameOf(each.storage)}</span>` : t("community.no_target")])} />`}
  <//>`;
}

function Credits({ all, rules, past }) {
  const title = t("community.credits");
  return html`<${Card} title=${title} hint=${t(`response.${rules.response}`, { wh: number(rules.tolerance_wh, 1) })}>
    ${!all.length ? html`<${Empty} icon="twins" title=${t("twins.none")} />` : html`<${Table} name=${title}
      head=${[[t("events.twin")], [t("community.credit"), "right"], [t("community.day")], [t("community.received"), "right"], [t("community.gave"), "right"], [t("community.paid"), "right"], [t("community.earned"), "right"], [t("community.mean"), "right"]]}
      rows=${all.map((each) => [
        nameOf(each.twin), html`<${Chip} tone=${each.credit_wh < 0 ? "bad" : each.credit_wh > 0 ? "ok" : ""}>${wattHours(each.credit_wh)}<//>`,
        html`<${Trend} rows=${past.accounts} from=${past.from_s} by="twin" of=${each.twin} value="credit_wh" show=${wattHours} />`,
        wattHours(each.received_wh), wattHours(each.given_wh), money(each.paid), money(each.earned), price(each.mean_price),
      ])} /><p class="hint">${t("community.since_start")}</p>`}
  <//>`;
}

function Prices({ all, past }) {
  const title = t("community.prices");
  return html`<${Card} title=${title} hint=${t("community.prices_hint")}>
    ${!all.length ? html`<${Hint} text=${t("community.no_prices")} />` : html`<${Table} name=${title}
      head=${[[t("flow.supplier")], [t("nav.now"), "right"], [t("community.day")], [t("community.later")], [t("community.free"), "right"]]}
      rows=${all.map((each) => [
        nameOf(each.supplier), price(each.slots[0]?.rate),
        html`<${Trend} rows=${past.prices} from=${past.from_s} by="supplier" of=${each.supplier} value="rate" show=${price} />`,
        html`<span class="muted small">${each.slots.slice(1, SLOTS).map((slot) => `${clock(slot.from_s)}\u00a0${price(slot.rate)}`).join(", ") || "–"}</span>`,
        html`${watts(each.left_w)}<br /><span class="muted small">/ ${watts(each.capacity_w)}</span>`,
      ])} />`}
  <//>`;
}

function Sharing({ community }) {
  const all = community.sharing;
  const known = Object.fromEntries(community.experience.map((each) => [each.member, each.experienced_wh]));
  const mean = community.comparison;
  return html`<${Card} title=${t("community.sharing")} hint=${t("community.sharing_hint")}>
    ${!all.length && html`<p class="quiet-line">${t("community.no_sharing")}</p>`}
    <ul class="rows">${all.map((each) => html`<li class="row" key=${each.member}>
      <span class="row-main"><b>${label(each.member)}</b>${known[each.member] != null && html`<span class="muted">${t("community.experience", { wh: wattHours(known[each.member]) })}</span>`}</span>
      <span class="right">${[each.received_w && t("community.from", { w: watts(each.received_w) }), each.given_w && t("community.into", { w: watts(each.given_w) })].filter(Boolean).map((text) => html`<span key=${text}>${text}<br /></span>`)}</span>
    </li>`)}</ul>
    ${mean && html`<p class="hint">${t("community.compared", { own: watts(mean.own_requested_w), mean: watts(mean.mean_requested_w), n: mean.nodes })}</p>`}
  <//>`;
}

const monthOf = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}`;

function Statement() {
  const thisMonth = monthOf(new Date(nowMs.value));
  const [month, setMonth] = useState(thisMonth);
  const found = useLoaded((abort) => get(withQuery("/statement", { month }), { signal: abort }), month);
  const title = t("community.statement");
  const rows = (found.stale ? [] : found.value?.twins ?? []).flatMap((twin) => [
    [html`<b>${nameOf(twin.twin)}</b>`, t("community.meter"), energy(twin.drawn_wh), energy(twin.given_wh), twin.paid == null ? "–" : money(twin.paid), twin.earned == null ? "–" : money(twin.earned), twin.quality === "measured" ? "" : t(`quality.${twin.quality}`)],
    ...twin.partners.map((each) => ["", nameOf(each.partner), energy(each.drawn_wh), energy(each.given_wh), "", "", ""]),
  ]);
  const line = (name, what, more, less, paid, quality) => rows.push([name && html`<b>${label(name)}</b>`, t(what), energy(more), energy(less), money(Math.max(0, paid)), money(Math.max(0, -paid)), quality]);
  for (const each of found.stale ? [] : found.value?.market ?? []) {
    line(each.member, "community.day_market", each.bought_wh, each.sold_wh, each.paid, "");
    line("", "community.deviations", each.more_wh, each.less_wh, each.paid_balancing, each.unknown_steps ? t("quality.missing") : "");
  }
  const head = [[t("events.twin")], [t("community.with")], [t("community.drawn"), "right"], [t("community.gave"), "right"], [t("community.paid"), "right"], [t("community.earned"), "right"], [""]];
  const save = () => {
    const page = document.createElement("div");
    render(html`<${Table} name=${title} head=${head} rows=${rows} most=${rows.length} />`, page);
    const table = page.querySelector("table").outerHTML;
    const text = `<!doctype html><meta charset="utf-8"><title>${title} ${month}</title><style>body{font:15px sans-serif;margin:2em}td,th{padding:4px 12px;text-align:left}.right{text-align:right}</style><h1>${title} ${month}</h1><p>${snapshot.value?.node ?? ""}</p>${table}`;
    const at = URL.createObjectURL(new Blob([text], { type: "text/html" }));
    Object.assign(document.createElement("a"), { href: at, download: `statement-${month}.html` }).click();
    setTimeout(() => URL.revokeObjectURL(at), 1000);
  };
  return html`<${Card} id="statement" title=${title} hint=${t("community.statement_hint")}
    aside=${html`<label><span class="sr">${t("community.month")}</span><input type="month" value=${month} max=${thisMonth} onChange=${(event) => /^20\d\d-\d\d$/.test(event.target.value) && setMonth(event.target.value)} /></label>
      <a class="button" href=${link("/statement", { month, format: "csv" })} download="statement-${month}.csv"><${Icon} name="download" size="18" /><span>CSV</span></a>
      <${Button} icon="download" disabled=${!rows.length} onClick=${save}>HTML<//>`}>
    ${found.error ? html`<${Failed} error=${found.error} again=${found.again} />` : found.stale ? html`<${Loading} />` : !rows.length ? html`<${Empty} icon="clock" title=${t("community.no_statement")} />` : html`<${Table} name=${title}
head=${head} rows=${rows} />`}
  <//>`;
}

function Rules({ rules, again }) {
  const edit = async () => {
    const { tables } = await get("/configuration");
    const keys = tables.find((each) => each.section === "community").keys.filter((each) => each.running);
    open(Edit, { section: "community", keys, again }, "configure");
  };
  return html`<${Card} title=${t("community.rules")} hint=${t("community.rules_hint")}
    aside=${may("configure") && html`<${Button} icon="edit" onClick=${edit}>${t("community.edit")}<//>`}>
    <${Pairs} of=${RULES.map((key) => [t(`rule.${key}`), textOr(`rule.${key}.${rules[key]}`, spoken(rules[key]))])} />
  <//>`;
}
