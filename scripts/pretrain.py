"""Train a network on a supervised task; the same as `lsnn-rl pretrain`."""

import sys

from lsnn_rl.cli import main

if __name__ == "__main__":
    main(["pretrain", *sys.argv[1:]])
