"""The counting of `rank_counting` on an accelerator: product and counts never leave it."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from skyreid.evaluation.ranking.comparisons import Comparison, SamePerson

_QUERIES_PER_PRODUCT = 256
_GALLERY_PER_PRODUCT = 65_536
"""Every product has this one shape, filled up with zeros: another shape may choose a kernel that rounds
differently, and equal tracklets would tie no more."""
_TIES_AT_A_TIME = 2**26
"""Entries compared at once where good entries tie."""


def device_counter(
    comparison: Comparison, device: torch.device
) -> Callable[[int, int, SamePerson], Int64[np.ndarray, " match"]]:
    """Give a function that finds the ranks of the good entries of queries `start` to `stop`.

    The gallery stays on the device meanwhile.
    """
    query = torch.from_numpy(np.ascontiguousarray(comparison.query.unit_embeddings))
    gallery = torch.from_numpy(np.ascontiguousarray(comparison.gallery.unit_embeddings)).to(device)
    tie_ranks = torch.from_numpy(comparison.gallery.tie_ranks).to(device)

    def count(start: int, stop: int, same_person: SamePerson) -> Int64[np.ndarray, " match"]:
        similarities = _cosine_similarities(query[start:stop].to(device), gallery)
        good, junk = (torch.from_numpy(rows).to(device) for rows in (same_person.good, same_person.junk))
        owners, junk_owners = (
            torch.from_numpy(np.repeat(np.arange(stop - start), np.diff(offsets))).to(device)
            for offsets in (same_person.good_offsets, same_person.junk_offsets)
        )
        similarities[junk_owners, junk] = -torch.inf  # behind everything, so it counts for nobody
        ranks = _ranks(similarities, tie_ranks, owners, good).cpu().numpy()
        return ranks[np.lexsort((ranks, owners.cpu().numpy()))]

    return count


def _cosine_similarities(
    query: Float[Tensor, "query embed"], gallery: Float[Tensor, "gallery embed"]
) -> Float[Tensor, "query gallery"]:
    embed = gallery.shape[1]
    similarities = query.new_empty(len(query), len(gallery))
    padded = query.new_zeros(_QUERIES_PER_PRODUCT, embed)
    padded[: len(query)] = query
    for tile, into in zip(
        gallery.split(_GALLERY_PER_PRODUCT), similarities.split(_GALLERY_PER_PRODUCT, dim=1), strict=True
    ):
        if len(tile) < _GALLERY_PER_PRODUCT:
            tile = torch.cat([tile, tile.new_zeros(_GALLERY_PER_PRODUCT - len(tile), embed)])
        into.copy_((padded @ tile.T)[: len(query), : into.shape[1]])
    return similarities


def _ranks(
    similarities: Float[Tensor, "query gallery"],
    tie_ranks: Int[Tensor, " gallery"],
    owners: Int[Tensor, " match"],
    good: Int[Tensor, " match"],
) -> Int[Tensor, " match"]:
    """Ranks of the entries `good` of the queries `owners`, from 0."""
    if len(good) == 0:
        return good
    num_queries = len(similarities)
    num_good = torch.bincount(owners, minlength=num_queries)
    most = int(num_good.max())
    slots = torch.arange(len(good), device=good.device) - (num_good.cumsum(0) - num_good)[owners]
    wanted = similarities[owners, good]
    limits = similarities.new_full((num_queries, most), torch.inf)
    limits[owners, slots] = wanted
    limits, order = limits.sort(dim=1)
    slots = order.argsort(dim=1)[owners, slots]  # where its similarity stands now
    closer, not_farther = (_num_beyond(limits, similarities, is_right)[owners, slots] for is_right in (False, True))
    is_tied = not_farther - closer > 1
    closer[is_tied] += _num_tied_before(similarities, tie_ranks, owners[is_tied], good[is_tied])
    return closer


def _num_beyond(
    limits: Float[Tensor, "query limit"], similarities: Float[Tensor, "query gallery"], or_equal: bool
) -> Int[Tensor, "query limit"]:
    """How many similarities of its row exceed each limit, or equal it; the limits ascend."""
    num_queries, most = limits.shape
    num_passed = torch.searchsorted(limits, similarities, right=or_equal, out_int32=True)
    num_passed += (most + 1) * torch.arange(num_queries, dtype=torch.int32, device=limits.device)[:, None]
    counts = torch.bincount(num_passed.flatten(), minlength=num_queries * (most + 1)).view(num_queries, most + 1)
    return counts.flip(1).cumsum(1).flip(1)[:, 1:]


def _num_tied_before(
    similarities: Float[Tensor, "query gallery"],
    tie_ranks: Int[Tensor, " gallery"],
    owners: Int[Tensor, " match"],
    good: Int[Tensor, " match"],
) -> Int[Tensor, " match"]:
    """How many entries are equally similar and have a smaller tie rank."""

    def count(owners: Int[Tensor, " part"], good: Int[Tensor, " part"]) -> Int[Tensor, " part"]:
        is_tied: Bool[Tensor, "part gallery"] = similarities[owners] == similarities[owners, good][:, None]
        return (is_tied & (tie_ranks < tie_ranks[good][:, None])).sum(dim=1)

    at_a_time = max(1, _TIES_AT_A_TIME // similarities.shape[1])
    parts = zip(owners.split(at_a_time), good.split(at_a_time), strict=True)
    return torch.cat([count(*part) for part in parts])
