"""Which rows there are, and what each starts from."""

import pytest
import torch

from skyreid.baselines import BASELINES
from skyreid.errors import SettingError
from skyreid.experiments.method_settings import METHODS, OWN, imagenet_file
from skyreid.experiments.paper_tables import TABLE_2


def test_every_method_of_others_and_the_paper_s_own_are_rows():
    assert (*BASELINES, "clip-reid", "ft-clip", "vsla-clip") == METHODS


def test_the_paper_s_figures_are_those_of_rows():
    assert set(TABLE_2) <= set(METHODS)
    assert not {"ap3d-nl", "tf-clip", "clip-reid"} & set(TABLE_2)  # not in its Table 2
    for figures in TABLE_2.values():
        assert 0.4 < figures["rank-1"] < figures["mAP"] < 0.8


@pytest.mark.parametrize("method", BASELINES)
def test_a_method_starts_from_the_file_whose_tensors_it_has_places_for(method):
    with torch.device("meta"):
        model = BASELINES[method](num_classes=3, frames=8)
    known = {"jx_vit_base_p16_224-80ecf9dd.pth": "pos_embed", "resnet50-19c8e357.pth": "layer4.0.conv1.weight"}
    file = imagenet_file(method)
    if file is None:
        with pytest.raises(SettingError, match="starts from a pretrained CLIP pair"):
            model.published_names()
    else:
        assert known[file] in model.published_names().targets


@pytest.mark.parametrize("method", OWN)
def test_the_paper_s_own_methods_start_from_clip(method):
    assert imagenet_file(method) is None
