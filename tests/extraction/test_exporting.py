"""A program of one file: what it gives, what it needs, what cannot become one. All methods: tests/test_sweep.py."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from skyreid.baselines.baseline import Baseline
from skyreid.cli.models import model_export
from skyreid.errors import SettingError
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.extraction.exporting import export_embedder
from skyreid.extraction.loading import ClipEmbedder, load
from skyreid.files.config_json import to_json
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


class NoNumber(Mean):
    def forward(self, frames, platforms=None):
        return {"embedding": self.colour(frames) * float("nan")}


class ForgetsWhenExported(Mean):
    def forward(self, frames, platforms=None):
        return {"embedding": self.colour(frames) * (0.5 if torch.compiler.is_exporting() else 1.0)}


def embedder_of(encoder, clip_length=8):
    return ClipEmbedder(encoder, ExtractionConfig(clip_length=clip_length).feeding_of(encoder))


def test_the_command_s_file_gives_the_checkpoint_s_embeddings_where_there_is_no_skyreid(
    save_checkpoint, tmp_path, capsys
):
    checkpoint, folder = save_checkpoint(), tmp_path / "export"
    model_export(checkpoint, folder / "encoder.pt2", json=True)
    report = json.loads(capsys.readouterr().out)
    assert report.pop("deviation") <= 1e-5
    assert report == {
        "file": str(folder / "encoder.pt2"),
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
        (ForgetsWhenExported, "the program's embeddings differ by "),
        (NoNumber, "the program's embeddings differ by nan"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name_and_leaves_no_file(encoder, reason, tmp_path):
    with pytest.raises(SettingError, match=f"^{encoder.__name__} cannot be exported: {re.escape(reason)}"):
        export_embedder(embedder_of(encoder()), tmp_path / "encoder.pt2")
    assert list(tmp_path.iterdir()) == []
