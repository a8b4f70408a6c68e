"""`python -m lsnn_rl.zoo train --algo ppo_lsnn --env LSNNArena-v0`: rl_zoo3's commands, with what this package adds."""

import sys

from lsnn_rl.errors import LSNNError
from lsnn_rl.zoo.bridge import main

if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LSNNError as mistake:
        print(f"lsnn_rl.zoo: {mistake}", file=sys.stderr)
        raise SystemExit(2) from None
