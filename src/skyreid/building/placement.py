"""Where a source's camera was and how it looked: from telemetry of an aerial video, or as somebody declares it.

It gives a video its start, and every tracklet what its scores can be sliced by and where the person stood.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from skyreid.building.flight_telemetry import TelemetryReading, beside_video, find_telemetry, read_telemetry
from skyreid.building.sources import NO_TELEMETRY, Source
from skyreid.building.video.decode import VideoFacts
from skyreid.errors import TelemetryError
from skyreid.telemetry.flight_log import FlightLog, FlightRecord, zone_of
from skyreid.telemetry.ground_position import DRONE, FIXED, StatedErrors, ground_point, ground_view
from skyreid.tracklet import Frame, Platform

_CLOCKS_AGREE_S = 5.0
"""How far a declared start and a recorder's clock may be apart before that is said."""


@dataclass(frozen=True, kw_only=True)
class SourcePlacement:
    """What is known of a source's camera."""

    source: Source
    """With its start, where the telemetry tells it."""
    width: int
    height: int
    """Pixels of its frames."""
    log: FlightLog | None = None
    notes: tuple[str, ...] = ()
    """What somebody should know of it, in words."""

    @property
    def read_as(self) -> str:
        """What told it, in words; empty where nobody knows anything."""
        if self.source.standing is not None:
            return "declared"
        return "" if self.log is None else self.log.style

    def at(self, time_s: float) -> FlightRecord | None:
        """Tell where the camera was at a time of the video."""
        if self.source.standing is not None:
            return self.source.standing
        return None if self.log is None else self.log.at(time_s)

    def attributes(self, frames: Sequence[Frame]) -> dict[str, str | float]:
        """Say of a tracklet how its camera saw the person, and where they stood in the middle of it.

        `camera height, m` is above take-off; `look down, degrees` is 90 straight down; `distance, m` is along the line
        of sight; `position error, m` is the radius that holds the place with 95 %. What is not told is absent.
        """
        errors = DRONE if self.log is not None else FIXED
        seen = [one for frame in frames if (one := self._seen(frame, errors)) is not None]
        if not seen:
            return {}
        told: dict[str, str | float] = {}
        for name in ("camera height, m", "distance, m", "look down, degrees"):
            if values := [one[name] for one in seen if name in one]:
                told[name] = round(median(values), 1)
        placed = [one for one in seen if "latitude" in one]
        if placed:
            middle = placed[len(placed) // 2]
            told |= {name: round(middle[name], 7) for name in ("latitude", "longitude")}
            told["position error, m"] = round(middle["position error, m"], 1)
        return told

    def _seen(self, frame: Frame, errors: StatedErrors) -> dict[str, float] | None:
        """How one frame shows the person, whose feet are in the middle of the box's lower edge."""
        record = None if frame.time_s is None else self.at(frame.time_s)
        if record is None:
            return None
        told: dict[str, float] = {}
        if record.height_m is not None:
            told["camera height, m"] = record.height_m
        if record.gimbal_pitch is not None:
            told["look down, degrees"] = -record.gimbal_pitch
        view = ground_view(record, width=self.width, height=self.height)
        if view is None or frame.box is None:
            return told
        point = ground_point(view, (frame.box[0] + frame.box[2]) / 2, frame.box[3], errors)
        if point is None:
            return told
        return told | {
            "look down, degrees": point.depression,
            "distance, m": math.hypot(point.distance_m, view.height_m),
            "latitude": point.latitude,
            "longitude": point.longitude,
            "position error, m": point.radius_95_m,
        }


def place(source: Source, facts: VideoFacts) -> SourcePlacement:
    """Find out what is known of a source's camera.

    Telemetry that a source names must be readable; what merely lies beside or inside an aerial video is passed over
    with a note where it is not.

    Raises:
        TelemetryError: the file that the source names holds no telemetry, or its time zone is none.
    """
    unknown = SourcePlacement(source=source, width=facts.width, height=facts.height)
    if source.standing is not None or source.telemetry == NO_TELEMETRY:
        return unknown
    reading = TelemetryReading(
        time_zone=None if source.time_zone is None else zone_of(source.time_zone),
        gps_order=source.gps_order,
        altitude_from=source.altitude_from,
    )
    if source.telemetry is not None:
        return _placed(unknown, beside_video(read_telemetry(source.telemetry, reading), facts))
    if source.platform is not Platform.AERIAL:
        return unknown
    try:
        log = find_telemetry(source.path, facts, reading)
    except TelemetryError as error:
        return replace(unknown, notes=(f"no telemetry: {error}",))
    return unknown if log is None else _placed(unknown, log)


def _placed(unknown: SourcePlacement, log: FlightLog) -> SourcePlacement:
    """Add a log, and the start that it tells."""
    source, notes = unknown.source, [f"telemetry, {log.style}"]
    notes += [f"warning: telemetry: {warning}" for warning in log.warnings]
    start = log.started_at()
    if start is None and any(record.clock for record in log.records) and source.start_time is None:
        notes.append("the telemetry's clock has no time zone; FILE,time_zone=Europe/Madrid gives the video its start")
    if start is not None and source.start_time is not None:
        apart_s = abs((start - source.start_time).total_seconds())
        if apart_s > _CLOCKS_AGREE_S:
            notes.append(
                f"warning: start_time is {source.start_time.isoformat()}, the telemetry says {start.isoformat()}; "
                "start_time is taken"
            )
    if start is not None and source.start_time is None:
        source = replace(source, start_time=start)
    return replace(unknown, source=source, log=log, notes=tuple(notes))
