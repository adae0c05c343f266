// The page System: is the node well, in plain words, and what to do; memory, work, meters, links, disk.

import { html } from "./preact.js";
import { get, session } from "./api.js";
import { Configuration } from "./configuration.js";
import { health, snapshot } from "./live.js";
import { t, textOr } from "./texts.js";
import { Card, Chip, Failed, Icon, Loading, Page, label, rich, sentence, useLoaded } from "./widgets.js";
import { bytes, duration, moment, number, percent, shortDate, watts } from "./units.js";

const BUDGET_MB = 64;

export default function System() {
  const well = useLoaded((abort) => get("/health", { signal: abort }), "health", 5000);
  const node = useLoaded((abort) => get("/node", { signal: abort }), "node", 5000);
  const meters = useLoaded((abort) => get("/meters", { signal: abort }), "meters", 5000);
  const learning = useLoaded((abort) => get("/learning", { signal: abort }), "learning", 15_000);
  const now = well.value ?? health.value;
  if (well.error && !now) return html`<${Page} title=${t("nav.system")}><${Failed} error=${well.error} again=${well.again} /><//>`;
  if (!now) return html`<${Page} title=${t("nav.system")}><${Loading} /><//>`;
  const release = session.value.version || now.version;
  return html`<${Page} title=${t("nav.system")} lead=${t("system.lead", { node: label(now.node), version: release, d: duration(now.uptime_s) })}>
    <${Troubles} of=${now} />
    <div class="columns even">
      <${Memory} of=${now} space=${node.value?.space} />
      <${Work} of=${now} />
    </div>
    <${Meters} meters=${meters} buses=${now.meters ?? []} />
    <${Links} of=${now} />
    <div class="columns even">
      <${Disk} file=${learning.value?.history} of=${now} />
      <${Identity} of=${now} />
    </div>
    <${Configuration} />
  <//>`;
}

function Troubles({ of }) {
  const troubles = of.troubles ?? [];
  const warnings = of.warnings ?? [];
  const good = !troubles.length;
  return html`<section class="headline ${good ? "ok" : "bad"}">
      <p class="headline-text"><span class="headline-icon"><${Icon} name=${good ? "check" : "alert"} size="22" /></span>${good ? t("system.well") : t("system.troubles", { n: troubles.length })}</p>
    </section>
    ${troubles.length + warnings.length > 0 &&
    html`<ul class="troubles">${[...troubles.map((each) => [each, "bad"]), ...warnings.map((each) => [each, "warn"])].map(
      ([each, tone], i) => html`<li class="card trouble ${tone}" key=${i}>
        <p class="trouble-title"><${Icon} name="alert" size="18" /><b>${each.subject}</b> <${Chip} tone=${tone}>${t(`system.${tone}`)}<//></p>
        <p>${sentence(each.text)}</p>
        <p class="advice"><b>${t("system.what_to_do")}</b> ${rich(textOr(`advice.${each.code}`, t("advice.other")))}</p>
      </li>`,
    )}</ul>`}`;
}

const Gauge = ({ share, text, mark }) => html`<div class="gauge">
  <div class="gauge-bar ${share > 0.92 ? "bad" : share > 0.8 ? "warn" : ""}" role="img" aria-label=${text}>
    <span style=${{ width: `${Math.min(100, 100 * share)}%` }}></span>
    ${mark != null && html`<i style=${{ left: `${Math.min(100, 100 * mark)}%` }}></i>`}
  </div>
</div>`;

function Memory({ of, space }) {
  const rows = space
    ? [["lsas", space.lsas], ["properties", space.properties], ["heap_blocks", space.heap_blocks], ["names", space.names]]
    : [];
  return html`<${Card} title=${t("system.memory")} hint=${t("system.memory_hint", { n: BUDGET_MB })}>
    <p class="big-line"><span class="figure big ${of.rss_mb == null ? "unknown" : ""}">${number(of.rss_mb, 1)}<span class="unit">\u00a0MB</span></span>
      <span class="muted">${t("system.of_budget", { n: BUDGET_MB, hwm: `${number(of.hwm_mb, 1)}\u00a0MB` })}</span></p>
    <${Gauge} share=${(of.rss_mb ?? 0) / BUDGET_MB} mark=${of.hwm_mb == null ? null : of.hwm_mb / BUDGET_MB} text=${t("system.memory_of", { now: number(of.rss_mb, 1), n: BUDGET_MB })} />
    ${rows.map(([name, [used, size]]) => html`<div class="gauge-row" key=${name}><span>${t(`system.${name}`)}</span><${Gauge} share=${used / size} text=${t("system.used_of", { used, size })} /><span class="muted small">${number(used)} / ${number(size)}</span></div>`)}
  <//>`;
}

function Work({ of }) {
  return html`<${Card} title=${t("system.work")} hint=${t("system.work_hint")}>
    <dl class="pairs">
      <div><dt>${t("system.reactions")}</dt><dd>${number(of.reactions)}</dd></div>
      <div><dt>${t("system.latest")}</dt><dd>${of.longest_reaction_ms == null ? "–" : `${number(of.longest_reaction_ms)}\u00a0ms`}</dd></div>
      <div><dt>${t("system.readings")}</dt><dd>${number(of.readings)}</dd></div>
      <div><dt>${t("system.undefined")}</dt><dd>${number(of.readings_undefined)}</dd></div>
      <div><dt>${t("system.checked")}</dt><dd>${number(of.invariants_checked)} ${of.invariants_broken ? html`<${Chip} tone="bad">${t("system.broken", { n: of.invariants_broken })}<//>` : html`<${Chip} tone="ok">${t("system.none_broken")}<//>`}</dd></div>
      <div><dt>${t("system.failures")}</dt><dd>${number(of.failures + of.faults)}</dd></div>
      <div><dt>${t("system.dropped")}</dt><dd>${number(Object.values(of.dropped ?? {}).reduce((sum, each) => sum + each, 0))}</dd></div>
    </dl>
  <//>`;
}

function Meters({ meters, buses }) {
  const list = meters.value;
  const states = new Map(buses.flatMap((bus) => (bus.meters ?? []).map((each) => [each.device, { ...each, bus }])));
  return html`<${Card} title=${t("system.meters")} hint=${t("system.meters_hint")}>
    ${meters.error && !list && html`<${Failed} error=${meters.error} again=${meters.again} />`}
    ${list && !list.length && html`<p class="muted">${rich(t("system.no_meters"))}</p>`}
    ${list?.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label=${t("system.meters")}><table>
      <thead><tr><th>${t("system.meter")}</th><th>${t("state")}</th><th class="right">${t("power")}</th><th class="right">${t("system.age")}</th><th class="right">${t("system.voltage")}</th><th class="right">${t("system.good")}</th></tr></thead>
      <tbody>${list.map((each) => {
        const total = each.powers.total ?? Object.values(each.powers)[0];
        const state = states.get(each.meter);
        const failing = state ? state.failures_in_a_row > 0 : total?.power_w == null;
        const old = total && total.age_s > 30;
        const voltage = each.record["l1.voltage_v"] ?? each.record.voltage_v;
        return html`<tr key=${each.meter}><td><b>${each.meter}</b> <span class="muted small">${each.profile}, ${each.bus} ${each.address}</span></td>
          <td>${failing ? html`<${Chip} tone="bad">${t("system.meter_fails")}<//>` : old ? html`<${Chip} tone="warn">${t("system.meter_old")}<//>` : html`<${Chip} tone="ok">${t("system.meter_good")}<//>`}</td>
          <td class="right">${total ? watts(total.power_w) : "–"}</td><td class="right">${total ? duration(total.age_s) : "–"}</td>
          <td class="right">${voltage == null ? "–" : `${number(voltage, 1)}\u00a0V`}</td>
          <td class="right">${state?.reads ? percent(state.good / state.reads, 1) : "–"}</td></tr>`;
      })}</tbody></table></div>`}
    ${buses.filter((each) => each.trouble).map((each) => html`<p class="notice bad" key=${each.bus}><${Icon} name="alert" /><span>${each.bus}: ${each.trouble}</span></p>`)}
  <//>`;
}

function Links({ of }) {
  const inbox = of.links?.inbox;
  const neighbours = Object.entries(of.links?.neighbours ?? {});
  const chip = (up) => html`<${Chip} tone=${up ? "ok" : "bad"}>${t(up ? "microgrid.connected" : "microgrid.unreachable")}<//>`;
  return html`<${Card} title=${t("system.links")} hint=${t("system.links_hint")}>
    <div class="scroll" tabindex="0" role="region" aria-label=${t("system.links")}><table>
      <thead><tr><th>${t("system.link")}</th><th>${t("state")}</th><th class="right">${t("system.frames")}</th><th class="right">${t("system.bytes")}</th><th class="right">${t("system.lost")}</th></tr></thead>
      <tbody>
        ${inbox && html`<tr><td><b>${t("system.inbox")}</b></td><td>${chip(inbox.connected)}</td><td class="right">${number(inbox.received_frames)}</td><td class="right">${bytes(inbox.received_bytes)}</td><td class="right">${number(inbox.refused)}</td></tr>`}
        ${neighbours.map(([name, each]) => html`<tr key=${name}><td><a href="#/microgrid/${encodeURIComponent(name)}">${label(name)}</a>${each.trouble && html`<br /><span class="muted small">${each.trouble}</span>`}</td><td>${chip(each.connected)}</td>
          <td class="right">${number(each.sent_frames)}</td><td class="right">${bytes(each.sent_bytes)}</td><td class="right">${number(each.dropped)}</td></tr>`)}
      </tbody></table></div>
    ${!neighbours.length && html`<p class="quiet-line">${t("microgrid.alone")}</p>`}
  <//>`;
}

function Disk({ file, of }) {
  if (!file) return html`<${Card} title=${t("system.disk")}><${Loading} /><//>`;
  return html`<${Card} title=${t("system.disk")} hint=${file.file}>
    <dl class="pairs">
      <div><dt>${t("system.history")}</dt><dd>${bytes(file.bytes)}</dd></div>
      <div><dt>${t("system.rows")}</dt><dd>${number(file.written)}</dd></div>
      <div><dt>${t("system.waiting")}</dt><dd>${number(file.waiting)}</dd></div>
      <div><dt>${t("system.rows_lost")}</dt><dd>${number(file.lost)}</dd></div>
      <div><dt>${t("system.write_failures")}</dt><dd>${number((file.failures ?? 0) + (of.state_failures ?? 0))}</dd></div>
    </dl>
  <//>`;
}

function Identity({ of }) {
  const trust = of.trust;
  return html`<${Card} title=${t("system.identity")}>
    <dl class="pairs">
      <div><dt>${t("system.keys")}</dt><dd>${trust?.authentic ? html`<${Chip} tone="ok" icon="lock">${t("system.signed")}<//>` : html`<${Chip} tone="warn">${t("system.unsigned")}<//>`}</dd></div>
      ${trust?.cluster && html`<div><dt>${t("nav.microgrid")}</dt><dd>${trust.cluster}</dd></div>`}
      ${trust?.ends_s > 0 && html`<div><dt>${t("system.ends")}</dt><dd>${shortDate(trust.ends_s)} ${new Date(1000 * trust.ends_s).getFullYear()}</dd></div>`}
      ${trust && html`<div><dt>${t("system.members")}</dt><dd>${number(trust.members?.length ?? 0)}</dd></div>`}
      <div><dt>${t("system.you")}</dt><dd>${t(session.value.scopes.includes("configure") ? "system.may_configure" : session.value.scopes.includes("operate") ? "system.may_operate" : "system.may_read")}</dd></div>
      ${snapshot.value && html`<div><dt>${t("system.clock")}</dt><dd>${moment(snapshot.value.at_s)}</dd></div>`}
    </dl>
  <//>`;
}
