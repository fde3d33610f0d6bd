"""Which rate and which decay every parameter gets, against the released program's own optimizer."""

from itertools import chain

import pytest
import torch

from skyreid.pretrained.release import model_from_release
from skyreid.training.optimizer import OptimizerConfig, WeightDecay, make_adam, make_optimizer, set_learning_rate
from tests.reference.release_state import to_release_state
from tests.reference.stored_cases import find_case
from tests.tiny_model import NO_ADAPTERS, tiny_config, tiny_model

CASE = find_case("micro", None)


def settings_by_release_name(model, optimizer):
    """(rate, decay) of every trained tensor under the release's name; a packed tensor has one of each."""
    groups = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
    found = {}
    for key in ("lr", "weight_decay"):
        filled = {
            name: torch.full(parameter.shape, groups[id(parameter)][key], dtype=torch.float64)
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }
        found[key] = to_release_state(filled)
    for tensor in chain(*(state.values() for state in found.values())):
        assert tensor.unique().numel() == 1
    return {name: [float(found[key][name].max()) for key in ("lr", "weight_decay")] for name in found["lr"]}


def test_stage_2_gives_every_parameter_the_release_s_rate_and_decay():
    model = model_from_release(CASE.weights, adapters=CASE.adapters)
    model.train_in_stage2("adapters", ("final", "joint"))
    optimizer = make_adam(model, WeightDecay())
    set_learning_rate(optimizer, CASE.config["lr"])
    assert settings_by_release_name(model, optimizer) == CASE.config["optimizer_groups"]


def test_stage_1_has_one_rate_and_one_decay():
    model = model_from_release(CASE.weights, adapters=CASE.adapters)
    model.train_in_stage1()
    optimizer = make_adam(model, WeightDecay(weights=1e-4))
    set_learning_rate(optimizer, 3.5e-4)
    (group,) = optimizer.param_groups
    assert {id(parameter) for parameter in group["params"]} == {id(p) for p in model.identity_prompt.parameters()}
    assert (group["lr"], group["weight_decay"]) == (3.5e-4, 1e-4)


def test_every_trained_parameter_stands_in_one_group_and_no_other_does():
    model = tiny_model(tiny_config(adapters=NO_ADAPTERS, prompt_depth=0))
    model.train_in_stage2("image-tower", ("final",))
    grouped = [id(p) for group in make_adam(model, WeightDecay()).param_groups for p in group["params"]]
    trained = [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
    assert sorted(grouped) == sorted(trained)


def test_norm_weights_class_token_and_position_table_decay_like_weights():
    model = tiny_model(tiny_config(adapters=NO_ADAPTERS, prompt_depth=0))
    model.train_in_stage2("image-tower", ("final",))
    weights, biases = make_adam(model, WeightDecay()).param_groups
    tower = model.encoder.tower
    for parameter in (tower.norm_post.weight, tower.class_token, tower.position_table, model.head_final.norm.weight):
        assert any(parameter is one for one in weights["params"])
    assert any(tower.norm_post.bias is one for one in biases["params"])


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_the_decay_is_coupled_as_in_adam_and_not_adamw(decay):
    layer = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
    torch.nn.init.constant_(layer.weight, 2.0)
    optimizer = make_adam(layer, WeightDecay(weights=decay))
    set_learning_rate(optimizer, 0.01)
    layer.weight.grad = torch.tensor([[-0.1]], dtype=torch.float64)
    optimizer.step()
    gradient = -0.1 + decay * 2.0  # the first step of Adam has the size of the rate, whatever the gradient
    assert float(layer.weight.detach()) == pytest.approx(2.0 - 0.01 * gradient / abs(gradient), abs=1e-8)


class TwoParts(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = torch.nn.Linear(2, 2)
        self.head = torch.nn.Linear(2, 2)
        self.frozen = torch.nn.Linear(2, 2).requires_grad_(False)


def rates(model, optimizer):
    set_learning_rate(optimizer, 0.1)
    groups = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    return {name: round(groups[id(p)], 6) for name, p in model.named_parameters() if id(p) in groups}


def test_weights_and_biases_have_each_their_own_decay_and_rate():
    model = TwoParts()
    optimizer = make_adam(model, WeightDecay(weights=0.3, biases=0.2, bias_learning_rate_factor=3.0))
    set_learning_rate(optimizer, 0.1)
    groups = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
    found = {name: groups[id(p)] for name, p in model.named_parameters() if id(p) in groups}
    assert {name: (round(group["lr"], 6), group["weight_decay"]) for name, group in found.items()} == {
        "backbone.weight": (0.1, 0.3),
        "backbone.bias": (0.3, 0.2),
        "head.weight": (0.1, 0.3),
        "head.bias": (0.3, 0.2),
    }


def test_parts_and_biases_learn_as_much_faster_as_they_are_told():
    model = TwoParts()
    config = OptimizerConfig(bias_rate_factor=2.0, faster=(("head.", 10.0), ("", 0.5)))
    optimizer = make_optimizer(model, config)
    assert rates(model, optimizer) == {
        "backbone.weight": 0.05,
        "backbone.bias": 0.1,
        "head.weight": 1.0,
        "head.bias": 2.0,
    }


def test_without_factors_everything_that_learns_stands_in_one_group():
    model = TwoParts()
    (group,) = make_optimizer(model, OptimizerConfig()).param_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in model.parameters() if p.requires_grad]


@pytest.mark.parametrize(
    ("config", "kind", "settings"),
    [
        (OptimizerConfig(weight_decay=1e-5), torch.optim.Adam, {"weight_decay": 1e-5}),
        (
            OptimizerConfig(algorithm="sgd", momentum=0.8, nesterov=True, weight_decay=1e-3),
            torch.optim.SGD,
            {"weight_decay": 1e-3, "momentum": 0.8, "nesterov": True},
        ),
    ],
)
def test_the_algorithm_gets_its_settings(config, kind, settings):
    optimizer = make_optimizer(TwoParts(), config)
    assert type(optimizer) is kind
    for group in optimizer.param_groups:
        assert {name: group[name] for name in settings} == settings
