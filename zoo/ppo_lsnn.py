"""Settings of `--algo ppo_lsnn`, this package's RecurrentPPO; `--conf-file lsnn_rl.zoo.ppo_lsnn` names them."""

from lsnn_rl.zoo.hyperparams import by_world, for_ours

hyperparams = by_world(for_ours)
