"""Footage and what somebody says of it become a job: camera, time, purpose, permission, how it is to be looked at."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from skyreid.building.sources import parse_source
from skyreid.case_record import PREFERRED_DETECTORS, PREFERRED_MODELS, first_in_cache
from skyreid.cases.case import Case
from skyreid.cases.keeping.upload_retention import mark_described
from skyreid.cases.work.footage import FootageFile
from skyreid.cases.work.jobs import Job, LookSettings, add_job
from skyreid.errors import SettingError
from skyreid.files.object_store import is_object
from skyreid.files.strict_json import Json
from skyreid.tracklet import Platform
from skyreid.weights.published_files import PUBLISHED, Use
from skyreid.weights.weights_cache import in_cache


@dataclass(frozen=True, kw_only=True)
class Description:
    """What somebody says of footage."""

    platform: Platform
    camera: str
    start_time: datetime | None
    """Of the first frame; None = nobody knows."""
    purpose: str
    authorisation: str | None = None
    authorised_until: datetime | None = None
    detector: str | None = None
    """None = people are found by their motion."""
    model: str | None = None
    """None = nobody is embedded, and they cannot be searched yet."""
    is_simulated: bool = False


def add_footage(case: Case, file: FootageFile, said: Description, *, facts: Mapping[str, Json], by: str) -> Job:
    """Put footage into the queue.

    Args:
        case: that it is for.
        file: the footage.
        said: of it.
        facts: what its first frame showed.
        by: who asks.

    Raises:
        SettingError: a detector or a model that is not at hand, or a name that cannot be written.
        RefusedError: nobody says what for, or the camera has another video of this name.
        SourceError: the file is gone.
    """
    uses: tuple[tuple[str | None, Use], ...] = ((said.detector, "detector"), (said.model, "encoder"))
    for name, use in uses:
        if name is not None and name not in at_hand(use):
            raise SettingError(f"{use} {name!r} is not in the cache of this machine (skyreid weights get NAME)")
    camera = said.camera.strip()
    if not camera:
        raise SettingError(f"{file.name}: says no camera; footage is of one")
    told = {"platform": said.platform.value, "camera": camera}
    if said.start_time is not None:
        told["start_time"] = said.start_time.isoformat()
    url = file.where if is_object(file.where) else None
    path = Path(file.where if url is None else file.name)
    text = ",".join([_written(str(path)), *(f"{key}={_written(value)}" for key, value in told.items())])
    source = parse_source(text)
    if (source.path, source.camera) != (path, camera):
        raise SettingError(f"{file.name}: its name or that of its camera cannot be written; name it otherwise")
    job = add_job(
        case,
        text,
        by=by,
        purpose=said.purpose,
        authorisation=said.authorisation,
        authorised_until=said.authorised_until,
        is_simulated=said.is_simulated,
        settings=LookSettings(detector=said.detector, model=said.model),
        facts=facts,
        url=url,
    )
    mark_described(case, file)
    return job


def at_hand(use: Use) -> list[str]:
    """Published weights that lie in the cache, the one that is taken by itself first."""
    preferred = PREFERRED_DETECTORS if use == "detector" else PREFERRED_MODELS
    names = [*preferred, *(name for name in PUBLISHED if name not in preferred)]
    return [name for name in names if PUBLISHED[name].use == use and in_cache(name) is not None]


def best_at_hand(use: Use) -> str | None:
    """What `skyreid case add` takes when nobody names one."""
    return first_in_cache(PREFERRED_DETECTORS if use == "detector" else PREFERRED_MODELS)


def moment(text: str, zone: str) -> datetime | None:
    """Read a time of day as a form gives it; None = nobody gave one.

    Args:
        text: such as 2026-05-04T09:00:00.
        zone: such as Europe/Madrid, +02:00 or UTC.

    Raises:
        SettingError: it is no time, or nobody says in which zone.
    """
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise SettingError(f"a start time is written as 2026-05-04T09:00:00; got {text!r:.60}") from None
    return given if given.tzinfo else given.replace(tzinfo=_zone(zone))


def end_of_day(text: str) -> datetime | None:
    """Read the last day of an authorisation; it ends with it, in UTC.

    Raises:
        SettingError: it is no day.
    """
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError):
        raise SettingError(f"a day is written as 2026-05-04; got {text!r:.60}") from None


def _zone(name: str) -> ZoneInfo | timezone:
    if found := re.fullmatch(r"([+-])(\d\d):?(\d\d)", name):
        minutes = int(found[2]) * 60 + int(found[3])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    elif name in available_timezones():
        return ZoneInfo(name)
    raise SettingError(f"a start time has a zone, such as Europe/Madrid, +02:00 or UTC; got {name!r:.60}")


def _written(name: str) -> str:
    return re.sub(r",(?=\w+=)", r"\\,", name)
