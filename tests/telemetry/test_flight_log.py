"""What can be asked of a flight log, and what is named as odd in one."""

from datetime import UTC, datetime, timedelta

import pytest

from skyreid.errors import TelemetryError
from skyreid.telemetry.checked_log import checked_log
from skyreid.telemetry.flight_log import FlightRecord, distance_m, in_zone, zone_of

NOON = datetime(2026, 5, 4, 12)


def log_of(*records):
    return checked_log("flight", "made up", records)


def record(time_s=None, clock=None, **values):
    return FlightRecord(
        time_s=None if time_s is None else float(time_s), clock=clock, **{name: float(values[name]) for name in values}
    )


def at(*times, **values):
    return [record(time, latitude=1, longitude=2, **values) for time in times]


def test_between_two_records_values_lie_between():
    log = log_of(
        record(time_s=0, clock=NOON, latitude=10, longitude=179.999, height_m=5, gimbal_yaw=350),
        record(time_s=1, clock=NOON, latitude=10.0001, longitude=-179.999, height_m=7, gimbal_yaw=10),
    )
    between = log.at(0.5)
    assert between.latitude == pytest.approx(10.00005)
    assert abs(between.longitude) == pytest.approx(180)
    assert (between.height_m, between.gimbal_yaw) == (6, pytest.approx(0))
    assert between.clock == NOON + timedelta(seconds=0.5)


def test_beyond_the_records_and_over_a_gap_nobody_knows():
    log = log_of(*at(0, 1, 2, 60, 61))
    assert log.at(61.9) is not None
    assert [log.at(time) for time in (-1.5, 30.0, 63.0)] == [None, None, None]
    assert any("gaps of 58.0 s before record 4" in warning for warning in log.warnings)


def test_a_value_of_only_one_neighbour_is_not_carried_on():
    log = log_of(*at(0, height_m=5), *at(1))
    assert (log.at(0.0).height_m, log.at(0.5).height_m) == (5, None)


def test_times_that_go_back_are_named_and_passed_over():
    log = log_of(*at(0, 1, 2, height_m=1), *at(1.5, height_m=99), *at(3, height_m=1))
    assert log.at(1.5).height_m == 1
    assert any("times go back from 2.000 s to 1.500 s at record 4" in warning for warning in log.warnings)


def test_a_jump_of_the_clock_is_named():
    clocks = [NOON, NOON + timedelta(seconds=1), NOON + timedelta(seconds=3602)]
    log = log_of(*(record(time_s=n, clock=clock, latitude=1, longitude=2) for n, clock in enumerate(clocks)))
    assert any("jumps against the video's time by +3600.0 s at record 3" in warning for warning in log.warnings)


def test_a_leap_of_the_position_is_named():
    log = log_of(*at(0), record(time_s=1, latitude=1.01, longitude=2))
    assert any("the position leaps by 1112 m" in warning for warning in log.warnings)


def test_a_position_that_is_nowhere_is_left_out():
    log = log_of(record(time_s=0, latitude=91, longitude=0), *at(1))
    assert log.records[0].place is None
    assert any("beyond 90" in warning for warning in log.warnings)


def test_the_start_needs_a_time_zone_and_is_the_middle_of_what_records_tell():
    log = log_of(*(record(time_s=n, clock=NOON + timedelta(seconds=n - 1)) for n in (1, 2, 3)))
    assert log.started_at() is None
    start = in_zone(log, zone_of("+02:00")).started_at()
    assert start == datetime(2026, 5, 4, 9, 59, 59, tzinfo=UTC)
    assert start.isoformat() == "2026-05-04T11:59:59+02:00"


def test_clock_times_that_a_zone_has_twice_are_named():
    log = log_of(record(time_s=0, clock=datetime(2026, 10, 25, 2, 30), latitude=1, longitude=2))
    assert "twice or never" in in_zone(log, zone_of("Europe/Madrid")).warnings[-1]


@pytest.mark.parametrize("text", ["", "Mars/Olympus", "+2", "../../etc/passwd", "+99:00", "/etc"])
def test_what_is_no_time_zone_is_refused(text):
    with pytest.raises(TelemetryError, match="a time zone is a name"):
        zone_of(text)


def test_a_log_of_nothing_is_refused():
    with pytest.raises(TelemetryError, match="holds no record"):
        log_of()


def test_a_degree_of_latitude_is_111_km():
    assert distance_m((0.0, 0.0), (1.0, 0.0)) == pytest.approx(111_195, abs=1)
    assert distance_m((60.0, 10.0), (60.0, 11.0)) == pytest.approx(111_195 / 2, rel=1e-3)
