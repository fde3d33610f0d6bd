"""A moment of a session as pictures: what both cameras see, with everybody marked."""

import io
from dataclasses import dataclass
from itertools import islice

from PIL import Image, ImageDraw

from skyreid.simulation.sessions.session import plan_session, session_plans
from skyreid.simulation.sessions.shooting import Shot, shoot
from skyreid.tracklet import PLATFORMS, Platform

_MOMENT_S = 6
_LEAST_VISIBLE = 0.2
_MARK = (255, 214, 64)
_WIDTH = 960
_JPEG_QUALITY = 88


@dataclass(frozen=True, kw_only=True)
class Still:
    """What one platform sees."""

    platform: Platform
    scene: str
    jpeg: bytes


def draw_stills(seed: int, *, people: int) -> tuple[Still, ...]:
    """The middle of the first session of a world of `people`, from both platforms, with boxes and pids.

    They are the people whom benchmarks of that seed call by the same numbers.
    """
    plan = session_plans(people)[0]
    session = plan_session(seed, plan)
    stills = []
    for platform in PLATFORMS:
        shot = next(islice(shoot(session, platform, frame_rate=1), _MOMENT_S, None))
        stills.append(Still(platform=platform, scene=plan.scene, jpeg=_marked(shot)))
    return tuple(stills)


def _marked(shot: Shot) -> bytes:
    picture = Image.fromarray(shot.pixels)
    pen = ImageDraw.Draw(picture)
    for person in shot.truth.people:
        if person.visible >= _LEAST_VISIBLE:
            left, top, right, bottom = person.box
            pen.rectangle((left - 2, top - 2, right + 2, bottom + 2), outline=_MARK, width=2)
            pen.text((left, top - 16), str(person.pid), fill=_MARK, font_size=14)
    picture = picture.resize((_WIDTH, _WIDTH * picture.height // picture.width), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
