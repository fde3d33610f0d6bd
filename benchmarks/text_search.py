"""Asking with a person's caption: how far down the ranking of each platform that person stands, against chance.

    skyreid simulate --identities 30 --seed 3 --out world
    skyreid build --sources world/sources.json --out built
    skyreid embed built --model DIR --out built/table.npz
    python benchmarks/text_search.py built/table.npz --model DIR --world world

A rank is that of the person's first tracklet among all of the platform. Who shares the caption to the word cannot be
told apart by it; chance is the median rank over orders drawn at random.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from skyreid.extraction.asking import Asker
from skyreid.retrieval.embedding_table import load_table
from skyreid.retrieval.search import search
from skyreid.simulation.scene_truth import PEOPLE_FILE, TRUTH_DIR
from skyreid.tracklet import Platform

DRAWS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="the checkpoint that made the table")
    parser.add_argument("--world", type=Path, required=True, help="what skyreid simulate wrote")
    arguments = parser.parse_args()
    table = load_table(arguments.table)
    asker = Asker(arguments.model, table, mask=None)
    people = json.loads((arguments.world / TRUTH_DIR / PEOPLE_FILE).read_text())
    captions = {person["pid"]: person["caption"] for person in people["people"]}
    print(f"model {table.model}, world of seed {people['seed']}, {len(set(captions.values()))} captions")
    rng = np.random.default_rng(0)
    for platform in Platform:
        ranks, by_chance = [], []
        gallery = table.pids[table.platforms == platform.number]
        for pid in np.unique(gallery):
            found = search(table, asker.text(captions[int(pid)]), platform=platform, top_k=len(gallery))
            ranks.append(int(np.flatnonzero(found.pids == pid)[0]) + 1)
            orders = rng.random((DRAWS, len(gallery))).argsort(axis=1)
            by_chance.append((gallery[orders] == pid).argmax(axis=1) + 1)
        print(
            f"{platform}: median rank {np.median(ranks):g} of {len(gallery)} tracklets, by chance "
            f"{np.median(by_chance):g}; mean {np.mean(ranks):.1f}, by chance {np.mean(by_chance):.1f}; first "
            f"{np.mean(np.array(ranks) == 1):.1%}, by chance {np.mean(np.array(by_chance) == 1):.1%} "
            f"({len(ranks)} people asked for)"
        )


if __name__ == "__main__":
    main()
