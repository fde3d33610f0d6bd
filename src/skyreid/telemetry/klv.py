"""MISB ST 0601, the telemetry of larger drones: key, length and value, in MPEG transport streams mostly.

A packet is a universal key of 16 bytes, a length (BER), and a local set of tags. Of some 140 tags those are read that
say where the camera was and where it looked. Numbers are integers that cover a range from end to end; the lowest
negative one says "out of range".
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from skyreid.telemetry.checked_log import LARGE_DRONE_M_S, checked_log
from skyreid.telemetry.flight_log import MOST_RECORDS, FlightLog, FlightRecord

KEY = bytes.fromhex("060e2b34020b01010e01030101000000")
"""Of the UAS Datalink Local Set; its eighth byte differs between versions of the register and is not compared."""
_KEY_BYTES = len(KEY)


def _signed(reach: float) -> Callable[[bytes], float | None]:
    def read(value: bytes) -> float | None:
        number, most = int.from_bytes(value, "big", signed=True), 2 ** (8 * len(value) - 1) - 1
        return None if number < -most else number * reach / most

    return read


def _unsigned(low: float, high: float) -> Callable[[bytes], float | None]:
    def read(value: bytes) -> float | None:
        return low + int.from_bytes(value, "big") * (high - low) / (2 ** (8 * len(value)) - 1)

    return read


_TAGS: dict[int, tuple[str, int, Callable[[bytes], float | None]]] = {
    5: ("platform_heading", 2, _unsigned(0.0, 360.0)),
    6: ("platform_pitch", 2, _signed(20.0)),
    7: ("platform_roll", 2, _signed(50.0)),
    13: ("latitude", 4, _signed(90.0)),
    14: ("longitude", 4, _signed(180.0)),
    15: ("altitude_m", 2, _unsigned(-900.0, 19_000.0)),
    16: ("hfov", 2, _unsigned(0.0, 180.0)),
    17: ("vfov", 2, _unsigned(0.0, 180.0)),
    18: ("azimuth", 4, _unsigned(0.0, 360.0)),
    19: ("elevation", 4, _signed(180.0)),
    20: ("roll", 4, _unsigned(0.0, 360.0)),
    21: ("slant_range_m", 4, _unsigned(0.0, 5_000_000.0)),
    23: ("centre_latitude", 4, _signed(90.0)),
    24: ("centre_longitude", 4, _signed(180.0)),
    25: ("ground_altitude_m", 2, _unsigned(-900.0, 19_000.0)),
    **{tag: (f"corner_{tag - 26}", 2, _signed(0.075)) for tag in range(26, 34)},
    75: ("ellipsoid_m", 2, _unsigned(-900.0, 19_000.0)),
    **{tag: (f"full_corner_{tag - 82}", 4, _signed(90.0 if tag % 2 == 0 else 180.0)) for tag in range(82, 90)},
    90: ("full_pitch", 4, _signed(90.0)),
    91: ("full_roll", 4, _signed(90.0)),
}
"""Name, bytes and meaning of the tags that are read (ST 0601.19, section 8)."""
_CHECKSUM, _TIME = 1, 2
_UNCHECKED = "without a checksum"


@dataclass(frozen=True, slots=True)
class KlvPacket:
    """What a transport stream holds at one time."""

    time_s: float
    content: bytes


def read_klv(packets: Sequence[KlvPacket], name: str) -> FlightLog:
    """Make a log of the telemetry packets of a stream.

    A packet that is cut off, or whose checksum is another, is left out and counted.

    Raises:
        TelemetryError: none is whole.
    """
    records, counts = list[FlightRecord](), Counter[str]()
    from_sea = from_ellipsoid = False
    for packet in packets[: MOST_RECORDS + 1]:
        for body, state in _sets(packet.content):
            if state is not None:
                counts[state] += 1
            if state in (None, _UNCHECKED):
                values, clock = _values(body)
                from_sea |= "altitude_m" in values
                from_ellipsoid |= "ellipsoid_m" in values
                records.append(_record(packet.time_s, clock, values))
    lost = "; they are left out"
    warnings = [
        f"{number} packets are {state}{'' if state == _UNCHECKED else lost}" for state, number in counts.items()
    ]
    return checked_log(
        name,
        "MISB ST 0601 (KLV)",
        records,
        altitude_from="sea" if from_sea else "ellipsoid" if from_ellipsoid else "not told",
        warnings=warnings,
        fastest_m_s=LARGE_DRONE_M_S,
    )


def holds_klv(content: bytes) -> bool:
    """Tell whether a packet begins a local set of ST 0601 somewhere."""
    return _find_key(content, 0) >= 0


def _sets(content: bytes) -> Iterator[tuple[bytes, str | None]]:
    """The local sets of a packet, and what is wrong with each."""
    place = _find_key(content, 0)
    while place >= 0:
        length, start = _length(content, place + _KEY_BYTES)
        end = None if length is None else start + length
        if end is None or end > len(content):
            yield b"", "cut off"
            return
        body = content[start:end]
        yield body, _checked(content[place:end], body)
        place = _find_key(content, end)


def _find_key(content: bytes, start: int) -> int:
    place = content.find(KEY[:7], start)
    while place >= 0 and content[place + 8 : place + _KEY_BYTES] != KEY[8:]:
        place = content.find(KEY[:7], place + 1)
    return place


def _length(content: bytes, place: int) -> tuple[int | None, int]:
    """A length of BER, and where what it counts begins; None where it is cut off."""
    if place >= len(content):
        return None, place
    first = content[place]
    if first < 0x80:
        return first, place + 1
    end = place + 1 + (first & 0x7F)
    if end > len(content) or first & 0x7F > 8:
        return None, place
    return int.from_bytes(content[place + 1 : end], "big"), end


def _tags(body: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(body):
        tag = 0
        while True:  # BER-OID: seven bits a byte, the last without the eighth
            byte = body[place]
            tag, place = tag << 7 | byte & 0x7F, place + 1
            if byte < 0x80:
                break
            if place >= len(body) or tag > 2**21:
                return
        length, place = _length(body, place)
        if length is None or place + length > len(body):
            return
        yield tag, body[place : place + length]
        place += length


def _checked(whole: bytes, body: bytes) -> str | None:
    """Compare the sum of all bytes up to the checksum's own value; it stands last."""
    stated = [value for tag, value in _tags(body) if tag == _CHECKSUM and len(value) == 2]
    if not stated:
        return _UNCHECKED
    summed = np.frombuffer(whole[:-2], np.uint8).astype(np.uint32)
    total = int(summed[0::2].sum()) * 256 + int(summed[1::2].sum())
    return None if total % 65536 == int.from_bytes(stated[-1], "big") else "with another checksum than they state"


def _values(body: bytes) -> tuple[dict[str, float], datetime | None]:
    values: dict[str, float] = {}
    clock = None
    for tag, value in _tags(body):
        if tag == _TIME and len(value) == 8:
            micros = int.from_bytes(value, "big")
            if micros < 2**53:
                clock = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
        elif tag in _TAGS:
            name, size, read = _TAGS[tag]
            if len(value) == size and (number := read(value)) is not None:
                values[name] = number
    return values, clock


def _record(time_s: float, clock: datetime | None, values: dict[str, float]) -> FlightRecord:
    platform = (
        values.get("platform_heading", math.nan),
        values.get("full_pitch", values.get("platform_pitch", math.nan)),
        values.get("full_roll", values.get("platform_roll", math.nan)),
    )
    # A turn around the line of sight, where it is not told, leaves yaw and pitch as they are.
    relative = (values.get("azimuth", math.nan), values.get("elevation", math.nan), values.get("roll", 0.0))
    looked = _angles(_turn(*platform) @ _turn(*relative))
    told = [None if math.isnan(angle) else angle for angle in (*looked, *platform)]
    latitude, longitude = values.get("latitude"), values.get("longitude")
    corners = [
        (values[f"full_corner_{2 * n}"], values[f"full_corner_{2 * n + 1}"])
        if f"full_corner_{2 * n}" in values and f"full_corner_{2 * n + 1}" in values
        else (
            values.get("centre_latitude", math.nan) + values.get(f"corner_{2 * n}", math.nan),
            values.get("centre_longitude", math.nan) + values.get(f"corner_{2 * n + 1}", math.nan),
        )
        for n in range(4)
    ]
    has_corners = not any(math.isnan(number) for corner in corners for number in corner)
    return FlightRecord(
        time_s=time_s,
        clock=clock,
        latitude=latitude,
        longitude=longitude,
        altitude_m=values.get("altitude_m", values.get("ellipsoid_m")),
        gimbal_yaw=told[0],
        gimbal_pitch=told[1],
        gimbal_roll=told[2] if "roll" in values else None,
        aircraft_yaw=told[3],
        aircraft_pitch=told[4],
        aircraft_roll=told[5],
        hfov=values.get("hfov"),
        vfov=values.get("vfov"),
        slant_range_m=values.get("slant_range_m"),
        centre_latitude=values.get("centre_latitude"),
        centre_longitude=values.get("centre_longitude"),
        ground_altitude_m=values.get("ground_altitude_m"),
        corners=tuple(corners) if has_corners else None,
    )


def _turn(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """A turn by yaw, then pitch, then roll, in north, east, down."""
    (cy, sy), (cp, sp), (cr, sr) = (
        (math.cos(math.radians(angle)), math.sin(math.radians(angle))) for angle in (yaw, pitch, roll)
    )
    return (
        np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        @ np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        @ np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    )


def _angles(turn: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch and roll of a turn, in degrees."""
    yaw = math.atan2(turn[1, 0], turn[0, 0])
    pitch = math.asin(max(-1.0, min(1.0, -turn[2, 0]))) if not math.isnan(turn[2, 0]) else math.nan
    roll = math.atan2(turn[2, 1], turn[2, 2])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)
