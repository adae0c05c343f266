// Charts over time, drawn by uPlot: lines with a second coding by dashes, bands, a line for now, and a cursor that says
// every value with its unit.

import uPlot from "./uplot.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { Button } from "./widgets.js";
import { t } from "./texts.js";
import { clock, number, shortDate } from "./units.js";

export const DASHES = { requested: [], consumed: [], missing: [], produced: [], supplied: [7, 4], available: [2, 3] };
const cssColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// `series`: {key, label, values, color (name of a CSS variable), dash, fill, unit: "W" | "%"}, over `times` in seconds;
// `bands`: {upper, lower, color} as keys of series. `now` in seconds draws a line.
export function Chart({ times, series, bands = [], now, height = 320, label, from, to }) {
  const self = useRef();
  const plot = useRef(null);
  const [zoomed, setZoomed] = useState(false);
  const [tip, setTip] = useState(null);
  const [theme, setTheme] = useState(0);
  const shape = JSON.stringify([series.map((each) => [each.key, each.color, each.hidden, each.dash]), bands, height, theme]);
  useEffect(() => {
    const change = () => setTheme((before) => before + 1);
    addEventListener("theme", change);
    return () => removeEventListener("theme", change);
  }, []);

  const limits = useRef({});
  limits.current = { from, to, now };
  useEffect(() => {
    const began = performance.now();
    const options = optionsOf({ series, bands, height, limits, setTip, setZoomed, width: self.current.clientWidth });
    plot.current = new uPlot(options, dataOf(times, series), self.current);
    plot.current.root.querySelector("canvas").setAttribute("aria-hidden", "true");
    requestAnimationFrame(() => self.current && (self.current.dataset.drawnMs = (performance.now() - began).toFixed(1)));
    const observer = new ResizeObserver(() => {
      const width = self.current?.clientWidth;
      if (width && plot.current && width !== plot.current.width) plot.current.setSize({ width, height });
    });
    observer.observe(self.current);
    return () => {
      observer.disconnect();
      plot.current.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => {
    plot.current?.setData(dataOf(times, series), !zoomed);
  }, [times, from, to, now, ...series.map((each) => each.values)]);

  const zoom = (factor, shift = 0) => {
    const scale = plot.current.scales.x;
    const middle = (scale.min + scale.max) / 2;
    const half = ((scale.max - scale.min) / 2) * factor;
    const move = shift * (scale.max - scale.min);
    plot.current.setScale("x", { min: middle - half + move, max: middle + half + move });
    setZoomed(true);
  };
  const reset = () => {
    plot.current.setScale("x", rangeOf(limits.current, times));
    setZoomed(false);
  };
  const keys = (event) => {
    const does = { "+": () => zoom(0.5), "-": () => zoom(2), ArrowLeft: () => zoom(1, -0.2), ArrowRight: () => zoom(1, 0.2), 0: reset }[event.key];
    if (does) {
      event.preventDefault();
      does();
    }
  };
  return html`<div class="chart" role="group" aria-label="${label}. ${t("chart.keys")}" tabindex="0" onKeyDown=${keys} onDblClick=${() => setZoomed(false)}>
    <div class="chart-area" ref=${self}></div>
    ${tip && html`<${Tip} ...${tip} series=${series} times=${times} />`}
    ${zoomed && html`<div class="chart-reset"><${Button} onClick=${reset}>${t("chart.whole")}<//></div>`}
  </div>`;
}

function Tip({ index, left, top, width, series, times }) {
  const shown = series.filter((each) => !each.hidden && !each.quiet && each.values[index] != null);
  if (!shown.length) return null;
  const style = left > width / 2 ? { right: `${width - left + 14}px`, top: `${top}px` } : { left: `${left + 14}px`, top: `${top}px` };
  return html`<div class="tip-box" style=${style} aria-hidden="true">
    <p class="tip-time">${clock(times[index])}</p>
    ${shown.map(
      (each) => html`<p key=${each.key}><span class="swatch" style=${{ background: `var(${each.color})` }}></span>${each.label}
        <b>${each.format(each.values[index])}</b></p>`,
    )}
  </div>`;
}

const dataOf = (times, series) => [times, ...series.map((each) => each.values)];

// uPlot asks for the range of all data in the same way as for a part that was chosen
const whole = (times, min, max) => min == null || (min === times[0] && max === times.at(-1));

function rangeOf({ from, to }, times) {
  return { min: from ?? times[0] ?? 0, max: to ?? times.at(-1) ?? 1 };
}

function optionsOf({ series, bands, height, width, limits, setTip, setZoomed }) {
  const text = cssColor("--muted");
  const grid = cssColor("--line");
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const narrow = width < 520;
  const position = new Map(series.map((each, i) => [each.key, i + 1]));
  const axis = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    padding: [12, 24, 0, 0], // half of the last date stands there
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: true, y: false, setScale: true } },
    scales: {
      x: { time: true, range: (self, min, max) => (whole(self.data[0], min, max) ? Object.values(rangeOf(limits.current, self.data[0])) : [min, max]) },
      y: { range: (_, min, max) => [Math.min(0, min ?? 0), Math.max(10, (max ?? 0) * 1.08)] },
    },
    axes: [
      { ...axis, space: narrow ? 56 : 76, values: (_, splits) => timeLabels(splits), size: 34 },
      { ...axis, space: 44, size: narrow ? 56 : 66, values: (_, splits) => powerLabels(splits, series[0]?.unit) },
    ],
    series: [
      {},
      ...series.map((each) => ({
        label: each.label,
        show: !each.hidden,
        stroke: cssColor(each.color),
        width: each.quiet ? 0 : (each.width ?? 2),
        dash: each.dash?.length ? each.dash : undefined,
        fill: each.fill ? `${cssColor(each.color)}22` : undefined,
        points: { show: each.points ?? false, size: 6, fill: cssColor(each.color) },
        spanGaps: each.spanGaps ?? false,
        paths: each.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
      })),
    ],
    bands: bands.map((each) => ({ series: [position.get(each.upper), position.get(each.lower)], fill: `${cssColor(each.color)}${each.strength ?? "2e"}` })),
    hooks: {
      setCursor: [
        (self) => {
          const { idx, left } = self.cursor;
          setTip(idx == null || left < 0 ? null : { index: idx, left: left + self.bbox.left / devicePixelRatio, top: 16, width: self.width });
        },
      ],
      setSelect: [(self) => self.select.width > 4 && setZoomed(true)],
      drawAxes: [(self) => drawNow(self, limits.current.now, text, font)],
    },
  };
}

function drawNow(self, now, color, font) {
  if (!now || now < self.scales.x.min || now > self.scales.x.max) return;
  const x = Math.round(self.valToPos(now, "x", true));
  const { ctx, bbox } = self;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.setLineDash([4, 4]);
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.fillStyle = color;
  ctx.font = font.replace("12px", `${Math.round(12 * devicePixelRatio)}px`);
  const right = x > bbox.left + bbox.width - 60;
  ctx.textAlign = right ? "right" : "left";
  ctx.fillText(t("chart.now"), x + (right ? -6 : 6), bbox.top + 12 * devicePixelRatio);
  ctx.restore();
}

function timeLabels(splits) {
  let lastDay = "";
  return splits.map((each, i) => {
    const day = shortDate(each);
    const text = clock(each);
    const first = day !== lastDay && (text === "00:00" || splits.at(-1) - splits[0] > 86_400 * 1.5) && i > 0;
    lastDay = day;
    return first ? day : text;
  });
}

function powerLabels(splits, unit = "W") {
  if (unit !== "W") return splits.map((each) => `${number(each)} ${unit}`);
  const most = Math.max(...splits.map(Math.abs));
  const step = splits.length > 1 ? Math.abs(splits[1] - splits[0]) : most;
  const digits = step >= 1000 ? (step % 1000 ? 1 : 0) : step >= 100 ? 1 : 2;
  return splits.map((each) => (each === 0 ? "0" : most >= 1000 ? `${number(each / 1000, digits)} kW` : `${number(each, step < 1 ? 1 : 0)} W`));
}

// The legend is a row of switches: which lines are shown.
export const Legend = ({ series, toggle }) => html`<div class="legend" role="group" aria-label=${t("chart.lines")}>
  ${series.map(
    (each) => html`<button type="button" key=${each.key} class="legend-item" aria-pressed=${!each.hidden} onClick=${() => toggle(each.key)}>
      <svg width="26" height="10" aria-hidden="true"><line x1="1" x2="25" y1="5" y2="5" stroke-width="3"
        style=${{ stroke: `var(${each.color})` }} stroke-dasharray=${(each.dash ?? []).join(" ")} stroke-linecap="round" /></svg>
      ${each.label}
    </button>`,
  )}
</div>`;
