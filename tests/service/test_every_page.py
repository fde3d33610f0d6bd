"""Every page in a real browser: no name of a case runs, the policy refuses nothing, axe finds no grave fault."""

import importlib.resources

import pytest

from tests.service.browsing import chromium, own_context
from tests.service.every_page import every_page

GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_every_page_is_quiet_and_open_to_everybody(site, browser, scheme):
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    axe = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    context = own_context(browser, site.server, site.browsers["boss"], color_scheme=scheme)
    page = context.new_page()
    faults = []
    page.on("console", lambda told: told.type in ("error", "warning") and faults.append((page.url, told.text)))
    page.on("pageerror", lambda error: faults.append((page.url, str(error))))
    page.on("dialog", lambda dialog: (faults.append((page.url, dialog.message)), dialog.dismiss()))
    for address in every_page(site.ids["square"]):
        answer = page.goto(site.server.url + address)
        assert answer.status == 200, address
        assert page.evaluate("typeof window.pwn") == "undefined"
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        faults += [(address, one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in GRAVE]
    assert faults == []
    context.close()
