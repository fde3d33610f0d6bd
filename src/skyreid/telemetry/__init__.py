"""Where a camera was, how it looked and when, as drones write it beside or inside their recordings.

`flight_log.py` is what all readers give, after `checked_log.py` has looked at it; `dji_subtitles.py`, `csv_log.py`,
`klv.py` and `picture_tags.py` read one family of files each. Streams inside videos are taken out in the
decoding process (`building.flight_telemetry`).
"""
