"""MISB ST 0601: packets are read to the values they were written from; what is broken is left out and counted."""

from datetime import UTC, datetime

import pytest

from skyreid.errors import TelemetryError
from skyreid.telemetry.klv import KlvPacket, holds_klv, read_klv
from tests.telemetry.klv_packets import KEY, flight, packet, signed

MICROS = 1_777_896_000_000_000


def read(*contents):
    packets = [KlvPacket(float(place), content) for place, content in enumerate(contents)]
    return read_klv(packets, "flight.ts")


def test_a_packet_gives_the_values_it_was_written_from():
    (record,) = read(packet(flight(MICROS, 41.5, -2.25))).records
    assert record.clock == datetime(2026, 5, 4, 12, tzinfo=UTC)
    assert record.place == pytest.approx((41.5, -2.25), abs=1e-7)
    assert record.altitude_m == pytest.approx(1500, abs=0.2)
    assert (record.hfov, record.vfov) == pytest.approx((12, 7), abs=0.002)
    assert (record.gimbal_yaw, record.gimbal_pitch) == pytest.approx((100, -30), abs=0.01)
    assert record.slant_range_m == pytest.approx(2800, abs=0.01)
    assert record.ground_altitude_m == pytest.approx(100, abs=0.2)
    assert record.corners[0] == pytest.approx((41.507, -2.252), abs=1e-4)


def test_the_published_example_of_a_latitude():
    """ST 0601: 0x5595B66D is 60.1768229669783 degrees."""
    (record,) = read(packet({13: bytes.fromhex("5595B66D"), 14: bytes.fromhex("5B5360C4")})).records
    assert record.place == pytest.approx((60.1768229669783, 128.426759042045), abs=1e-9)


def test_an_aircraft_that_rolls_turns_where_its_camera_looks():
    (record,) = read(packet(flight(MICROS, 41.5, -2.25, heading=0.0, roll=30.0, azimuth=90.0, elevation=0.0))).records
    assert (record.gimbal_yaw, record.gimbal_pitch) == pytest.approx((90, -30), abs=0.01)


def test_out_of_range_is_not_told():
    tags = flight(MICROS, 41.5, -2.25) | {13: b"\x80\x00\x00\x00", 6: b"\x80\x00"}
    (record,) = read(packet(tags)).records
    assert (record.place, record.gimbal_pitch) == (None, None)


def test_lengths_of_both_forms_and_headers_before_the_key():
    tags = {13: signed(41.5, 90, 4), 14: signed(2.0, 180, 4)}
    log = read(packet(tags), packet(tags, long_length=True), b"\x00\x01\xdf\x00\x20" + packet(tags))
    assert [record.place for record in log.records] == [pytest.approx((41.5, 2.0))] * 3


def test_a_packet_with_a_wrong_sum_is_left_out_and_counted():
    good, bad = packet(flight(MICROS, 41.5, -2.25)), bytearray(packet(flight(MICROS, 41.5, -2.25)))
    bad[60] ^= 1
    log = read(good, bytes(bad))
    assert len(log.records) == 1
    assert any("1 packets are with another checksum" in warning for warning in log.warnings)


def test_a_packet_without_a_sum_is_read_and_named():
    log = read(packet(flight(MICROS, 41.5, -2.25), with_checksum=False))
    assert len(log.records) == 1
    assert "1 packets are without a checksum" in log.warnings


def test_a_packet_that_is_cut_at_any_byte_is_left_out():
    whole = packet(flight(MICROS, 41.5, -2.25))
    for end in range(len(KEY), len(whole)):
        assert len(read(whole, whole[:end]).records) == 1
    assert not holds_klv(whole[: len(KEY) - 1])


@pytest.mark.parametrize("body", [b"", b"\x81" * 40, b"\x02\x88" + b"\xff" * 8, b"\x0d\x04\x00"])
def test_nonsense_in_a_packet_is_no_position(body):
    try:
        assert all(record.place is None for record in read(KEY + bytes([len(body)]) + body).records)
    except TelemetryError as error:
        assert "holds no record" in str(error)
