"""The flight log of whatever lies at a path: a subtitle file, a table, a video, a picture or a folder of pictures."""

from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

from skyreid.building.video.picture_folder import PictureFolder, natural_order
from skyreid.errors import MissingFrameError, TelemetryError, VideoError
from skyreid.file_kinds import PICTURE, kind_at
from skyreid.folder_listing import names_in
from skyreid.picture_file import SUFFIXES
from skyreid.telemetry.csv_log import is_flight_table, read_csv_file
from skyreid.telemetry.dji_subtitles import GpsOrder, read_subtitle_file
from skyreid.telemetry.flight_log import AltitudeFrom, FlightLog, in_zone
from skyreid.telemetry.picture_tags import read_pictures
from skyreid.telemetry.text_file import read_text


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
    log = _read(path, reading)
    return log if reading.time_zone is None else in_zone(log, reading.time_zone)


def _read(path: Path, reading: TelemetryReading) -> FlightLog:
    kind = kind_at(path)
    if kind is None:
        raise TelemetryError(f"{path}: {'cannot be read' if path.exists() else 'there is no such file'}")
    try:
        if path.is_dir():
            return _of_folder(path)
        if kind is PICTURE:
            return read_pictures([path], str(path), times_s=[0.0])
    except MissingFrameError as error:
        raise TelemetryError(str(error)) from error
    if path.suffix.lower() == ".csv" or is_flight_table(read_text(path)):
        return read_csv_file(path, altitude_from=reading.altitude_from)
    return read_subtitle_file(path, gps_order=reading.gps_order, altitude_from=reading.altitude_from)


def _of_folder(folder: Path) -> FlightLog:
    """Read the pictures of a folder in the order and at the times of a film; without those, by their clocks."""
    try:
        film = PictureFolder.open(folder)
        return read_pictures(film.paths, str(folder), times_s=[float(time_s) for time_s in film.times_s])
    except VideoError as error:
        refused = f"this is no film: it {error}; the pictures are timed by their cameras' clocks"
    names = [name for name in names_in(folder) if Path(name).suffix.lower() in SUFFIXES]
    if not names:
        raise TelemetryError(f"{folder}: is a folder without pictures")
    log = read_pictures([folder / name for name in sorted(names, key=natural_order)], str(folder))
    return replace(log, warnings=(refused, *log.warnings))
