// Numbers, powers, energies and times as people read them. What is not known is said, never shown as 0.

import { locale, t } from "./texts.js";

const SPACE = "\u00a0"; // a unit stays beside its number
const formats = new Map();

export function number(value, digits = 0) {
  if (value == null || Number.isNaN(value)) return t("unit.unknown");
  if (!formats.has(digits)) {
    const options = { maximumFractionDigits: digits, minimumFractionDigits: digits };
    formats.set(digits, new Intl.NumberFormat(locale, options));
  }
  const text = formats.get(digits).format(value);
  return /^-[0.,]*$/.test(text) ? text.slice(1) : text; // no "-0"
}

// [number, unit], for where the unit is set smaller
export function wattParts(w) {
  if (w == null || Number.isNaN(w)) return [t("unit.unknown"), ""];
  const size = Math.abs(w);
  if (size >= 999_500) return [number(w / 1e6, 2), "MW"];
  if (size >= 999.5) return [number(w / 1000, size < 9_995 ? 2 : 1), "kW"];
  return [number(w, size >= 0.05 && size < 9.95 ? 1 : 0), "W"];
}

export const watts = (w) => wattParts(w).join(SPACE).trim();

export function energyParts(wh) {
  if (wh == null || Number.isNaN(wh)) return [t("unit.unknown"), ""];
  const size = Math.abs(wh);
  if (size >= 999_500) return [number(wh / 1e6, 2), "MWh"];
  if (size >= 999.5) return [number(wh / 1000, size < 99_950 ? 1 : 0), "kWh"];
  return [number(wh, 0), "Wh"];
}

export const energy = (wh) => energyParts(wh).join(SPACE).trim();
export const percent = (share, digits = 0) =>
  share == null || Number.isNaN(share) ? t("unit.unknown") : `${number(100 * share, digits)}${SPACE}%`;

export function bytes(count) {
  if (count == null) return t("unit.unknown");
  if (count < 1000) return `${number(count)}${SPACE}${t("unit.bytes")}`;
  if (count < 1e6) return `${number(count / 1000, count < 10_000 ? 1 : 0)}${SPACE}kB`;
  return `${number(count / 1e6, 1)}${SPACE}MB`;
}

export function duration(seconds) {
  if (seconds == null || Number.isNaN(seconds)) return t("unit.unknown");
  const s = Math.max(0, Math.round(seconds));
  const part = (value, unit) => `${value}${SPACE}${unit}`;
  if (s < 60) return part(s, "s");
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return minutes < 10 && s % 60 ? `${part(minutes, "min")} ${part(s % 60, "s")}` : part(minutes, "min");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${part(hours, "h")} ${part(minutes % 60, "min")}` : part(hours, "h");
  return part(Math.floor(hours / 24), t("unit.days"));
}

const timeFormat = (options) => {
  let format;
  return (seconds) => (format ??= new Intl.DateTimeFormat(locale, options)).format(new Date(seconds * 1000));
};
export const clock = timeFormat({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const clockSeconds = timeFormat({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
export const longDate = timeFormat({ weekday: "long", day: "numeric", month: "long" });
export const shortDate = timeFormat({ day: "numeric", month: "short" });
const day = timeFormat({ year: "numeric", month: "2-digit", day: "2-digit" });
export const moment = (seconds) =>
  day(seconds) === day(Date.now() / 1000) ? clockSeconds(seconds) : `${shortDate(seconds)}, ${clock(seconds)}`;

// The node names its twins "node.twin"; on its own page the node goes without saying.
export function shortName(name, node) {
  return name.startsWith(`${node}.`) ? name.slice(node.length + 1) : name;
}
export const nodeOf = (name) => name.split(".")[0];
export const spoken = (name) => name.replaceAll("_", " ");
// a name as it stands alone or begins a line
export const titled = (name) => {
  const words = spoken(name).replace(/^pv\b/, "PV");
  return words ? words[0].toUpperCase() + words.slice(1) : words;
};
// parts of a line that may break after a dot
export const dotted = (parts) => parts.filter(Boolean).join("\u00a0· ");
