"""The plots of docs/gossip.md."""

from pathlib import Path
from typing import Any

from host_tools.sim.style import CYCLE, FAINT, figure

from ..intervals import Interval
from .lines import LOCAL, groups, line


def draw(results: list[dict[str, Any]], images: Path) -> list[str]:
    """Write the plots for which there are results; their names."""
    images.mkdir(parents=True, exist_ok=True)
    found = []
    for name, plot in (("gossip_late", late), ("gossip_nodes", nodes)):
        file = images / f"{name}.png"
        if plot(results, file):
            found.append(file.name)
    return found


def late(results: list[dict[str, Any]], file: Path) -> bool:
    """The demand of newcomers by days of own data: accuracy and log loss against a node alone."""
    by_model: dict[str, dict[int, Any]] = {}
    for key, group in groups(results, "late").items():
        model, days = key.split(", ")
        if LOCAL["late"] in group and len(group) > 1:
            by_model.setdefault(model, {})[int(days[:-1])] = group
    if not by_model:
        return False
    with figure(file, "a newcomer after N days of own data, demand", 4.2, ncols=2) as panels:
        number = 0
        for model, of_days in sorted(by_model.items()):
            for variant in sorted({name for group in of_days.values() for name in group} - {LOCAL["late"]}):
                own_days = sorted(day for day, group in of_days.items() if variant in group)
                lines = [line(of_days[day][variant], of_days[day][LOCAL["late"]], True) for day in own_days]
                at = [day * (1 + 0.03 * number) for day in own_days]
                look = {"color": CYCLE[number % len(CYCLE)], "label": f"{model}, {variant}"}
                _errors(panels[0], at, [(each.gain, each.gain_limits) for each in lines], 100, look)
                _errors(panels[1], at, [(each.saved, each.saved_limits) for each in lines], 1, look)
                number += 1
        for axes, title in zip(panels, ("points of accuracy gained", "log loss saved"), strict=True):
            axes.axhline(0, color=FAINT, lw=1)
            axes.set(title=title, xlabel="days of own data", xscale="log")
            axes.set_xticks((1, 2, 4, 7), ("1", "2", "4", "7"))
            axes.minorticks_off()
        panels[1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return True


def _errors(axes: Any, at: list[float], means: list[tuple[float, Interval]], times: float, look: Any) -> None:
    """Means with their intervals."""
    low = [times * (mean - limits[0]) if limits else 0.0 for mean, limits in means]
    high = [times * (limits[1] - mean) if limits else 0.0 for mean, limits in means]
    axes.errorbar(at, [times * mean for mean, _ in means], [low, high], fmt="o-", ms=4, capsize=2, **look)


def nodes(results: list[dict[str, Any]], file: Path) -> bool:
    """What each node gains or loses: one point a node and variant."""
    rows = []
    for study in ("late", "nodes", "cluster"):
        for key, group in sorted(groups(results, study).items()):
            local = {each.node: each for each in group.get(LOCAL[study], [])}
            for variant, scores in sorted(group.items()):
                if variant == LOCAL[study] or not local:
                    continue
                gains = [
                    100 * line([each], [local[each.node]], True).gain for each in scores if each.node in local
                ]
                rows.append((f"{study}, {key}: {variant}", gains))
    if not rows:
        return False
    with figure(
        file, "each point is a node: points of accuracy against alone, demand", 1 + 0.28 * len(rows)
    ) as axes:
        for at, (_, gains) in enumerate(rows):
            axes.plot(gains, [at] * len(gains), "o", color=CYCLE[0], alpha=0.6, ms=5)
        axes.axvline(0, color=FAINT, lw=1)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=9)
        axes.invert_yaxis()
    return True
