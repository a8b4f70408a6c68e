"""Draw figures from cards; the same as `lsnn-rl plot`."""

import sys

from lsnn_rl.cli import main

if __name__ == "__main__":
    main(["plot", *sys.argv[1:]])
