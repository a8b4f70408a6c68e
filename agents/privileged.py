"""A critic that is told the hidden task while it teaches: an asymmetric actor-critic.

The actor must find out and remember what the critic simply knows, so what the critic praises is the step itself and not
how well the network's readout guessed. In acting nobody asks the critic, and the agent never sees the task (Pinto et
al. 2018, arXiv 1710.06542). The critic still reads what the actor remembers, because a value of the task alone is
biased (Baisero & Amato 2022, arXiv 2105.11674).
"""

import torch
from torch import Tensor, nn


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
