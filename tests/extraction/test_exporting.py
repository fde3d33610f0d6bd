"""A program of one file: what it gives, what it needs, what cannot become one. All methods: tests/test_sweep.py."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from skyreid.baselines.baseline import Baseline
from skyreid.cli.models import model_export
from skyreid.errors import CheckpointError, SettingError
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.extraction.export_formats import FORMATS
from skyreid.extraction.exporting import export_checkpoint, export_embedder
from skyreid.extraction.loading import ClipEmbedder, load
from skyreid.feeding import IMAGENET
from skyreid.files.config_json import to_json
from skyreid.graphs.onnx_file import open_onnx
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.vsla_clip import VideoEncoder, VslaClipConfig
from tests.tiny_model import IMAGE_SIZE

ALONE = """
import sys, numpy, torch
folder = sys.argv[1]
given = numpy.load(f"{folder}/given.npz")
program = torch.export.load(f"{folder}/encoder.pt2").module()
with torch.no_grad():
    found = program(torch.from_numpy(given["frames"]), torch.from_numpy(given["platforms"]))
numpy.save(f"{folder}/found.npy", found.numpy())
assert not [name for name in sys.modules if name.startswith("skyreid")]
"""


MUST = "its file must embed noise as the model does, to a cosine and a ratio of lengths of 0.999;"


class Mean(Baseline):
    """The mean colour of a clip, and what a subclass makes of it."""

    embed_dim, image_size = 3, (8, 4)

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def colour(self, frames):
        return self.scale * frames.mean(dim=(1, 3, 4))

    def forward(self, frames, platforms=None):
        return {"embedding": self.colour(frames)}

    def losses(self, outputs, labels):
        raise NotImplementedError

    def published_names(self):
        raise NotImplementedError


class OneLength(Mean):
    def forward(self, frames, platforms=None):
        if frames.shape[1] != 5:
            raise SettingError("five frames")
        return super().forward(frames)


class LooksAtValues(Mean):
    def forward(self, frames, platforms=None):
        colour = self.colour(frames)
        return {"embedding": colour if colour.sum() > 0 else -colour}


class OneClip(Mean):
    def forward(self, frames, platforms=None):
        return {"embedding": torch.cat([self.colour(frames)] * (2 - len(frames) % 2))[: len(frames)]}


class TracedAway(Mean):
    def forward(self, frames, platforms=None):
        turned = frames.flip(2) if torch.jit.is_tracing() else frames
        return {"embedding": self.colour(turned)}


class NoNumber(Mean):
    def forward(self, frames, platforms=None):
        return {"embedding": self.colour(frames) * float("nan")}


class ForgetsWhenExported(Mean):
    def forward(self, frames, platforms=None):
        return {"embedding": self.colour(frames) * (0.5 if torch.compiler.is_exporting() else 1.0)}


def embedder_of(encoder, clip_length=8):
    return ClipEmbedder(encoder, ExtractionConfig(clip_length=clip_length).feeding_of(encoder))


@pytest.mark.slow  # a fresh process that loads what was written
def test_the_command_s_file_gives_the_checkpoint_s_embeddings_where_there_is_no_skyreid(
    save_checkpoint, tmp_path, capsys
):
    checkpoint, folder = save_checkpoint(), tmp_path / "export"
    model_export(checkpoint, folder / "encoder.pt2", json=True)
    report = json.loads(capsys.readouterr().out)
    assert report.pop("agreement") == pytest.approx(1, abs=1e-6)
    assert report == {
        "file": str(folder / "encoder.pt2"),
        "format": "torch",
        "image_size": list(IMAGE_SIZE),
        "clip_length": None,
        "feeding": to_json(load(checkpoint).feeding),
        "embed_dim": 160,
    }
    assert [path.name for path in folder.iterdir()] == ["encoder.pt2"]
    assert b"skyreid/models" not in (folder / "encoder.pt2").read_bytes()  # no path of the machine that exported
    frames = np.random.default_rng(0).integers(0, 256, (5, 7, 3, *IMAGE_SIZE), dtype=np.uint8)
    np.savez(folder / "given.npz", frames=frames, platforms=np.array([0, 1, 1, 0, 1]))
    subprocess.run([sys.executable, "-c", ALONE, str(folder)], check=True, cwd=folder)
    expected = load(checkpoint).embed(frames, ["ground", "aerial", "aerial", "ground", "aerial"])
    np.testing.assert_allclose(np.load(folder / "found.npy"), expected, rtol=1e-5, atol=1e-5)


def test_a_model_for_one_clip_length_says_so(tmp_path):
    report = export_embedder(embedder_of(OneLength(), clip_length=5), tmp_path / "mean.pt2")
    assert report.clip_length == 5
    assert report.lines()[0] == f"{tmp_path / 'mean.pt2'}: clips of 5 frames of 8 x 4 to embeddings of 3"
    program = torch.export.load(tmp_path / "mean.pt2").module()
    assert program(torch.zeros(2, 5, 3, 8, 4, dtype=torch.uint8), torch.zeros(2, dtype=torch.long)).shape == (2, 3)


def test_the_same_model_gives_the_same_file(tmp_path):
    with torch.no_grad():
        for name in ("one.pt2", "two.pt2"):
            report = export_embedder(embedder_of(Mean()), tmp_path / name)
    assert report.clip_length is None
    assert report.lines()[0].endswith("clips of any number of frames of 8 x 4 to embeddings of 3")
    assert (tmp_path / "one.pt2").read_bytes() == (tmp_path / "two.pt2").read_bytes()


@pytest.mark.parametrize(
    ("encoder", "reason"),
    [
        (LooksAtValues, "GuardOnDataDependentSymNode: "),
        (OneClip, "UserError: Constraints violated"),
        (ForgetsWhenExported, f"{MUST} the worst is clip "),
        (NoNumber, f"{MUST} the worst is clip "),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name_and_leaves_no_file(encoder, reason, tmp_path):
    with pytest.raises(SettingError, match=f"^{encoder.__name__} cannot be exported: {re.escape(reason)}"):
        export_embedder(embedder_of(encoder()), tmp_path / "encoder.pt2")
    assert list(tmp_path.iterdir()) == []


ONNX_ALONE = """
import sys, numpy, onnxruntime
folder = sys.argv[1]
given = numpy.load(f"{folder}/given.npz")
session = onnxruntime.InferenceSession(f"{folder}/encoder.onnx", providers=["CPUExecutionProvider"])
(found,) = session.run(None, {"frames": given["frames"], "platforms": given["platforms"]})
numpy.save(f"{folder}/found.npy", found)
assert not [name for name in sys.modules if name.startswith(("skyreid", "torch"))]
"""


def test_an_onnx_file_runs_alone_and_loads_again_as_the_model_without_settings(save_checkpoint, tmp_path):
    checkpoint, folder = save_checkpoint(), tmp_path / "export"
    report = export_checkpoint(checkpoint, folder / "encoder.onnx", format="onnx")
    assert report.agreement == pytest.approx(1, abs=1e-6)
    assert report.clip_length is None
    assert [path.name for path in folder.iterdir()] == ["encoder.onnx"]
    assert str(folder.parent.parent).encode() not in (folder / "encoder.onnx").read_bytes()
    frames = np.random.default_rng(0).integers(0, 256, (5, 7, 3, *IMAGE_SIZE), dtype=np.uint8)
    np.savez(folder / "given.npz", frames=frames, platforms=np.array([0, 1, 1, 0, -1]))
    subprocess.run([sys.executable, "-I", "-c", ONNX_ALONE, str(folder)], check=True, cwd=folder)
    model, exported = load(checkpoint), load(folder / "encoder.onnx")
    assert exported.feeding == model.feeding
    told = ["ground", "aerial", "aerial", "ground"]
    np.testing.assert_allclose(exported.embed(frames[:4], told), model.embed(frames[:4], told), rtol=0, atol=2e-5)
    np.testing.assert_allclose(exported.embed(frames), model.embed(frames), rtol=0, atol=2e-5)
    np.testing.assert_allclose(np.load(folder / "found.npy")[:4], model.embed(frames[:4], told), rtol=0, atol=2e-5)


def test_an_encoder_that_is_not_told_the_platform_has_no_input_for_it(tmp_path):
    report = export_embedder(embedder_of(Mean(), clip_length=2), tmp_path / "mean.onnx", format="onnx")
    assert report.clip_length is None
    (port,) = open_onnx(tmp_path / "mean.onnx").inputs
    assert (port.name, port.type, port.shape) == ("frames", "uint8", (None, None, 3, 8, 4))
    (embedded,) = load(tmp_path / "mean.onnx").embed(np.full((1, 3, 3, 8, 4), 51, np.uint8))
    np.testing.assert_allclose(
        embedded, [2 * (0.2 - m) / s for m, s in zip(IMAGENET.mean, IMAGENET.std, strict=True)], rtol=1e-5
    )


def test_an_onnx_program_that_differs_is_refused_by_its_worst_clip_and_leaves_no_file(tmp_path):
    with pytest.raises(
        SettingError, match=r"^TracedAway cannot be exported: .* the worst is clip \d+ of \d+ clips of "
    ):
        export_embedder(embedder_of(TracedAway()), tmp_path / "encoder.onnx", format="onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "format", "message"),
    [
        ("encoder.pt2", "onnx", "the file must end in .onnx, by which its readers know it; got encoder.pt2"),
        ("encoder.onnx", "openvino", "encoder.onnx: needs openvino, which is not installed; pip install "
         "'skyreid[openvino,onnx]'"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_before_anything_is_read(out, format, message, monkeypatch):
    if format == "openvino":
        monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        export_checkpoint(Path("nowhere"), Path(out), format=format)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"image_size": [8, 8]}, "contradicts what it says of its feeding (clips of 2 frames (one-clip), 8 x 8 RGB)"),
        ({"needs_platform": True}, "contradicts what it says of its feeding"),
        ({"clip_length": 0}, "a clip has at least one frame; got clip_length=0"),
    ],
)
def test_a_file_that_says_wrong_things_of_itself_is_refused(changed, reason, tmp_path):
    path = tmp_path / "mean.onnx"
    export_embedder(embedder_of(Mean(), clip_length=2), path, format="onnx")
    made = onnx.load(path)
    (entry,) = made.metadata_props
    entry.value = json.dumps(json.loads(entry.value) | changed)
    onnx.save(made, path)
    with pytest.raises((CheckpointError, SettingError), match=re.escape(reason)):
        load(path)


def test_an_openvino_file_loads_again_as_the_model(save_checkpoint, tmp_path):
    pytest.importorskip("openvino")
    checkpoint = save_checkpoint()
    export_checkpoint(checkpoint, tmp_path / "out" / "encoder.xml", format="openvino")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["encoder.bin", "encoder.xml"]
    frames = np.random.default_rng(0).integers(0, 256, (2, 5, 3, *IMAGE_SIZE), dtype=np.uint8)
    model, exported = load(checkpoint), load(tmp_path / "out" / "encoder.xml")
    assert exported.feeding == model.feeding
    for told in (["ground", "aerial"], None):
        np.testing.assert_allclose(exported.embed(frames, told), model.embed(frames, told), rtol=0, atol=1e-4)


@pytest.mark.slow  # ViT-B/16, traced, written, read and run on 125 frames
@pytest.mark.parametrize("format", ["torch", "onnx"])
def test_the_paper_s_model_is_exported_at_its_true_size(format, tmp_path):
    prompt = PlatformPromptConfig(depth=3, length=16)
    encoder = VideoEncoder(VslaClipConfig(platform_prompt=prompt)).requires_grad_(False)
    report = export_embedder(embedder_of(encoder), tmp_path / f"encoder{FORMATS[format].ending}", format=format)
    assert (report.clip_length, report.embed_dim) == (None, 1280)
    assert report.agreement > 0.99999
