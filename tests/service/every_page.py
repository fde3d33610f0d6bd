"""Every page of the server, from its table of routes: for those who look at all of them."""

from skyreid.service.access import API, Everyone
from skyreid.service.app import ROUTES

EXAMPLES = {"number": 1, "pid": 1, "place": 1}
"""What stands in a path beside the case."""
ASKED = {"/c/{case_id}/search": "?t=1", "/c/{case_id}/compare": "?a=1&b=4", "/c/{case_id}/merge": "?pid=1&pid=3"}
"""What a page is asked that shows nothing otherwise."""
NEED_FOOTAGE = ("/c/{case_id}/picture", "/c/{case_id}/sources/{number}/frame")
"""Pages of a picture that was sent, or of a video that is still there: test_asking_with_pictures looks at them."""
NO_PAGES = ("/static/", ".jpg", "/health")


def every_page(case_id):
    """Give the address of every page that somebody who is logged in can open."""
    paths = [path for method, path, _, access in ROUTES if method == "GET" and access is not Everyone.PUBLIC]
    paths = [path for path in paths if not path.startswith(API) and not any(part in path for part in NO_PAGES)]
    paths = [path for path in paths if path not in NEED_FOOTAGE]
    return [path.format(case_id=case_id, **EXAMPLES) + ASKED.get(path, "") for path in paths]


def file_name(page):
    """Call a page of a case by the rest of its address."""
    return "-".join(page.partition("?")[0].split("/")[3 if page.startswith("/c/") else 1 :]) or "cases"
