"""Packets of MISB ST 0601, written by the tests from values."""

KEY = bytes.fromhex("060e2b34020b01010e01030101000000")


def signed(value, reach, size):
    return round(value / reach * (2 ** (8 * size - 1) - 1)).to_bytes(size, "big", signed=True)


def unsigned(value, low, high, size):
    return round((value - low) / (high - low) * (2 ** (8 * size) - 1)).to_bytes(size, "big")


def packet(tags, *, with_checksum=True, long_length=False):
    body = b"".join(bytes([tag, len(value)]) + value for tag, value in tags.items())
    length = len(body) + 4 * with_checksum
    head = KEY + (bytes([0x82]) + length.to_bytes(2, "big") if long_length or length > 127 else bytes([length]))
    if not with_checksum:
        return head + body
    whole = head + body + b"\x01\x02"
    total = sum(byte << (8 if place % 2 == 0 else 0) for place, byte in enumerate(whole))
    return whole + (total % 65536).to_bytes(2, "big")


def flight(micros, latitude, longitude, *, heading=90.0, pitch=0.0, roll=0.0, azimuth=10.0, elevation=-30.0):
    return {
        2: micros.to_bytes(8, "big"),
        5: unsigned(heading, 0, 360, 2),
        6: signed(pitch, 20, 2),
        7: signed(roll, 50, 2),
        13: signed(latitude, 90, 4),
        14: signed(longitude, 180, 4),
        15: unsigned(1500, -900, 19000, 2),
        16: unsigned(12, 0, 180, 2),
        17: unsigned(7, 0, 180, 2),
        18: unsigned(azimuth, 0, 360, 4),
        19: signed(elevation, 180, 4),
        20: unsigned(0, 0, 360, 4),
        21: unsigned(2800, 0, 5_000_000, 4),
        23: signed(latitude + 0.01, 90, 4),
        24: signed(longitude, 180, 4),
        25: unsigned(100, -900, 19000, 2),
        **{tag: signed(0.001 * (tag - 29), 0.075, 2) for tag in range(26, 34)},
    }
