// The configuration of the node, key by key; what need not wait for a new start is changed here.

import { html } from "./preact.js";
import { change, get, may } from "./api.js";
import { SignIn, done } from "./changes.js";
import { close, open } from "./dialogs.js";
import { t } from "./texts.js";
import { Button, Card, Chip, Dialog, Failed, Form, Loading, useLoaded } from "./widgets.js";

export function Configuration() {
  if (!may("configure")) return html`<${Card} title=${t("configuration.title")} hint=${t("configuration.locked")}
    aside=${html`<${Button} icon="key" onClick=${() => open(SignIn, {}, "")}>${t("sign_in")}<//>`} />`;
  return html`<${Tables} />`;
}

function Tables() {
  const found = useLoaded((abort) => get("/configuration", { signal: abort }), "configuration");
  const title = t("configuration.title");
  if (found.error && !found.value) return html`<${Card} title=${title}><${Failed} error=${found.error} again=${found.again} /><//>`;
  if (!found.value) return html`<${Card} title=${title}><${Loading} /><//>`;
  return html`<${Card} title=${title} hint=${t("configuration.hint")}>
    ${found.value.refused.map((each) => html`<p class="notice warn" key=${each}>${each}</p>`)}
    ${found.value.tables.map((table, i) => {
      const running = table.keys.filter((each) => each.running);
      return html`<details class="settings" key=${i}>
        <summary><code>${table.repeated ? `[[${table.section}]]` : `[${table.section}]`}</code> ${table.name}</summary>
        <dl class="pairs">${table.keys.map((each) => html`<div key=${each.key}><dt><code>${each.key}</code><span class="small muted">${each.meaning}</span></dt>
          <dd>${each.value === null || each.value === "" ? "–" : String(each.value)}${each.changed && html` <${Chip} tone="warn">${t("configuration.changed")}<//>`}</dd></div>`)}</dl>
        ${running.length > 0 && html`<${Button} icon="edit" onClick=${() => open(Edit, { section: table.section, keys: running, again: found.again }, "configure")}>${t("configuration.edit", { section: table.section })}<//>`}
      </details>`;
    })}
  <//>`;
}

export function Edit({ section, keys, again }) {
  const values = Object.fromEntries(keys.map((each) => [each.key, String(each.value)]));
  const submit = async (given) => {
    const body = {};
    for (const each of keys) if (given[each.key] !== values[each.key] && given[each.key] !== "") body[each.key] = each.type.includes("number") ? Number(given[each.key]) : given[each.key];
    if (!Object.keys(body).length) return;
    await change("PATCH", `/configuration/${section}`, body);
    done(t("configuration.done"));
    again();
  };
  const fields = keys.map((each) => ({
    name: each.key,
    label: each.key,
    hint: `${each.meaning}${each.allowed ? ` (${each.allowed})` : ""}`,
    ...(each.allowed.startsWith("one of ") ? { options: each.allowed.slice(7).split(", ").map((one) => [one, one]) } : { type: each.type.includes("number") ? "number" : "text" }),
  }));
  return html`<${Dialog} title=${t("configuration.edit", { section })} onClose=${close}><${Form} intro=${t("configuration.edit_hint")} fields=${fields} values=${values} submit=${submit} label=${t("save")} onClose=${close} /><//>`;
}
