// Small parts that every page uses.

import { html, useEffect, useRef, useState } from "./preact.js";
import { session } from "./api.js";
import { t } from "./texts.js";
import { nodeOf, shortName, titled, wattParts } from "./units.js";

const PATHS = {
  now: "M13 2 4.5 13.5H11L10 22l8.5-11.5H12z",
  day: "M3 20h18M4 15l4.5-5 4 3.5L20 6M15 6h5v5",
  twins: "M4 8h10v10H4zM10 8V4h10v10h-6",
  microgrid: "M12 9.5V6M9.8 13.6 6.5 17M14.2 13.6l3.3 3.4M12 12m-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0-5.2 0M12 4m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M5 19m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M19 19m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0",
  forecast: "M3 17c3 0 4-9 8-9M11 8c3 0 4-3 10-4M11 8c3 0 4 5 10 6M21 4v10",
  community: "M8 11a3 3 0 1 0 0-6a3 3 0 1 0 0 6M16 11a3 3 0 1 0 0-6a3 3 0 1 0 0 6M2.5 19c0-3.5 2.5-5 5.5-5s5.5 1.5 5.5 5M15.5 14c3.5-.3 6 1.5 6 5",
  space: "m12 3 9 5-9 5-9-5zM3 12l9 5 9-5M3 16l9 5 9-5",
  system: "M3 12h4l2.5-7 5 14 2.5-7h4",
  sun: "M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8M12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M4.9 4.9l1.8 1.8M17.3 17.3l1.8 1.8M19.1 4.9l-1.8 1.8M6.7 17.3l-1.8 1.8",
  battery: "M3 8h15v8H3zM21 11v2M6.5 10.5v3M10.5 10.5v3",
  plug: "M9 3v5M15 3v5M6.5 8h11v3a5.5 5.5 0 0 1-11 0zM12 16.5V21",
  grid: "M8 3h8l4 18M8 3 4 21M6.5 9h11M5.3 15h13.4M9 3l6 6-8.7 6M15 3 9 9l8.7 6",
  building: "M5 21V4h9v17M14 9h5v12M3 21h18M8 8h3M8 12h3M8 16h3",
  both: "M4 9h14l-4-4M20 15H6l4 4",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  alert: "M12 4 2.5 20h19zM12 10v4.5M12 17.3v.2",
  check: "m5 12.5 4.5 4.5L19 7.5",
  clock: "M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18M12 7.5V12l3 2",
  plus: "M12 5v14M5 12h14",
  stop: "M7 7h10v10H7z",
  restart: "M19 12a7 7 0 1 1-2.2-5.1M19 3v4.5h-4.5",
  edit: "M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19z",
  close: "M6 6l12 12M18 6 6 18",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  more: "M5 12m-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0M12 12m-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0M19 12m-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0",
  key: "M8 12a4 4 0 1 0 0 .1M12 12h9M18 12v4M15 12v3",
  download: "M12 4v11M7.5 11 12 15.5 16.5 11M4 20h16",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  link: "M9 15l6-6M10.5 6.5l1.6-1.6a4 4 0 0 1 6 6l-1.7 1.6M13.5 17.5l-1.6 1.6a4 4 0 0 1-6-6l1.7-1.6",
  cut: "M10.5 6.5l1.6-1.6a4 4 0 0 1 6 6l-1.7 1.6M13.5 17.5l-1.6 1.6a4 4 0 0 1-6-6l1.7-1.6M4 4l16 16",
  kiosk: "M3 5h18v11H3zM12 16v4M8 20h8",
  memory: "M6 6h12v12H6zM9.5 9.5h5v5h-5zM9 2.5V6M15 2.5V6M9 18v3.5M15 18v3.5M2.5 9H6M2.5 15H6M18 9h3.5M18 15h3.5",
  disk: "M4 7c0-2 3.6-3 8-3s8 1 8 3v10c0 2-3.6 3-8 3s-8-1-8-3zM4 7c0 2 3.6 3 8 3s8-1 8-3M4 12c0 2 3.6 3 8 3s8-1 8-3",
};

export const Icon = ({ name, size = 20 }) => html`<svg
  class="icon" width=${size} height=${size} viewBox="0 0 24 24" aria-hidden="true"
><path d=${PATHS[name]} /></svg>`;

export const iconPath = (name) => PATHS[name];

export const Card = ({ title, hint, aside, children, class: extra = "", id }) => html`<section
  class="card ${extra}" id=${id}
>
  ${title &&
  html`<header class="card-head">
    <div><h2>${title}</h2>${hint && html`<p class="hint">${hint}</p>`}</div>
    ${aside && html`<div class="card-aside">${aside}</div>`}
  </header>`}
  ${children}
</section>`;

export const Page = ({ title, lead, back, aside, children }) => html`<div class="page">
  <header class="page-head">
    <div>${back}<h1 tabindex="-1">${title}</h1>${lead && html`<p class="lead">${lead}</p>`}</div>
    ${aside && html`<div class="page-aside">${aside}</div>`}
  </header>
  ${children}
</div>`;

export const Chip = ({ tone = "", icon, children }) => html`<span class="chip ${tone}"
  >${icon && html`<${Icon} name=${icon} size="14" />`}${children}</span
>`;

export const Power = ({ w, class: extra = "" }) => {
  const [value, unit] = wattParts(w);
  return html`<span class="figure ${extra} ${w == null ? "unknown" : ""}"
    >${value}${unit && html`<span class="unit">\u00a0${unit}</span>`}</span
  >`;
};

export const Button = ({ icon, children, tone = "", ...rest }) => html`<button
  type="button" class="button ${tone}" ...${rest}
>${icon && html`<${Icon} name=${icon} size="18" />`}${children && html`<span>${children}</span>`}</button>`;

export const Empty = ({ icon = "check", title, children }) => html`<div class="empty">
  <${Icon} name=${icon} size="28" />
  <p class="empty-title">${title}</p>
  ${children && html`<div class="empty-text">${children}</div>`}
</div>`;

export const Loading = () => html`<p class="loading" role="status">${t("loading")}</p>`;

export const Failed = ({ error, again }) => html`<div class="notice bad" role="alert">
  <${Icon} name="alert" />
  <p>${error.message}</p>
  ${again && html`<${Button} onClick=${again}>${t("again")}<//>`}
</div>`;

// Choose one of a few; the arrows move, as with radio buttons, which these are.
export const Choice = ({ label, name, value, options, onChange }) => html`<fieldset class="choice">
  <legend class="sr">${label}</legend>
  ${options.map(
    ([key, text]) => html`<label key=${key} class=${key === value ? "chosen" : ""}>
      <input type="radio" name=${name} checked=${key === value} onChange=${() => onChange(key)} />${text}
    </label>`,
  )}
</fieldset>`;

export const Select = ({ label, value, options, onChange, hideLabel }) => html`<span class="field inline">
  <label class=${hideLabel ? "sr" : "label"} for="select-${label}">${label}</label>
  <select id="select-${label}" value=${value} onChange=${(event) => onChange(event.target.value)}>
    ${options.map(([key, text]) => html`<option key=${key} value=${key} selected=${key === value}>${text}</option>`)}
  </select>
</span>`;

export function Dialog({ title, onClose, children }) {
  const self = useRef();
  useEffect(() => {
    const dialog = self.current;
    const before = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      before?.focus?.();
    };
  }, []);
  const outside = (event) => event.target === self.current && onClose();
  return html`<dialog
    ref=${self} aria-labelledby="dialog-title" onMouseDown=${outside}
    onCancel=${(event) => (event.preventDefault(), onClose())}
  >
    <div class="dialog-body">
      <header class="dialog-head">
        <h2 id="dialog-title">${title}</h2>
        <button type="button" class="icon-button" aria-label=${t("close")} onClick=${onClose}><${Icon} name="close" /></button>
      </header>
      ${children}
    </div>
  </dialog>`;
}

// A form that sends once, and says what the node has against it beside the field that it names.
export function Form({ fields, values, submit, label, tone = "primary", onClose, intro }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const send = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    setBusy(true);
    setError(null);
    try {
      await submit(Object.fromEntries(form));
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  const keys = (error?.problem?.errors ?? []).map((each) => each.key);
  return html`<form onSubmit=${send} class="form">
    ${intro && html`<p class="hint">${intro}</p>`}
    ${fields.map((field) => html`<${Field} key=${field.name} ...${field} value=${values?.[field.name]} wrong=${keys.includes(field.name)} />`)}
    ${error && html`<p class="notice bad" role="alert"><${Icon} name="alert" /><span>${error.message}</span></p>`}
    <div class="form-end">
      <${Button} onClick=${onClose}>${t("cancel")}<//>
      <button type="submit" class="button ${tone}" disabled=${busy}>${busy ? t("sending") : label}</button>
    </div>
  </form>`;
}

function Field({ name, label, hint, unit, type = "text", options, value, wrong, ...rest }) {
  const id = `field-${name}`;
  const about = hint ? { "aria-describedby": `${id}-hint` } : {};
  return html`<div class="field ${wrong ? "wrong" : ""}">
    <label for=${id}>${label}${unit && html` <span class="muted">(${unit})</span>`}</label>
    ${options
      ? html`<select id=${id} name=${name} ...${about} ...${rest}>
          ${options.map(([key, text]) => html`<option value=${key} selected=${key === value}>${text}</option>`)}
        </select>`
      : html`<input id=${id} name=${name} type=${type} defaultValue=${value ?? ""} aria-invalid=${wrong} ...${about} ...${rest} />`}
    ${hint && html`<p class="hint" id="${id}-hint">${rich(hint)}</p>`}
  </div>`;
}

const SOURCE_ICONS = { pv: "sun", battery: "battery", grid: "grid", other: "both" };
export const iconOf = (twin) => (twin ? (SOURCE_ICONS[twin.source] ?? "plug") : "building");

// `words` between such marks are set as code
export const rich = (text) => text.split("`").map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));

export const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}` : "");
// a twin of this node by its name, one of another node with that node
export function twinLabel(name, node) {
  const home = nodeOf(name);
  return home === node || home === name ? label(shortName(name, node)) : t("twin_of", { twin: label(shortName(name, home)), node: label(home) });
}
export const label = (name) => titled(name);

// Loads for each `key`, again when the page is shown after it was hidden, and every `everyMs` while it is seen.
export function useLoaded(load, key, everyMs = 0) {
  const [state, setState] = useState({ key: null, value: null, error: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    let timer;
    const run = async () => {
      clearTimeout(timer);
      if (!document.hidden) {
        try {
          const value = await load(abort.signal);
          if (!abort.signal.aborted) setState({ key, value, error: null });
        } catch (error) {
          if (!abort.signal.aborted) setState((before) => ({ ...before, error }));
        }
      }
      if (everyMs && !abort.signal.aborted) timer = setTimeout(run, everyMs);
    };
    const seen = () => !document.hidden && run();
    document.addEventListener("visibilitychange", seen);
    run();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, turn, session.value.scopes.length]);
  return { ...state, stale: state.key !== key, again: () => setTurn(turn + 1) };
}

export function useWidth(fallback = 800) {
  const self = useRef();
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const measure = () => setWidth(Math.round(self.current?.clientWidth || fallback));
    const observer = new ResizeObserver(measure);
    observer.observe(self.current);
    measure();
    return () => observer.disconnect();
  }, []);
  return [self, width];
}

export const Sparkline = ({ values, tone = "", least = 1 }) => {
  const known = values.filter((each) => each != null);
  if (known.length < 2) return html`<svg class="spark" viewBox="0 0 100 28" aria-hidden="true"></svg>`;
  const low = Math.min(0, ...known);
  const most = Math.max(least, ...known) - low;
  const x = (i) => ((100 * i) / (values.length - 1)).toFixed(1);
  const y = (w) => (26 - (24 * (w - low)) / most).toFixed(1);
  let path = "";
  values.forEach((w, i) => {
    if (w != null) path += `${i === 0 || values[i - 1] == null ? "M" : "L"}${x(i)} ${y(w)}`;
  });
  return html`<svg class="spark ${tone}" viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true">
    ${low < 0 && html`<path class="zero" d=${`M0 ${y(0)}H100`} vector-effect="non-scaling-stroke" />`}
    <path d=${path} vector-effect="non-scaling-stroke" />
  </svg>`;
};
