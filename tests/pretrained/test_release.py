import pytest
import torch
from safetensors.torch import save_file

from skyreid.errors import CheckpointError
from skyreid.models.vsla_clip import VslaClip
from skyreid.pretrained.importer import ImportOptions
from skyreid.pretrained.release import SHARED_PROMPTS, model_from_release, read, release_names
from tests.reference.micro_weights import micro_release_state
from tests.reference.release_state import to_release_state
from tests.reference.stored_cases import CASES, IN_REPOSITORY, find_case

CLIP_REID_WORDS = {"prompt_learner.token_prefix": 5, "prompt_learner.token_suffix": 77 - 5 - 4}
SUFFIX = "prompt_learner.token_suffix"


@pytest.fixture
def state():
    return micro_release_state()


def clip_reid(state):
    """The same checkpoint trained with the fixed words "A photo of a X X X X person."."""
    generator = torch.Generator().manual_seed(1)
    words = {name: torch.randn(1, count, 64, generator=generator) for name, count in CLIP_REID_WORDS.items()}
    return {name: t for name, t in state.items() if name not in SHARED_PROMPTS} | words


def features(model, case):
    inputs = case.arrays("inputs")
    scale = torch.tensor([case.config["pixel_mean"], case.config["pixel_std"]])[..., None, None]
    frames = (inputs["clips_u8"].permute(0, 2, 1, 3, 4) / 255 - scale[0]) / scale[1]
    with torch.no_grad():
        return model.eval().encoder.embed(frames, inputs["cams"])


@pytest.mark.parametrize("name", CASES)
def test_stored_checkpoints_compute_their_stored_embeddings(name, request):
    large = None if (IN_REPOSITORY / name).is_dir() else request.getfixturevalue("reference_dir")
    case = find_case(name, large)
    model = model_from_release(case.weights, adapters=case.adapters)
    torch.testing.assert_close(features(model, case), case.arrays("eval")["eval_feat"], rtol=1e-5, atol=1e-5)


def test_the_prompts_of_camera_0_are_the_ground_s(state):
    prompts = model_from_release(state).encoder.platform_prompt.prompts
    assert torch.equal(prompts[1, 0, 2], state["cv_embed"][0, 2, 1])


def test_data_parallel_checkpoints_and_safetensors_are_read(state, tmp_path):
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, tmp_path / "ViT-B-16_120.pth")
    save_file(state, tmp_path / "plain.safetensors")
    plain = read(tmp_path / "plain.safetensors", ImportOptions()).module.state_dict()
    for name, tensor in read(tmp_path / "ViT-B-16_120.pth", ImportOptions()).module.state_dict().items():
        assert torch.equal(tensor, plain[name]), name


@pytest.mark.parametrize("sentence", [dict, clip_reid])
def test_packing_undoes_reading(state, sentence):
    state = sentence(state)
    packed = to_release_state(model_from_release(state).state_dict())
    assert packed.keys() == state.keys()
    kept = 2 if sentence is dict else 3
    for name, expected in state.items():
        if name == SUFFIX:  # after the end-of-text token
            assert not packed[name][:, kept:].any()
            packed[name], expected = packed[name][:, :kept], expected[:, :kept]
        assert torch.equal(packed[name], expected), name


def test_the_clip_reid_sentence_is_told_by_its_words(state):
    model = model_from_release(clip_reid(state))
    assert model.config.identity_prompt.sentence == "clip-reid"
    assert model.identity_prompt(torch.tensor([1])).shape == (1, 5 + 4 + 3, 64)


@pytest.mark.parametrize("sentence", [dict, clip_reid])
def test_names_cover_the_model_and_the_file(state, sentence):
    state = sentence(state)
    model = model_from_release(state)
    names = release_names(model.config)
    empty = {name for name, tensor in model.state_dict().items() if not tensor.numel()}
    assert set(names) == set(state)
    assert {name for ours in names.values() for name in ours} == set(model.state_dict()) - empty


def test_any_part_of_a_model_can_be_packed(state):
    model = model_from_release(state)
    part = {name: t for name, t in model.named_parameters() if "blocks.11.cross_frame" in name or "prompts" in name}
    packed = to_release_state(part)
    attention = "image_encoder.transformer.resblocks.11.dat_cross.temporal_block.temporal_attn.in_proj_weight"
    assert torch.equal(packed[attention], state[attention])
    assert torch.equal(packed["cv_embed"], state["cv_embed"])
    assert len(packed) == 1 + 8


def test_fixed_words_alone_cannot_be_laid_out(state):
    words = {"identity_prompt.fixed_after": torch.zeros(2, 64)}
    with pytest.raises(CheckpointError, match=rf"{SUFFIX} cannot be laid out without text_encoder\.positional_embe"):
        to_release_state(words)


def test_unused_adapters_are_left_out_and_the_platform_prompt_with_them(state, tmp_path):
    torch.save(state, tmp_path / "ft.pth")
    imported = read(tmp_path / "ft.pth", ImportOptions(adapters="unused"))
    config = imported.module.config
    assert (config.image.adapters.intra_frame, config.image.adapters.cross_frame) == (None, None)
    assert config.platform_prompt.depth == 0
    assert len(imported.dropped) == 12 * 12 + 1
    assert imported.mapped + len(imported.dropped) == len(state)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("prompt_learner.token_prefix", (1, 2, 64), "token_prefix must hold 1 word or 5; got 2"),
        (SUFFIX, (1, 50, 64), r"must fill the 77 positions .* are 1 \+ 8 \+ 4 \+ 8 \+ 50 long"),
        (
            "prompt_learner.suffix_prompt",
            (1, 7, 64),
            r"identity_prompt\.shared_after has shape \[7, 64\]; the other tensors",
        ),
        ("prompt_learner.suffix_prompt", (2, 8, 64), r"suffix_prompt must be \[1 token dim\]; got shape \[2, 8, 64\]"),
        ("text_encoder.transformer.resblocks.0.attn.in_proj_bias", (191,), r"release checkpoint: .* a multiple of 3"),
        ("image_encoder.positional_embedding", (10, 64), "stand twice as high as wide; got 9 patches"),
        (
            "classifier_proj.weight",
            (6, 32),
            r"head_joint\.classifier\.weight has shape \[6, 32\]; the other tensors want",
        ),
        ("image_encoder.transformer.resblocks.0.dat_cross.down.weight", (65, 64), "must be a multiple of 64; got 65"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused(state, name, shape, message):
    state[name] = torch.zeros(shape)
    with pytest.raises(CheckpointError, match=message):
        model_from_release(state)


def test_every_other_key_is_an_error(state):
    del state["bottleneck.running_var"]
    with pytest.raises(CheckpointError, match=r"1 missing: bottleneck\.running_var; 1 unexpected: center\.centers"):
        model_from_release(state | {"center.centers": torch.zeros(5, 2048)})


def test_clip_s_temperature_is_dropped(state):
    assert isinstance(model_from_release(state | {"logit_scale": torch.tensor(4.6)}), VslaClip)


def test_a_file_of_another_kind_says_what_it_lacks(known):
    with pytest.raises(CheckpointError, match=r"release checkpoint: has no image_encoder\.conv1\.weight"):
        model_from_release(known.state)


def test_another_frame_size_is_refused(state, tmp_path):
    torch.save(state, tmp_path / "w.pth")
    assert read(tmp_path / "w.pth", ImportOptions(image_size=(64, 32))).mapped == len(state)
    with pytest.raises(CheckpointError, match=r"trained for frames of \(64, 32\); asked for \(256, 128\)"):
        read(tmp_path / "w.pth", ImportOptions(image_size=(256, 128)))
