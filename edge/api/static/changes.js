// The forms that change the node: each sends one request, and shows what the node has against it.

import { html, signal } from "./preact.js";
import { change, session, signIn } from "./api.js";
import { close, open } from "./dialogs.js";
import { restart, snapshot } from "./live.js";
import { t } from "./texts.js";
import { Button, Dialog, Form, twinLabel } from "./widgets.js";
import { shortName } from "./units.js";

export const notice = signal(""); // says what was done, also to screen readers
let timer;

export function done(text) {
  notice.value = text;
  clearTimeout(timer);
  timer = setTimeout(() => (notice.value = ""), 6000);
  restart();
}

export function SignIn({ then, scope }) {
  const submit = async ({ token }) => {
    await signIn(token.trim());
    if (scope && !session.value.scopes.includes(scope)) throw new Error(t("sign_in.too_little"));
    restart();
  };
  const onClose = () => {
    close();
    if (then && session.value.scopes.includes(scope)) then();
  };
  return html`<${Dialog} title=${t("sign_in")} onClose=${close}>
    <${Form}
      intro=${t(scope ? "sign_in.why" : "sign_in.read")} submit=${submit} label=${t("sign_in")} onClose=${onClose}
      fields=${[{ name: "token", label: t("sign_in.token"), type: "password", required: true, autocomplete: "current-password", hint: t("sign_in.hint") }]}
    />
  <//>`;
}

const KINDS = ["load", "pv", "battery", "both", "grid"];
const PRIORITIES = ["low", "medium", "high"];
const options = (names, group) => names.map((each) => [each, t(`${group}.${each}`)]);

const fieldsOf = (twin) => {
  const supplies = twin ? Boolean(twin.source) || twin.produced_w > 0 : true;
  const consumes = twin ? !twin.source || twin.source === "battery" || twin.requested_w > 0 : true;
  return [
    { name: "power_w", label: t("power"), unit: "W", type: "number", step: "any", min: 0, hint: t("field.power_hint") },
    consumes && { name: "priority", label: t("field.priority"), options: options(PRIORITIES, "priority") },
    consumes && { name: "tolerance_s", label: t("field.tolerance"), unit: "s", type: "number", min: 0, hint: t("field.tolerance_hint") },
    supplies && { name: "price", label: t("field.price"), unit: t("field.per_kwh"), type: "number", step: "any", min: 0 },
  ].filter(Boolean);
};

// What was filled in, as the node takes it: the power of a grid connection is its capacity.
function bodyOf(values, kind = values.kind, before = {}) {
  const body = {};
  for (const [key, text] of Object.entries(values)) {
    if (text === "" || String(before[key]) === text) continue;
    const name = key === "power_w" && kind === "grid" ? "capacity_w" : key;
    body[name] = ["power_w", "tolerance_s", "price"].includes(key) ? Number(text) : text;
  }
  return body;
}

export function AddTwin() {
  const submit = async (values) => {
    await change("POST", "/twins", bodyOf(values));
    done(t("done.added", { name: values.name }));
  };
  const fields = [
    { name: "name", label: t("field.name"), required: true, maxlength: 31, pattern: "[A-Za-z0-9_][A-Za-z0-9_\\-]*", hint: t("field.name_hint"), autocomplete: "off" },
    { name: "kind", label: t("field.kind"), options: options(KINDS, "kind") },
    ...fieldsOf(null),
    { name: "input", label: t("field.input"), hint: t("field.input_hint"), placeholder: "m1.total", autocomplete: "off" },
  ];
  return html`<${Dialog} title=${t("twins.add")} onClose=${close}>
    <${Form} intro=${t("twins.add_hint")} fields=${fields} submit=${submit} label=${t("add")} onClose=${close} />
  <//>`;
}

export function ModifyTwin({ twin }) {
  const name = twinName(twin);
  const before = { priority: twin.priority ?? "low", price: twin.price, tolerance_s: twin.tolerance_s };
  const submit = async (values) => {
    const body = bodyOf(values, twin.kind, before);
    if (!Object.keys(body).length) return;
    await change("PATCH", pathOf(twin), body);
    done(t("done.modified", { name }));
  };
  return html`<${Dialog} title=${t("twins.modify_one", { name })} onClose=${close}>
    <${Form} intro=${t("twins.modify_hint")} fields=${fieldsOf(twin)} values=${before} submit=${submit} label=${t("save")} onClose=${close} />
  <//>`;
}

// on its own node a twin goes by its name without the node
const pathOf = (twin) => `/twins/${encodeURIComponent(shortName(twin.name, snapshot.value?.node ?? ""))}`;
const twinName = (twin) => twinLabel(twin.name, snapshot.value?.node ?? "");

// A question before what cannot be undone at once.
function Ask({ title, text, label: yes, act }) {
  return html`<${Dialog} title=${title} onClose=${close}>
    <${Form} intro=${text} fields=${[]} submit=${act} label=${yes} tone="danger" onClose=${close} />
  <//>`;
}

export function stopTwin(twin) {
  const name = twinName(twin);
  const act = async () => {
    await change("POST", `${pathOf(twin)}/stop`);
    done(t("done.stopped", { name }));
  };
  open(Ask, { title: t("twins.stop_one", { name }), text: t("twins.stop_text"), label: t("twins.stop"), act });
}

export function restartTwin(twin) {
  const name = twinName(twin);
  const act = async () => {
    await change("POST", `${pathOf(twin)}/restart`);
    done(t("done.restarted", { name }));
  };
  open(Ask, { title: t("twins.restart_one", { name }), text: t("twins.restart_text"), label: t("twins.restart"), act });
}

export function removeTwin(twin) {
  const name = twinName(twin);
  const act = async () => {
    await change("DELETE", pathOf(twin));
    location.hash = "#/twins";
    done(t("done.removed", { name }));
  };
  open(Ask, { title: t("twins.remove_one", { name }), text: t("twins.remove_text"), label: t("remove"), act });
}

export function cutNeighbour(name) {
  const act = async () => {
    await change("DELETE", `/neighbours/${encodeURIComponent(name)}`);
    done(t("done.cut", { name }));
  };
  open(Ask, { title: t("microgrid.cut_one", { name }), text: t("microgrid.cut_text"), label: t("microgrid.cut"), act }, "configure");
}

export function AddNeighbour({ known = "" }) {
  const submit = async ({ name, host, port }) => {
    await change("PUT", `/neighbours/${encodeURIComponent(name)}`, { host, port: Number(port) });
    done(t("done.linked", { name }));
  };
  const fields = [
    { name: "name", label: t("field.node"), required: true, hint: t("field.node_hint") },
    { name: "host", label: t("field.host"), required: true, hint: t("field.host_hint") },
    { name: "port", label: t("field.port"), type: "number", min: 1, max: 65535, required: true },
  ];
  return html`<${Dialog} title=${t("microgrid.add")} onClose=${close}>
    <${Form} intro=${t("microgrid.add_hint")} fields=${fields} values=${{ name: known, port: 1883 }} submit=${submit} label=${t("add")} onClose=${close} />
  <//>`;
}

export const Notice = () => html`<div class="toast ${notice.value ? "seen" : ""}" role="status">${notice.value}</div>`;
export const AddButton = ({ Part, scope, children }) => html`<${Button} icon="plus" tone="primary" onClick=${() => open(Part, {}, scope)}>${children}<//>`;
