"""Watch an agent, record it, or play yourself; the same as `lsnn-rl enjoy`."""

import sys

from lsnn_rl.cli import main

if __name__ == "__main__":
    main(["enjoy", *sys.argv[1:]])
