// Who supplies whom: suppliers left, consumers right, each contract a band whose width goes with the square root of its
// power. Everything is placed by name, so that nothing jumps when powers change.

import { html, useState } from "./preact.js";
import { iconOf, iconPath, label, useWidth } from "./widgets.js";
import { t } from "./texts.js";
import { shortName, watts } from "./units.js";

const ZERO_W = 0.5;
const GAP = 12;

export function sides(flows, twins, node, { expanded, most }) {
  const byName = new Map(twins.map((twin) => [twin.name, twin]));
  const place = (name, home) => {
    const local = home === node;
    const group = !local && expanded !== home;
    return {
      key: group ? `@${home}` : name,
      label: group ? home : local ? shortName(name, node) : `${home} ${shortName(name, home)}`,
      node: home,
      local,
      group,
      twin: byName.get(name),
    };
  };
  const left = new Map();
  const right = new Map();
  const ribbons = new Map();
  const add = (side, spot, w) => {
    const found = side.get(spot.key) ?? { ...spot, w: 0, missing: 0, names: new Set() };
    found.w += w;
    side.set(spot.key, found);
    return found;
  };
  for (const flow of flows) {
    if (!(flow.w > ZERO_W)) continue;
    const from = place(flow.supplier, flow.supplier_node);
    const to = place(flow.consumer, flow.consumer_node);
    add(left, from, flow.w).names.add(flow.supplier);
    add(right, to, flow.w).names.add(flow.consumer);
    const key = `${from.key}>${to.key}`;
    const ribbon = ribbons.get(key) ?? { from: from.key, to: to.key, w: 0 };
    ribbon.w += flow.w;
    ribbons.set(key, ribbon);
  }
  for (const twin of twins) {
    const missing = twin.requested_w - twin.consumed_w;
    if (missing > 5 && !twin.disabled && !twin.stopped) add(right, place(twin.name, node), 0).missing = missing;
  }
  const rename = new Map();
  const fold = (side, key) => {
    const all = [...side.values()];
    if (all.length <= most) return all;
    all.sort((a, b) => b.w + b.missing - a.w - a.missing);
    const rest = all.slice(most - 1);
    rest.forEach((each) => rename.set(`${key}${each.key}`, `${key}…`));
    const sum = (of) => rest.reduce((total, each) => total + of(each), 0);
    return [
      ...all.slice(0, most - 1),
      { key: "…", label: t("flow.others", { n: rest.length }), w: sum((each) => each.w), missing: sum((each) => each.missing), others: true, names: new Set() },
    ];
  };
  const order = (a, b) =>
    Number(a.others ?? 0) - Number(b.others ?? 0) || Number(b.local) - Number(a.local) || rank(a) - rank(b) || a.key.localeCompare(b.key);
  const suppliers = fold(left, "<").sort(order);
  const consumers = fold(right, ">").sort(order);
  const merged = new Map();
  for (const ribbon of ribbons.values()) {
    const from = (rename.get(`<${ribbon.from}`) ?? `<${ribbon.from}`).slice(1);
    const to = (rename.get(`>${ribbon.to}`) ?? `>${ribbon.to}`).slice(1);
    const key = `${from}>${to}`;
    const found = merged.get(key) ?? { key, from, to, w: 0 };
    found.w += ribbon.w;
    merged.set(key, found);
  }
  return { suppliers, consumers, ribbons: [...merged.values()] };
}

// the own sun first and the grid last, so that few bands cross
const RANKS = ["pv", "battery", "other", "", "grid"];
const rank = (block) => RANKS.indexOf(block.twin?.source ?? "");

// Positions in pixels. Bands leave and enter a block in the order of the blocks at their other end.
export function layout({ suppliers, consumers, ribbons }, width) {
  const narrow = width < 560;
  const blockWidth = narrow ? Math.round(width * 0.36) : Math.min(230, Math.round(width * 0.28));
  const least = narrow ? 50 : 54;
  const most = Math.max(1, ...ribbons.map((each) => Math.sqrt(each.w)));
  const scale = Math.min(narrow ? 20 : 26, 26) / most;
  const thick = (w) => Math.max(2, scale * Math.sqrt(w));
  const index = (side) => new Map(side.map((each, i) => [each.key, i]));
  const [atLeft, atRight] = [index(suppliers), index(consumers)];
  const stack = (side, end, other) => {
    let y = 0;
    return side.map((each) => {
      const own = ribbons.filter((ribbon) => ribbon[end] === each.key);
      own.sort((a, b) => other.get(a[end === "from" ? "to" : "from"]) - other.get(b[end === "from" ? "to" : "from"]));
      const sum = own.reduce((total, ribbon) => total + thick(ribbon.w), 0);
      const height = Math.max(least, Math.ceil(sum + 14));
      let port = y + (height - sum) / 2;
      for (const ribbon of own) {
        const half = thick(ribbon.w) / 2;
        ribbon[`${end}Y`] = port + half;
        port += 2 * half;
      }
      const block = { ...each, y, height };
      y += height + GAP;
      return block;
    });
  };
  const left = stack(suppliers, "from", atRight);
  const right = stack(consumers, "to", atLeft);
  const tall = (blocks) => (blocks.length ? blocks.at(-1).y + blocks.at(-1).height : 0);
  const height = Math.max(tall(left), tall(right), least);
  const shift = (blocks, end) => {
    const by = (height - tall(blocks)) / 2;
    blocks.forEach((each) => (each.y += by));
    ribbons.forEach((each) => (each[`${end}Y`] += by));
  };
  shift(left, "from");
  shift(right, "to");
  ribbons.forEach((each) => (each.thick = thick(each.w)));
  return { width, height, blockWidth, left, right, ribbons, narrow };
}

const tone = (block) => (block?.local ? `source-${block.twin?.source || "other"}` : block?.others ? "source-rest" : "source-node");

export function Flow({ snapshot }) {
  const [self, width] = useWidth();
  const [expanded, setExpanded] = useState("");
  const [over, setOver] = useState("");
  const node = snapshot.node;
  const parts = sides(snapshot.flows, snapshot.twins, node, { expanded, most: width < 560 ? 7 : 9 });
  const drawn = width ? layout(parts, width) : null;
  const name = new Map([...parts.suppliers, ...parts.consumers].map((each) => [each.key, label(each.label)]));
  const nothing = !parts.suppliers.length && !parts.consumers.length;
  return html`<div class="flow" ref=${self}>
    ${nothing && html`<p class="quiet-line">${t("flow.nothing")}</p>`}
    ${drawn && !nothing && html`<${Drawing} ...${drawn} node=${node} over=${over} setOver=${setOver} expand=${setExpanded} expanded=${expanded} name=${name} />`}
    ${expanded &&
    html`<button type="button" class="link" onClick=${() => setExpanded("")}>${t("flow.fold", { node: expanded })}</button>`}
    ${parts.ribbons.length > 0 &&
    html`<details class="as-table">
      <summary>${t("flow.table")}</summary>
      <div class="scroll" tabindex="0" role="region" aria-label=${t("flow.table")}><table>
        <thead><tr><th>${t("flow.supplier")}</th><th>${t("flow.consumer")}</th><th class="right">${t("power")}</th></tr></thead>
        <tbody>
          ${parts.ribbons.map(
            (each) => html`<tr key=${each.key}>
              <td>${name.get(each.from)}</td><td>${name.get(each.to)}</td><td class="right">${watts(each.w)}</td>
            </tr>`,
          )}
        </tbody>
      </table></div>
    </details>`}
  </div>`;
}

function Drawing({ width, height, blockWidth, left, right, ribbons, narrow, node, over, setOver, expand, name }) {
  const [x0, x1] = [blockWidth, width - blockWidth];
  const bend = (x1 - x0) * 0.45;
  const blocks = new Map(left.map((each) => [each.key, each]));
  const path = (each) =>
    `M${x0} ${each.fromY.toFixed(1)}C${(x0 + bend).toFixed(1)} ${each.fromY.toFixed(1)} ${(x1 - bend).toFixed(1)} ${each.toY.toFixed(1)} ${x1 - 9} ${each.toY.toFixed(1)}`;
  const dim = (each) => over && over !== `<${each.from}` && over !== `>${each.to}`;
  const texts = ribbonTexts(ribbons, right, narrow);
  return html`<svg class="flow-svg" width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="group" aria-label=${t("flow.label")}>
    ${ribbons.map(
      (each) => html`<g key=${each.key} class="ribbon ${tone(blocks.get(each.from))} ${dim(each) ? "dim" : ""}">
        <path class="band" d=${path(each)} stroke-width=${each.thick.toFixed(1)} />
        <path class="moving" d=${path(each)} stroke-width=${Math.min(5, Math.max(1.6, each.thick / 3)).toFixed(1)} />
        <path class="tip" d="M${x1 - 10} ${(each.toY - Math.max(4, each.thick / 2)).toFixed(1)}L${x1 - 2} ${each.toY.toFixed(1)}L${x1 - 10} ${(each.toY + Math.max(4, each.thick / 2)).toFixed(1)}z" />
        <title>${t("flow.one", { from: name.get(each.from), to: name.get(each.to), w: watts(each.w) })}</title>
      </g>`,
    )}
    ${texts.map(
      (each) => html`<text key=${`t${each.key}`} class="ribbon-text ${dim(each) ? "dim" : ""}" x=${x1 - 16} y=${(each.toY + 4).toFixed(1)} text-anchor="end">${watts(each.w)}</text>`,
    )}
    ${left.map((each) => html`<${Block} key=${`<${each.key}`} block=${each} side="<" x=${0} width=${blockWidth} ...${{ ribbons, name, node, over, setOver, expand, narrow }} />`)}
    ${right.map((each) => html`<${Block} key=${`>${each.key}`} block=${each} side=">" x=${x1} width=${blockWidth} ...${{ ribbons, name, node, over, setOver, expand, narrow }} />`)}
  </svg>`;
}

// A band says its power where a consumer has several suppliers, and where there is room.
function ribbonTexts(ribbons, right, narrow) {
  if (narrow) return [];
  return right.flatMap((block) => {
    const own = ribbons.filter((each) => each.to === block.key).sort((a, b) => a.toY - b.toY);
    if (own.length < 2 || block.others) return [];
    let lastY = -99;
    return own.filter((each) => {
      if (each.toY - lastY < 15) return false;
      lastY = each.toY;
      return true;
    });
  });
}

function Block({ block, side, x, width, ribbons, name, over, setOver, expand, narrow }) {
  const supplies = side === "<";
  const own = ribbons.filter((each) => each[supplies ? "from" : "to"] === block.key);
  const partners = own.map((each) => `${name.get(each[supplies ? "to" : "from"])} ${watts(each.w)}`).join(", ");
  const what = supplies
    ? t("flow.supplies", { name: label(block.label), w: watts(block.w), partners })
    : t("flow.takes", { name: label(block.label), w: watts(block.w), partners });
  const key = side + block.key;
  const on = { onMouseEnter: () => setOver(key), onMouseLeave: () => setOver(""), onFocus: () => setOver(key), onBlur: () => setOver("") };
  const lost = block.missing > 0 ? t("flow.missing", { w: watts(block.missing) }) : "";
  const dim = over && over !== key && !own.some((each) => over === `<${each.from}` || over === `>${each.to}`);
  const middle = block.height / 2;
  const inset = narrow ? 12 : 44;
  const letters = Math.max(6, Math.floor((width - inset - 10) / (narrow ? 7 : 7.6)));
  const title = label(block.label);
  const shown = title.length > letters ? `${title.slice(0, letters - 1)}…` : title;
  const body = html`
    <rect class="block ${lost ? "lacks" : ""}" x=${x + 0.5} y=${block.y + 0.5} width=${width - 1} height=${block.height - 1} rx="12" />
    <rect class="mark ${supplies ? tone(block) : lost ? "source-missing" : "source-use"}" x=${supplies ? x + width - 5 : x} y=${block.y + 10} width="5" height=${block.height - 20} rx="2.5" />
    ${!narrow && html`<svg class="block-icon" x=${x + 14} y=${block.y + middle - 10} width="20" height="20" viewBox="0 0 24 24"><path d=${iconPath(block.others ? "more" : block.local ? iconOf(block.twin) : "building")} /></svg>`}
    <text class="block-name" x=${x + inset} y=${block.y + middle - 3}>${shown}</text>
    <text class="block-power ${lost ? "lost" : ""}" x=${x + inset} y=${block.y + middle + 15}>${lost || watts(block.w)}</text>
    <title>${title}</title>`;
  const text = lost ? `${what}. ${lost}` : what;
  const shared = { class: `block-link ${dim ? "dim" : ""}`, "aria-label": text, ...on };
  if (block.others) return html`<a ...${shared} href="#/twins">${body}</a>`;
  if (block.group) {
    const unfold = () => expand(block.node);
    const byKey = (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), unfold());
    return html`<g ...${shared} role="button" tabindex="0" onClick=${unfold} onKeyDown=${byKey}>${body}</g>`;
  }
  return block.local
    ? html`<a ...${shared} href="#/twins/${encodeURIComponent(block.key)}">${body}</a>`
    : html`<a ...${shared} href="#/microgrid/${encodeURIComponent(block.node)}">${body}</a>`;
}
