"""A critic that is told the hidden task while it teaches: an asymmetric actor-critic.

The actor must find out and remember what the critic simply knows, so what the critic praises is the step itself and not
how well the network's readout guessed. In acting nobody asks the critic, and the agent never sees the task (Pinto et
al. 2018, arXiv 1710.06542). The critic still reads what the actor remembers, because a value of the task alone is
biased (Baisero & Amato 2022, arXiv 2105.11674).
"""

import torch
from sb3_contrib import RecurrentPPO as UpstreamPPO
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from lsnn_rl.agents.vec_bridge import answers, ask
from lsnn_rl.errors import BadValue


class PrivilegedCritic(nn.Module):
    """Value of what is seen, what the actor remembers and what is hidden from it.

    Args: widths of the observation's features F, the actor's readout R and the hidden task V; of the two hidden layers.

    >>> PrivilegedCritic(6, 64, 2)(torch.zeros(5, 8, 6), torch.zeros(5, 8, 64), torch.zeros(5, 8, 2)).shape
    torch.Size([5, 8])
    """

    def __init__(self, features: int, readouts: int, task_size: int, hidden: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features + readouts + task_size, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, 1),
        )

    def forward(self, features: Tensor, readout: Tensor, task: Tensor) -> Tensor:
        """Values [...] of features [..., F], readouts [..., R] (through which no gradient flows) and tasks [..., V]."""
        return self.layers(torch.cat([features, readout.detach(), task], -1)).squeeze(-1)


def told_size(env: VecEnv | None, policy: type, otherwise: int = 0) -> int:
    """Width of the hidden task that the critic is to be told; `otherwise` where there is no world to ask.

    Raises: BadValue if the world does not reveal its task, or the policy has no place for such a critic.
    """
    if policy in UpstreamPPO.policy_aliases.values():
        raise BadValue(
            f"privileged_critic=True needs a policy with such a critic; sb3_contrib's {policy.__name__} has none. Use "
            "LSTMPolicy, or leave privileged_critic out."
        )
    if env is None:
        return otherwise
    if not answers(env, ["task_vector", "task_known"]):
        raise BadValue(
            f"privileged_critic=True needs a world that reveals its hidden task in training (task_vector, task_known); "
            f"{env} does not. Use a world of lsnn_rl.envs, or leave privileged_critic out."
        )
    return int(ask(env, "task_vector").shape[-1])
