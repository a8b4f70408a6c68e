"""Learning to learn with spikes: Gymnasium worlds, an adaptive spiking network (LSNN) and the learner that trains it.

Importing this package registers the worlds with Gymnasium and loads neither torch nor pygame; every other name is
fetched when it is first used (PEP 562).
"""

from importlib import import_module
from pathlib import Path as _Path
from typing import TYPE_CHECKING, Any

from lsnn_rl._version import __version__

_root = _Path(__file__).resolve().parent.parent
if (_root / "setup.cfg").is_file() and (_root / "envs" / "__init__.py").is_file():
    # A checkout: lsnn_rl.envs, lsnn_rl.agents and lsnn_rl.zoo live beside this folder. Without this line a
    # non-installed or non-editable checkout would not find them when Python runs from the repository root.
    __path__.insert(0, str(_root))

from lsnn_rl.envs.registration import register_world
from lsnn_rl.envs.registration import register_worlds as _register_worlds

_register_worlds()

_PUBLIC = {
    "LSNN": "lsnn_rl.network",
    "DeepR": "lsnn_rl.rewiring",
    "LSNNPolicy": "lsnn_rl.agents.policies",
    "MultiInputLSNNPolicy": "lsnn_rl.agents.policies",
    "LIFPolicy": "lsnn_rl.agents.policies",
    "GRUPolicy": "lsnn_rl.agents.policies",
    "LSTMPolicy": "lsnn_rl.agents.policies",
    "RNNPolicy": "lsnn_rl.agents.policies",
    "FeedForwardPolicy": "lsnn_rl.agents.policies",
    "RecurrentPPO": "lsnn_rl.agents.recurrent_ppo",
    "SB3VecEnv": "lsnn_rl.agents.vec_bridge",
    "evaluate": "lsnn_rl.agents.evaluate",
    "load_agent": "lsnn_rl.agents.checkpoint",
    "push_agent": "lsnn_rl.agents.hub",
    "save_agent": "lsnn_rl.agents.checkpoint",
}
__all__ = ["__version__", "register_world", *_PUBLIC]

if TYPE_CHECKING:
    from lsnn_rl.agents.checkpoint import load_agent, save_agent
    from lsnn_rl.agents.evaluate import evaluate
    from lsnn_rl.agents.hub import push_agent
    from lsnn_rl.agents.policies import (
        FeedForwardPolicy,
        GRUPolicy,
        LIFPolicy,
        LSNNPolicy,
        LSTMPolicy,
        MultiInputLSNNPolicy,
        RNNPolicy,
    )
    from lsnn_rl.agents.recurrent_ppo import RecurrentPPO
    from lsnn_rl.agents.vec_bridge import SB3VecEnv
    from lsnn_rl.network import LSNN
    from lsnn_rl.rewiring import DeepR


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'lsnn_rl' has no attribute {name!r}. Public names: {', '.join(sorted(_PUBLIC))}.")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
