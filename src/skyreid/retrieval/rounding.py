"""How the matrix library of this machine rounds: whether cosines of two machines may be held against each other."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from skyreid.errors import TableError
from skyreid.files.regular_file import bytes_sha256
from skyreid.retrieval.cosine import cosine_similarities, unit_rows


@cache
def rounding_of_this_machine() -> str:
    """Name how cosines are rounded here: two machines that give the same name compare alike to the last bit.

    It is a hash of a fixed product, so that nobody need know which processors and libraries round alike.
    """
    generator = np.random.default_rng(0)
    rows = [unit_rows(generator.standard_normal((size, 515), dtype=np.float32)) for size in (48, 320)]
    return bytes_sha256(cosine_similarities(*rows).tobytes())


def require_one_rounding(names: Sequence[str]) -> None:
    """Refuse to put together what was compared on machines that round differently.

    Raises:
        TableError: two of the names differ.
    """
    if len(set(names)) > 1:
        raise TableError(
            "machines that share an evaluation must round alike, which processors of different kinds or versions of "
            "PyTorch do not: a fixed product has other last bits on one of them. Use machines of one kind"
        )
