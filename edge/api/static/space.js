// The page Space: the LSAs that this node holds now, with their properties; what is sealed for others is shown as sealed.

import { html, useEffect, useState } from "./preact.js";
import { get, withQuery } from "./api.js";
import { t, textOr } from "./texts.js";
import { Button, Card, Chip, Empty, Failed, Icon, Loading, Page, label } from "./widgets.js";
import { bytes, dotted, duration } from "./units.js";

const PAGE = 40;
const LABELS = ["", "REQUEST", "PROD", "OFFER", "CONTRACT", "CONFIRM", "TOTAL", "PRED", "EVENT"];
const EVERY_MS = 5000;

export default function Space() {
  const [text, setText] = useState("");
  const [wanted, setWanted] = useState("");
  const [property, setProperty] = useState("");
  const [state, setState] = useState({ lsas: null, next: null, error: null });
  const [live, setLive] = useState(true);
  const query = { label: property, text: wanted };
  const load = async (cursor, before, limit = PAGE) => {
    try {
      const found = await get(withQuery("/space", { ...query, limit, cursor }));
      setState({ lsas: [...before, ...found.lsas], next: found.next, error: null });
    } catch (error) {
      setState((old) => ({ ...old, error }));
    }
  };
  useEffect(() => {
    const timer = setTimeout(() => setWanted(text), 250);
    return () => clearTimeout(timer);
  }, [text]);
  useEffect(() => {
    load("", []);
    const timer = live && setInterval(() => !document.hidden && load("", [], PAGE), EVERY_MS);
    return () => clearInterval(timer);
  }, [wanted, property, live]);
  const count = state.lsas?.length ?? 0;
  return html`<${Page} title=${t("nav.space")} lead=${t("space.lead")}>
    <div class="toolbar">
      <label class="search"><span class="sr">${t("search")}</span><input type="search" placeholder=${t("space.search")} value=${text} onInput=${(event) => setText(event.target.value)} /></label>
      <label class="field inline"><span class="sr">${t("space.label")}</span><select value=${property} onChange=${(event) => setProperty(event.target.value)}>
        ${LABELS.map((each) => html`<option key=${each} value=${each}>${each || t("space.all_labels")}</option>`)}
      </select></label>
      <label class="check"><input type="checkbox" checked=${live} onChange=${() => setLive(!live)} />${t("space.live")}</label>
    </div>
    ${state.error && html`<${Failed} error=${state.error} again=${() => load("", [])} />`}
    ${state.lsas == null && !state.error && html`<${Loading} />`}
    ${state.lsas && !count && html`<${Card}><${Empty} icon="space" title=${t("space.nothing")} /><//>`}
    ${count > 0 && html`<p class="muted count" role="status">${t(state.next ? "space.count_more" : "space.count", { n: count })}</p>`}
    <ul class="lsas">${(state.lsas ?? []).map((each) => html`<${Lsa} key=${each.name} lsa=${each} />`)}</ul>
    ${state.next && html`<${Button} onClick=${() => (setLive(false), load(state.next, state.lsas))}>${t("load_more")}<//>`}
  <//>`;
}

function Lsa({ lsa }) {
  return html`<li class="card lsa"><details>
    <summary>
      <span class="lsa-name"><b>${lsa.name}</b><span class="muted small">${dotted([textOr(`lsa.${lsa.kind}`, lsa.kind), lsa.hops ? t("microgrid.hops", { n: lsa.hops }) : t("space.own"), t("space.version", { n: lsa.version }), t("space.left", { d: duration(lsa.left_s) })])}</span></span>
      <span class="lsa-labels">${lsa.properties.map((each, i) => html`<${Chip} key=${i} icon=${each.sealed ? "lock" : null}>${each.label}<//>`)}</span>
    </summary>
    ${!lsa.properties.length && html`<p class="quiet-line">${t("space.no_properties")}</p>`}
    <ul class="properties">${lsa.properties.map((each, i) => html`<li key=${i}>
      <p><b>${each.label}</b> <span class="muted small">${dotted([
        each.to && t("space.for", { name: label(each.to) }),
        each.towards?.length ? "→ " + each.towards.join(", ") : each.reach === 0 ? t("space.reach_here") : each.reach == null ? t("space.reach_all") : t("space.reach", { n: each.reach }),
        t("space.version", { n: each.version }),
        bytes(each.bytes),
        each.left_s != null && t("space.left", { d: duration(each.left_s) }),
      ])}</span></p>
      ${each.sealed && html`<p class="sealed"><${Icon} name="lock" size="16" />${t(each.value == null ? "space.sealed" : "space.sealed_part")}</p>`}
      ${each.value != null && html`<pre class="code" tabindex="0" aria-label=${each.label}><code>${JSON.stringify(each.value)}</code></pre>`}
      ${each.value == null && !each.sealed && html`<p class="muted small">${t("space.not_shown")}</p>`}
    </li>`)}</ul>
  </details></li>`;
}
