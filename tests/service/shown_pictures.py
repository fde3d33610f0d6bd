"""Every picture of a case that a server gives out, found by the table of routes: for tests that look at all of them."""

import base64
import io
import re
import zipfile

import numpy as np
from PIL import Image

from skyreid.service.app import ROUTES


def numbers(client, home):
    """How many frames each tracklet of the case has, by its number."""
    told, page = {}, 1
    while rows := client.get(f"/api{home}/tracklets", params={"page": page, "each": True}).json()["tracklets"]:
        told |= {one["number"]: one["frames"] for one in rows}
        page += 1
    return told


def films(client, home):
    return [f"{home}/films/{number}.jpg{size}" for number in numbers(client, home) for size in ("", "?large=true")]


def strips(client, home):
    return [f"{home}/strips/{number}.jpg" for number in numbers(client, home)]


def frames(client, home):
    told = numbers(client, home).items()
    return [f"{home}/frames/{number}/{place}.jpg" for number, count in told for place in range(count)]


def moments(client, home):
    """Frames of the sources, whole, and everybody known in them, cut out."""
    asked = []
    for source in (one["number"] for one in client.get(f"/api{home}/sources").json()):
        for at in (0.0, 1.0):
            told = client.get(f"/api{home}/sources/{source}/frame", params={"at": at})
            if told.status_code == 200:
                where = f"{home}/asked.jpg?source={source}&at={at}"
                known = [f"{where}&x={x}&y={y}&w={w}&h={h}" for x, y, w, h in map(_box, told.json()["known"])]
                asked += [where, *known]
    return asked


def _box(told):
    return told["x"], told["y"], told["w"], told["h"]


OF_SIGHTINGS = {
    "/c/{case_id}/films/{number}.jpg": films,
    "/c/{case_id}/strips/{number}.jpg": strips,
    "/c/{case_id}/frames/{number}/{place}.jpg": frames,
    "/c/{case_id}/asked.jpg": moments,
}
"""Routes that answer a picture of people, and every address that they have in a case."""
ARCHIVES = ("/c/{case_id}/exports", "/api/c/{case_id}/exports")
"""Routes that answer an archive with pictures, when they are told a format."""
UNCOVERED = tuple(
    f"{way}/c/{{case_id}}/originals/{{number}}{end}" for way, end in (("", ".jpg"), ("", ""), ("/api", ""))
)
"""Routes that show faces, to those with the right to originals."""
NO_PEOPLE = ("/static/{name}",)
"""Routes whose pictures are drawn by us."""


def is_picture(answer):
    """Whether an answer shows pictures itself, rather than naming where they are."""
    kind = answer.headers.get("content-type", "")
    is_words = kind.startswith(("text/", "application/json"))
    return answer.is_success and (not is_words or b"data:image" in answer.content)


def named_pictures(page):
    """Addresses of all pictures that a page names."""
    found = re.findall(r"""(?:src|href|srcset|data-still|poster|content)=["']([^"']+)["']""", page)
    return {one.replace("&amp;", "&") for one in found if re.search(r"\.(jpe?g|png|gif|webp)\b", one)}


def route_of(where):
    """The route that answers a GET request for an address."""
    path = where.partition("?")[0]
    for method, pattern, _, _ in ROUTES:
        if method == "GET" and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path):
            return pattern
    raise AssertionError(f"no route answers {where}")


def as_picture(content):
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))


def pictures_in(archive):
    """Every picture in an archive, and in the documents in it, by name."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        for name in file.namelist():
            content = file.read(name)
            if name.lower().endswith((".jpg", ".png")):
                yield name, as_picture(content)
            elif name.endswith(".pdf"):
                yield from ((f"{name} {number}", one) for number, one in enumerate(_in_document(content)))


def _in_document(pdf):
    """JPEG pictures, as ReportLab writes them."""
    for stream in re.findall(rb"/DCTDecode.*?stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        yield as_picture(base64.a85decode(stream.strip().removesuffix(b"~>")))
