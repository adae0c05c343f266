// The page Microgrid: all nodes as a graph with the own one in it, and what is known of the one that is chosen.

import { html, useState } from "./preact.js";
import { get } from "./api.js";
import { AddButton, AddNeighbour, cutNeighbour } from "./changes.js";
import { VARIABLES, powerOf, snapshot } from "./live.js";
import { go, route } from "./route.js";
import { t } from "./texts.js";
import { Topology } from "./topology.js";
import { Button, Card, Chip, Failed, Icon, Loading, Page, Power, label, useLoaded } from "./widgets.js";
import { duration, watts } from "./units.js";

const EVERY_MS = 5000;

export default function Microgrid() {
  const found = useLoaded((abort) => get("/microgrid", { signal: abort }), "microgrid", EVERY_MS);
  const [sorted, setSorted] = useState("distance");
  const aside = html`<${AddButton} Part=${AddNeighbour} scope="configure">${t("microgrid.add")}<//>`;
  if (found.error && !found.value) return html`<${Page} title=${t("nav.microgrid")}><${Failed} error=${found.error} again=${found.again} /><//>`;
  if (!found.value) return html`<${Page} title=${t("nav.microgrid")} aside=${aside}><${Loading} /><//>`;
  const grid = found.value;
  const chosen = grid.nodes.some((each) => each.name === route.value.arg) ? route.value.arg : "";
  const node = grid.nodes.find((each) => each.name === (chosen || grid.node));
  const choose = (name) => go("microgrid", name === chosen ? "" : name);
  const sum = snapshot.value?.microgrid;
  return html`<${Page} title=${t("nav.microgrid")} lead=${grid.nodes.length > 1 ? t("microgrid.lead", { n: grid.nodes.length, node: label(grid.node) }) : t("microgrid.alone")} aside=${aside}>
    ${sum?.powers_w && html`<section class="tiles" aria-label=${t("microgrid.sum", { n: sum.nodes_summed })}>
      ${VARIABLES.map((name) => html`<div class="tile" key=${name}><p class="tile-name">${t(`variable.${name}`)}</p><p class="tile-value"><${Power} w=${powerOf(sum.powers_w, name)} /></p></div>`)}
    </section>`}
    <div class="columns">
      <${Card} title=${t("microgrid.graph")} hint=${t("microgrid.graph_hint")} class="wide">
        <${Topology} microgrid=${grid} chosen=${chosen || grid.node} choose=${choose} />
        <ul class="key"><li><span class="key-line both"></span>${t("microgrid.key_both")}</li><li><span class="key-line one"></span>${t("microgrid.key_one")}</li><li><span class="key-line none"></span>${t("microgrid.key_none")}</li><li><span class="key-line guessed"></span>${t("microgrid.key_guessed")}</li></ul>
      <//>
      <${NodeDetail} node=${node} grid=${grid} />
    </div>
    ${grid.nodes.length > 1 && html`<${NodeList} grid=${grid} sorted=${sorted} setSorted=${setSorted} />`}
  <//>`;
}

function NodeDetail({ node, grid }) {
  const own = node.name === grid.node;
  const pairs = [
    [t("microgrid.distance"), own ? t("microgrid.here") : node.distance == null ? t("unit.unknown") : t("microgrid.hops", { n: node.distance })],
    !own && node.via && node.via !== node.name && [t("microgrid.via"), label(node.via)],
    !own && node.heard_s != null && [t("microgrid.heard"), t("ago", { d: duration(node.heard_s) })],
    ...VARIABLES.map((name) => [t(`variable.${name}`), node.powers_w ? html`<${Power} w=${powerOf(node.powers_w, name)} />` : null]),
  ].filter((each) => each && each[1] != null);
  return html`<${Card} title=${label(node.name)} class="node-detail"
    aside=${own ? html`<${Chip} tone="accent">${t("microgrid.this")}<//>` : node.neighbour ? html`<${Chip} tone=${node.connected ? "ok" : "bad"}>${t(node.connected ? "microgrid.connected" : "microgrid.unreachable")}<//>` : null}>
    <dl class="pairs">${pairs.map(([key, value]) => html`<div key=${key}><dt>${key}</dt><dd>${value}</dd></div>`)}</dl>
    ${!node.powers_w && html`<p class="muted small">${t(own ? "twin.unknown" : "microgrid.no_powers")}</p>`}
    ${!own && html`<div class="actions">
      ${pageOf(node) && html`<a class="button" href=${pageOf(node)} rel="noreferrer"><${Icon} name="right" size="18" /><span>${t("microgrid.open")}</span></a>`}
      ${node.neighbour && html`<${Button} icon="cut" tone="danger-text" onClick=${() => cutNeighbour(node.name)}>${t("microgrid.cut")}<//>`}
    </div>`}
  <//>`;
}

// The dashboard of another node, where its address is known and is one of a page.
function pageOf(node) {
  if (!node.address) return "";
  if (/^https?:\/\//.test(node.address)) return node.address;
  if (["127.0.0.1", "localhost", "::1"].includes(node.address)) return "";
  return `${location.protocol}//${node.address.includes(":") && !/:\d+$/.test(node.address) ? `[${node.address}]` : node.address}${/:\d+$/.test(node.address) ? "" : `:${location.port || 80}`}/`;
}

function NodeList({ grid, sorted, setSorted }) {
  const keys = {
    distance: (each) => each.distance ?? 99,
    consumed: (each) => -(powerOf(each.powers_w, "consumed") ?? -1),
    produced: (each) => -(powerOf(each.powers_w, "produced") ?? -1),
  };
  const nodes = [...grid.nodes].sort((a, b) => keys[sorted](a) - keys[sorted](b) || a.name.localeCompare(b.name));
  const head = (key, text) => html`<th class=${key === "distance" ? "" : "right"} aria-sort=${sorted === key ? "ascending" : "none"}><button type="button" class="sort" onClick=${() => setSorted(key)}>${text}${sorted === key ? " ↓" : ""}</button></th>`;
  return html`<${Card} title=${t("microgrid.nodes")}>
    <div class="scroll" tabindex="0" role="region" aria-label=${t("microgrid.nodes")}><table>
      <thead><tr><th>${t("field.node")}</th>${head("distance", t("microgrid.distance"))}<th>${t("microgrid.via")}</th>${head("consumed", t("variable.consumed"))}${head("produced", t("variable.produced"))}<th class="right">${t("variable.missing")}</th></tr></thead>
      <tbody>${nodes.map((each) => html`<tr key=${each.name}>
        <td><a href="#/microgrid/${encodeURIComponent(each.name)}">${label(each.name)}</a></td>
        <td>${each.name === grid.node ? t("microgrid.here") : each.distance == null ? t("unit.unknown") : t("microgrid.hops", { n: each.distance })}</td>
        <td>${each.via ? label(each.via) : "–"}</td>
        ${["consumed", "produced", "missing"].map((name) => html`<td class="right" key=${name}>${each.powers_w ? watts(powerOf(each.powers_w, name)) : "–"}</td>`)}
      </tr>`)}</tbody>
    </table></div>
    ${nodes.some((each) => !each.powers_w && each.name !== grid.node) && html`<p class="muted small">${t("microgrid.no_powers")}</p>`}
  <//>`;
}
