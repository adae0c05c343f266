"""The same day drawn by others, in the same browser: chart.js from the npm registry, and a plain canvas.

The plain canvas has no axis, text or cursor: it is about the least that such a chart can take.
"""

import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

CHART_JS = "chart.js@4.5.0"
_MINUTES, _SERIES = 1440, 6
_NPM_S = 60.0
_TIMES = 5
_PAGE = (
    '<!doctype html><div id="place" style="width: 1100px; height: 340px"><canvas id="canvas"></canvas></div>'
)
_DATA = f"""
const times = Array.from({{ length: {_MINUTES} }}, (_, n) => 1.7e12 + 60000 * n);
const rows = Array.from({{ length: {_SERIES} }}, (_, s) => times.map((_, n) =>
  500 * (s + 1) + 300 * Math.sin(n / 90 + s) + 80 * Math.sin(n * 12.9898 + s)));
const canvas = document.getElementById("canvas");
const drawn = (draw) => new Promise((done) => {{
  const began = performance.now();
  draw();
  requestAnimationFrame(() => done(performance.now() - began));
}});
"""
_DRAW_CHART_JS = """
new Chart(canvas, {
  type: "line",
  data: { datasets: rows.map((row, s) => ({ label: `series ${s}`, pointRadius: 0, borderWidth: 1.5,
    data: row.map((y, n) => ({ x: times[n], y })) })) },
  options: { animation: false, parsing: false, normalized: true, maintainAspectRatio: false,
    scales: { x: { type: "linear" } } },
})
"""
_DRAW_CANVAS = """
canvas.width = 1100, canvas.height = 340;
const pen = canvas.getContext("2d");
rows.forEach((row, s) => {
  pen.strokeStyle = `hsl(${60 * s} 60% 40%)`;
  pen.beginPath();
  row.forEach((y, n) => pen.lineTo((1100 * n) / times.length, 340 - y / 12));
  pen.stroke();
});
"""


def measure(profile: Any) -> dict[str, float | str]:
    """Median ms of each until the next frame; why it was not measured for one that is not there."""
    found: dict[str, float | str] = {"plain_canvas_ms": _drawn_ms(profile, "", _DRAW_CANVAS)}
    try:
        library = _chart_js()
    except (OSError, subprocess.SubprocessError) as error:
        found["chart_js_ms"] = f"not measured: npm cannot bring {CHART_JS} ({type(error).__name__})"
    else:
        found["chart_js_ms"] = _drawn_ms(profile, library, _DRAW_CHART_JS)
        found["chart_js"] = CHART_JS
    return found


def _drawn_ms(profile: Any, library: str, draw: str) -> float:
    taken = []
    for _ in range(_TIMES):
        page = profile.new_page()
        page.set_content(_PAGE)
        if library:
            page.add_script_tag(content=library)
        taken.append(float(page.evaluate(f"async () => {{ {_DATA} return drawn(() => {{ {draw} }}); }}")))
        page.close()
    return round(median(taken), 1)


def _chart_js() -> str:
    """Its script, from the registry or the cache of npm. Raises OSError, SubprocessError."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "npm",
            "install",
            "--prefix",
            folder,
            "--no-audit",
            "--no-fund",
            "--prefer-offline",
            CHART_JS,
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=_NPM_S)
        return Path(folder, "node_modules/chart.js/dist/chart.umd.js").read_text()
