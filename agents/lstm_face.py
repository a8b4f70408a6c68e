"""The three verbs for sb3_contrib's own LSTM policies, so that `MlpLstmPolicy` trains here as it is."""

from typing import Any

import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from torch import Tensor

from lsnn_rl.agents.rollout import Observations
from lsnn_rl.errors import WrongAlgorithm
from lsnn_rl.state import State


class LSTMFace:
    """An upstream policy seen as `initial_state`, `act` and `evaluate_sequence`; its weights stay where they are.

    The state holds h and c of the actor's and the critic's LSTM, each [N, layers, hidden].
    """

    def __init__(self, policy: RecurrentActorCriticPolicy) -> None:
        self.policy = policy

    def initial_state(self, n: int) -> State:
        lstm = self.policy.lstm_actor
        return {
            name: torch.zeros(n, lstm.num_layers, lstm.hidden_size, device=self.policy.device)
            for name in ("pi.h", "pi.c", "vf.h", "vf.c")
        }

    @torch.no_grad()
    def act(
        self, obs: Observations, state: State, starts: Tensor, deterministic: bool = False
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """As `LSNNPolicy.act`."""
        actions, values, log_probs, after = self.policy(obs, _pairs(state), starts.float(), deterministic)
        return actions, values.squeeze(-1), log_probs, _flat(after)

    def evaluate_sequence(
        self, obs: Observations, actions: Tensor, state: State, starts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None, dict[str, Any]]:
        """As `LSNNPolicy.evaluate_sequence`, by upstream's `evaluate_actions` on sequence-major rows."""
        steps, n = starts.shape
        rows: Any = {key: _rows(value) for key, value in obs.items()} if isinstance(obs, dict) else _rows(obs)
        if isinstance(self.policy.action_space, spaces.MultiBinary):
            actions = actions.float()  # Bernoulli refuses the int8 of the space
        values, log_probs, entropy = self.policy.evaluate_actions(
            rows, _rows(actions), _pairs(state), _rows(starts).float()
        )
        values, log_probs = values.view(n, steps).T, log_probs.view(n, steps).T
        return values, log_probs, None if entropy is None else entropy.view(n, steps).T, {}


def verbs_of(policy: Any) -> Any:
    """Who answers the three verbs for this policy: the policy itself, or the face of an upstream one.

    Raises: WrongAlgorithm for a policy that keeps no state.
    """
    if hasattr(policy, "evaluate_sequence"):
        return policy
    if isinstance(policy, RecurrentActorCriticPolicy):
        return LSTMFace(policy)
    raise WrongAlgorithm(
        f"RecurrentPPO trains policies that keep a state; {type(policy).__name__} has no evaluate_sequence. Use "
        "LSNNPolicy (any cell by name) or MlpLstmPolicy, or write the three verbs of lsnn_rl.agents.policies: "
        "initial_state, act, evaluate_sequence."
    )


def _rows(part: Tensor) -> Tensor:
    """[T, N, ...] as rows [N * T, ...], one sequence after the other."""
    return part.transpose(0, 1).flatten(0, 1)


def _pairs(state: State) -> RNNStates:
    h, c, critic_h, critic_c = (state[name].transpose(0, 1).contiguous() for name in ("pi.h", "pi.c", "vf.h", "vf.c"))
    return RNNStates((h, c), (critic_h, critic_c))


def _flat(states: RNNStates) -> State:
    (h, c), (critic_h, critic_c) = states
    named = {"pi.h": h, "pi.c": c, "vf.h": critic_h, "vf.c": critic_c}
    return {name: value.transpose(0, 1) for name, value in named.items()}
