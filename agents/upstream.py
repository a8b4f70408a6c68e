"""The face that sb3_contrib's RecurrentPPO knows, put on top of the neutral one.

Upstream hands over rows in sequence-major order and states as an LSTM's (h, c); here they are turned into [T, N, ...]
and a State, the neutral methods do the work, and the results are turned back. So both faces give the same numbers.
"""

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.distributions import DiagGaussianDistribution, Distribution
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from lsnn_rl.agents.bounds import within
from lsnn_rl.agents.heads import floor
from lsnn_rl.agents.losses import firing_rate_loss
from lsnn_rl.agents.memoryless import needs_memory
from lsnn_rl.agents.observations import check_given, each
from lsnn_rl.agents.packing import Core, Pair, also_minimise, join, split
from lsnn_rl.state import State


class UpstreamFace(RecurrentActorCriticPolicy):
    """What upstream calls. A subclass supplies the cores, the options and the two neutral methods below."""

    lstm_actor: Core  # type: ignore[assignment]  # upstream says nn.LSTM
    lstm_critic: Core | None  # type: ignore[assignment]
    log_std_min: float | None
    rate_cost: float
    rate_target_hz: float

    @property
    def spread(self) -> Tensor | None:
        """The log standard deviation of Box actions, [A] (gSDE: [L, A]), above its floor; None for choices."""
        log_std = getattr(self, "log_std", None)
        return log_std if log_std is None or self.log_std_min is None else floor(log_std, self.log_std_min)

    @abstractmethod
    def _step(self, obs: Any, state: State, starts: Any, deterministic: bool) -> tuple[Tensor, Tensor, Tensor, State]:
        """Actions [N, ...], values [N], log-probabilities [N] and the state after one step of observations [N, ...]."""

    @abstractmethod
    def evaluate_sequence(
        self, obs: Any, actions: Tensor, state: State, starts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor | None]]:
        """Values, log-probabilities, entropy, each [T, N], and extras."""

    def forward(  # type: ignore[override]
        self,
        obs: PyTorchObs,
        lstm_states: RNNStates | None = None,
        episode_starts: Tensor | None = None,
        deterministic: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor, RNNStates]:
        """`act` with packed states; values are [N, 1] here. Raises WrongAlgorithm when no state is handed in."""
        if lstm_states is None or episode_starts is None:
            raise needs_memory(type(self).__name__, "an algorithm that calls it without state")
        actions, values, log_probs, state = self._step(obs, self._unpack(lstm_states), episode_starts, deterministic)
        return actions, values.unsqueeze(-1), log_probs, self._pack(state, len(values))

    def evaluate_actions(  # type: ignore[override]
        self, obs: PyTorchObs, actions: Tensor, lstm_states: RNNStates, episode_starts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`evaluate_sequence` on upstream's padded minibatches, whose rows are sequence-major."""
        n = lstm_states.pi[0].shape[1]
        values, log_probs, entropy, extras = self.evaluate_sequence(
            each(obs, lambda part: _time_major(part, n)),
            _time_major(actions, n),
            self._unpack(lstm_states),
            _time_major(episode_starts, n),
        )
        values, log_probs, entropy = (x.transpose(0, 1).flatten() for x in (values, log_probs, entropy))
        if self.rate_cost and (counts := extras["counts"]) is not None:
            network = self.lstm_actor.network
            duration = len(values) // n * network.substeps
            cost = firing_rate_loss(counts, duration, network.dt_ms, self.rate_target_hz)
            values = also_minimise(values, self.rate_cost * cost)
        return values.unsqueeze(-1), log_probs, entropy

    @staticmethod
    def _process_sequence(  # type: ignore[override]
        features: Tensor, lstm_states: Pair, episode_starts: Tensor, lstm: Core
    ) -> tuple[Tensor, Pair]:
        """Run a core over sequence-major rows [n * T, F]; the inherited get_distribution and predict_values call it."""
        n = lstm_states[0].shape[1]
        state = lstm.packing.unpack(lstm_states)
        output, state = lstm.run(_time_major(features, n), state, _time_major(episode_starts, n))
        return output.readout.transpose(0, 1).flatten(0, 1), lstm.packing.pack(state, n)

    def predict(
        self,
        observation: np.ndarray | dict[str, np.ndarray],
        state: tuple[np.ndarray, ...] | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None]:
        """The action for one observation or a batch, and the state to pass in next time.

        Args:
            observation: of the space's shape, or with a batch axis in front.
            state: what the last call returned; None begins afresh (forget it and the agent has no memory).
            episode_start: True where a lifetime begins, [N].
            deterministic: the mode instead of a sample.
        Raises: ShapeMismatch, BadValue.
        """
        check_given(observation, self.observation_space)
        return super().predict(observation, state, episode_start, deterministic)

    def _predict(self, *args: Any, **options: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Actions that upstream's `predict` need not cut any more."""
        actions, state = super()._predict(*args, **options)
        if getattr(self, "keep_direction", False) and not self.squash_output:  # upstream stretches squashed ones itself
            actions = torch.from_numpy(within(actions.cpu().numpy(), self))
        return actions, state

    def reset_noise(self, n_envs: int = 1) -> None:
        """New noise matrices for gSDE. Without graph, or copy.deepcopy(policy) would trip over it."""
        with torch.no_grad():
            super().reset_noise(n_envs)

    def _get_action_dist_from_latent(self, latent_pi: Tensor) -> Distribution:
        if isinstance(self.action_dist, DiagGaussianDistribution) and self.spread is not None:
            return self.action_dist.proba_distribution(self.action_net(latent_pi), self.spread)
        return super()._get_action_dist_from_latent(latent_pi)

    def _unpack(self, states: RNNStates) -> State:
        state = self.lstm_actor.packing.unpack(states.pi)
        return join(state, self.lstm_critic.packing.unpack(states.vf)) if self.lstm_critic is not None else state

    def _pack(self, state: State, n: int) -> RNNStates:
        actor, critic = split(state)
        pair = self.lstm_actor.packing.pack(actor, n)
        return RNNStates(pair, self.lstm_critic.packing.pack(critic, n) if self.lstm_critic is not None else pair)


def _time_major(rows: Tensor, n: int) -> Tensor:
    """Upstream's sequence-major rows [n * T, ...] as [T, n, ...]."""
    return rows.reshape(n, -1, *rows.shape[1:]).transpose(0, 1)
