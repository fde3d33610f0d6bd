"""A person who decides on one pair after the other, as a program that tests kill.

`python -m tests.building.linking.killed_linker FOLDER ANNOTATOR` says every pair of the folder's tracklets to
be unsure and prints it once it is stored.
"""

import sys
from itertools import combinations
from pathlib import Path

from skyreid.building.linking.event_log import Decision, make_pair
from skyreid.building.linking.link_folder import LinkFolder


def main():
    folder = LinkFolder(Path(sys.argv[1]))
    for first, second in combinations([tracklet.tracklet_id for tracklet in folder.tracklets], 2):
        pair = make_pair(first, second)
        folder.decide(sys.argv[2], pair, Decision.UNSURE)
        print(*pair, flush=True)


if __name__ == "__main__":
    main()
