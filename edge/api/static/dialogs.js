// One dialog at a time, above the page. What changes the node first asks who is there.

import { signal } from "./preact.js";
import { may } from "./api.js";

export const shown = signal(null); // {Part, props}

export function open(Part, props = {}, scope = "operate") {
  shown.value = !scope || may(scope) ? { Part, props } : { Part: null, props: { then: () => open(Part, props, scope), scope } };
}

export function close() {
  shown.value = null;
}
