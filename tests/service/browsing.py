"""A browser that playwright drives, where there is one."""

from contextlib import contextmanager

import pytest

from tests.pages.report.browser import find_browser


@contextmanager
def chromium():
    """A browser without a window, for tests that are skipped where there is none."""
    program = find_browser()
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def own_context(browser, server, client, **settings):
    """A window of the browser in which the user of a client is logged in."""
    context = browser.new_context(**settings)
    context.add_cookies([{"name": n, "value": value, "url": server.url} for n, value in client.cookies.items()])
    context.set_default_timeout(120_000)
    return context
