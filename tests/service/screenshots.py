"""`python -m tests.service.screenshots OUT CASES`: a picture of every page, light and dark, at a desk and on a phone.

CASES is a folder of cases that nobody has logged into yet. Nothing of it is changed but
that it gets an administrator.
"""

import sys
from pathlib import Path

from tests.service.browsing import chromium, own_context
from tests.service.every_page import every_page, file_name
from tests.service.running import PASSWORD, Running

WIDTHS = {"desk": (1280, 900), "phone": (390, 844)}


def main(out, cases):
    """Write OUT/PAGE-SCHEME-WIDTH.png."""
    out.mkdir(parents=True, exist_ok=True)
    with Running(cases) as server, chromium() as browser:
        with server.client() as first:
            first.headers["x-csrf-token"] = first.get("/api/session").json()["csrf"]
            first.post("/api/first-run", json={"token": server.read_token(), "name": "boss", "password": PASSWORD})
        boss = server.log_in("boss")
        case_id = boss.get("/api/cases").json()[0]["case_id"]
        for scheme in ("light", "dark"):
            for called, (width, height) in WIDTHS.items():
                viewport = {"width": width, "height": height}
                context = own_context(browser, server, boss, color_scheme=scheme, viewport=viewport)
                page = context.new_page()
                for address in every_page(case_id):
                    page.goto(server.url + address)
                    page.wait_for_load_state("networkidle")
                    page.screenshot(path=out / f"{file_name(address)}-{scheme}-{called}.png", full_page=True)
                context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
