import torch

from skyreid.baselines.parts.heads import make_classifier, make_neck


def test_a_neck_starts_around_one_and_may_keep_its_bias_at_zero():
    plain, spread = make_neck(64, trains_bias=False), make_neck(64, trains_bias=True, weight_std=0.02)
    assert torch.equal(plain.weight, torch.ones(64))
    assert 0 < spread.weight.std() < 0.05
    assert (plain.bias.requires_grad, spread.bias.requires_grad) == (False, True)


def test_a_classifier_starts_near_zero_with_a_bias_only_where_asked():
    with_bias, without = make_classifier(64, 5, bias=True), make_classifier(64, 5, bias=False)
    assert with_bias.weight.std() < 0.002
    assert not with_bias.bias.any()
    assert without.bias is None
