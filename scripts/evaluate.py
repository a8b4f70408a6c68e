"""Make a card on fixed lifetimes; the same as `lsnn-rl evaluate`."""

import sys

from lsnn_rl.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
