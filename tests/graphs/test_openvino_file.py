"""A network in OpenVINO's IR, run in a process of its own."""

import hashlib

import numpy as np
import pytest

from skyreid.errors import CheckpointError
from skyreid.files.regular_file import file_sha256
from skyreid.graphs.graph_process import GraphLimits, Port
from skyreid.graphs.openvino_file import open_openvino
from tests.extraction import networks

openvino = pytest.importorskip("openvino")


@pytest.fixture
def network(tmp_path):
    """The .xml of a network of random numbers; the .bin lies beside it."""
    onnx = networks.random_network(tmp_path / "net.onnx")
    openvino.save_model(openvino.Core().read_model(onnx), tmp_path / "net.xml", compress_to_fp16=False)
    return tmp_path / "net.xml"


def test_it_tells_what_it_takes_and_gives_and_its_hash_is_over_both_files(network):
    file = open_openvino(network)
    assert file.inputs == (Port("picture", "float32", (1, 3, 32, 16)),)
    assert file.outputs == (Port("embedding", "float32", (1, 16)),)
    sums = " ".join(file_sha256(path) for path in (network, network.with_suffix(".bin")))
    assert file.sha256 == hashlib.sha256(sums.encode()).hexdigest()


def test_a_picture_of_another_size_is_refused_and_the_next_one_is_answered(network):
    file = open_openvino(network)
    with pytest.raises(CheckpointError, match=r"net\.xml: cannot be run on picture float32\[1, 3, 8, 8\]: "):
        file.run({"picture": np.zeros((1, 3, 8, 8), np.float32)}, ["embedding"])
    (given,) = file.run({"picture": np.ones((1, 3, 32, 16), np.float32)}, ["embedding"])
    assert np.isfinite(given).all()


def test_half_a_network_and_a_broken_one_are_refused(network):
    weights = network.with_suffix(".bin")
    kept, text = weights.read_bytes(), network.read_text()
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"its weights are missing: there is no file net\.bin beside it$"):
        open_openvino(network)
    for graph, content in ((text[:500], kept), (text, kept[:50])):
        network.write_text(graph)
        weights.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"net\.xml: cannot be loaded by OpenVINO: "):
            open_openvino(network)


def test_a_network_that_needs_more_memory_than_the_limits_is_refused(network):
    with pytest.raises(CheckpointError, match=r"net\.xml: "):
        open_openvino(network, limits=GraphLimits(memory_bytes=2**27))
