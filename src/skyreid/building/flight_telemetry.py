"""The flight log of whatever lies at a path: a subtitle file, a table, a video, a picture or a folder of pictures."""

from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from skyreid.errors import TelemetryError
from skyreid.file_kinds import kind_at
from skyreid.telemetry.dji_subtitles import GpsOrder, read_subtitle_file
from skyreid.telemetry.flight_log import AltitudeFrom, FlightLog, in_zone


@dataclass(frozen=True, kw_only=True)
class TelemetryReading:
    """What a person knows of a file that the file does not say."""

    time_zone: tzinfo | None = None
    """Of clock times without one."""
    gps_order: GpsOrder | None = None
    """Which coordinate stands first in `GPS(a, b, c)`."""
    altitude_from: AltitudeFrom | None = None
    """What a plain altitude counts from."""


AS_WRITTEN = TelemetryReading()


def read_telemetry(path: Path, reading: TelemetryReading = AS_WRITTEN) -> FlightLog:
    """Read the telemetry that lies at a path.

    Raises:
        TelemetryError: there is none, or it cannot be read.
    """
    kind = kind_at(path)
    if kind is None:
        raise TelemetryError(f"{path}: {'cannot be read' if path.exists() else 'there is no such file'}")
    log = read_subtitle_file(path, gps_order=reading.gps_order, altitude_from=reading.altitude_from)
    return log if reading.time_zone is None else in_zone(log, reading.time_zone)
