"""What people do on the dashboard: look, drill down, change, and lose the connection."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from host_tools.page.browser import settle
from host_tools.page.stand_in import TOKEN


def _requests(server, wanted):
    return sum(each == wanted for each in server.world.requests)


def _sign_in(page):
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()


def test_now_says_who_supplies_whom_in_a_picture_in_words_and_as_a_table(visit, server):
    page = visit().open()
    flows = [each for each in server.world.snapshot()["flows"] if each["consumer_node"] == "school"]
    assert page.locator(".ribbon").count() >= len({(each["supplier"], each["consumer"]) for each in flows})
    label = page.locator(".block-link").first.get_attribute("aria-label")
    assert re.search(r"PV roof supplies [\d.]+\s(kW|W): \w+", label)
    page.get_by_text("The same as a table").click()
    _until(page, lambda: page.locator(".as-table tbody tr").count() == page.locator(".ribbon").count() > 0)
    units = {unit.strip() for unit in page.locator(".tile-value .unit").all_inner_texts()}
    assert units <= {"kW", "W"}


def test_now_says_what_it_knows_of_a_microgrid_whose_sum_no_node_makes(visit, world):
    snapshot = world.snapshot()
    unknown = {**snapshot["microgrid"], "powers_w": None, "nodes_summed": 0}
    world.snapshot = lambda: {**snapshot, "microgrid": unknown}
    page = visit().open()
    page.wait_for_selector("text=4 nodes, seen from School")
    assert "0 nodes" not in page.inner_text("main")


def test_now_tells_what_this_building_uses_apart_from_what_its_grid_gives_to_others(visit, world):
    mix = visit().open().locator(".mix")
    expect(mix).to_contain_text("For this building:")
    text = _plain(mix.inner_text())
    power = r"[\d.]+ k?W"
    exchanged = rf"By contract {power} from the grid, {power} of local power left over\."
    assert re.search(rf"{exchanged} Of the grid.s contracts, {power} go to other nodes\.", text)
    snapshot = world.snapshot()
    own = [each for each in snapshot["flows"] if each["consumer_node"] == world.node]
    metered = [each | ({"input": "m9.total"} if each["kind"] == "grid" else {}) for each in snapshot["twins"]]
    flows = {"imported_w": 407.0, "exported_w": 0.0}
    world.snapshot = lambda: {**snapshot, **flows, "flows": own, "twins": metered}
    line = visit().open().locator(".grid-line").inner_text()
    assert _plain(line) == "407 W from the grid, 0 W to the grid."


def _plain(text):
    return re.sub(r"[\s\u00a0]+", " ", text)


def test_powers_that_other_nodes_do_not_tell_are_explained(visit, world):
    found = world.microgrid()
    for each in found["nodes"]:
        each["powers_w"] = each["powers_w"] if each["name"] == world.node else None
    world.microgrid = lambda: found
    page = visit().open("microgrid")
    page.wait_for_selector("p:has-text('Nodes tell their powers only while they learn')")


def test_the_day_says_when_its_lines_begin(visit, world):
    whole = world.series

    def young(query):  # one value is no line
        found = whole(query)
        for values in found["columns"].values():
            values[:] = [*[None] * (len(values) - 1), 200.0]
        return found

    world.series, world.learns = young, False
    on = visit()
    page = on.open("day")
    page.wait_for_selector("text=Lines begin after 2 minutes of recording.")
    page.get_by_label("Mean of").select_option("15")
    page.wait_for_selector("text=Lines begin after 30 minutes of recording.")
    snapshot = world.snapshot()
    world.snapshot = lambda: {**snapshot, "microgrid": {**snapshot["microgrid"], "powers_w": None}}
    page.goto(f"{on.url}/#/day?scope=cluster")
    page.reload()
    page.wait_for_selector(".chart-wait:has-text('This node does not learn')")


def test_a_device_opens_its_twin_with_mouse_and_keyboard(visit):
    page = visit().open()
    page.locator(".block-link", has_text="Kitchen").click()
    page.wait_for_selector("h1:has-text('Kitchen')")
    page.go_back()
    page.locator(".block-link", has_text="Kitchen").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Kitchen')")
    expect(page.get_by_role("main")).to_contain_text("supplies")


def test_another_node_unfolds_into_its_twins(visit):
    page = visit().open()
    page.locator(".block-link", has_text="Gym").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Show Gym as one again").click()
    page.wait_for_selector(".block-link:has-text('Gym')")


def test_values_follow_the_stream(visit, server):
    page = visit().open()
    server.world.stopped.add("kitchen")
    page.wait_for_selector(".block-link:has-text('Kitchen')", state="detached")


def test_a_twin_is_added_after_signing_in(visit, server):
    page = visit().open("twins")
    page.get_by_role("button", name="Add a twin").click()
    _sign_in(page)
    page.get_by_label("Name", exact=True).fill("sauna")
    page.get_by_label("Power").fill("4200")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector(".toast:has-text('sauna was added')")
    page.wait_for_selector(".twin:has-text('Sauna')")
    assert server.world.added["sauna"]["power_w"] == 4200
    assert "input" not in server.world.added["sauna"], "what is left empty is not sent"


def test_a_wrong_token_is_refused_in_words(visit):
    page = visit().open("twins")
    page.get_by_role("button", name="Add a twin").click()
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    page.wait_for_selector("dialog [role=alert]:has-text('the token is not valid')")


def test_what_the_node_refuses_is_said_at_the_field(visit, server):
    server.signed_in = True
    server.faults.refused = "power_w = -1: expected at least 0"
    page = visit().open("twins")
    page.get_by_role("button", name="Add a twin").click()
    page.get_by_label("Name", exact=True).fill("sauna")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector("dialog [role=alert]:has-text('expected at least 0')")
    expect(page.locator("#field-power_w")).to_have_attribute("aria-invalid", "true")
    assert page.get_by_label("Name", exact=True).input_value() == "sauna", "what was typed stays"


def test_a_twin_is_modified_stopped_and_restarted(visit, server):
    server.signed_in = True
    page = visit().open("twins/school.kitchen")
    page.get_by_role("button", name="Modify").click()
    page.get_by_label("Priority").select_option("high")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector(".toast:has-text('was modified')")
    assert server.world.changed["kitchen"] == {"priority": "high"}, "only what was changed is sent"
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    page.wait_for_selector(".headline:has-text('Stopped')")
    page.get_by_role("button", name="Restart").click()
    page.get_by_role("dialog").get_by_role("button", name="Restart").click()
    page.wait_for_selector(".headline:has-text('Supplied')")


def test_escape_closes_a_dialog_and_the_focus_returns(visit, server):
    server.signed_in = True
    page = visit().open("twins")
    page.get_by_role("button", name="Add a twin").click()
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    expect(page.get_by_role("button", name="Add a twin")).to_be_focused()


def test_a_link_is_cut_and_added_again(visit, server):
    server.signed_in = True
    page = visit().open("microgrid/gym")
    page.get_by_role("button", name="Cut the link").click()
    page.get_by_role("dialog").get_by_role("button", name="Cut the link").click()
    page.wait_for_selector(".toast:has-text('was cut')")
    assert server.world.cut == {"gym"}
    page.wait_for_selector(".spot[aria-label^=Gym]", state="detached")
    page.get_by_role("button", name="Add a neighbour").click()
    page.get_by_role("textbox", name="Node").fill("gym")
    page.get_by_label("Host").fill("gym.local")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector(".spot[aria-label^=Gym]")


def test_the_graph_is_walked_with_the_keyboard(visit):
    page = visit().open("microgrid")
    page.locator(".spot[aria-label^=Gym]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".node-detail h2:has-text('Gym')")
    assert page.get_by_role("link", name="Open its page").get_attribute("href").startswith("http://gym.local")


def test_a_prediction_of_the_past_is_replayed(visit):
    page = visit().open("forecast")
    page.wait_for_selector("text=The likeliest state was right in")
    assert "Stays as it is" in page.inner_text("main")
    with page.expect_response(re.compile(r"/predictions\?.*from=2026-06-18T09")) as answer:
        page.get_by_label("Replay from").fill("2026-06-18T09:00")
    assert answer.value.ok
    page.wait_for_selector("text=The likeliest state was right in")
    assert "at=2026-06-18T09" in page.url


def test_the_day_is_zoomed_compared_and_saved(visit, server):
    page = visit().open("day/2026-06-18")
    chart = page.locator(".chart").first
    chart.focus()
    page.keyboard.press("+")
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Compare with").select_option("before")
    page.wait_for_selector("text=/\\d\\s% (more|less) than the day before/")
    page.get_by_role("button", name="Missing").click()
    expect(page.get_by_role("button", name="Missing")).to_have_attribute("aria-pressed", "false")
    links = [each.get_attribute("href") for each in page.locator("a[download]").all()]
    assert any(each.startswith("/api/v1/series?") and "format=csv" in each for each in links)
    assert any(each.startswith("/api/v1/events?") and "format=csv" in each for each in links)
    page.get_by_role("button", name="The day before").click()
    page.wait_for_selector("h1:has-text('17 June')")


def test_the_cursor_says_every_value_with_its_unit(visit):
    page = visit().open("day/2026-06-18")
    page.locator(".u-over").first.hover(position={"x": 300, "y": 80})
    tip = page.wait_for_selector(".tip-box").inner_text()
    assert re.search(r"\d\d:\d\d", tip)
    assert re.search(r"Requested\s*[\d.]+\s(kW|W)", tip)


def test_events_are_filtered_and_more_are_shown(visit):
    page = visit().open("day")
    expect(page.locator(".timeline li")).to_have_count(15)
    page.get_by_role("button", name="Show more").click()
    page.wait_for_selector(".timeline li:nth-child(16)")
    page.get_by_label("Twin", exact=True).select_option("school.kitchen")
    _until(page, lambda: set(page.locator(".timeline b").all_inner_texts()) == {"Kitchen"})
    page.get_by_label("Which events").select_option("unsatisfied")
    page.wait_for_selector("text=nobody supplied it in time")


def test_the_space_is_filtered_and_what_is_sealed_is_shown_as_sealed(visit):
    page = visit().open("space")
    page.get_by_role("searchbox").fill("kitchen")
    page.wait_for_selector(".lsa:nth-child(2)", state="detached")
    page.locator(".lsa summary").first.click()
    expect(page.locator(".lsa")).to_contain_text("Sealed: only the twin that it is for can read it.")
    expect(page.locator(".lsa")).to_contain_text("power_w")


def test_troubles_come_with_what_to_do(visit, server):
    server.world.troubles = True
    page = visit().open("system")
    page.wait_for_selector("text=2 troubles need attention")
    text = page.inner_text("main")
    assert text.count("What to do:") == 2
    assert "Check the network and the broker of the neighbour." in text


# ---- the connection ------------------------------------------------------------------------------


def test_values_of_a_lost_node_are_marked_as_old_and_return_by_themselves(visit, server):
    page = visit().open()
    server.faults.broken = True
    server.cut()
    strip = page.wait_for_selector(".strip.lost")
    assert re.search(r"The values below are from \d\d:\d\d:\d\d\. They are .* old", strip.inner_text())
    expect(page.locator(".side .state")).to_contain_text("No connection")
    expect(page.locator("main.stale")).to_have_count(1)
    server.faults.broken = False
    page.wait_for_selector(".strip", state="detached")
    expect(page.locator("main.stale")).to_have_count(0)


def test_a_page_without_network_says_so(visit):
    on = visit()
    page = on.open()
    on.profile.set_offline(True)
    page.wait_for_selector(".strip.lost")
    on.profile.set_offline(False)
    page.wait_for_selector(".strip", state="detached")


def test_a_node_that_falls_silent_is_not_taken_for_one_where_nothing_changes(visit, server):
    on = visit()
    page = on.open()
    server.faults.silent = True
    before = _requests(server, "GET /snapshot")
    page.clock.fast_forward(40_000)
    _until(page, lambda: _requests(server, "GET /snapshot") > before)


def _hide(page, hidden):
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_nothing_is_sent_to_a_page_that_nobody_sees_and_it_returns_with_new_values(visit, server):
    page = visit().open()
    _until(page, lambda: server.streams == 1)
    _hide(page, True)
    _until(page, lambda: server.streams == 0)
    before = _requests(server, "GET /snapshot")
    _hide(page, False)
    _until(page, lambda: server.streams == 1 and _requests(server, "GET /snapshot") > before)


def test_what_was_opened_while_nobody_looked_is_loaded_when_it_is_shown(visit):
    page = visit().open()
    _hide(page, True)
    page.evaluate("location.hash = '#/system'")
    page.wait_for_selector("h1:has-text('System')")
    assert "sdm120" not in page.inner_text("main")
    _hide(page, False)
    page.wait_for_selector("text=sdm120")


def test_a_page_from_the_back_forward_cache_asks_for_new_values(visit, server):
    page = visit().open()
    before = _requests(server, "GET /snapshot")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    _until(page, lambda: _requests(server, "GET /snapshot") > before)


def _until(page, reached):
    for _ in range(150):
        if reached():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it was not reached in 15 s")


def test_a_node_that_shows_nothing_without_a_token_asks_for_one(visit, server):
    server.faults.locked = True
    on = visit()
    page = on.page
    page.goto(server.url)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    _sign_in(page)
    page.wait_for_selector(".flow-svg")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_selector("text=Sign in to see this node")


def test_a_link_with_a_token_signs_in_and_leaves_no_trace_of_it(visit, server):
    server.faults.locked = True
    page = visit().page
    page.goto(f"{server.url}/#token={TOKEN}")
    page.wait_for_selector(".flow-svg")
    assert "token" not in page.url
    expect(page.get_by_role("button", name="Sign out")).to_have_count(1)
    page.go_back()
    assert "token" not in page.url


def test_a_link_that_does_not_sign_in_says_why(visit, server):
    server.faults.locked = True
    page = visit().page
    page.goto(f"{server.url}/#token=an-older-one")
    page.wait_for_selector(".toast.seen:has-text('the token is not valid')")
    assert "token" not in page.url
    page.wait_for_selector("text=Sign in to see this node")


def test_a_node_that_does_not_answer_at_first_is_waited_for(visit, server):
    server.faults.broken = True
    on = visit()
    on.page.goto(server.url)
    on.page.wait_for_selector(".strip:has-text('There is no connection to the node')")
    server.faults.broken = False
    on.page.wait_for_selector(".flow-svg")


# ---- the frame -----------------------------------------------------------------------------------


def test_the_theme_is_chosen_and_kept(visit):
    page = visit().open()
    page.get_by_role("button", name="System theme").click()
    page.get_by_role("button", name="Light theme").click()
    page.wait_for_selector("html[data-theme=dark]")
    page.reload()
    settle(page)
    expect(page.locator("html[data-theme=dark]")).to_have_count(1)


def test_motion_is_stopped_for_those_who_ask_for_it(visit):
    page = visit(reduced_motion="reduce").open()
    assert page.locator(".moving").first.evaluate("each => getComputedStyle(each).display") == "none"
    moving = visit().open().locator(".moving").first
    assert moving.evaluate("each => getComputedStyle(each).animationName") == "flow"


def test_all_pages_are_reached_on_a_phone(visit):
    page = visit("phone").open()
    page.get_by_role("button", name="More").click()
    page.locator(".more-menu").get_by_role("link", name="System").click()
    page.wait_for_selector("h1:has-text('System')")
    page.wait_for_selector(".more-menu", state="detached")
    page.locator("nav").get_by_role("link", name="Twins").click()
    page.wait_for_selector("h1:has-text('Twins')")


def test_the_first_key_leads_past_the_navigation(visit):
    page = visit().open()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_be_focused()


@pytest.mark.parametrize("language", ["it-CH", "ja-JP"])
def test_a_language_without_texts_falls_back_to_english(visit, language):
    page = visit(locale=language).open()
    assert "Who supplies whom" in page.inner_text("main")
    assert page.locator("html").get_attribute("lang") == "en"


def test_a_script_from_elsewhere_cannot_run(visit):
    on = visit()
    page = on.open()
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.stolen = 1\">')"
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.stolen") is None
    assert any("Content Security Policy" in each for each in on.wrong)


def test_a_defect_of_one_page_does_not_take_the_others_with_it(visit, server):
    server.world.space = lambda query: {"lsas": [{"name": "damaged"}], "next": None}
    on = visit()
    on.page.goto(f"{server.url}/#/space")
    on.page.wait_for_selector("text=This page has a defect")
    assert on.wrong, "it is said in the console, too"
    on.page.get_by_role("link", name="Twins").first.click()
    on.page.wait_for_selector(".twin:has-text('Kitchen')")


def test_a_forecast_reaches_an_hour_or_a_day(visit):
    page = visit().open("forecast")
    page.wait_for_selector("h2:has-text('The next hour')")
    page.get_by_text("Day", exact=True).locator("visible=true").last.click()
    page.wait_for_selector("h2:has-text('The next day')")
    page.get_by_label("Horizon").select_option("240")
    page.wait_for_selector("text=/The band held \\d+\\s% of \\d+ measured powers/")
    expect(page.get_by_role("main")).to_contain_text("4 hours before")


def test_gossip_says_what_was_exchanged_with_whom_and_what_it_gains(visit, world):
    world.troubles = True
    page = visit().open("forecast")
    page.wait_for_selector("h2:has-text('Who contributes')")
    text = page.inner_text("main")
    for words in ("84 models, 12,960 predictions", "2 damaged, 1 too old", "12\xa0% less error", "has left"):
        assert words in text.replace("\u202f", "\xa0")
    assert "Its states have other limits." in text
    expect(page.locator(".contributors tbody tr")).to_have_count(4)


def test_a_twin_shows_its_own_energy_events_and_offers_also_after_another_one(visit):
    page = visit().open("twins/school.kitchen")
    page.wait_for_selector("dt:has-text('From PV roof')")
    page.goto(page.url.replace("kitchen", "pv_roof"))
    page.wait_for_selector("dt:has-text('To Kitchen')")
    _until(page, lambda: set(page.locator(".timeline b").all_inner_texts()) == {"PV roof"})
    page.get_by_role("button", name="Offers").click()
    page.wait_for_selector("td:has-text('taken from another')")
    _until(page, lambda: set(page.locator("tbody tr td:nth-child(2)").all_inner_texts()) == {"PV roof"})


# ---- models, statistics, configuration, languages --------------------------------------------------


def test_a_past_moment_is_replayed_with_what_the_model_knows_today(visit, server):
    on = visit()
    page = on.open("forecast?at=2026-06-19T08:00")
    expect(page.get_by_text("was right in").first).to_be_visible()
    assert not _requests(server, "GET /replay")
    page.get_by_text("As the model would say today").click()
    expect(page.get_by_text("The model has learnt from this time")).to_be_visible()
    page.wait_for_function("location.hash.includes('as=today')")
    _until(page, lambda: _requests(server, "GET /replay") == 1)
    expect(page.get_by_text("was right in").first).to_be_visible()
    page.get_by_label("Horizon").first.select_option("240")
    _until(page, lambda: _requests(server, "GET /replay") > 1)
    expect(page.get_by_text("The band held")).to_be_visible()
    on.check()


def test_statistics_are_grouped_as_asked_and_end_with_a_total(visit, server):
    page = visit().open("forecast")
    table = page.get_by_role("region", name="Statistics").locator("table")
    expect(table.locator("tbody tr")).to_have_count(24)
    page.get_by_label("Lines by").select_option("variables")
    expect(table.locator("tbody tr")).to_have_count(6)
    expect(table.locator("tbody th").first).to_have_text("Requested")
    expect(table.locator("tfoot th")).to_have_text("Total")
    page.get_by_label("Lines by").select_option("days")
    expect(table.locator("tbody tr")).to_have_count(7)
    expect(page.get_by_label("Period")).to_have_count(0)


def test_the_contents_of_a_model_are_shown_as_matrices_and_pictures(visit, server):
    page = visit().open("forecast")
    card = page.locator(".card", has_text="What the model has learnt")
    expect(card.locator("table.heat tbody tr")).to_have_count(7)
    expect(card.get_by_text("21 days count")).to_be_visible()
    card.get_by_text("Counts").click()
    expect(card.locator("table.heat td").first).not_to_contain_text("%")
    assert card.locator("canvas").first.get_attribute("aria-label").startswith("lstm 1: w, 30 ")
    drawn = "canvas => canvas.getContext('2d').getImageData(0, 0, 30, 30).data.some(each => each > 0)"
    assert card.locator("canvas").first.evaluate(drawn)


def test_a_key_of_the_configuration_is_changed(visit, server):
    server.signed_in = True
    on = visit()
    page = on.open("system")
    page.locator(".settings summary", has_text="[history]").click()
    page.get_by_role("button", name="Change [history]").click()
    page.get_by_role("dialog").get_by_label("days", exact=True).fill("30")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.wait_for_selector(".toast:has-text('The configuration was changed')")
    assert server.world.settings == {"history": {"days": 30}}, "only what was changed is sent"
    expect(page.locator(".settings", has_text="[history]").get_by_text("changed here")).to_have_count(1)
    on.check()


def test_the_configuration_is_for_those_who_may_configure(visit, server):
    page = visit().open("system")
    expect(page.get_by_text("People who may configure this node")).to_be_visible()
    assert not _requests(server, "GET /configuration")


@pytest.mark.parametrize(("locale", "words"), [("de-CH", "Wer wen beliefert"), ("fr-CH", "Qui fournit qui")])
def test_the_language_is_that_of_the_browser(visit, locale, words):
    on = visit(locale=locale)
    page = on.open()
    expect(page.get_by_role("heading", name=words)).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == locale[:2]
    for name in ("forecast", "system"):
        on.open(name)
        on.check()


def test_another_language_is_chosen_and_kept(visit):
    on = visit()
    page = on.open()
    page.get_by_label("Language").first.select_option("fr")
    expect(page.get_by_role("heading", name="Maintenant")).to_be_visible()
    on.open("twins")
    expect(page.get_by_role("heading", name="Jumeaux", exact=True)).to_be_visible()


def test_a_kiosk_shows_pages_in_turn_without_anything_to_press(visit):
    page = visit().open()
    page.get_by_role("link", name="Kiosk").first.click()
    expect(page.locator("html.kiosk")).to_have_count(1)
    expect(page.locator("nav.side")).to_be_hidden()
    first = page.locator("h1").inner_text()
    page.clock.fast_forward(30_000)
    expect(page.locator("h1")).not_to_have_text(first)
    page.keyboard.press("Escape")
    expect(page.locator("nav.side")).to_be_visible()


def test_a_member_is_offered_only_pages_of_its_own(visit, server):
    server.member = True
    page = visit().open()
    expect(page.locator("nav.side a[href='#/twins']")).to_be_visible()
    expect(page.locator("nav.side a[href='#/space']")).to_have_count(0)
    expect(page.locator("nav.side a[href='#/system']")).to_have_count(0)


# ---- community -----------------------------------------------------------------------------------


def test_a_limit_that_is_ordered_is_in_force_and_in_the_log_until_it_is_ended(visit, server):
    server.signed_in = True
    page = visit().open("community")
    limits = page.locator("section.card", has=page.get_by_role("heading", name="Limits in force"))
    log = page.locator("section.card", has=page.get_by_role("heading", name="Log of orders"))
    expect(limits).to_contain_text("No limit is in force.")
    expect(log.locator("tbody tr")).not_to_have_count(0)
    rows = log.locator("tbody tr").count()
    limits.get_by_role("button", name="Order a limit").click()
    page.get_by_label("Power").fill("4200")
    page.get_by_label("Duration").fill("30")
    page.get_by_role("dialog").get_by_role("button", name="Order a limit").click()
    page.wait_for_selector(".toast:has-text('The limit was ordered')")
    expect(limits).to_contain_text("Consumption at most 4.20")
    expect(limits).to_contain_text("by dashboard")
    expect(log.locator("tbody tr")).to_have_count(rows + 1)
    expect(log.locator("tbody tr").first).to_contain_text("in force")
    assert server.world.ordered["dashboard"] == {"direction": "consume", "power_w": 4200, "lasts_s": 1800}
    limits.get_by_role("button", name="End").click()
    expect(limits).to_contain_text("No limit is in force.")
    expect(log.locator("tbody tr").first).not_to_contain_text("in force")


def test_the_statement_of_a_month_is_saved_as_a_page(visit):
    page = visit().open("community")
    with page.expect_download() as started:
        page.get_by_role("button", name="HTML").click()
    text = Path(started.value.path()).read_text()
    assert started.value.suggested_filename == "statement-2026-06.html"
    assert text.count("<tr>") > 12, "all rows, also those that the page does not show at first"
    assert "Heat pump" in text


def test_a_rule_is_changed_by_those_who_may_configure(visit, server):
    page = visit().open("community")
    expect(page.get_by_role("heading", name="Rules")).to_be_visible()
    assert not page.get_by_role("button", name="Change").count()
    server.signed_in = True
    page = visit().open("community")
    page.get_by_role("button", name="Change").click()
    page.get_by_label("response").select_option("exclude")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.wait_for_selector(".toast:has-text('The configuration was changed')")
    assert server.world.settings["community"] == {"response": "exclude"}
