"""Parameters by component, overall and tunable, beside the paper's Tables 3 and 4.

How the paper counts was found by reconciling its numbers (METHOD section 11 rows 19 and 20): "tunable"
adds the tokens of stage 1 to what stage 2 adapts and leaves the heads out; "overall" leaves text tower
and heads out where nothing is aligned with text. What really gets a gradient is printed beside it.
"""

from dataclasses import dataclass

import torch

from skyreid.models.vsla_clip import VslaClip
from skyreid.training.starting_model import train_in_stage2
from skyreid.training.two_stage_config import TwoStageConfig

PAPER_TABLE_3: dict[str, tuple[float, float]] = {
    "baseline": (86.1, 86.1),
    "baseline+VSA (FT-CLIP)": (127.4, 88.0),
    "IFA": (90.8, 4.7),
    "IFA+VSA": (132.1, 6.6),
    "IFA+VSA+CFAA (VSLA-CLIP)": (140.0, 14.5),
    "IFA+VSA+CFAA+PBP": (140.0, 14.5),
}
"""Row → overall and tunable parameters, in millions."""
PAPER_TABLE_4: dict[int, tuple[float, float]] = {64: (1.2, 1.4), 128: (2.4, 3.2), 256: (4.7, 7.9), 384: (7.1, 14.2)}
"""Alpha → parameters of IFA and CFAA, in millions."""


@dataclass(frozen=True, kw_only=True)
class ParameterReport:
    """Counts of single parameters."""

    components: dict[str, int]
    overall: int
    """Everything that the model is built of."""
    paper_overall: int
    """As the paper's Table 3 counts."""
    paper_tunable: int
    trained_in_stage1: int
    """What really gets a gradient."""
    trained_in_stage2: int
    table3_row: str
    """The row of Table 3 that this configuration is."""
    is_paper_size: bool
    """True for ViT-B/16 at G2A-VReID's 930 identities, which the table counts."""

    def to_json(self) -> dict[str, object]:
        """All counts, and the paper's beside them."""
        return {**vars(self), "paper_table3": PAPER_TABLE_3[self.table3_row] if self.is_paper_size else None}

    def lines(self) -> list[str]:
        """A table for a human, in millions."""
        lines = [f"{name:24} {count / 1e6:9.3f} M" for name, count in self.components.items() if count]
        lines += [
            f"{'overall':24} {self.overall / 1e6:9.3f} M",
            f"{'trained in stage 1':24} {self.trained_in_stage1 / 1e6:9.3f} M",
            f"{'trained in stage 2':24} {self.trained_in_stage2 / 1e6:9.3f} M",
        ]
        counted = f"overall {self.paper_overall / 1e6:.1f} M, tunable {self.paper_tunable / 1e6:.1f} M"
        lines.append(f"as the paper's Table 3 counts, row {self.table3_row!r}: {counted}")
        if self.is_paper_size:
            overall, tunable = PAPER_TABLE_3[self.table3_row]
            lines.append(f"printed there: overall {overall} M, tunable {tunable} M")
        else:
            lines.append("the table counts ViT-B/16 with 930 identities (G2A-VReID): no printed row to compare with")
        kinds = [self.components[f"{kind}-frame adapters"] for kind in ("intra", "cross")]
        for alpha, printed in PAPER_TABLE_4.items():
            if [round(count / 1e6, 1) for count in kinds] == list(printed):
                lines.append(f"paper's Table 4, alpha {alpha}: IFA {printed[0]} M, CFAA {printed[1]} M")
        return lines


def count_parameters(config: TwoStageConfig, *, num_identities: int) -> ParameterReport:
    """Count without allocating a single one."""
    with torch.device("meta"):
        model = VslaClip(config.model, num_identities=num_identities)
    components = _components(model)
    is_aligned = config.stage2.loss.needs_text
    adapters = components["intra-frame adapters"] + components["cross-frame adapters"]
    tokens = components["identity tokens"] + components["shared prompts"]
    prompt = components["platform prompt"]
    encoder = components["image tower"]
    beside = components["text tower"] + tokens + components["classifiers"] + components["batch normalisation"]
    tuned_tower = encoder if config.stage2.tuned == "image-tower" else 0
    model.train_in_stage1()
    stage1 = _trainable(model) if is_aligned else 0
    train_in_stage2(model, config.stage2)
    return ParameterReport(
        components=components,
        overall=sum(components.values()),
        paper_overall=encoder + adapters + prompt + (beside if is_aligned else 0),
        paper_tunable=tuned_tower + adapters + prompt + (tokens if is_aligned else 0),
        trained_in_stage1=stage1,
        trained_in_stage2=_trainable(model),
        table3_row=_table3_row(config),
        is_paper_size=num_identities == 930 and encoder == 86_140_416,
    )


def _components(model: VslaClip) -> dict[str, int]:
    tower = model.encoder.tower
    intra_frame, cross_frame = (sum(_count(adapter) for adapter in kind) for kind in tower.adapters())
    heads = (model.head_final, model.head_joint)
    sentence = model.identity_prompt
    return {
        "image tower": _count(tower) - intra_frame - cross_frame,
        "intra-frame adapters": intra_frame,
        "cross-frame adapters": cross_frame,
        "platform prompt": _count(model.encoder.platform_prompt),
        "identity tokens": sentence.identity.numel(),
        "shared prompts": sentence.shared_before.numel() + sentence.shared_after.numel(),
        "classifiers": sum(_count(head.classifier) for head in heads),
        "batch normalisation": sum(_count(head.norm) for head in heads),
        "text tower": _count(model.text_tower),
    }


def _count(module: torch.nn.Module | None) -> int:
    return sum(parameter.numel() for parameter in module.parameters()) if module is not None else 0


def _trainable(model: VslaClip) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _table3_row(config: TwoStageConfig) -> str:
    adapters, is_aligned = config.model.image.adapters, config.stage2.loss.needs_text
    if adapters.intra_frame is None and adapters.cross_frame is None:
        return "baseline+VSA (FT-CLIP)" if is_aligned else "baseline"
    if not is_aligned:
        return "IFA"
    if adapters.cross_frame is None:
        return "IFA+VSA"
    return "IFA+VSA+CFAA+PBP" if config.model.platform_prompt.depth else "IFA+VSA+CFAA (VSLA-CLIP)"
