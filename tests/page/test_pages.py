"""Every page at every size and theme, with few and many twins and nodes: it works and can be read."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from host_tools.page.browser import PAGES, SIZES, settle
from host_tools.page.screens import MOMENT_S
from host_tools.page.stand_in import StandIn
from host_tools.page.world import World

RULES = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
}
WORLDS = [
    (0, 4),
    (4, 4),
    (60, 30),
    *(pytest.param(pair, marks=pytest.mark.proof) for pair in ((0, 30), (4, 30), (60, 4))),
]
DETAILS = ("twins/school.kitchen", "microgrid/gym")


@pytest.fixture(params=WORLDS, ids=lambda pair: f"{pair[0]} twins, {pair[1]} nodes")
def world(request):
    twins, nodes = request.param
    return World(twins=twins, nodes=nodes, troubles=twins == 60, learns=twins > 0, now_s=MOMENT_S)


def test_every_page_opens_at_every_size_and_in_both_themes(visit, world):
    on = visit()
    page = on.open()
    for size in SIZES:
        page.set_viewport_size(SIZES[size])
        for name in PAGES:
            page.evaluate("name => location.hash = `#/${name}`", name)
            page.wait_for_selector(f"nav a[aria-current=page][href='#/{name}']", state="attached")
            settle(page)
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme=theme)
                page.wait_for_selector(f"html[data-theme={theme}]")
                on.check()


@pytest.mark.parametrize("world", [(4, 4)], indirect=True)
@pytest.mark.parametrize("width", [320, 820])
def test_pages_fit_the_smallest_phone_and_a_tablet(visit, world, width):
    on = visit()
    on.page.set_viewport_size({"width": width, "height": 700})
    for name in (*PAGES, *DETAILS):
        on.open(name)
        on.check()


def _violations(page):
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{each['id']}: {node['html'][:160]}" for each in found for node in each["nodes"][:2]]


@pytest.mark.parametrize("world", [(8, 4)], indirect=True)
@pytest.mark.parametrize(("size", "theme"), [("desktop", "light"), ("phone", "dark")])
def test_every_page_is_accessible(visit, server, size, theme):
    server.world.troubles = True
    on = visit(size, color_scheme=theme, reduced_motion="reduce")
    page = on.open()
    for name in (*PAGES, *DETAILS):
        page.evaluate("name => location.hash = `#/${name}`", name)
        page.wait_for_selector(
            f"nav a[aria-current=page][href='#/{name.partition('/')[0]}']", state="attached"
        )
        settle(page)
        assert not _violations(page), name
    page.evaluate("location.hash = '#/twins'")
    settle(page)
    page.get_by_role("button", name="Add a twin").click()
    page.wait_for_selector("dialog[open]")
    assert not _violations(page), "the dialog"


@pytest.mark.parametrize("world", [(0, 4)], indirect=True)
def test_the_first_run_is_accessible_and_says_what_to_do(visit, server):
    on = visit()
    page = on.open()
    assert not _violations(page)
    page.evaluate("document.querySelector('main').append(new Image())")
    assert "image-alt" in str(_violations(page)), "the checker finds what is wrong"
    text = page.inner_text("main")
    for words in (
        "Find the meters",
        "microgrid-edge probe",
        "Add a twin",
        "Connect the neighbours",
        "make demo",
    ):
        assert words in text
    on.open("forecast")
    assert "[learning]" in page.inner_text("main")


def test_figures_of_speed_stay_within_wide_bounds(chromium):
    """Measured figures are printed by `make bench`; here only what would be a defect fails."""
    from host_tools.page.measure import day_ms, ready_s

    with (
        StandIn(World(twins=8, nodes=4)) as server,
        chromium.new_context(viewport=SIZES["desktop"]) as profile,
    ):
        assert ready_s(profile, server.url) < 20
        first_bytes = server.bytes_sent
        assert day_ms(profile, server.url) < 1500
    assert first_bytes < 110_000
