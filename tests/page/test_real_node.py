"""The dashboard of real nodes: what it shows and changes is what happens in their microgrid."""

import pytest
from conftest import Visit

from host_tools.microgrid.generator import generated
from host_tools.microgrid.launch import Microgrid, Pace
from host_tools.microgrid.plan import connect_chain, grid_connection
from host_tools.page.browser import PAGES, settle

pytestmark = pytest.mark.system


@pytest.fixture
def microgrid(tmp_path):
    plans = generated(seed=1, start_hour=12, speed=1)[:2]
    plans[0].extra.append(grid_connection(10_000))
    connect_chain(plans)
    with Microgrid(plans, tmp_path, Pace()) as running:
        yield running


def test_a_real_microgrid_is_seen_and_changed(chromium, microgrid):
    primary, afterschool = microgrid.buildings
    on = Visit(chromium, primary.url, at_s=None)
    page = on.page
    page.goto(primary.login)
    page.wait_for_selector(".block-link:has-text('Afterschool')", timeout=60_000)
    assert "token" not in page.url
    for name in PAGES:
        on.open(name)
        on.check()

    on.open("twins")
    page.get_by_role("button", name="Add a twin").click()
    page.get_by_label("Name", exact=True).fill("sauna")
    page.get_by_label("Power").fill("900")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector(".twin:has-text('Sauna'):has-text('Supplied')", timeout=60_000)
    assert any(each["consumer"] == "primary.sauna" for each in primary.ask("/contracts")["consumed"])

    on.open("twins/primary.sauna")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    page.wait_for_selector(".headline:has-text('Stopped')")
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    page.wait_for_selector(".toast:has-text('was removed')")

    on.open("microgrid/afterschool")
    page.get_by_role("button", name="Cut the link").click()
    page.get_by_role("dialog").get_by_role("button", name="Cut the link").click()
    page.wait_for_selector(".toast:has-text('was cut')")
    assert "afterschool" not in primary.ask("/health")["links"]["neighbours"]
    on.open("day")
    page.wait_for_selector(".timeline:has-text('link')")
    settle(page)
    on.check()

    primary.process.kill()
    page.wait_for_selector(".strip.lost")
    on.close()
    assert afterschool.ask("/health")["node"] == "afterschool"
