"""Train, evaluate and show one spiking agent; the same as `lsnn-rl demo`."""

import sys

from lsnn_rl.cli import main

if __name__ == "__main__":
    main(["demo", *sys.argv[1:]])
