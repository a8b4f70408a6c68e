"""Measure speed against named rivals; the same as `lsnn-rl benchmark`."""

import sys

from lsnn_rl.cli import main

if __name__ == "__main__":
    main(["benchmark", *sys.argv[1:]])
