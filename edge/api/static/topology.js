// The microgrid as this node sees it: one column for each distance in hops. Only the own links are known for sure; of a
// far node it is known how far it is and through which neighbour it is heard, and no more is drawn.

import { html, useState } from "./preact.js";
import { label, useWidth } from "./widgets.js";
import { t } from "./texts.js";
import { watts } from "./units.js";
import { powerOf } from "./live.js";

const UNKNOWN = 99; // distance of a neighbour that is not heard

// Columns of nodes, and for each node but the own one the node that it hangs on.
export function columnsOf({ nodes, links, node: own }) {
  const far = (each) => (each.name === own ? 0 : (each.distance ?? (each.neighbour ? 1 : UNKNOWN)));
  const branch = (each) => (far(each) <= 1 ? each.name : each.via || "~");
  const byDistance = new Map();
  for (const each of [...nodes].sort((a, b) => branch(a).localeCompare(branch(b)) || a.name.localeCompare(b.name))) {
    const distance = far(each);
    byDistance.set(distance, [...(byDistance.get(distance) ?? []), each]);
  }
  const columns = [...byDistance].sort(([a], [b]) => a - b).map(([distance, list]) => ({ distance, nodes: list }));
  const known = unique(links);
  const parents = new Map();
  columns.forEach((column, i) => {
    if (!i) return;
    const before = columns[i - 1].nodes;
    for (const each of column.nodes) {
      const link = known.find(({ from, to }) => before.some((other) => (from === each.name && to === other.name) || (to === each.name && from === other.name)));
      const same = before.filter((other) => branch(other) === branch(each));
      const parent = link ? (link.from === each.name ? link.to : link.from) : same.length === 1 ? same[0].name : each.via || own;
      parents.set(each.name, { parent, link });
    }
  });
  return { columns, parents, links: known };
}

// both directions of a link are one line
export function unique(links) {
  const found = new Map();
  for (const each of links) {
    const key = [each.from, each.to].sort().join("|");
    const both = found.get(key);
    if (!both) found.set(key, { ...each });
    else if (both.from === each.from) Object.assign(both, { sends: both.sends || each.sends, hears: both.hears || each.hears });
    else Object.assign(both, { sends: both.sends || each.hears, hears: both.hears || each.sends });
  }
  return [...found.values()];
}

export function Topology({ microgrid, chosen, choose }) {
  const [self, width] = useWidth();
  const [over, setOver] = useState("");
  const { columns, parents, links } = columnsOf(microgrid);
  const own = microgrid.node;
  const place = width ? placed(columns, width) : null;
  const inner = new Set([own, ...[...parents.values()].map((each) => each.parent)]); // lines leave them to the right
  const drawn = new Set();
  const lines = [];
  for (const link of links) {
    lines.push(link);
    drawn.add([link.from, link.to].sort().join("|"));
  }
  for (const [name, { parent }] of parents) if (!drawn.has([name, parent].sort().join("|"))) lines.push({ from: parent, to: name, guessed: true });
  return html`<div class="topology scroll" ref=${self} tabindex="0" role="region" aria-label=${t("microgrid.graph")}>
    ${place &&
    html`<svg width=${place.width} height=${place.height} viewBox="0 0 ${place.width} ${place.height}" role="group" aria-label=${t("microgrid.graph")}>
      ${columns.map(({ distance }, i) => html`<text key=${distance} class="hop" x=${place.textX(i)} y="14" text-anchor=${place.beside ? "start" : "middle"}>${i ? (distance === UNKNOWN ? t("microgrid.not_heard") : t("microgrid.hops", { n: distance })) : ""}</text>`)}
      ${lines.map((each) => html`<${Line} key=${`${each.from}|${each.to}`} link=${each} place=${place} over=${over} />`)}
      ${microgrid.nodes.map((each) => html`<${Spot} key=${each.name} node=${each} own=${own} place=${place} inner=${inner.has(each.name)} chosen=${chosen === each.name} over=${over === each.name} setOver=${setOver} choose=${choose} />`)}
    </svg>`}
  </div>`;
}

// Where each node is; names stand beside the nodes where there is room, else below.
function placed(columns, width) {
  const least = 64;
  const step = Math.max(least, Math.min(230, width / Math.max(columns.length, 2.4)));
  const most = Math.max(...columns.map((each) => each.nodes.length));
  const roomy = most <= 6;
  const beside = !roomy && step >= 118;
  const r = roomy ? (step > 110 ? 24 : 18) : 12;
  const row = beside ? 42 : roomy ? 2 * r + 60 : 50;
  const top = 34;
  const height = top + Math.max(most, 1) * row + 8;
  const left = Math.max(0, (width - 48 - columns.length * step) / 2);
  const x = (i) => left + (beside ? 40 : step / 2) + i * step;
  const at = new Map();
  columns.forEach((column, i) => {
    const offset = top + ((most - column.nodes.length) * row) / 2 + row / 2 - (beside ? 0 : 14);
    column.nodes.forEach((each, k) => at.set(each.name, [x(i), offset + k * row]));
  });
  const textX = (i) => (beside ? x(i) - r : x(i));
  return { width: Math.max(width - 48, columns.length * step), height, at, r, step, beside, roomy, textX };
}

function Line({ link, place, over }) {
  const [a, b] = [place.at.get(link.from), place.at.get(link.to)];
  if (!a || !b) return null;
  const { r } = place;
  const right = b[0] > a[0];
  const from = [a[0] + (right ? r + 4 : -r - 4), a[1]];
  const to = [b[0] - (right ? r + 4 : -r - 4), b[1]];
  const lit = over && (over === link.from || over === link.to) ? "lit" : "";
  if (a[0] === b[0]) {
    const bow = `M${a[0] - r} ${a[1]}C${a[0] - r - 26} ${a[1]} ${b[0] - r - 26} ${b[1]} ${b[0] - r} ${b[1]}`;
    return html`<g class="topo-link ${stateOf(link)} ${lit}"><path d=${bow} /><title>${textOf(link)}</title></g>`;
  }
  const bend = (to[0] - from[0]) / 2;
  const path = `M${from[0]} ${from[1]}C${from[0] + bend} ${from[1]} ${to[0] - bend} ${to[1]} ${to[0]} ${to[1]}`;
  const tip = ([x, y], side) => `M${x - side * 7} ${y - 4.5}L${x} ${y}L${x - side * 7} ${y + 4.5}z`;
  const side = right ? 1 : -1;
  return html`<g class="topo-link ${stateOf(link)} ${lit}">
    <path d=${path} />
    ${link.sends && html`<path class="topo-tip" d=${tip(to, side)} />`}
    ${link.hears && html`<path class="topo-tip" d=${tip(from, -side)} />`}
    <title>${textOf(link)}</title>
  </g>`;
}

const stateOf = (link) => (link.guessed ? "guessed" : link.sends && link.hears ? "both" : link.sends || link.hears ? "one" : "none");
const textOf = (link) => t(`microgrid.link_${stateOf(link)}`, { from: label(link.from), to: label(link.to) });

function Spot({ node, own, place, inner, chosen, over, setOver, choose }) {
  const [x, y] = place.at.get(node.name);
  const { r, roomy, step } = place;
  const beside = place.beside && !inner;
  const mine = node.name === own;
  const lost = node.neighbour && node.connected === false;
  const text = mine ? t("microgrid.own", { name: label(node.name) }) : t("microgrid.spot", { name: label(node.name), n: node.distance ?? 0 });
  const pick = () => choose(node.name);
  const keys = (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), pick());
  const letters = Math.max(5, Math.floor((beside ? step - 2 * r - 34 : step - 4) / 7.2));
  const full = label(node.name);
  const name = full.length > letters && !over ? `${full.slice(0, letters - 1)}…` : full;
  const spot = beside ? { x: x + r + 9, anchor: "start" } : { x, anchor: "middle" };
  const power = node.powers_w ? watts(powerOf(node.powers_w, "consumed")) : "";
  const nameY = beside ? y + 4.5 : y + r + (roomy ? 17 : 13);
  return html`<g class="spot ${mine ? "own" : ""} ${lost ? "lost" : ""} ${chosen ? "chosen" : ""}" role="button" tabindex="0" aria-pressed=${chosen}
    aria-label="${text}${lost ? `, ${t("microgrid.unreachable")}` : ""}" onClick=${pick} onKeyDown=${keys}
    onMouseEnter=${() => setOver(node.name)} onMouseLeave=${() => setOver("")} onFocus=${() => setOver(node.name)} onBlur=${() => setOver("")}>
    <rect class="spot-area" x=${beside ? x - r : x - step / 2 + 2} y=${y - r - 2} width=${beside ? step - 14 : step - 4} height=${beside ? 2 * r + 4 : 2 * r + 36} />
    <circle cx=${x} cy=${y} r=${r} />
    <path class="spot-home" transform="translate(${x} ${y}) scale(${r / 22})" d="M-10 0L0 -9L10 0M-7 -2v10h14v-10" />
    <text class="spot-name" x=${spot.x} y=${nameY} text-anchor=${spot.anchor}>${name}</text>
    ${roomy && power && html`<text class="spot-power" x=${spot.x} y=${nameY + 17} text-anchor=${spot.anchor}>${power}</text>`}
  </g>`;
}
