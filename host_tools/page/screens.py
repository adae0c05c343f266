"""Screenshots of the dashboard: `python -m host_tools.page.screens [--readme]`.

Every page in both sizes and both themes goes to build/screens; with --readme the three of the README, small,
to docs/images. What they show is played by `stand_in`.
"""

import argparse
import sys
from calendar import timegm
from pathlib import Path
from typing import Any

from .browser import PAGES, SIZES, NoBrowser, browser, settle
from .stand_in import StandIn
from .world import World

REPOSITORY = Path(__file__).parents[2]
SCREENS = REPOSITORY / "build" / "screens"
IMAGES = REPOSITORY / "docs" / "images"
MOMENT_S = float(timegm((2026, 6, 19, 13, 42, 20)))
DETAILS = ("twins/school.kitchen", "microgrid/gym")
README = (
    ("now", "desktop", "light", "dashboard_now"),
    ("day", "desktop", "dark", "dashboard_day"),
    ("forecast", "phone", "light", "dashboard_phone"),
)


def world(**more: Any) -> World:
    """The microgrid of the screenshots."""
    return World(**{"twins": 8, "nodes": 4, "now_s": MOMENT_S, **more})


def shoot(page: Any, url: str, name: str, path: Path, *, whole: bool = True) -> None:
    """Open a page of the dashboard and save how it looks."""
    page.goto(f"{url}/#/{name}")
    settle(page)
    page.wait_for_timeout(300)  # charts are drawn in the next frames
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(path), full_page=whole)


def context(started: Any, size: str, theme: str, scale: float = 1.0) -> Any:
    """A fresh profile in that size and theme, at the moment of the screenshots."""
    return started.new_context(
        viewport=SIZES[size],
        color_scheme=theme,
        device_scale_factor=scale,
        locale="en-GB",
        timezone_id="UTC",
    )


def all_screens(started: Any) -> int:
    """Every page, and the states that are rare. Returns how many."""
    states = {
        "": world(),
        "empty-": world(twins=0, nodes=1, learns=False),
        "many-": world(twins=60, nodes=30, troubles=True),
    }
    count = 0
    for state, played in states.items():
        with StandIn(played) as server:
            for size in SIZES:
                for theme in ("light", "dark"):
                    with context(started, size, theme) as profile:
                        page = profile.new_page()
                        page.clock.set_fixed_time(MOMENT_S)
                        for name in (*PAGES, *(() if state else DETAILS)):
                            file = f"{state}{name.replace('/', '-')}-{size}-{theme}.png"
                            shoot(page, server.url, name, SCREENS / file)
                            count += 1
    return count


def readme_screens(started: Any) -> int:
    """The three of the README. Returns how many."""
    with StandIn(world()) as server:
        for name, size, theme, file in README:
            with context(started, size, theme) as profile:
                page = profile.new_page()
                page.clock.set_fixed_time(MOMENT_S)
                shoot(page, server.url, name, IMAGES / f"{file}.png", whole=False)
    return len(README)


def main(arguments: list[str] | None = None) -> int:
    """Take the screenshots; returns the exit code."""
    parser = argparse.ArgumentParser(prog="screens", description=__doc__)
    parser.add_argument("--readme", action="store_true", help="also those of the README, to docs/images")
    options = parser.parse_args(arguments)
    try:
        with browser() as started:
            print(f"{all_screens(started)} screenshots in {SCREENS}")
            if options.readme:
                print(f"{readme_screens(started)} screenshots in {IMAGES}")
    except NoBrowser as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
