// The frame around the pages: navigation, the state of the connection, sign-in, theme.

import { html, render, signal, useEffect, useErrorBoundary, useState } from "./preact.js";
import { mayAll, mustSignIn, session, signInByLink, signOut } from "./api.js";
import { Notice, SignIn, done } from "./changes.js";
import { close, open, shown } from "./dialogs.js";
import { contact, nowMs, restart, seenMs, snapshot, start, health } from "./live.js";
import Now from "./now.js";
import { route } from "./route.js";
import { LANGUAGES, chooseLanguage, language, t } from "./texts.js";
import { Button, Icon, Loading } from "./widgets.js";
import { clockSeconds, duration } from "./units.js";

const PAGES = {
  now: null,
  day: () => import("./day.js"),
  twins: () => import("./twins.js"),
  microgrid: () => import("./microgrid.js"),
  forecast: () => import("./forecast.js"),
  community: () => import("./community.js"),
  space: () => import("./space.js"),
  system: () => import("./system.js"),
};
const OF_ALL = ["space", "system"]; // not for members
const KIOSK = ["now", "day", "microgrid"]; // in turn, on a screen that nobody touches
const KIOSK_MS = 30_000;
const FIRST = ["now", "day", "twins", "microgrid"]; // on a phone; the rest is under More
const loaded = signal({ now: Now });
const failed = signal("");

async function load(name) {
  if (loaded.value[name]) return;
  try {
    const module = await PAGES[name]();
    loaded.value = { ...loaded.value, [name]: module.default };
    failed.value = "";
  } catch {
    failed.value = name;
  }
}

function App() {
  const kiosk = route.value.page === "kiosk";
  const turn = kiosk ? Math.floor(nowMs.value / KIOSK_MS) % KIOSK.length : 0;
  const name = kiosk ? KIOSK[turn] : PAGES[route.value.page] === undefined ? "now" : route.value.page;
  const pages = Object.keys(PAGES).filter((each) => mayAll() || !OF_ALL.includes(each));
  const [more, setMore] = useState(false);
  const Shown = loaded.value[name];
  const place = `${name}/${route.value.arg}`;
  useEffect(() => {
    load(name);
    setMore(false);
    scrollTo(0, 0);
    document.title = `${t(`nav.${name}`)} – ${snapshot.value?.node ?? "Microgrid"}`;
    if (!kiosk && App.before && App.before !== place) document.querySelector("h1")?.focus({ preventScroll: true });
    App.before = place;
  }, [place]);
  useEffect(() => {
    document.title = `${t(`nav.${name}`)} – ${snapshot.value?.node ?? "Microgrid"}`;
  }, [snapshot.value?.node]);
  useEffect(() => {
    document.documentElement.classList.toggle("kiosk", kiosk);
    const leave = (event) => event.key === "Escape" && (location.hash = "#/now");
    if (kiosk) addEventListener("keydown", leave);
    return () => removeEventListener("keydown", leave);
  }, [kiosk]);
  const stale = !mustSignIn.value && (contact.value === "lost" || (contact.value === "connecting" && seenMs.value > 0));
  return html`
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), document.querySelector("h1")?.focus())}>${t("skip")}</a>
    <header class="top"><a class="brand" href="#/now"><${Mark} /><span>${snapshot.value?.node ?? "Microgrid"}</span></a><${State} /></header>
    <nav class="side" aria-label=${t("nav")}>
      <a class="brand" href="#/now"><${Mark} /><span>${snapshot.value?.node ?? "Microgrid"}</span></a>
      <ul>${pages.map((each) => html`<li key=${each} class=${FIRST.includes(each) ? "" : "rest"}><${Tab} name=${each} current=${name} /></li>`)}
        <li class="more"><button type="button" aria-expanded=${more} aria-controls="more-menu" class=${FIRST.includes(name) ? "" : "current"} onClick=${() => setMore(!more)}><${Icon} name="more" size="22" /><span>${t("nav.more")}</span></button></li>
      </ul>
      <div class="side-end"><${State} /><${Tools} /></div>
    </nav>
    ${more && html`<div class="more-menu" id="more-menu"><ul>${pages.filter((each) => !FIRST.includes(each)).map((each) => html`<li key=${each}><${Tab} name=${each} current=${name} /></li>`)}</ul><${Tools} /></div>`}
    <${Strip} />
    ${session.value.demo && html`<p class="strip demo"><${Icon} name="kiosk" size="18" />${t("strip.demo")}</p>`}
    <main id="main" class=${stale ? "stale" : ""}>
      ${mustSignIn.value ? html`<${Locked} />` : failed.value === name ? html`<p class="notice bad" role="alert">${t("page_failed")} <${Button} onClick=${() => load(name)}>${t("again")}<//></p>` : Shown ? html`<${Guarded} key=${name} Shown=${Shown} />` : html`<${Loading} />`}
    </main>
    <${Notice} />
    <${Dialogs} />`;
}

// A defect of one page does not take the others with it.
function Guarded({ Shown }) {
  const [error, again] = useErrorBoundary((defect) => console.error(defect));
  if (!error) return html`<${Shown} />`;
  return html`<div class="page"><h1 tabindex="-1">${t("defect")}</h1><p class="notice bad" role="alert">${String(error.message)}<${Button} onClick=${again}>${t("again")}<//></p></div>`;
}

const Mark = () => html`<svg class="mark-icon" viewBox="0 0 64 64" width="30" height="30" aria-hidden="true"><rect width="64" height="64" rx="16" /><g><path d="M32 14v11M18 45l8-9M46 45l-8-9" /><circle class="full" cx="32" cy="32" r="7" /><circle cx="32" cy="12" r="4" /><circle cx="15" cy="48" r="4" /><circle cx="49" cy="48" r="4" /></g></svg>`;

const Tab = ({ name, current }) => html`<a href="#/${name}" aria-current=${name === current ? "page" : null}>
  <${Icon} name=${name} size="22" /><span>${t(`nav.${name}`)}</span>
  ${name === "system" && health.value?.troubles?.length > 0 ? html`<span class="badge"><span class="sr">${t("system.troubles", { n: health.value.troubles.length })}</span><span aria-hidden="true">${health.value.troubles.length}</span></span>` : null}
</a>`;

// whether what is shown is of now
function State() {
  const age = (nowMs.value - seenMs.value) / 1000;
  const state = mustSignIn.value ? "locked" : contact.value === "live" ? "live" : contact.value === "lost" ? "lost" : "connecting";
  const text = state === "live" ? t("link.live") : t(`link.${state}`);
  return html`<p class="state ${state}" title=${seenMs.value ? t("link.seen", { d: duration(age) }) : null}><span class="state-dot" aria-hidden="true"></span>${text}${state === "live" && snapshot.value ? html` <span class="muted">${clockSeconds(seenMs.value / 1000)}</span>` : null}</p>`;
}

// Old values never pass for new ones: the strip says since when they are old.
function Strip() {
  if (mustSignIn.value || contact.value === "live" || contact.value === "paused" || (!seenMs.value && contact.value === "connecting")) return null;
  const age = (nowMs.value - seenMs.value) / 1000;
  const text = !seenMs.value
    ? t("strip.never")
    : contact.value === "connecting" ? t("strip.reading") : t("strip.lost", { time: clockSeconds(seenMs.value / 1000) });
  return html`<div class="strip ${contact.value}"><${Icon} name="alert" size="18" />
    <p><span role="alert">${text}</span> ${seenMs.value > 0 && html`<span aria-hidden="true">${t("strip.age", { d: duration(age) })}</span>`}</p>
    <${Button} onClick=${restart}>${t("again")}<//></div>`;
}

function Tools() {
  const [theme, setTheme] = useState(storedTheme());
  const next = { auto: "light", light: "dark", dark: "auto" }[theme];
  const signedIn = session.value.scopes.includes("operate") || session.value.by === "session";
  return html`<div class="tools">
    <select class="tool" aria-label=${t("language")} value=${language} onChange=${(event) => chooseLanguage(event.target.value)}>${Object.keys(LANGUAGES).map((each) => html`<option key=${each} value=${each} lang=${each} selected=${each === language}>${LANGUAGES[each]}</option>`)}</select>
    <a class="tool" href="#/kiosk"><${Icon} name="kiosk" size="18" /><span>${t("kiosk")}</span></a>
    <button type="button" class="tool" onClick=${() => (window.chooseTheme(next), setTheme(next))}><${Icon} name="theme" size="18" /><span>${t(`theme.${theme}`)}</span></button>
    ${signedIn
      ? html`<button type="button" class="tool" onClick=${signOut}><${Icon} name="key" size="18" /><span>${t("sign_out")}</span></button>`
      : html`<button type="button" class="tool" onClick=${() => open(SignIn, {}, "")}><${Icon} name="key" size="18" /><span>${t("sign_in")}</span></button>`}
  </div>`;
}

function storedTheme() {
  try {
    return localStorage.getItem("theme") ?? "auto";
  } catch {
    return "auto";
  }
}

const Locked = () => html`<div class="page"><section class="card locked"><${Icon} name="lock" size="28" /><h1 tabindex="-1">${t("locked")}</h1><p>${t("locked_text")}</p><${Button} icon="key" tone="primary" onClick=${() => open(SignIn, {}, "")}>${t("sign_in")}<//></section></div>`;

function Dialogs() {
  const dialog = shown.value;
  if (!dialog) return null;
  const Part = dialog.Part ?? SignIn;
  return html`<${Part} key=${Part.name} ...${dialog.props} />`;
}

addEventListener("hashchange", close);
render(html`<${App} />`, document.getElementById("app"));
document.querySelector("#app > .boot")?.remove();
signInByLink().then((refusal) => (refusal ? done(refusal) : restart()));
start();
