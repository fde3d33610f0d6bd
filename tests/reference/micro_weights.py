"""Weights of the micro case under the release's names."""

from torch import Tensor

from tests.reference.stored_cases import find_case


def micro_release_state() -> dict[str, Tensor]:
    return dict(find_case("micro", None).weights)
