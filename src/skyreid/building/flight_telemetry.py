"""The flight log of whatever lies at a path: a subtitle file, a table, a video, a picture or a folder of pictures."""

import re
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

from skyreid.building.video.decode import DataPacket, VideoFacts, data_packets, probe
from skyreid.building.video.picture_folder import PictureFolder
from skyreid.errors import MissingFrameError, TelemetryError, VideoError
from skyreid.files.file_kinds import PICTURE, VIDEO, kind_at
from skyreid.files.picture_file import SUFFIXES
from skyreid.files.regular_file import names_in, natural_order
from skyreid.telemetry.csv_log import is_flight_table, read_csv_file
from skyreid.telemetry.dji_subtitles import SUBTITLES, Cue, GpsOrder, read_cues, read_subtitle_file
from skyreid.telemetry.flight_log import MOST_BYTES, AltitudeFrom, FlightLog, FlightRecord, in_zone, read_text
from skyreid.telemetry.ground_position import footprint, ground_view
from skyreid.telemetry.klv import KlvPacket, holds_klv, read_klv
from skyreid.telemetry.picture_tags import read_pictures


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
_APART_S = 1.0
"""Past the end of a video: recorders write the last second's record at its end."""
_UNTOLD_END_S = 2.0
"""A log that covers less of the video than this is said to."""


def read_telemetry(path: Path, reading: TelemetryReading = AS_WRITTEN) -> FlightLog:
    """Read the telemetry that lies at a path; of a video, with the footprint of every picture on flat ground.

    Raises:
        TelemetryError: there is none, or it cannot be read.
    """
    log = _as_told(_read(path, reading), reading)
    if kind_at(path) is not VIDEO:
        return log
    facts = probe(path)
    records = [_with_corners(record, width=facts.width, height=facts.height) for record in log.records]
    return replace(log, records=tuple(records))


def _as_told(log: FlightLog, reading: TelemetryReading) -> FlightLog:
    """Add what a person knows, and name what of it the file leaves no room for."""
    unused = []
    if reading.gps_order is not None and not log.style.startswith(SUBTITLES):
        unused.append("the file names each of its coordinates; --gps-order is not used")
    if reading.altitude_from is not None and all(record.altitude_m is None for record in log.records):
        unused.append("no altitude is in the file; --altitude-from is not used")
    elif reading.altitude_from not in (None, log.altitude_from):
        unused.append(
            f"the file itself tells that its altitude counts from the {log.altitude_from}; --altitude-from "
            f"{reading.altitude_from} is not used"
        )
    if reading.time_zone is not None:
        if not any(record.clock is not None and record.clock.tzinfo is None for record in log.records):
            unused.append("no clock time without a zone is in the file; --time-zone is not used")
        log = in_zone(log, reading.time_zone)
    return replace(log, warnings=(*log.warnings, *unused))


def _with_corners(record: FlightRecord, *, width: int, height: int) -> FlightRecord:
    """Add the footprint of the picture, where the geometry tells all of it."""
    view = None if record.corners is not None else ground_view(record, width=width, height=height)
    corners = [] if view is None else [corner for corner in footprint(view) if corner is not None]
    return replace(record, corners=tuple(corners)) if len(corners) == 4 else record


def find_telemetry(path: Path, facts: VideoFacts, reading: TelemetryReading = AS_WRITTEN) -> FlightLog | None:
    """Read what lies beside or inside a video, or in the pictures of a folder; None where nothing does.

    Raises:
        TelemetryError: something does, and it is not telemetry that can be read.
    """
    if path.is_dir():
        try:
            read_pictures(PictureFolder.open(path).paths[:1], str(path))
        except (TelemetryError, VideoError, MissingFrameError):
            return None
    elif not facts.has_streams_beside and _beside(path) is None:
        return None
    return _as_told(_read(path, reading), reading)


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
    if kind is VIDEO:
        return _of_video(path, reading)
    if path.suffix.lower() == ".csv" or is_flight_table(read_text(path)):
        return read_csv_file(path, altitude_from=reading.altitude_from)
    return read_subtitle_file(path, gps_order=reading.gps_order, altitude_from=reading.altitude_from)


def _of_video(video: Path, reading: TelemetryReading) -> FlightLog:
    """Read what lies beside a video under its name, else what its streams hold, and compare both ends."""
    try:
        facts = probe(video)
        beside = _beside(video)
        log = _inside(video, reading) if beside is None else _read(beside, reading)
    except VideoError as error:
        raise TelemetryError(str(error)) from error
    return beside_video(log, facts)


def beside_video(log: FlightLog, facts: VideoFacts) -> FlightLog:
    """Name where a log and the video that it is said to belong to end apart, as those of two recordings do."""
    end_s = facts.duration_s
    ends = [record.time_s for record in log.records if record.time_s is not None]
    if end_s is None or not ends:
        return log
    late, said = sum(time_s > end_s + _APART_S for time_s in ends), None
    if late:
        said = f"{late} of {len(log.records)} records lie past the end of the video, which lasts {end_s:.2f} s"
        if late > len(log.records) / 2:
            said += ": is this the log of another recording, or of the whole flight?"
    elif max(ends) + log.step_s < end_s - _UNTOLD_END_S:
        said = f"telemetry ends after {max(ends):.1f} s of the video's {end_s:.1f} s"
        if max(ends) < end_s / 2:
            said += ": is this the log of another recording?"
    return log if said is None or said in log.warnings else replace(log, warnings=(*log.warnings, said))


def _beside(video: Path) -> Path | None:
    """The subtitles, or the table of a flight, that have the name of a video."""
    names = [name for name in names_in(video.parent) if Path(name).stem == video.stem]
    found = {Path(name).suffix.lower(): video.parent / name for name in names}
    if ".srt" in found:
        return found[".srt"]
    table = found.get(".csv")
    return table if table is not None and is_flight_table(read_text(table)) else None


def _inside(video: Path, reading: TelemetryReading) -> FlightLog:
    """Read the first of a video's streams that holds telemetry."""
    streams: dict[int, list[DataPacket]] = {}
    total, has_dji_binary = 0, False
    for packet in data_packets(video):
        if _is_dji_binary(packet):
            has_dji_binary = True
            continue
        streams.setdefault(packet.stream, []).append(packet)
        total += len(packet.content)
        if total > MOST_BYTES:
            raise TelemetryError(f"{video}: its subtitles and data take more than {MOST_BYTES:,} bytes")
    told = []
    for number, packets in streams.items():
        kind = f"stream {number} ({packets[0].of}, {packets[0].codec})"
        try:
            if any(holds_klv(packet.content) for packet in packets):
                return read_klv([KlvPacket(one.time_s, one.content) for one in packets], str(video))
            if packets[0].of == "subtitle":
                cues = [Cue(place, one.time_s, _subtitle(one)) for place, one in enumerate(packets, start=1)]
                order, counts_from = reading.gps_order, reading.altitude_from
                return read_cues(cues, str(video), gps_order=order, altitude_from=counts_from)
            told.append(f"{kind} is of a kind that is not read")
        except TelemetryError as error:
            told.append(f"{kind}: {error}")
    if has_dji_binary:
        raise TelemetryError(
            f"{video}: carries DJI's binary telemetry (a djmd stream), which cannot be read yet; put the recording's "
            f"subtitles beside it as {video.stem}.SRT: the drone writes them when video subtitles are on in the DJI app"
        )
    raise TelemetryError(
        f"{video}: has no telemetry, neither beside it ({video.stem}.SRT or .csv) nor in its streams"
        + (f" ({'; '.join(told)[:400]})" if told else "")
    )


_DJI_STREAM = re.compile(r"(DJI|CAM) (meta|dbgi)", re.IGNORECASE)
_DJI_PROTOCOL = re.compile(rb"\bdvtm_[\w-]{1,40}\.proto")


def _is_dji_binary(packet: DataPacket) -> bool:
    """Whether this is one of the streams djmd and dbgi, protocol buffers that DJI has not described.

    They are known by their name in the file, else by that of the protocol, which stands at the beginning.
    """
    return _DJI_STREAM.fullmatch(packet.codec) is not None or _DJI_PROTOCOL.search(packet.content[:256]) is not None


def _subtitle(packet: DataPacket) -> str:
    """The text of a subtitle, as MP4 (its length before it), Matroska, or ASS (after its eight fields) has it."""
    content = packet.content
    if packet.codec == "mov_text":
        content = content[2 : 2 + int.from_bytes(content[:2], "big")]
    text = content.decode("utf-16" if content[:2] in (b"\xfe\xff", b"\xff\xfe") else "utf-8", "replace")
    if packet.codec in ("ass", "ssa"):
        text = text.split(",", 8)[-1].replace("\\N", "\n")
    return text


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
