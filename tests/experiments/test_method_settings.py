"""What is run for a row, from a published setting and what the user says."""

import dataclasses
import re
from pathlib import Path

import pytest

from skyreid.checkpoint import write_checkpoint
from skyreid.errors import SettingError
from skyreid.experiments.method_settings import METHODS, OWN, ComparisonConfig, Reduction, configure
from skyreid.files.config_json import to_json
from skyreid.models.tower_pair import TowerPair
from skyreid.pretrained.pair_checkpoint import TINY_TOWERS
from skyreid.recipes import RECIPES
from skyreid.training.baseline_training import BaselineConfig
from tests.tiny_model import IMAGE_SIZE, NO_ADAPTERS, tiny_config

ROOT, RUN = Path("data"), Path("run")
WORDS = ("<start>", "a", "video", "of", "person", ".", "<end>")


def config(**changes):
    return ComparisonConfig(benchmark="g2a-vreid", data_root=ROOT, **changes)


def differences(one, other):
    return {field.name for field in dataclasses.fields(one) if getattr(one, field.name) != getattr(other, field.name)}


@pytest.mark.parametrize("method", [method for method in METHODS if method not in OWN])
@pytest.mark.parametrize("settings", ["common", "native"])
def test_without_a_reduction_a_row_is_its_recipe(method, settings):
    found = configure(method, 7, config(settings=settings), RUN)
    assert differences(found, RECIPES[f"{method}-{settings}"]()) <= {"data_root", "run_dir", "seed"}
    assert (found.data_root, found.run_dir, found.seed, found.benchmark) == (ROOT, RUN, 7, "g2a-vreid")


def test_a_reduction_changes_what_it_names():
    reduction = Reduction(image_size=(128, 64), epochs=10, batch=(2, 3))
    whole, small = (configure("sinet", 0, config(reduction=r), RUN) for r in (Reduction(), reduction))
    assert differences(small, whole) == {"image_size", "epochs", "schedule", "sampler"}
    assert (small.image_size, small.epochs) == ((128, 64), 10)
    assert dataclasses.replace(small.sampler, identities=8, tracklets=4) == whole.sampler
    assert (small.sampler.identities, small.sampler.tracklets) == (2, 3)


@pytest.mark.parametrize(("epochs", "rates"), [(1, [1]), (2, [1, 0.1]), (4, [1, 1, 0.1, 0.01])])
def test_a_short_training_begins_at_the_full_rate_and_falls_twice(epochs, rates):
    found = configure("ap3d", 0, config(reduction=Reduction(epochs=epochs)), RUN)
    assert isinstance(found, BaselineConfig)
    assert [found.learning_rate(epoch + 1) / 3e-4 for epoch in range(epochs)] == pytest.approx(rates)


def test_a_reduction_of_the_paper_s_own_methods_is_one_of_stage_2():
    reduction = Reduction(image_size=(128, 64), epochs=10, batch=(2, 3))
    whole, small = (configure("vsla-clip", 0, config(reduction=r), RUN) for r in (Reduction(), reduction))
    assert differences(small, whole) == {"stage2"}
    assert differences(small.stage2, whole.stage2) == {"epochs", "schedule", "sampler"}
    assert small.model.image.image_size == (64, 32)  # the small CLIP's


def test_weights_are_looked_for_in_the_folders_that_are_named(tmp_path):
    folders = config(imagenet=Path("weights"))
    assert configure("ap3d", 0, folders, RUN).pretrained == Path("weights/resnet50-19c8e357.pth")
    assert configure("pit", 0, folders, RUN).pretrained == Path("weights/jx_vit_base_p16_224-80ecf9dd.pth")
    assert configure("tf-clip", 0, folders, RUN).pretrained is None
    assert configure("tf-clip", 0, config(clip=tmp_path), RUN).pretrained == tmp_path
    assert configure("ap3d", 0, config(clip=tmp_path), RUN).pretrained is None


@pytest.mark.parametrize("method", OWN)
def test_without_a_clip_pair_the_paper_s_own_methods_are_their_presets_on_the_small_one(method):
    found, full = configure(method, 0, config(), RUN), OWN[method]("g2a-vreid")
    assert found.pretrained == TINY_TOWERS
    assert found.stage2.tuned == full.stage2.tuned
    assert found.model.platform_prompt.depth == full.model.platform_prompt.depth == 0
    assert found.model.identity_prompt.sentence == full.model.identity_prompt.sentence
    has_adapters = (
        found.model.image.adapters.intra_frame is not None,
        full.model.image.adapters.intra_frame is not None,
    )
    assert has_adapters == (method == "vsla-clip",) * 2
    weights = ("visual_semantic_weight", "image_to_text_weight", "text_to_image_weight")
    assert [getattr(found.stage2.loss, w) for w in weights] == [getattr(full.stage2.loss, w) for w in weights]


def test_with_a_clip_pair_their_frames_have_its_size(tmp_path):
    pair = TowerPair(tiny_config(adapters=NO_ADAPTERS, prompt_depth=0), vocabulary=len(WORDS), words=WORDS)
    model = {"kind": "clip-pair", "model": to_json(pair.config), "vocabulary": len(WORDS), "words": list(WORDS)}
    write_checkpoint(tmp_path / "pair", weights=pair.state_dict(), config=model, provenance={})
    found = configure("ft-clip", 3, config(clip=tmp_path / "pair"), RUN)
    full = OWN["ft-clip"]("g2a-vreid")
    assert differences(found, full) == {"data_root", "run_dir", "seed", "pretrained", "model"}
    assert found.model.image == dataclasses.replace(full.model.image, image_size=IMAGE_SIZE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: config(seeds=0), "a comparison needs at least one seed; got 0"),
        (lambda: config(methods=("ap3d", "ap4d")), f"no method is called ap4d; there are {', '.join(METHODS)}"),
        (lambda: config(methods=("pit", "pit")), "a method is compared once; got pit, pit"),
        (lambda: Reduction(epochs=0), "a method is trained for at least one epoch; got 0"),
    ],
)
def test_a_comparison_that_cannot_be_is_refused(make, message):
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        make()
