"""Every page of the server, from its table of routes: for those who look at all of them."""

import re

from skyreid.service.access import API, Everyone
from skyreid.service.app import ROUTES

ASKED = {"/c/{case_id}/search": "?t=1", "/c/{case_id}/compare": "?a=1&b=4", "/c/{case_id}/merge": "?pid=1&pid=3"}
"""What a page is asked that shows nothing otherwise."""
NEED_FOOTAGE = ("/c/{case_id}/picture", "/c/{case_id}/sources/{number}/frame")
"""Pages of a picture that was sent, or of a video that is still there: test_asking_with_pictures looks at them."""
NO_PAGES = ("/static/", ".jpg", "/health")


def address(path, case_id):
    """Fill in what a path leaves open; whatever is numbered has a first one."""
    return re.sub(r"\{(\w+)\}", lambda found: {"case_id": case_id, "name": "service.js"}.get(found[1], "1"), path)


def every_page(case_id):
    """Give the address of every page that somebody who is logged in can open."""
    paths = [path for method, path, _, access in ROUTES if method == "GET" and access is not Everyone.PUBLIC]
    paths = [path for path in paths if not path.startswith(API) and not any(part in path for part in NO_PAGES)]
    paths = [path for path in paths if path not in NEED_FOOTAGE]
    return [address(path, case_id) + ASKED.get(path, "") for path in paths]


def file_name(page):
    """Call a page of a case by the rest of its address."""
    return "-".join(page.partition("?")[0].split("/")[3 if page.startswith("/c/") else 1 :]) or "cases"
