"""Subtitle files of every style, written by the tests: two seconds over one place."""

BRACKETS = (
    '<font size="36">SrtCnt : {n}, DiffTime : 1000ms\n2022-08-07 13:40:4{n},774,808\n'
    "[iso : 100] [shutter : 1/80.0] [fnum : 280] [ev : 0] [ct : 5744] [color_md : default] [focal_len : 240] "
    "[latitude: 41.42472{n}] [longitude: 2.234156] {altitude} </font>"
)
MINI = "F/2.8, SS 30.15, ISO 260, EV -1.7, GPS ({pair}, 17), D 221.21m, H 200.{n}0m, H.S n/a, V.S n/a "
RTK = (
    "F/5.6, SS 400, ISO 100, EV 0, GPS ({pair}, 15), HOME ({home}, -57.98m), D {distance}m, H 85.80m, "
    "H.S 0.00m/s, V.S 0.00m/s, F.PRY (2.7°, -7.0°, 110.1°), G.PRY (-24.4°, 0.5°, 110.4°)"
)
LINES = "HOME({home}) 2017.8.5 14:11:5{n}\nGPS({pair},16) {height}\nISO:100 TV:60 EV: 0 IR:F2.8"


def cue_time(seconds):
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},000"


def subtitles(*texts, first_s=0, has_times=True):
    cues = []
    for number, text in enumerate(texts, start=1):
        start = first_s + number - 1
        times = f"{cue_time(start)} --> {cue_time(start + 1)}\n" if has_times else ""
        cues.append(f"{number}\n{times}{text}\n\n")
    return "".join(cues)
