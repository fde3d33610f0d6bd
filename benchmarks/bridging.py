"""What a bridge from one model's vectors to another's is worth (`skyreid case re-embed`).

    python benchmarks/bridging.py --old person-reid-0277 --new person-reid-0287 --identities 200

People are simulated (`simulated_case.py`). A bridge is made from samples of several sizes, as a case makes it, and
judged on the tracklets that are left: of the ten most similar by the new model, the share found when the new model asks
among vectors that were brought over; and how well the ground finds the same person from above, by the new vectors alone
and through the bridge.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from simulated_case import draw_world, embedded
from skyreid.cases.search.bridging import Bridge, build_bridge, share_found
from skyreid.datasets.protocol import GROUND_TO_AERIAL
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.retrieval.cosine import unit_rows
from skyreid.retrieval.embedding_table import EmbeddingTable


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--old", required=True, help="as `skyreid embed --model` takes it")
    parser.add_argument("--new", required=True, help="the same")
    parser.add_argument("--identities", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=int, nargs="+", default=[100, 200, 400])
    parser.add_argument("--out", type=Path, default=Path("bridging"), help="folder that is kept for the next time")
    given = parser.parse_args()
    world = given.out / f"seed-{given.seed}-{given.identities}"
    draw_world(world, given.seed, given.identities)
    old, new = (embedded(world, model, model) for model in (given.old, given.new))
    assert old.tracklet_ids.tolist() == new.tracklet_ids.tolist()
    drawn = np.random.default_rng(given.seed).permutation(len(new.tracklet_ids))
    print(f"{len(drawn)} tracklets of {given.identities} simulated people, from {given.old} to {given.new}")
    print(f"ground to aerial by the old {score(old):.1%}, by the new {score(new):.1%} mAP")
    old_units, new_units = (unit_rows(np.asarray(table.embeddings, dtype=np.float32)) for table in (old, new))
    for size in given.samples:
        sample, rest = drawn[:size], drawn[size:]
        bridge = build_bridge(old_units[sample], new_units[sample])
        is_other = ~np.isin(np.arange(len(drawn)), sample)
        everybody = replace(new, embeddings=bridge.map.across(old_units))
        across = everybody.embeddings[rest]
        print(
            f"from {size}: said {said(bridge)}; of {len(rest)} others it finds "
            f"{share_found(across, new_units[rest], new_units[rest]):.0%}, the old alone "
            f"{share_found(old_units[rest], old_units[rest], new_units[rest]):.0%}; ground to aerial of those, "
            f"by the new {score(new.select(is_other)):.1%}, asked by the new among brought over "
            f"{score(new.select(is_other), everybody.select(is_other)):.1%} mAP"
        )


def said(bridge: Bridge) -> str:
    return f"{bridge.recall:.0%} on {bridge.num_judged} (by the old {bridge.recall_of_old:.0%})"


def score(query: EmbeddingTable, gallery: EmbeddingTable | None = None) -> float:
    return evaluate(query, query if gallery is None else gallery, GROUND_TO_AERIAL).mAP


if __name__ == "__main__":
    main()
