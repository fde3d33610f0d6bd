"""A real browser, moved by its keyboard only: from the first run to a decision that is taken back."""

from skyreid.cases.case import create_case, open_case
from skyreid.cases.deciding.decisions import read_events
from skyreid.cases.work.importing import import_build
from tests.cases.builds import drawn, write_build
from tests.service.browsing import chromium
from tests.service.conftest import HOSTILE
from tests.service.running import PASSWORD, Running

FOCUSED = "document.activeElement.getAttribute('href')"


def tab_to(page, wanted):
    """Press Tab until what has the focus leads somewhere, or is called so."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if wanted in (page.evaluate(FOCUSED) or ""):
            return
    raise AssertionError(f"no Tab leads to {wanted}")


def test_somebody_is_found_and_decided_on_by_keyboard(tmp_path):
    write_build(tmp_path / "built", embeddings=drawn())
    (tmp_path / "cases").mkdir()
    with create_case(tmp_path / "cases" / "square", by="anna", name=HOSTILE) as case:
        import_build(case, tmp_path / "built", by="anna", purpose=HOSTILE)
    with Running(tmp_path / "cases") as server, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.url)
        for text in (server.read_token(), "boss", PASSWORD, PASSWORD):
            page.keyboard.type(text)
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector(".cases")
        for wanted, there in (
            ("/tracklets", ".grid"),
            ("/tracklets/1", "#find"),
            ("/search?t=1", ".candidates"),
        ):
            tab_to(page, wanted)
            page.keyboard.press("Enter")
            page.wait_for_selector(there)
        for keys, place, state in (
            ("jy", 1, "confirmed"),
            ("jn", 2, "rejected"),
            ("js", 3, "unsure"),
            ("u", 3, "open"),
        ):
            for key in keys:
                page.keyboard.press(key)
            page.wait_for_selector(f".candidate:nth-child({place}).{state}")
        for key in "c.":
            page.keyboard.press(key)
        page.wait_for_selector(".compare-dialog[open] .pane[data-side=b] [data-step='1'][aria-disabled=true]")
        page.keyboard.press("y")
        page.wait_for_selector(".compare-dialog .state.confirmed")
        page.keyboard.press("u")
        page.wait_for_selector(".compare-dialog .state.open")
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        page.wait_for_selector(".keys-list[open]")
        page.keyboard.press("Escape")
        assert page.evaluate("typeof window.pwn") == "undefined"
        assert "now open" in page.inner_text(".said")
        for keys, there in (("gb", ".grid"), ("gi", ".identity"), ("gc", ".cases")):
            for key in keys:
                page.keyboard.press(key)
            page.wait_for_selector(there)
        assert complaints == []
    with open_case(tmp_path / "cases" / "square") as case:
        events = read_events(case)
    made = ["DecisionEvent", "UndoEvent"]
    assert [type(event).__name__ for event in events] == [*["DecisionEvent"] * 3, "UndoEvent", *made]
    assert events[0].rank == 1 and events[0].seconds is not None and {one.annotator for one in events} == {"boss"}
