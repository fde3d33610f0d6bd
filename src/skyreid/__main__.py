"""Lets `python -m skyreid` and `torchrun -m skyreid` do what `skyreid` does."""

import sys

from skyreid.cli import main

if __name__ == "__main__":
    sys.exit(main())
