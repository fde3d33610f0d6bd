import base64
import hashlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import Markup

from skyreid.errors import SettingError
from skyreid.pages.page import write_page

HOSTILE = """"><script>window.pwn=1</script><img src=x onerror='pwn()'>&lt;"""


class Reader(HTMLParser):
    """Collects what a browser would see: tags with attributes, and the text by tag."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: dict[str, str] = {}

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.text[self.open[-1]] = self.text.get(self.open[-1], "") + data


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    assert reader.open == []
    return reader


def test_a_page_carries_its_texts_and_runs_and_fetches_nothing(tmp_path):
    path = tmp_path / "page.html"
    write_page(
        path, title="Straße", lead="One", notice="Two", body=Markup("<b>three</b>"), footer=Markup("<i>four</i>")
    )
    page = read(path)
    assert (page.text["h1"], page.text["title"], page.text["b"], page.text["i"]) == (
        "Straße",
        "Straße",
        "three",
        "four",
    )
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    policies = [attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert "url(" not in page.text["style"]
    assert "prefers-color-scheme: dark" in page.text["style"]


def test_plain_texts_never_become_markup(tmp_path):
    path = tmp_path / "page.html"
    write_page(path, title=HOSTILE, lead=HOSTILE, notice=HOSTILE, body=Markup(""), footer=Markup(""))
    page = read(path)
    assert page.text["h1"] == page.text["title"] == HOSTILE
    assert page.text["p"].count(HOSTILE) == 2
    assert not {"script", "img"} & {tag for tag, _ in page.tags}


def test_a_body_that_no_template_made_is_text(tmp_path):
    path = tmp_path / "page.html"
    write_page(path, title="a", lead="b", notice=None, body=Markup("<b>{}</b>").format(HOSTILE), footer=Markup(""))
    page = read(path)
    assert page.text["b"] == HOSTILE
    assert not {"script", "img"} & {tag for tag, _ in page.tags}


def test_no_banner_stands_where_there_is_no_notice(tmp_path):
    path = tmp_path / "page.html"
    write_page(path, title="a", lead="b", notice=None, body=Markup(""), footer=Markup(""))
    assert all(attrs.get("class") != "notice" for _, attrs in read(path).tags)


def test_a_page_may_run_the_script_that_it_was_given_and_no_other(tmp_path):
    path = tmp_path / "page.html"
    script = "document.title = 'ran';"
    write_page(
        path,
        title="a",
        lead="b",
        notice=None,
        body=Markup(""),
        footer=Markup(""),
        style=".x { color: red; }",
        script=script,
    )
    page = read(path)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    [policy] = [attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert page.text["script"] == script
    assert page.text["style"].endswith(".x { color: red; }")


def test_an_older_page_is_replaced_and_a_file_of_another_kind_is_not(tmp_path):
    """A slip of the hand must not cost somebody a video."""
    path = tmp_path / "page.html"
    texts = {"title": "a", "lead": "b", "notice": None, "body": Markup("c"), "footer": Markup("d")}
    path.touch()
    for title in ("first", "second"):
        write_page(path, **{**texts, "title": title})
        assert f"<title>{title}</title>" in path.read_text(encoding="utf-8")
    video = tmp_path / "drone.mp4"
    video.write_bytes(b"\0\0\0\x20ftypisom")
    with pytest.raises(SettingError, match=r"drone\.mp4: is there already and is no page"):
        write_page(video, **texts)
    assert video.read_bytes() == b"\0\0\0\x20ftypisom"
