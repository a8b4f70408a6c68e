"""Train an agent from a recipe into one run folder; the same as `lsnn-rl train`."""

import sys

from lsnn_rl.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
