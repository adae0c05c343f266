// Which page is open, from the part of the address after #: #/page/argument?key=value

import { signal } from "./preact.js";

function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, arg = ""] = path.split("/");
  return { page: page || "now", arg: decodeURIComponent(arg), query: Object.fromEntries(new URLSearchParams(query)) };
}

export const route = signal(read());
addEventListener("hashchange", () => (route.value = read()));

export function go(page, arg = "", query = {}) {
  const found = Object.entries(query).filter(([, value]) => value !== "" && value != null);
  const text = `#/${page}${arg ? `/${encodeURIComponent(arg)}` : ""}${found.length ? `?${new URLSearchParams(found)}` : ""}`;
  if (text !== location.hash) location.hash = text;
}
