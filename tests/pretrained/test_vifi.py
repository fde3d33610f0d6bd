import sys
import types

import numpy as np
import pytest
import torch

from skyreid.errors import CheckpointError
from skyreid.pretrained.importer import ImportOptions
from skyreid.pretrained.vifi import read
from tests.pretrained.reference_clip import SIDE
from tests.pretrained.test_huggingface import huggingface_state

NOT_IN_IT = {"token_embedding.weight", "input_resolution", "context_length", "vocab_size"}


def settings_that_nobody_can_import(monkeypatch):
    """A settings node as yacs pickles it: a dict with attributes, of a class that is gone afterwards."""
    module = types.ModuleType("yacs.config")

    class CfgNode(dict):
        pass

    CfgNode.__module__, CfgNode.__qualname__, module.CfgNode = "yacs.config", "CfgNode", CfgNode
    monkeypatch.setitem(sys.modules, "yacs", types.ModuleType("yacs"))
    monkeypatch.setitem(sys.modules, "yacs.config", module)
    node = CfgNode(DATA=CfgNode(ROOT="/videos", FRAMES=[16, 32]), SEED=1024)
    node.__dict__.update(__immutable__=True, __deprecated_keys__={"OLD"})
    return node


@pytest.fixture
def vifi_file(known, tmp_path, monkeypatch):
    model = {
        "module." + (name.replace("visual.", "image_encoder.") if "visual." in name else f"text_encoder.{name}"): t
        for name, t in known.state.items()
        if name not in NOT_IN_IT | {"logit_scale"}
    }
    model["module.logit_scale"] = known.state["logit_scale"]
    model["module.prompt_learner.complete_text_embeddings"] = torch.zeros(3, 77, 64)
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([weight])
    weight.sum().backward()
    optimizer.step()
    checkpoint = {
        "model": model,
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": {"base_values": [1e-5], "t_in_epochs": False},
        "max_accuracy": np.float64(83.5),
        "epoch": 9,
        "config": settings_that_nobody_can_import(monkeypatch),
    }
    file = tmp_path / "vifi_clip.pth"
    torch.save(checkpoint, file)
    monkeypatch.delitem(sys.modules, "yacs.config")
    monkeypatch.delitem(sys.modules, "yacs")
    return file


@pytest.mark.parametrize("names", [dict, huggingface_state], ids=["openai", "huggingface"])
def test_reads_the_checkpoint_with_a_token_embedding_from_elsewhere(known, vifi_file, tmp_path, names):
    torch.save(names(known.state), tmp_path / "table.pt")
    imported = read(vifi_file, ImportOptions(image_size=(SIDE, SIDE), token_embedding=tmp_path / "table.pt"))
    known.assert_computed_by(imported.module)
    assert imported.dropped.keys() == {
        *("logit_scale", "prompt_learner.complete_text_embeddings"),
        *("optimizer", "lr_scheduler", "epoch", "max_accuracy", "config"),
    }
    assert "yacs" not in sys.modules


def test_without_a_token_embedding_the_remedy_is_named(vifi_file):
    with pytest.raises(CheckpointError, match=r"name OpenAI's ViT-B-16\.pt .* with --token-embedding"):
        read(vifi_file, ImportOptions())


def test_a_table_file_without_a_table_is_refused(vifi_file, tmp_path):
    torch.save({"weight": torch.zeros(2)}, tmp_path / "table.pt")
    with pytest.raises(CheckpointError, match=r"table\.pt: has no token embedding \(token_embedding\.weight or"):
        read(vifi_file, ImportOptions(token_embedding=tmp_path / "table.pt"))


def test_a_file_of_another_layout_is_refused(known, tmp_path):
    torch.save(known.state, tmp_path / "clip.pt")
    with pytest.raises(CheckpointError, match=r"has no image_encoder\.conv1\.weight; it holds .*visual \(32 names\)"):
        read(tmp_path / "clip.pt", ImportOptions(token_embedding=tmp_path / "clip.pt"))
