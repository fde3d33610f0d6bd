"""The inverse of `skyreid.pretrained.release`: our tensors in the names and layout of the authors' program."""

from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from skyreid.errors import CheckpointError
from skyreid.pretrained.openai_names import (
    BLOCK,
    OUR_BLOCKS,
    OUR_IMAGE_TOWER,
    OUR_TEXT_TOWER,
    Names,
    image_tower_names,
    text_tower_names,
)
from skyreid.pretrained.release import (
    CROSS_FRAME,
    HEADS,
    IMAGE,
    INTRA_FRAME,
    LAYOUTS,
    PLATFORM_PROMPT,
    SENTENCE,
    SHARED_PROMPTS,
    SUFFIX,
    TEXT,
)


def to_release_state(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pack tensors under our names (weights, gradients; any part of a model) as the release has them.

    Of the fixed words the release stores all positions up to the end of its position table; those
    after the end-of-text token, which reach no feature, are zeros here.

    Raises:
        CheckpointError: a name that is none of ours; half of a packed tensor without the other;
            fixed words without the tensors that tell how long the sentence is.
    """
    # The CLIP-ReID sentence has no shared prompts: ours are empty, the release has none.
    empty = {ours for (ours,) in SHARED_PROMPTS.values() if ours in named and not named[ours].numel()}
    given = {name: tensor for name, tensor in named.items() if name not in empty}
    names = (
        image_tower_names(
            IMAGE,
            layers=_layers_up_to_last(given, OUR_IMAGE_TOWER + OUR_BLOCKS),
            block=BLOCK | INTRA_FRAME | CROSS_FRAME,
        )
        | text_tower_names(TEXT, layers=_layers_up_to_last(given, OUR_TEXT_TOWER + OUR_BLOCKS))
        | HEADS
        | PLATFORM_PROMPT
        | SENTENCE
        | SHARED_PROMPTS
    )
    packed = pack(given, names)
    for name, (theirs, ours) in LAYOUTS.items():
        if name in packed:
            packed[name] = rearrange(packed[name], f"{ours} -> {theirs}")
    if SUFFIX in packed:
        padding = _positions_after(packed) - packed[SUFFIX].shape[1]
        packed[SUFFIX] = functional.pad(packed[SUFFIX], (0, 0, 0, padding))
    return packed


def pack(named: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """Put our tensors back under the foreign names: the inverse of `unpack`, for any part of a model.

    Raises:
        CheckpointError: a name that the table does not know, or one half of a packed tensor alone.
    """
    packed = {}
    left = set(named)
    for theirs, ours in names.items():
        given = [name for name in ours if name in named]
        if not given:
            continue
        if len(given) < len(ours):
            absent = ", ".join(sorted(set(ours) - set(given)))
            raise CheckpointError(f"{theirs} also needs {absent}")
        packed[theirs] = torch.cat([named[name] for name in ours]) if given[1:] else named[given[0]]
        left -= set(ours)
    if left:
        raise CheckpointError(f"no foreign name for {', '.join(sorted(left))}")
    return packed


def _positions_after(packed: Mapping[str, Tensor]) -> int:
    """Positions of the text tower that follow the learned part of the sentence."""
    table = f"{TEXT}positional_embedding"
    needed = (table, "prompt_learner.token_prefix", "prompt_learner.cls_ctx")
    if absent := [name for name in needed if name not in packed]:
        raise CheckpointError(f"{SUFFIX} cannot be laid out without {', '.join(absent)}")
    before = sum(packed[name].shape[1] for name in (*needed[1:], *SHARED_PROMPTS) if name in packed)
    return packed[table].shape[0] - before


def _layers_up_to_last(named: Mapping[str, Tensor], prefix: str) -> int:
    numbers = [int(name.removeprefix(prefix).split(".", 1)[0]) for name in named if name.startswith(prefix)]
    return max(numbers, default=-1) + 1
