import gc
import re
import sys

import numpy as np
import pytest

from skyreid.errors import CheckpointError, SettingError
from skyreid.graphs.graph_process import GraphLimits
from skyreid.graphs.onnx_file import open_onnx
from tests.building.detection import onnx_files


def refusal(path, **limits):
    with pytest.raises(CheckpointError) as caught:
        open_onnx(path, limits=GraphLimits(**limits))
    return str(caught.value)


def test_what_is_no_onnx_file_is_refused(tmp_path):
    missing, text = tmp_path / "missing.onnx", tmp_path / "text.onnx"
    text.write_text("hello")
    assert refusal(missing) == f"{missing}: there is no such file"
    assert refusal(tmp_path) == f"{tmp_path}: is not a file"
    assert refusal(text).startswith(f"{text}: is no ONNX file: ")


def test_a_broken_graph_is_refused(tmp_path):
    path = onnx_files.yolox(tmp_path / "d.onnx")
    path.write_bytes(path.read_bytes().replace(b"AveragePool", b"AveragePoof"))
    assert refusal(path).startswith(f"{path}: cannot be loaded by ONNX Runtime: ")


def test_weights_may_lie_beside_the_file_and_belong_to_its_sum(tmp_path):
    path, weights = onnx_files.with_weights_elsewhere(tmp_path / "d.onnx", "d.bin"), tmp_path / "d.bin"
    weights.write_bytes(np.full(192, 2, np.float32).tobytes())
    first = open_onnx(path)
    (doubled,) = first.run({"images": np.ones((1, 3, 8, 8), np.float32)}, ["output"])
    assert (doubled == 2).all()
    weights.write_bytes(np.full(192, 3, np.float32).tobytes())
    assert open_onnx(path).sha256 != first.sha256


@pytest.mark.parametrize("name", ["../secret.bin", "link.bin", "/etc/passwd"])
def test_weights_outside_the_folder_are_refused(tmp_path, name):
    (tmp_path / "models").mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(768))
    (tmp_path / "models/link.bin").symlink_to(tmp_path / "secret.bin")
    path = onnx_files.with_weights_elsewhere(tmp_path / "models/d.onnx", name)
    assert refusal(path) == f"{path}: its weights must lie in its folder; it names {name!r}"


def test_missing_weights_are_named(tmp_path):
    path = onnx_files.with_weights_elsewhere(tmp_path / "d.onnx", "d.bin")
    assert refusal(path) == f"{path}: its weights are missing: there is no file 'd.bin' beside it"


def test_without_the_extra_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SettingError) as caught:
        open_onnx(tmp_path / "d.onnx")
    assert str(caught.value) == (
        f"{tmp_path}/d.onnx: an ONNX file needs onnxruntime, which is not installed; pip install 'skyreid[onnx]'"
    )


def test_a_loop_that_says_it_never_ends_is_refused_when_it_is_loaded(tmp_path):
    """Kind 11-B4."""
    path = onnx_files.looping(tmp_path / "d.onnx", 2**62)
    assert refusal(path).startswith(f"{path}: its Loop ")
    assert refusal(path).endswith(f"makes {2**62} rounds; 1000000 at most are run")


def test_a_loop_that_turns_out_not_to_end_meets_the_time_limit(tmp_path):
    path = onnx_files.looping(tmp_path / "d.onnx", None)
    file = open_onnx(path, limits=GraphLimits(call_s=10.0))
    (found,) = file.run({"images": np.ones((1, 3, 8, 8), np.float32)}, ["output"])
    assert found[0, 0, 0] == pytest.approx(1.0)
    file = open_onnx(path, limits=GraphLimits(call_s=5.0))
    with pytest.raises(CheckpointError, match=r"the graph took more than 5 s \(GraphLimits.call_s\)$"):
        file.run({"images": np.full((1, 3, 8, 8), 1e12, np.float32)}, ["output"])


def test_memory_beyond_the_limit_ends_the_graph_and_not_the_caller(tmp_path):
    path = onnx_files.yolox(tmp_path / "d.onnx")
    assert re.search(r"crashed, or needs more than 64 MiB|cannot be loaded", refusal(path, memory_bytes=2**26))


def test_the_process_of_a_graph_ends_with_its_file(tmp_path):
    file = open_onnx(onnx_files.yolox(tmp_path / "d.onnx"))
    process = file._graph._process
    assert process.poll() is None
    del file
    gc.collect()
    assert process.poll() is not None
