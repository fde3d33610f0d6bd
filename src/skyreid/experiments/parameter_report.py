"""Parameters by component, overall and tunable, beside the paper's Tables 3 and 4.

How the paper counts was found by reconciling its numbers (METHOD section 11 rows 19 and 20): "tunable"
adds the tokens of stage 1 to what stage 2 adapts and leaves the heads out; "overall" leaves text tower
and heads out where nothing is aligned with text. What really gets a gradient is printed beside it.
"""

from dataclasses import dataclass

import torch

from skyreid.experiments.paper_tables import TABLE_3, TABLE_4
from skyreid.models.vsla_clip import TunedPart, VslaClip
from skyreid.training.two_stage import TwoStageConfig

PAPER_WIDTH = 768
"""Channels of ViT-B/16."""
PAPER_ALPHA = 256
"""Bottleneck of the adapters of Table 3, at that width."""


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
    table3_row: str | None
    """The row of Table 3 that this configuration is; None = none of them."""
    is_paper_size: bool
    """True for ViT-B/16 at G2A-VReID's 930 identities, which the table counts."""

    @property
    def printed(self) -> tuple[float, float] | None:
        """What Table 3 prints, overall and tunable in millions; None where it counts no such model."""
        if self.table3_row is None or not self.is_paper_size:
            return None
        (row,) = (row for row in TABLE_3 if row.name == self.table3_row)
        return row.paper["overall"], row.paper["tunable"]

    def to_json(self) -> dict[str, object]:
        """All counts, and the paper's beside them."""
        return {**vars(self), "paper_table3": self.printed}

    def lines(self) -> list[str]:
        """A table for a human, in millions."""
        lines = [f"{name:24} {count / 1e6:9.3f} M" for name, count in self.components.items() if count]
        lines += [
            f"{'overall':24} {self.overall / 1e6:9.3f} M",
            f"{'trained in stage 1':24} {self.trained_in_stage1 / 1e6:9.3f} M",
            f"{'trained in stage 2':24} {self.trained_in_stage2 / 1e6:9.3f} M",
        ]
        counted = f"overall {self.paper_overall / 1e6:.1f} M, tunable {self.paper_tunable / 1e6:.1f} M"
        row = "a configuration that is none of its rows" if self.table3_row is None else f"row {self.table3_row!r}"
        lines.append(f"as the paper's Table 3 counts, {row}: {counted}")
        if self.printed is not None:
            lines.append(f"printed there: overall {self.printed[0]} M, tunable {self.printed[1]} M")
        elif self.table3_row is not None:
            lines.append("the table counts ViT-B/16 with 930 identities (G2A-VReID): no printed row to compare with")
        kinds = [self.components[f"{kind}-frame adapters"] for kind in ("intra", "cross")]
        for row in TABLE_4:
            if [round(count / 1e6, 1) for count in kinds] == [row.paper["IFA"], row.paper["CFAA"]]:
                lines.append(f"paper's Table 4, {row.name}: IFA {row.paper['IFA']} M, CFAA {row.paper['CFAA']} M")
        return lines


def count_parameters(config: TwoStageConfig, *, num_identities: int) -> ParameterReport:
    """Count without allocating a single one."""
    with torch.device("meta"):
        model = VslaClip(config.model, num_identities=num_identities)
    components = _components(model)
    loss = config.stage2.loss
    is_aligned = loss.needs_text
    adapters = components["intra-frame adapters"] + components["cross-frame adapters"]
    tokens = components["identity tokens"] + components["shared prompts"]
    prompt = components["platform prompt"]
    encoder = components["image tower"]
    beside = components["text tower"] + tokens + components["classifiers"] + components["batch normalisation"]
    tuned_tower = encoder if config.stage2.tuned == "image-tower" else 0
    stage1 = _count_named(model, model.names_of_stage1()) if is_aligned else 0
    return ParameterReport(
        components=components,
        overall=sum(components.values()),
        paper_overall=encoder + adapters + prompt + (beside if is_aligned else 0),
        paper_tunable=tuned_tower + adapters + prompt + (tokens if is_aligned else 0),
        trained_in_stage1=stage1,
        trained_in_stage2=_count_named(model, model.names_of_stage2(config.stage2.tuned, loss.identity_on)),
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


def _count_named(model: VslaClip, names: set[str]) -> int:
    return sum(parameter.numel() for name, parameter in model.named_parameters() if name in names)


def _table3_row(config: TwoStageConfig) -> str | None:
    """Name the row that has the same parts; None where the table has no such row."""
    image, loss = config.model.image, config.stage2.loss
    bottlenecks = [size for size in (image.adapters.intra_frame, image.adapters.cross_frame) if size is not None]
    terms = [bool(weight) for weight in loss.text_weights]
    has_learned_words = config.model.identity_prompt.sentence == "shared-prompt"
    if image.width == PAPER_WIDTH and any(size != PAPER_ALPHA for size in bottlenecks):
        return None  # one of Table 4's, or nobody's
    if any(terms) and not (all(terms) and has_learned_words):
        return None  # one of Table 5's, or CLIP-ReID
    parts = (
        config.stage2.tuned,
        image.adapters.intra_frame is not None,
        image.adapters.cross_frame is not None,
        all(terms),
        config.model.platform_prompt.depth > 0,
    )
    return _ROW_OF_PARTS.get(parts)


_ROW_OF_PARTS: dict[tuple[TunedPart, bool, bool, bool, bool], str] = {
    ("image-tower", False, False, False, False): "baseline",
    ("image-tower", False, False, True, False): "baseline+VSA (FT-CLIP)",
    ("adapters", True, False, False, False): "IFA",
    ("adapters", True, False, True, False): "IFA+VSA",
    ("adapters", True, True, True, False): "IFA+VSA+CFAA (VSLA-CLIP)",
    ("adapters", True, True, True, True): "IFA+VSA+CFAA+PBP",
}
"""What is tuned; whether there are adapters within and across frames, alignment with text, a platform prompt."""
