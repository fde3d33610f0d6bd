"""Kind B of hostile hands: what is refused is refused before the large libraries are loaded.

PyTorch takes two seconds and 200 MB to load, more than any of these refusals needs.
"""

import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tests.building.films import noise, write_film

WATCHED = """
import sys
import skyreid.cli
status = skyreid.cli.main(sys.argv[1:])
with open("/proc/self/status") as file:
    peak = next(line.split()[1] for line in file if line.startswith("VmHWM"))
print(int(peak) // 1024, *(name for name in ("torch", "matplotlib", "scipy.io") if name in sys.modules))
sys.exit(status)
"""


def names_that_double(folder):
    """Some hundred bytes whose one name is twice as long with every opcode."""
    pickled = b"\x80\x04\x8c\x09__torch__\x8c\x01x\x93" + b"".join(b"\x94h%c\x93" % n for n in range(40)) + b"."
    with zipfile.ZipFile(folder / "doubling.pt", "w") as file:
        file.writestr("weights/data.pkl", pickled)
    return "model", "import", "openai", folder / "doubling.pt", "--out", folder / "out"


def code(folder):
    with zipfile.ZipFile(folder / "code.pt", "w") as file:
        file.writestr("weights/data.pkl", pickle.dumps({"w": print}, protocol=2))
    return "model", "import", "openai", folder / "code.pt", "--out", folder / "out"


def a_table_of_an_endless_manifest(folder):
    np.savez(
        folder / "table.npz",
        embeddings=np.eye(2, dtype=np.float32),
        pids=np.arange(2),
        camids=np.arange(2),
        platforms=np.arange(2),
        tracklet_ids=np.array(["a", "b"]),
        manifest=np.array("/dev/zero"),
    )
    return "search", folder / "table.npz", "--query", "a", "--out", folder / "out"


def a_table_that_is_none(folder):
    (folder / "table.npz").write_bytes(b"PK\x03\x04" + bytes(99))
    return "search", folder / "table.npz", "--query", "a", "--out", folder / "out"


def boxes_over_a_thousand_million_frames(folder):
    film = write_film(folder / "film.mov", noise(2))
    (folder / "bomb.xml").write_text(
        "<annotations><track id='0' label='person'>"
        "<box frame='0' outside='0' occluded='0' xtl='1' ytl='1' xbr='9' ybr='9'/>"
        "<box frame='1000000000' outside='0' occluded='0' xtl='1' ytl='1' xbr='9' ybr='9'/>"
        "</track></annotations>"
    )
    source = f"{film},platform=ground,camera=gate,annotations={folder / 'bomb.xml'}"
    return "build", "--source", source, "--out", folder / "out"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("hostile", "complaint"),
    [
        (names_that_double, "doubling.pt: builds the name of a global from something other than two short texts"),
        (code, "code.pt: names '__builtin__.print', which weights are not made of"),
        (a_table_of_an_endless_manifest, "/dev/zero must be a manifest"),
        (a_table_that_is_none, "table.npz"),
        (boxes_over_a_thousand_million_frames, "bomb.xml, track 0, frame 1000000000"),
    ],
)
def test_a_hostile_file_is_refused_in_one_line_and_before_anything_large_is_loaded(tmp_path, hostile, complaint):
    arguments = hostile(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-c", WATCHED, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1, ended.stderr
    (said,) = ended.stderr.splitlines()
    assert complaint in said
    peak, *loaded = ended.stdout.splitlines()[-1].split()
    assert not loaded
    assert int(peak) < 200
    assert not (tmp_path / "out").is_file()
