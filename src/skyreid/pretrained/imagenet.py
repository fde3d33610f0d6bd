"""ImageNet weights as torchvision (ResNet-50) and timm (ViT-B/16) publish them, into a method of the comparison.

A method tells, in `published_names`, where each tensor of the file belongs; every key of the file is
accounted for. What the file has nothing for (the method's own parts, heads) keeps its start.
"""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from skyreid.baselines.baseline import Baseline, PositionTable
from skyreid.files.regular_file import file_sha256
from skyreid.pretrained.assembling import assemble, resize_position_table
from skyreid.pretrained.foreign_state import ForeignState, read_untrusted_state


@dataclass(frozen=True, kw_only=True)
class ImagenetReport:
    """What a method starts from."""

    file: str
    sha256: str
    """Of the file, so that a result can be traced to the very weights."""
    mapped: int
    """Tensors of the file that are in the method now."""
    dropped: dict[str, str]
    """Keys left out on purpose, each with the reason."""


def load_imagenet(model: Baseline, file: Path) -> ImagenetReport:
    """Give a method, on the CPU, the published weights of its backbone.

    Args:
        model: gets the weights in place, before an optimizer holds its parameters.
        file: a state dict, `.pth` or `.safetensors`; nothing in it is executed.

    Raises:
        UnsafeFileError: the file would run code, or claims what it does not hold.
        CheckpointError: keys or shapes that do not add up; it lists them, and nothing was changed.
    """
    names = model.published_names()
    # The deepest name: those of the stem stand in every block too.
    state = read_untrusted_state(file, landmark=max(names.targets, key=lambda name: name.count(".")))
    dropped = state.account(mapped=names.targets, dropped=names.dropped)
    weights: dict[str, Tensor] = {}
    for name, places in names.targets.items():
        table = names.position_table
        tensor = state.tensors[name]
        if table is not None and table.name == name:
            tensor = _resized(state, table)
        weights |= dict.fromkeys(places, tensor)
    assemble(state, lambda: model, model.state_dict() | weights)
    return ImagenetReport(file=str(file), sha256=file_sha256(file), mapped=len(names.targets), dropped=dropped)


def _resized(state: ForeignState, table: PositionTable) -> Tensor:
    """Take timm's table [1, position, dim] to the method's grid of patches."""
    positions = table.grid[0] * table.grid[1] + 1
    shape = state.shape(table.name, axes=3)
    if shape[:2] != (1, positions):
        raise state.refusal(f"{table.name} must have shape [1, {positions}, dim]; got {list(shape)}")
    resized = resize_position_table(state.tensors[table.name][0].float(), grid=table.grid, target=table.target)
    return resized[None]
