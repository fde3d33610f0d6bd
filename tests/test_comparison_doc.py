"""The tenth method of docs/comparison.md, written where the page says and run."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch

from skyreid.baselines import BASELINES, BaselineModel, build_baseline
from skyreid.experiments.cost import count_baseline_parameters
from skyreid.extraction.embed_tracklets import Encoder
from skyreid.recipes.comparison import common
from skyreid.training.baseline_training import BaselineStep
from tests.tiny_model import drawn

PAGE = (Path(__file__).parents[1] / "docs" / "comparison.md").read_text(encoding="utf-8")
MODEL = BaselineModel(method="frame-mean", num_classes=3, frames=2, image_size=(32, 32))
LABELS, PLATFORMS = torch.tensor([0, 0, 2, 2]), torch.tensor([0, 1, 0, 1])


@pytest.fixture
def added(tmp_path, monkeypatch):
    """The one file and the one line."""
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    file = tmp_path / "frame_mean.py"
    file.write_text(block)
    spec = importlib.util.spec_from_file_location("frame_mean", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    line = re.search(r'one line in `BASELINES` \(`baselines/__init__\.py`\): `"(.*)": (.*)`', PAGE)
    monkeypatch.setitem(BASELINES, line[1], getattr(module, line[2]))


def test_the_page_s_method_is_built_trained_and_embeds(added):
    model = build_baseline(MODEL)
    losses = BaselineStep(model).train()(drawn(4, 2, 3, 32, 32), PLATFORMS, LABELS)
    torch.stack([*losses.values()]).sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)
    assert isinstance(model.eval(), Encoder)
    with torch.no_grad():
        embeddings = model.embed(drawn(4, 2, 3, 32, 32), PLATFORMS)
    assert embeddings.shape == (4, model.embed_dim)


def test_the_page_s_method_has_places_for_the_published_weights_and_a_count_without_heads(added):
    counts = count_baseline_parameters(MODEL)
    assert counts.all - counts.without_heads == 3 * 2048
    with torch.device("meta"):
        model = build_baseline(MODEL)
    places = {place for name in model.published_names().targets.values() for place in name}
    assert places <= model.state_dict().keys()
    backbone = {name for name in model.state_dict() if name.startswith("backbone.") and "num_batches" not in name}
    assert places == backbone


def test_the_page_s_method_has_the_settings_of_all(added):
    config = common("frame-mean", "g2a-vreid")
    assert (config.method, config.clip_length, config.learning_rate(10)) == ("frame-mean", 8, pytest.approx(3e-4))


def test_the_page_is_under_a_page():
    assert len(PAGE.splitlines()) < 90
