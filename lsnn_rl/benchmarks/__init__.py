"""How fast we are, against named rivals, measured in one process: `core`, `cuda`, `envs`, `learner`.

A suite is a function of `Settings` that returns plain numbers, ready for JSON and for `tables.show`.
"""

from lsnn_rl.registry import Registry

SUITES = Registry("benchmark suite")
SUITES.add("core", "lsnn_rl.benchmarks.core:run")
SUITES.add("cuda", "lsnn_rl.benchmarks.cuda:run")
SUITES.add("envs", "lsnn_rl.benchmarks.envs:run")
SUITES.add("learner", "lsnn_rl.benchmarks.learner:run")
