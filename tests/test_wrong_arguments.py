"""Wrong arguments of the Python interface, of types that its annotations refuse (kind C2).

All of them are tried in one process of its own: here the annotations are checked, which a user's program does not do.
"""

import subprocess
import sys

import pytest

import skyreid

PROGRAM = """
import sys
import numpy as np
import torch
import skyreid
from skyreid import EmbeddingTable, SkyreidError

rows = np.arange(4)
eye, ids = np.eye(4, dtype=np.float32), rows.astype(str)
table = EmbeddingTable(embeddings=eye, pids=rows // 2, camids=rows, platforms=rows % 2, tracklet_ids=ids)
columns = {"tracklet_ids": ["a", "b"], "pids": [1, 2], "camids": [0, 1], "platforms": "ground"}
for call in sys.stdin.read().splitlines():
    try:
        print("taken:", eval(call))
    except SkyreidError as refusal:
        print(str(refusal).replace("\\n", "|"))
    except Exception as leak:
        print(f"{type(leak).__name__}: {leak}".replace("\\n", "|"))
"""

NO_TABLE = "a table is an EmbeddingTable, or the path where it lies; got "
NO_SOURCES = (
    "sources are a list of `Source`s or of texts such as 'gate.mp4,platform=ground,camera=gate', or the path of a JSON "
    "file; got "
)
NO_QUERY = (
    "a query is the id of a tracklet (a str), a row (an int) or an embedding (a NumPy array or a torch tensor), or a "
    "list of these; got "
)
PROTOCOLS = ", ".join(skyreid.PROTOCOLS)
PLATFORM = "a platform is 'ground' or 'aerial'; got "

REFUSALS = {
    "skyreid.load_table(None)": "a table is given by its path, a str or a Path; got None",
    "skyreid.load_table(b'a.npz')": "a table is given by its path, a str or a Path; got b'a.npz' of the type bytes",
    "skyreid.save_table(table, 'table.npz')": (
        "the file of a table is given by its path, a str or a Path; got an object of the type EmbeddingTable"
    ),
    "skyreid.save_table('table.npz', table.embeddings)": (
        "save_table takes a path and an EmbeddingTable; the second is an object of the type ndarray"
    ),
    "skyreid.search(None, 0)": f"{NO_TABLE}None",
    "skyreid.search(table.embeddings, 0)": f"{NO_TABLE}an object of the type ndarray",
    "skyreid.search(table, None)": f"{NO_QUERY}None",
    "skyreid.search(table, [0.5, 1])": f"{NO_QUERY}[0.5, 1] of the type list",
    "skyreid.search(table, 1.0)": f"{NO_QUERY}1.0 of the type float",
    "skyreid.search(table, True)": f"{NO_QUERY}True of the type bool",
    "skyreid.search(table, np.eye(4)[0].astype(int))": (
        "a query embedding must have the table's size 4; got int64 of the shape (4,)"
    ),
    "skyreid.search(table, '0', platform=1)": f"{PLATFORM}1",
    "skyreid.search(table, '0', platform=['ground'])": f"{PLATFORM}['ground']",
    "skyreid.search(table, '0', top_k=2.5)": "top_k must be a whole number of at least 1; got 2.5",
    "skyreid.search(table, '0', exclude='12')": "exclude is a list of tracklet ids; got '12' of the type str",
    "skyreid.evaluate(table, None, 'mars')": f"{NO_TABLE}None",
    "skyreid.evaluate(table, table, None)": f"a protocol is given by its name, one of {PROTOCOLS}; got None",
    "skyreid.evaluate(table, table, 'mars', ranker=None)": (
        "a ranker is one of cosine, k-reciprocal, query-expansion, or an object with name and rows; got None"
    ),
    "skyreid.evaluate(table, table, 'cross-platform', calibration=3)": (
        "a calibration is given by its path, a str or a Path; got 3 of the type int"
    ),
    "skyreid.evaluate(table, table, 'cross-platform', manifest=3)": (
        "a manifest is given by its path, a str or a Path; got 3 of the type int"
    ),
    "skyreid.build(None, 'out')": f"{NO_SOURCES}None",
    "skyreid.build([{'file': 'a.mp4'}], 'out')": f"{NO_SOURCES}[{{'file': 'a.mp4'}}] of the type list",
    "skyreid.build('a.mp4,platform=air,camera=C1', 'out')": (
        "'a.mp4,platform=air,camera=C1': platform is ground or aerial; got 'air'"
    ),
    "skyreid.build([skyreid.Source(path='a.mp4', platform='air', camera='C1')], 'out')": f"{PLATFORM}'air'",
    "skyreid.build([skyreid.Source(path='a.mp4', platform='ground', camera='C1')], 3)": (
        "the folder of a build is given by its path, a str or a Path; got 3 of the type int"
    ),
    "skyreid.build('a.mp4,platform=ground,camera=C1', 'out', interval_s=0)": (
        "interval_s must be a positive number of seconds; got 0"
    ),
    "skyreid.build('a.mp4,platform=ground,camera=C1', 'out', interval_s='1')": (
        "interval_s must be a positive number of seconds; got '1'"
    ),
    "skyreid.build('a.mp4,platform=ground,camera=C1', 'out', detector=3)": (
        "a detector is a text such as 'yolox.onnx,kind=yolox', or None; got 3 of the type int"
    ),
    "skyreid.read_benchmark('mars', 'data', split='1')": "split is a number from 0; got '1' of the type str",
    "EmbeddingTable.of([[1.0, 2.0], [3.0]], **columns)": (
        "embeddings must be one value, or one row of one length, for each tracklet: setting an array element with a "
        "sequence. The requested array has an inhomogeneous shape after 1 dimensions. The detected shape was (2,) + "
        "inhomogeneous part."
    ),
    "EmbeddingTable.of(eye[:2].astype(int), **columns)": "embeddings must be floating point; got int64",
    "EmbeddingTable.of(eye[:2], **{**columns, 'pids': [1, 'x']})": "pids must be integers; got <U21",
    "EmbeddingTable.of(eye[:2], **{**columns, 'platforms': ['drone', 'ground']})": f"{PLATFORM}'drone'",
    "EmbeddingTable.of(eye[:2], **{**columns, 'platforms': [0, 2]})": (
        "platforms, row 1: must be 0 (ground) or 1 (aerial); got 2"
    ),
    "EmbeddingTable.of(eye[:2], **{**columns, 'platforms': ['ground']})": (
        "platforms must hold one value per row of embeddings (2); got the shape (1,)"
    ),
    "skyreid.compare(table, 'a.json')": (
        "a result is what `evaluate` gives, or the path of a result file; got an object of the type EmbeddingTable"
    ),
    "skyreid.compare(None, None)": "a result is what `evaluate` gives, or the path of a result file; got None",
    "skyreid.evaluate_checkpoint(3, data='mars', root='data')": (
        "a checkpoint is given by its path, a str or a Path; got 3 of the type int"
    ),
    "skyreid.evaluate_checkpoint('nowhere', data='mars', root=3)": (
        "the folder of a benchmark is given by its path, a str or a Path; got 3 of the type int"
    ),
    "skyreid.embed('crops', None)": "a checkpoint is given by its path, a str or a Path; got None",
    "skyreid.embed('crops', 'weights', platform='drone')": f"{PLATFORM}'drone'",
    "skyreid.embed('crops', 'weights', sampling='one_clip')": (
        "no sampling is called 'one_clip' (did you mean 'one-clip'?); known: one-clip, begin-stride, begin-chunk, "
        "all-frames, all-consecutive"
    ),
    "skyreid.read_benchmark(None, 'data')": "a benchmark is given by its name, one of g2a-vreid, g2a-vreid-v2, mars, "
    "ls-vid, ls-vid-48, ilids-vid, prid-2011, mevid, manifest; got None",
    "skyreid.read_benchmark('mars', None)": "the folder of a benchmark is given by its path, a str or a Path; got None",
}


@pytest.fixture(scope="module")
def refusals():
    """By call, what it was answered with."""
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM], input="\n".join(REFUSALS), capture_output=True, text=True, check=True
    )
    return dict(zip(REFUSALS, finished.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("call", REFUSALS)
def test_a_wrong_argument_is_refused_in_words(call, refusals):
    assert refusals[call] == REFUSALS[call]
