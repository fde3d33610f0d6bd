"""No address leads to a file: what climbs out of a folder is tried wherever an address can hold it."""

import http.client
import re
from urllib.parse import quote, unquote, urlsplit

import pytest

from skyreid.service.app import ROUTES, make_app
from tests.service.conftest import CANARY
from tests.service.every_page import address

WITH_NAMES = sorted({(method, path) for method, path, _, _ in ROUTES if "{" in path})
TRAVERSALS = [
    *("../canary.txt", "../../canary.txt", "..%2fcanary.txt", "..%2f..%2fcanary.txt", "%2e%2e/canary.txt"),
    *("%2e%2e%2fcanary.txt", "..%252fcanary.txt", "%252e%252e%252fcanary.txt", "..\\canary.txt", "..%5ccanary.txt"),
    *("....//canary.txt", "..;/canary.txt", "/canary.txt", "//canary.txt", "%2fcanary.txt", "file:///etc/passwd"),
    *("canary.txt%00.jpg", "..%c0%afcanary.txt", "..%ef%bc%8fcanary.txt", "square/../canary.txt", "%2e/canary.txt"),
    *("1/../../canary.txt", "1%2f..%2f..%2fcanary.txt", "square%2fcase.sqlite", "../people.sqlite", "%00", "."),
    *("..", "...", ".%2e", "..%00", "..%0acanary.txt", "..%09/canary.txt", "..%01/canary.txt", "%2e%2e%5ccanary.txt"),
    *("..%255ccanary.txt", "..%e2%88%95canary.txt", "..%e2%81%84canary.txt", "%ef%bc%8e%ef%bc%8e%2fcanary.txt"),
    *("%c0%ae%c0%ae%2fcanary.txt", "..%25%32%66canary.txt", "%25252e%25252e%25252fcanary.txt", "..././canary.txt"),
    *(".../...//canary.txt", "..\\/canary.txt", "\\..\\canary.txt", "C:%5ccanary.txt", "%5c%5clocalhost%5cc$%5ccanary"),
    *("~/canary.txt", "$PWD/canary.txt", "${PWD}/canary.txt", "*/canary.tx%3f", "/proc/self/cwd/canary.txt"),
    *("%2fproc%2fself%2fenviron", "/etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd", "canary.txt;.jpg"),
    *("canary.txt%23.jpg", "1%20/../canary.txt", "1/%2e%2e/%2e%2e/canary.txt"),
]
SECRETS = (CANARY, "root:x:0")


@pytest.fixture(scope="module")
def ask(site):
    """Ask as an administrator, by one connection and without a client that tidies addresses up; gives the status."""
    url, own = urlsplit(site.server.url), site.browsers["boss"]
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in own.cookies.items())}
    headers |= {"origin": site.server.url, "x-csrf-token": own.headers["x-csrf-token"], "accept": "application/json"}
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=120)

    def asked(method, where):
        connection.request(method, where, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        assert not any(one.encode() in body for one in (*SECRETS, str(site.folder))), where
        return answer.status

    yield asked
    connection.close()


def words_and_others(app):
    """Of every route with a question: method, path, the names of what takes any words, and those of the others."""
    for route in app.router.routes:
        told = list(questions(route.dependant))
        if told:
            words = [one.alias for one in told if "str" in str(one.field_info.annotation)]
            yield (*route.methods, route.path, words, [one.alias for one in told if one.alias not in words])


def questions(dependant):
    yield from dependant.query_params
    for part in dependant.dependencies:
        yield from questions(part)


def test_there_are_sixty_ways_to_climb():
    assert len(set(TRAVERSALS)) == len(TRAVERSALS) >= 60


@pytest.mark.parametrize(("method", "path"), WITH_NAMES, ids=lambda one: one)
def test_no_name_in_an_address_leads_to_a_file(site, ask, method, path):
    *before, last = re.findall(r"\{\w+\}", path)
    for number, payload in enumerate(TRAVERSALS):
        # The name of a case is the last one of many addresses, and the same guard reads it in all.
        for name in (last, *(before if number % 10 == 0 else ())):
            asked = address(path.replace(name, payload), site.ids["square"])
            assert ask(method, asked) in (400, 404, 405), asked


def test_no_question_of_an_address_leads_to_a_file(site, ask):
    app = make_app(site.folder)
    asked = list(words_and_others(app))
    app.state.cases.close()
    assert {path for _, path, *_ in asked} >= {"/c/{case_id}/search", "/api/c/{case_id}/uploads", "/admin/log"}
    for method, path, words, others in asked:
        where = address(path, site.ids["square"])
        for number, payload in enumerate(TRAVERSALS):
            value = quote(unquote(payload), safe="")
            # What is a number, or one of some words, is refused before anything is looked for.
            for names, expected in ((words, (200, 400, 404, 409, 422)), (others, (422,))):
                if names and (names is words or not words or number % 10 == 0):
                    status = ask(method, f"{where}?" + "&".join(f"{name}={value}" for name in names))
                    assert status in expected, (where, names, payload, status)
