"""Find out by transplants which part of an agent's state is its memory; the same as `lsnn-rl surgery`."""

import sys

from lsnn_rl.cli import main

if __name__ == "__main__":
    main(["surgery", *sys.argv[1:]])
