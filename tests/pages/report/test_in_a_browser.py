"""The report as a person meets it: in a real browser, on a desk and on a phone, by mouse and by keyboard."""

from dataclasses import replace

import pytest

from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.pages.report import gather_failures
from tests.pages.report.browser import open_browser
from tests.pages.report.test_report_page import plain_report, whole_report

WIDTHS = {"desk": 1280, "phone": 390}
SHOWN = "[...document.querySelectorAll('li.mistake')].filter((card) => !card.hidden)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def page(tmp_path, world):
    path = tmp_path / "report.html"
    whole_report(path, world, text="a rather long name of a street with nobody in it")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", WIDTHS)
def test_a_report_fits_the_screen_and_is_silent(browser, page, tmp_path, device, scheme):
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(page, width=WIDTHS[device], dark=scheme == "dark")
    assert browser.evaluate("innerWidth") == WIDTHS[device]
    assert browser.evaluate("document.documentElement.scrollWidth") <= WIDTHS[device]
    assert browser.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    browser.screenshot(tmp_path / f"{device}-{scheme}.png")
    assert browser.complaints == []
    assert [address for address in browser.requests if not address.startswith("data:")] == [page.as_uri()]


def test_both_schemes_are_legible(browser, page):
    """The paper is light by day and dark by night, and the ink the other way round."""
    lightness = {}
    for dark in (False, True):
        browser.open(page, width=1280, dark=dark)
        lightness[dark] = browser.evaluate(
            "['backgroundColor', 'color'].map((name) =>"
            " getComputedStyle(document.body)[name].match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3)"
        )
    assert lightness[False][0] > 200 > 100 > lightness[False][1]
    assert lightness[True][0] < 100 < 200 < lightness[True][1]


def test_failures_are_filtered_by_their_slices(browser, page):
    browser.open(page, width=1280)
    everything = browser.evaluate(f"{SHOWN}.length")
    browser.evaluate("document.querySelector('[data-value=\"aerial → ground\"]').click()")
    some = browser.evaluate(f"{SHOWN}.length")
    assert 0 < some < everything
    assert browser.evaluate("document.querySelector('.count').textContent") == (
        f"1 to {some} of {some} chosen of {everything} failures"
    )
    browser.evaluate("document.querySelector('[data-value=\"aerial → ground\"]').click()")
    assert browser.evaluate(f"{SHOWN}.length") == everything


def test_failures_are_ordered_as_asked(browser, page):
    browser.open(page, width=1280)
    places = f"{SHOWN}.map((card) => Number(card.dataset.place))"
    farthest_first = browser.evaluate(places)
    assert farthest_first == sorted(farthest_first, reverse=True)
    browser.evaluate(
        "(() => { const order = document.querySelector('.order select'); order.value = 'near';"
        " order.dispatchEvent(new Event('change')); })()"
    )
    nearest_first = browser.evaluate(places)
    assert nearest_first == sorted(farthest_first)
    assert nearest_first != farthest_first


def test_arrow_keys_step_through_the_failures(browser, page):
    browser.open(page, width=1280)
    focused = f"{SHOWN}.indexOf(document.activeElement)"
    last = browser.evaluate(f"{SHOWN}.length") - 1
    browser.evaluate(f"{SHOWN}[0].focus()")
    steps = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowLeft"):
        browser.press(key)
        steps.append(browser.evaluate(focused))
    assert steps == [1, 2, 1, last, last, 0, 0]
    assert browser.evaluate("document.querySelectorAll('li.mistake[tabindex=\"0\"]').length") == 1


def test_many_failures_are_turned_over_page_by_page(browser, tmp_path, world):
    up = evaluate(world.ground, world.aerial, GROUND_TO_AERIAL)
    failures = gather_failures(world.ground, world.aerial, up, world.tracklets, direction="up", slices={})
    many = replace(failures, worst=failures.worst * 13)  # 26 cards: 12, 12 and 2
    page = tmp_path / "many.html"
    plain_report(page, world, failures=[many])
    browser.open(page, width=1280)
    count = "document.querySelector('.count').textContent"
    turn = "document.querySelector('[data-turn=\"{}\"]').click()"
    told = [browser.evaluate(count)]
    for way in ("1", "1", "-1"):
        browser.evaluate(turn.format(way))
        told.append(browser.evaluate(count))
    shelf = "document.querySelector('.shelf')"
    assert browser.evaluate(f"{shelf}.scrollHeight <= {shelf}.clientHeight")  # a page of cards is not scrolled within
    assert told == [f"{part} of 26 failures" for part in ("1 to 12", "13 to 24", "25 to 26", "13 to 24")]
    browser.evaluate(f"{SHOWN}[11].focus()")
    browser.press("ArrowRight")  # over the edge of the page
    assert browser.evaluate(count) == "25 of 26 failures"
    assert browser.evaluate(f"{SHOWN}.length") == 2


def test_a_person_can_be_picked_out_of_the_map(browser, page):
    browser.open(page, width=1280)
    opacity = "[...document.querySelectorAll('.map .person')].map((person) => getComputedStyle(person).opacity)"
    browser.evaluate("document.querySelectorAll('.person').forEach((person) => { person.style.transition = 'none'; })")
    assert set(browser.evaluate(opacity)) == {"1"}
    browser.evaluate("document.querySelector('.map input[value=p1]').click()")
    assert sorted(browser.evaluate(opacity)) == ["0.15", "0.15", "0.15", "1"]


def test_without_scripts_every_failure_is_still_there(browser, page):
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page, width=390)
        assert (
            browser.evaluate(f"{SHOWN}.length")
            == browser.evaluate("document.querySelectorAll('li.mistake').length")
            > 1
        )
        assert browser.evaluate("document.querySelector('.controls').hidden")
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_the_browser_would_have_noticed(browser, tmp_path):
    """What the silence above is worth: an error, a script that may not run and a fetched picture are all seen."""
    loud = tmp_path / "loud.html"
    loud.write_text(
        "<script>console.error('loud')</script><img src='file:///nowhere.png'><script>undefinedName()</script>"
    )
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(loud, width=1280)
    assert any("loud" in complaint for complaint in browser.complaints)
    assert any("undefinedName" in complaint for complaint in browser.complaints)
    assert "file:///nowhere.png" in browser.requests
