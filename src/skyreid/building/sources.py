"""What the user brings: a video, the camera that took it, and perhaps who is where in it."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Literal, TypedDict

from skyreid.arguments import kind_of, path_of
from skyreid.building.tracked_boxes import BOX_SIDES, SCOPES, BoxSides, IdentityScope
from skyreid.errors import SettingError, SourceError
from skyreid.files.file_kinds import SOURCES, require_kind
from skyreid.files.strict_json import read_json
from skyreid.telemetry.dji_subtitles import GpsOrder
from skyreid.telemetry.flight_log import AltitudeFrom, FlightRecord
from skyreid.tracklet import Platform

_OF_ANNOTATIONS = ("format", "identities", "annotations_of", "boxes", "every")
NO_TELEMETRY = "none"
"""Said of a source whose camera's telemetry is to be passed over."""
_OF_TELEMETRY = ("telemetry", "time_zone", "gps_order", "altitude_from")
_OF_STANDING = {
    "latitude": ("latitude", -90.0, 90.0),
    "longitude": ("longitude", -180.0, 180.0),
    "height_m": ("height_m", 0.1, 10_000.0),
    "heading": ("gimbal_yaw", -360.0, 360.0),
    "pitch": ("gimbal_pitch", -90.0, 90.0),
    "hfov": ("hfov", 1.0, 170.0),
}
"""What may be declared of a camera that stands still, its name in a record, and its range."""
_KEYS = (
    *("platform", "camera", "annotations", *_OF_ANNOTATIONS, "start_time"),
    *_OF_TELEMETRY,
    *_OF_STANDING,
)
_KEYS_OF_VIDEO = ("camera", "start_time", *_OF_TELEMETRY, *_OF_STANDING)
_MAX_NAME, _MAX_NAME_BYTES = 40, 100
"""What a camera or a file gives to a file's name at most: characters, and bytes, so that it stays below 255 of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One video of one camera. A camera may have several."""

    path: Path
    """A video, or a folder of pictures."""
    platform: Platform
    camera: str
    """Its name; the same name in two sources is the same camera."""
    annotations: Path | None = None
    """Boxes with identity numbers, in a format of `building.annotations`; None = find people in the pixels."""
    format: str | None = None
    """Of the annotations, a name in `building.annotations.FORMATS`; None = told by their content."""
    identities: IdentityScope | None = None
    """Whether a number of the annotations is a person, the same in every video of the build (`shared`), or only tells
    the tracks of this video apart (`per-video`); None = what the format says of itself."""
    annotations_of: str | None = None
    """The name that the annotations have for this video; None = its file's name."""
    boxes: BoxSides | None = None
    """What the four numbers of a box are, where the format leaves room for doubt: `xywh`, or `xyxy` (corners)."""
    every: int | None = None
    """Of so many frames the annotations count one, beginning with the first; None = all, unless it shows."""
    start_time: datetime | None = None
    """When the first frame was taken, with a time zone; None = nobody knows."""
    telemetry: Path | Literal["none"] | None = None
    """What tells where the camera was; `none` = nothing, None = what lies beside or inside an aerial video."""
    time_zone: str | None = None
    """Of the telemetry's clock, such as Europe/Madrid or +02:00."""
    gps_order: GpsOrder | None = None
    """Which coordinate stands first in the telemetry's `GPS(a, b, c)`."""
    altitude_from: AltitudeFrom | None = None
    """What a plain altitude of the telemetry counts from."""
    standing: FlightRecord | None = None
    """Where a camera stands that never moves, and how it looks; None = nobody says it."""
    is_simulated: bool = False
    """Whether a program drew the video."""

    @property
    def name(self) -> str:
        """Camera and file as one name that every file system takes, such as `C1-entrance`."""
        # MOTChallenge keeps the pictures of every sequence in a folder of the same name.
        named = self.path.parent if self.path.name == "img1" else self.path
        return f"{_plain(self.camera)}-{_plain(named.stem)}"


def parse_source(text: str, *, platform: Platform | None = None) -> Source:
    r"""Read `FILE,platform=ground,camera=C1,annotations=gt.txt`, as the command line takes it.

    A comma that belongs to a name and stands before something like `take=` is written `\,`; `~` is the home folder.

    Args:
        text: of the source.
        platform: where an option tells it, as those of `find` do. Then the text has no platform and no annotations, and
            may leave the camera out, whose name is empty.

    Raises:
        SourceError: a key is unknown, missing, empty or given twice, the platform is neither of the two, or
            the start time has no time zone.
    """
    path, *items = (part.replace("\\,", ",") for part in re.split(r"(?<!\\),(?=\w+=)", text))
    keys = _KEYS if platform is None else _KEYS_OF_VIDEO
    given: dict[str, str] = {}
    for item in items:
        key, _, value = item.partition("=")
        if key not in keys:
            raise SourceError(
                f"{text!r}: a {'source' if platform is None else 'video'} has the keys {', '.join(keys)}; got {key!r}; "
                f"where it belongs to a name, write \\,{key}="
            )
        if key in given:
            raise SourceError(f"{text!r}: {key} stands twice; where it belongs to a name, write \\,{key}=")
        given[key] = value
    if not path:
        raise SourceError(f"{text!r}: a source begins with its file, as in video.mp4,platform=ground,camera=C1")
    needed = ("platform", "camera") if platform is None else ()
    _check_present(given, repr(text), example=f"{path},platform=ground,camera=C1", needed=needed)
    return Source(
        path=_from_home(path, repr(text)),
        platform=_platform(given["platform"], repr(text)) if platform is None else platform,
        camera=given.get("camera", ""),
        annotations=_from_home(given["annotations"], repr(text)) if "annotations" in given else None,
        **_of_annotations(given, repr(text)),
        start_time=_start_time(given["start_time"], repr(text)) if "start_time" in given else None,
        telemetry=_telemetry(given, lambda name: _from_home(name, repr(text))),
        **_of_telemetry(given, repr(text)),
        standing=_standing(given, repr(text)),
    )


def sources_of(given: Source | str | PathLike[str] | Sequence[Source | str]) -> list[Source]:
    """Take sources as callers have them.

    One or a list, each a `Source` or a text as `parse_source` reads it; or the path of a JSON file of sources.

    Raises:
        SourceError: a text or a file that cannot be read.
        SettingError: something else, or no platform of this name.
    """
    if isinstance(given, PathLike) or (isinstance(given, str) and given.endswith(".json")):
        return read_sources(path_of(given, "a file of sources"))
    if isinstance(given, Source | str):
        given = [given]
    if not isinstance(given, Sequence) or not all(isinstance(source, Source | str) for source in given):
        raise SettingError(
            "sources are a list of `Source`s or of texts such as 'gate.mp4,platform=ground,camera=gate', or the path "
            f"of a JSON file; got {kind_of(given)}"
        )
    return [parse_source(source) if isinstance(source, str) else _typed(source) for source in given]


def _typed(source: Source) -> Source:
    """The same, where strings stand for paths and for the platform."""
    return replace(
        source,
        path=path_of(source.path, "a video"),
        platform=Platform(source.platform),
        annotations=None if source.annotations is None else path_of(source.annotations, "a file of annotations"),
        telemetry=source.telemetry
        if source.telemetry in (None, NO_TELEMETRY)
        else path_of(source.telemetry, "a file of telemetry"),
    )


def read_sources(path: Path, *, with_annotations: bool = True) -> list[Source]:
    """Read the sources of a file such as `skyreid simulate` writes:

        {"sources": [{"file": "videos/gate.mp4", "platform": "ground", "camera": "gate",
                      "start_time": "2026-05-04T09:00:00+00:00", "annotations": "truth/gate.txt"}],
         "simulated": true}

    `start_time`, `annotations` and what is said of them (`format`, `identities`, `annotations_of`, `boxes`, `every`),
    what is said of telemetry or of a standing camera, and `simulated` may be absent; all values are texts.
    Paths count from the file's folder and never leave it.

    Args:
        path: the file.
        with_annotations: False passes over the annotations, so that people are found as if there were none.

    Raises:
        SourceError: the file is not of this format, names a video twice, or a path leaves its folder.
    """
    require_kind(path, SOURCES, error=SourceError)
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} must be a JSON file of sources; it cannot be read: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("sources"), list):
        raise SourceError(f'{path} must be a JSON object such as {{"sources": [...]}}')
    unknown = sorted(set(content) - {"sources", "simulated"})
    if unknown:
        raise SourceError(f"{path}: has the keys sources and simulated; got {unknown[0]!r}")
    is_simulated = content.get("simulated", False)
    if not isinstance(is_simulated, bool):
        raise SourceError(f"{path}: simulated is true or false; got {is_simulated!r}")
    sources: list[Source] = []
    for number, record in enumerate(content["sources"], start=1):
        where = f"{path}: source {number}"
        given = _texts(record, where)
        source = Source(
            path=_inside(given["file"], path.parent, where),
            platform=_platform(given["platform"], where),
            camera=given["camera"],
            annotations=_inside(given["annotations"], path.parent, where)
            if with_annotations and "annotations" in given
            else None,
            **_of_annotations(given, where, is_read=with_annotations),
            start_time=_start_time(given["start_time"], where) if "start_time" in given else None,
            telemetry=_telemetry(given, lambda name, where=where: _inside(name, path.parent, where)),
            **_of_telemetry(given, where),
            standing=_standing(given, where),
            is_simulated=is_simulated,
        )
        if any(source.path == other.path for other in sources):
            raise SourceError(f"{where}: {given['file']!r} stands twice")
        sources.append(source)
    return sources


def check_together(sources: Sequence[Source]) -> None:
    """See whether these sources can be one build.

    Raises:
        SourceError: there is none, two would have the same name, a camera is of both platforms, or some are
            simulated and some are not.
    """
    if not sources:
        raise SourceError("a build needs at least one source")
    names: dict[str, Source] = {}
    platforms: dict[str, Platform] = {}
    for source in sources:
        twin = names.setdefault(source.name.casefold(), source)
        if twin is not source:
            raise SourceError(
                f"{source.path} and {twin.path}: videos of one camera must differ in their file names, by more than "
                f"signs and the ending, since these name their tracklets; both give {source.name!r}"
            )
        if platforms.setdefault(source.camera, source.platform) is not source.platform:
            raise SourceError(f"{source.path}: camera {source.camera!r} cannot be on the ground and in the air")
        if source.is_simulated is not sources[0].is_simulated:
            raise SourceError(
                f"{source.path} and {sources[0].path}: one is simulated and one is not; build them into two "
                "folders, so that nobody takes drawn people for real ones"
            )


def _texts(record: object, where: str) -> dict[str, str]:
    """The entries of a source in a file, all of them texts that are not empty."""
    keys = ("file", *_KEYS)
    if not isinstance(record, dict):
        raise SourceError(f"{where}: must be an object with the keys {', '.join(keys)}; got {record!r}")
    given: dict[str, str] = {}
    for key, value in record.items():
        if key not in keys:
            raise SourceError(f"{where}: a source has the keys {', '.join(keys)}; got {key!r}")
        if not isinstance(value, str):
            raise SourceError(f"{where}: {key} must be a text; got {value!r}")
        given[key] = value
    example = '{"file": "video.mp4", "platform": "ground", "camera": "C1"}'
    _check_present(given, where, example=example, needed=("file", "platform", "camera"))
    return given


def _check_present(
    given: Mapping[str, str], where: str, *, example: str, needed: Sequence[str] = ("platform", "camera")
) -> None:
    for key in needed:
        if key not in given:
            raise SourceError(f"{where}: {key} is missing, as in {example}")
    for key, value in given.items():
        if not value:
            raise SourceError(f"{where}: {key} is empty")


def _platform(text: str, where: str) -> Platform:
    if text not in tuple(Platform):
        raise SourceError(f"{where}: platform is {' or '.join(Platform)}; got {text!r}")
    return Platform(text)


class _OfAnnotations(TypedDict):
    format: str | None
    identities: IdentityScope | None
    annotations_of: str | None
    boxes: BoxSides | None
    every: int | None


def _of_annotations(given: Mapping[str, str], where: str, *, is_read: bool = True) -> _OfAnnotations:
    """Give what a source says about its annotations; which formats there are is known where they are read."""
    for key in _OF_ANNOTATIONS:
        if key in given and "annotations" not in given:
            raise SourceError(f"{where}: {key} is that of the annotations, and there are none")
    scope = given.get("identities")
    if scope is not None and scope not in SCOPES:
        raise SourceError(
            f"{where}: identities is shared (a number is the same person in every video) or per-video (it only tells "
            f"the tracks of this video apart); got {scope!r}"
        )
    sides = given.get("boxes")
    if sides is not None and sides not in BOX_SIDES:
        raise SourceError(
            f"{where}: boxes is xywh (left, top, width, height) or xyxy (left, top, right, bottom); got {sides!r}"
        )
    every = given.get("every")
    if every is not None and not re.fullmatch(r"[1-9][0-9]{0,5}", every):
        raise SourceError(
            f"{where}: every is a whole number from 1: of so many frames of the video the annotations count one; got "
            f"{every!r}"
        )
    if not is_read:
        return {"format": None, "identities": None, "annotations_of": None, "boxes": None, "every": None}
    return {
        "format": given.get("format"),
        "identities": scope,
        "annotations_of": given.get("annotations_of"),
        "boxes": sides,
        "every": None if every is None else int(every),
    }


def _telemetry(given: Mapping[str, str], path_of_name: Callable[[str], Path]) -> Path | Literal["none"] | None:
    name = given.get("telemetry")
    return name if name is None or name == NO_TELEMETRY else path_of_name(name)


class _OfTelemetry(TypedDict):
    time_zone: str | None
    gps_order: GpsOrder | None
    altitude_from: AltitudeFrom | None


def _of_telemetry(given: Mapping[str, str], where: str) -> _OfTelemetry:
    """Give what a source says about its telemetry."""
    for key in _OF_TELEMETRY[1:]:
        if key in given and given.get("telemetry") == NO_TELEMETRY:
            raise SourceError(f"{where}: {key} is that of the telemetry, and telemetry={NO_TELEMETRY}")
    order, counts_from = given.get("gps_order"), given.get("altitude_from")
    if order not in (None, "lat-lon", "lon-lat"):
        raise SourceError(f"{where}: gps_order is lat-lon or lon-lat; got {order!r}")
    if counts_from not in (None, "take-off", "sea"):
        raise SourceError(f"{where}: altitude_from is take-off or sea; got {counts_from!r}")
    return {"time_zone": given.get("time_zone"), "gps_order": order, "altitude_from": counts_from}


def _standing(given: Mapping[str, str], where: str) -> FlightRecord | None:
    """What a source declares of a camera that stands still."""
    values: dict[str, float] = {}
    for key, (name, low, high) in _OF_STANDING.items():
        if key not in given:
            continue
        text = given[key]
        if not re.fullmatch(r"[-+]?\d{1,5}(\.\d{1,12})?", text) or not low <= float(text) <= high:
            raise SourceError(f"{where}: {key} is a number from {low:g} to {high:g}; got {text!r}")
        values[name] = float(text)
    if values and any(key in given for key in _OF_TELEMETRY):
        raise SourceError(f"{where}: a camera is declared ({', '.join(_OF_STANDING)}) or has telemetry, not both")
    if ("latitude" in values) is not ("longitude" in values):
        raise SourceError(f"{where}: latitude and longitude go together")
    return FlightRecord(clock=None, corners=None, **values) if values else None


def _start_time(text: str, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise SourceError(
            f"{where}: start_time is a time of ISO 8601 with its zone, such as 2026-05-04T09:00:00+02:00; got {text!r}"
        )
    return time


def _from_home(path: str, where: str) -> Path:
    """Take `~` for the home folder, which a shell does at the start of a word only; a file may be called so, too."""
    if not path.startswith("~") or Path(path).exists():
        return Path(path)
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise SourceError(
            f"{where}: there is no file {path!r}, and nobody knows the home folder that it begins with: {error}"
        ) from error


def _inside(relative: str, folder: Path, where: str) -> Path:
    # Resolved, since a link leads out as well as `..` does.
    is_plain = not Path(relative).is_absolute() and "\\" not in relative and "\0" not in relative
    if not is_plain or not (folder / relative).resolve().is_relative_to(folder.resolve()):
        raise SourceError(f"{where}: {relative!r} must lie in the folder of the file that names it")
    return folder / relative


def _plain(name: str) -> str:
    plain = re.sub(r"[^\w.-]+", "_", name)
    if len(plain) > _MAX_NAME or len(plain.encode()) > _MAX_NAME_BYTES:
        # Names that differ only behind this place stay apart.
        start = plain[: _MAX_NAME - 9].encode()[: _MAX_NAME_BYTES - 9].decode(errors="ignore")
        plain = f"{start}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
    return plain.strip(".") or "_"
