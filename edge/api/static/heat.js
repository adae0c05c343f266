// A table of probabilities as a heat map: the deeper the colour, the likelier; the number says the same.

import { html } from "./preact.js";
import { percent } from "./units.js";

// `rows`: {label, values (0..1), texts in place of percent, likeliest, truth (indices)}, `columns`: labels
export function Heat({ rows, columns, label, corner }) {
  const never = columns.map((_, i) => (rows.every((row) => (row.values[i] ?? 0) < 0.005) ? "never" : "")); // left out on a phone
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}><table class="heat">
    <thead><tr><th scope="col">${corner}</th>${columns.map((each, i) => html`<th scope="col" key=${each} class=${never[i]}>${each}</th>`)}</tr></thead>
    <tbody>${rows.map(
      (row) => html`<tr key=${row.label}>
        <th scope="row">${row.label}</th>
        ${row.values.map((p, i) => {
          const level = Math.round(Math.min(1, Math.max(0, p ?? 0)) * 10); // of a count, of the largest one
          return html`<td key=${i} class="heat-${level} ${never[i]} ${i === row.likeliest ? "likeliest" : ""} ${i === row.truth ? "truth" : ""}">${row.texts?.[i] ?? (p == null ? "–" : percent(p))}</td>`;
        })}
      </tr>`,
    )}</tbody>
  </table></div>`;
}
