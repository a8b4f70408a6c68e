"""Settings of `--algo ppo_lstm`, sb3_contrib's RecurrentPPO, with a spiking policy.

They need no bridge: `python -m rl_zoo3.train --algo ppo_lstm --env LSNNArena-v0 --gym-packages lsnn_rl
--conf-file lsnn_rl.zoo.ppo_lstm`.
"""

from lsnn_rl.zoo.hyperparams import by_world, for_upstream

hyperparams = by_world(for_upstream)
