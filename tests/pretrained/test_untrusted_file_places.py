"""Weights as training programs leave them: kind C4. Every file is made here by what makes such files."""

import argparse
import re
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from skyreid.baselines import BaselineModel, build_baseline
from skyreid.baselines.baseline import Baseline
from skyreid.errors import CheckpointError
from skyreid.pretrained.imagenet import load_imagenet
from skyreid.pretrained.importer import ImportOptions
from skyreid.pretrained.openai import read_open_clip as read
from skyreid.pretrained.untrusted_file import contents, find_weights
from tests.pretrained.reference_clip import SIDE
from tests.pretrained.test_openai_open_clip import open_clip_state

SQUARE = ImportOptions(image_size=(SIDE, SIDE))


def prefixed(state, prefix):
    return OrderedDict((prefix + name, tensor) for name, tensor in state.items())


def lightning(state):
    """What `Trainer.save_checkpoint` writes, whose settings are a namespace and whose loss has a tensor too."""
    return {
        "epoch": 3,
        "global_step": 1200,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": {**prefixed(state, "model."), "loss.scale": torch.ones(())},
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{'monitor': None, 'mode': 'min'}": {"best_model_path": "", "scores": {}}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-5}]}],
        "lr_schedulers": [],
        "hparams_name": "options",
        "hyper_parameters": argparse.Namespace(lr=1e-5, data="/videos"),
    }


def compiled_within(state):
    """The names that a model has when one of its parts was compiled."""
    return OrderedDict((name.replace("visual.", "visual._orig_mod.", 1), tensor) for name, tensor in state.items())


WRAPPED = {
    "as it is": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 7, "arch": "vit"},
    "model": lambda state: {"model": state, "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}, "args": None},
    "DataParallel": lambda state: {"state_dict": prefixed(state, "module.")},
    "torch.compile": lambda state: prefixed(state, "_orig_mod."),
    "a part compiled": compiled_within,
    "DDP around torch.compile": lambda state: {"model": prefixed(state, "module._orig_mod.")},
    "Lightning": lightning,
    "EMA alone": lambda state: {"state_dict_ema": prefixed(state, "module."), "epoch": 7},
    "AveragedModel": lambda state: {**prefixed(state, "module."), "n_averaged": torch.tensor(5)},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED.keys())
def test_wrapped_weights_compute_what_they_computed(known, tmp_path, wrap):
    torch.save(wrap(open_clip_state(known)), tmp_path / "weights.pt")
    imported = read(tmp_path / "weights.pt", SQUARE)
    known.assert_computed_by(imported.module)


def test_what_stands_beside_the_weights_is_said_and_not_read(known, tmp_path):
    torch.save(lightning(open_clip_state(known)), tmp_path / "last.ckpt")
    dropped = read(tmp_path / "last.ckpt", SQUARE).dropped
    assert dropped.pop("logit_scale")
    assert dropped.keys() == {
        *("epoch", "global_step", "pytorch-lightning_version", "state_dict.loss", "callbacks"),
        *("optimizer_states", "lr_schedulers", "hparams_name", "hyper_parameters"),
    }
    assert set(dropped.values()) == {"beside the weights: the state of somebody's training"}


def test_wrapped_safetensors_are_read_too(known, tmp_path):
    save_file(prefixed(open_clip_state(known), "model.module."), tmp_path / "weights.safetensors")
    known.assert_computed_by(read(tmp_path / "weights.safetensors", SQUARE).module)


def test_the_running_average_beside_the_weights_is_not_chosen_for_anybody(known, tmp_path):
    state, file = open_clip_state(known), tmp_path / "weights.pt"
    average = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    torch.save({"state_dict": average, "state_dict_ema": state, "epoch": 3}, file)
    message = "it holds visual.conv1.weight under 'state_dict' and under 'state_dict_ema' (say which by --inside"
    with pytest.raises(CheckpointError, match=re.escape(message)):
        read(file, SQUARE)
    chosen = read(file, ImportOptions(image_size=(SIDE, SIDE), inside="state_dict_ema"))
    known.assert_computed_by(chosen.module)
    assert {"state_dict", "epoch"} <= chosen.dropped.keys()
    with pytest.raises(CheckpointError, match=r"wanted under 'ema'; it holds visual\.conv1\.weight under 'state"):
        read(file, ImportOptions(inside="ema"))


def test_a_file_without_such_weights_says_what_it_holds(tmp_path):
    torch.save({"state_dict": {"encoder.layer.0.weight": torch.zeros(3)}, "epoch": 3}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"weights\.pt: has no visual\.conv1\.weight; it holds state_dict"):
        read(tmp_path / "weights.pt", SQUARE)


def test_names_that_would_become_one_are_two_models():
    names = ["visual.conv1.weight", "module.visual.conv1.weight"]
    with pytest.raises(CheckpointError, match="at its top and under 'module'"):
        find_weights(names, "visual.conv1.weight")
    assert find_weights(names, "visual.conv1.weight", inside="").names == {"visual.conv1.weight": "visual.conv1.weight"}


def test_contents_are_counted_by_their_first_level():
    assert contents(["model.a", "model.b", "epoch"]) == "model (2 names), epoch"
    assert contents([]) == "nothing"


def test_the_averages_of_torch_and_the_weights_of_a_compiled_method_start_a_training(tmp_path):
    """A state dict as `torch.optim.swa_utils` and torch.compile name it, under the key of a training program."""
    model = build_baseline(BaselineModel(method="ap3d", num_classes=3, frames=2, image_size=(32, 32)))
    published = published_state(model)
    torch.save({"state_dict": prefixed(published, "module._orig_mod."), "best_acc1": 0.8}, tmp_path / "resnet50.pth")
    report = load_imagenet(model, tmp_path / "resnet50.pth")
    assert report.mapped == len(model.published_names().targets)
    assert "best_acc1" in report.dropped
    averaged = AveragedModel(nn.Linear(2, 2)).state_dict()
    assert find_weights(list(averaged), "weight").names == {"module.weight": "weight", "module.bias": "bias"}


def published_state(model: Baseline) -> dict[str, torch.Tensor]:
    """A file of ImageNet weights, drawn, in the published names."""
    own = model.state_dict()
    return {name: own[places[0]].clone() for name, places in model.published_names().targets.items()}
