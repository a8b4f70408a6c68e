"""Who acts: an encoder, a recurrent network of any cell, an action distribution and a value.

One class, two faces. The neutral one (`initial_state`, `act`, `evaluate_sequence`, `predict_values_from`) is time-major
and hands the network's state in and out as it is: `lsnn_rl.RecurrentPPO` uses it. The other is that of sb3_contrib's
`RecurrentActorCriticPolicy`: the same calls with the state packed into an LSTM's (h, c), so that
`sb3_contrib.RecurrentPPO(LSNNPolicy, env)` works unchanged.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.distributions import StateDependentNoiseDistribution
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, CombinedExtractor, FlattenExtractor
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor, nn

from lsnn_rl.agents import building
from lsnn_rl.agents.bins import BinnedDistribution, Bins
from lsnn_rl.agents.feedforward import FeedForward
from lsnn_rl.agents.heads import make_head
from lsnn_rl.agents.memoryless import refuse_memoryless_caller
from lsnn_rl.agents.observations import check_finite, check_spaces, each, to_tensor, warn_beyond
from lsnn_rl.agents.packing import Core, join, split
from lsnn_rl.agents.poisson import KeyedPoisson
from lsnn_rl.agents.pretrained import Taken, load_cell
from lsnn_rl.agents.privileged import PrivilegedCritic
from lsnn_rl.agents.upstream import UpstreamFace
from lsnn_rl.encoders import Encoder
from lsnn_rl.errors import BadValue
from lsnn_rl.network import RecurrentNetwork
from lsnn_rl.network.options import accepted
from lsnn_rl.rewiring import choose
from lsnn_rl.state import State

Latents = tuple[Tensor, Tensor, Tensor, Tensor | None, State]


class LSNNPolicy(UpstreamFace):
    """Actor and critic on one recurrent network: spiking by default, any cell by name.

    Observation -> encoder -> network -> readouts [R] -> `net_arch` (none by default: the paper's linear readout)
    -> action distribution and value.

    Args:
        observation_space: Box, Discrete, MultiDiscrete, MultiBinary, or a Dict of these (flattened). Images need a
            `features_extractor_class`.
        action_space: Box, Discrete, MultiDiscrete, MultiBinary.
        lr_schedule ... optimizer_kwargs: as in SB3's ActorCriticPolicy; `net_arch=None` means no hidden layer.
        lstm_hidden_size: upstream's word for the number of neurons; an LSNN gets half of them adaptive.
        n_lstm_layers, lstm_kwargs: accepted in their default only, there is one layer and no nn.LSTM.
        shared_lstm, enable_critic_lstm: who carries the value. Neither given, or `shared_lstm=True`: actor and critic
            share one network and both shape it (upstream cuts the critic's gradient here). `enable_critic_lstm=True`
            or `share_features_extractor=False`: the critic has a network of its own. `enable_critic_lstm=False` alone:
            a linear critic without memory.
        cell: "lsnn", "alif", "lif", "gru", "lstm", "rnn", or "none" (feed-forward).
        readouts: R.
        encoder: "population", "current" or "auto"; `encoder_kwargs` go to it.
        normalized: observations come through VecNormalize or the like, so that the bounds of the space say nothing
            about them. `lsnn_rl.RecurrentPPO` sets it by itself.
        keep_direction: an action outside its box is drawn back towards the middle in its own direction, as worlds do
            that shorten a velocity themselves; SB3's way, number by number, would bend it. `lsnn_rl.RecurrentPPO` sets
            it by itself.
        value_gain: initial gain of the value layer. At 1 its noise drowns the advantage behind a spiking readout.
        log_std_min: floor under the log standard deviation of Box actions (not with gSDE); None for none.
        action_bins: choose every number of a bounded Box among so many evenly spaced values (`lsnn_rl.agents.bins`);
            None for Gaussians.
        task_size: V numbers of the hidden task for the auxiliary head `task_guess`; None for no such head.
        told_size: V numbers of the hidden task that the critic is told where `task` is given (`agents/privileged.py`);
            without a `task` values are then those of a layer that nobody trained. None for no such critic.
        direct_input: actions and values read the input lines beside the readouts, as those of an echo state network do:
            what is seen now acts at once, without waiting for the membranes.
        rate_cost, rate_target_hz: cost on firing rates, for upstream's algorithm only, which has no place for such
            costs (it hands over no mask, so padded steps count too). `lsnn_rl.RecurrentPPO` takes `auxiliary=`.
        connectivity: fraction of the actor's synapses that may exist at a time, rewired by DEEP R while it learns.
        rewiring: other options of `lsnn_rl.rewiring`, for example dict(connectivity=0.12, method="set"); the method is
            "deep_r" unless told. False with a `connectivity`: a fixed random mask instead.
        pretrained: begin with the cell of an agent or of a supervised run, see `lsnn_rl.agents.pretrained`; what was
            taken is then told by the attribute of that name.
        **network: options of the network by name: regular, adaptive, size, tau_mem_ms, tau_adapt_ms, beta, substeps ...
    Raises: BadValue, UnknownName; WrongAlgorithm when an algorithm that keeps no state asks for it.

    >>> from gymnasium.spaces import Box, Discrete
    >>> policy = LSNNPolicy(Box(-1, 1, (3,)), Discrete(2), lambda _: 1e-3, regular=6, adaptive=4, readouts=5)
    >>> action, value, log_prob, state = policy.act(torch.zeros(8, 3), policy.initial_state(8), torch.ones(8))
    >>> action.shape, value.shape, state["v"].shape
    (torch.Size([8]), torch.Size([8]), torch.Size([8, 10]))
    """

    pinned_cell: ClassVar[str | None] = None

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        net_arch: list[int] | dict[str, list[int]] | None = None,
        activation_fn: type[nn.Module] = nn.Tanh,
        ortho_init: bool = True,
        use_sde: bool = False,
        log_std_init: float = 0.0,
        full_std: bool = True,
        use_expln: bool = False,
        squash_output: bool = False,
        features_extractor_class: type[BaseFeaturesExtractor] = FlattenExtractor,
        features_extractor_kwargs: dict[str, Any] | None = None,
        share_features_extractor: bool = True,
        normalize_images: bool = True,
        optimizer_class: type[torch.optim.Optimizer] = torch.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
        lstm_hidden_size: int | None = None,
        n_lstm_layers: int = 1,
        shared_lstm: bool | None = None,
        enable_critic_lstm: bool | None = None,
        lstm_kwargs: dict[str, Any] | None = None,
        *,
        cell: str | None = None,
        readouts: int = 64,
        encoder: str = "auto",
        encoder_kwargs: dict[str, Any] | None = None,
        normalized: bool = False,
        keep_direction: bool = False,
        value_gain: float = 0.01,
        log_std_min: float | None = None,
        action_bins: int | None = None,
        task_size: int | None = None,
        told_size: int | None = None,
        direct_input: bool = False,
        rate_cost: float = 0.0,
        rate_target_hz: float = 10.0,
        connectivity: float | None = None,
        rewiring: Mapping[str, Any] | Literal[False] | None = None,
        pretrained: str | Path | None = None,
        **network: Any,
    ) -> None:
        refuse_memoryless_caller(type(self).__name__)
        plain = features_extractor_class in (FlattenExtractor, CombinedExtractor)
        if plain:
            combined = isinstance(observation_space, spaces.Dict)
            features_extractor_class = CombinedExtractor if combined else FlattenExtractor
        check_spaces(observation_space, action_space, images=not plain)
        if log_std_min is not None and use_sde:
            raise BadValue("log_std_min goes with Gaussian actions, found use_sde=True. Leave one of the two out.")
        if action_bins is not None and (use_sde or log_std_min is not None):
            raise BadValue(
                f"action_bins = {action_bins} leaves no Gaussian for use_sde or log_std_min to shape. Leave them out."
            )
        building.check_upstream_defaults(n_lstm_layers, lstm_kwargs)
        shared, own = building.critic_core(shared_lstm, enable_critic_lstm, share_features_extractor)
        # Read while the base class builds, by `_build` and `_build_mlp_extractor`.
        self.action_bins = action_bins
        self.readouts, self.encoder_name, self.encoder_kwargs = readouts, encoder, dict(encoder_kwargs or {})
        self.normalized, self.direct_input, self._plain = normalized, direct_input, plain
        # Past upstream's own constructor, which would build an nn.LSTM of packed size: millions of useless weights.
        super(RecurrentActorCriticPolicy, self).__init__(
            observation_space,
            action_space,
            lr_schedule,
            {"pi": [], "vf": []} if net_arch is None else net_arch,
            activation_fn,
            ortho_init,
            use_sde,
            log_std_init,
            full_std,
            use_expln,
            squash_output,
            features_extractor_class,
            features_extractor_kwargs,
            share_features_extractor,
            normalize_images,
            optimizer_class,
            optimizer_kwargs,
        )
        # Flattened numbers are what SB3's preprocessing and extractor would make of them, a dozen calls later.
        self._as_it_is = plain and isinstance(observation_space, spaces.Box)
        self.cell = self._which_cell(cell)
        self.rewiring, fixed = building.wiring(self.cell, connectivity, rewiring)
        also = accepted(LSNNPolicy) | {"net_arch", "log_std_init", "lstm_hidden_size"}
        self.network_options = building.with_neurons(self.cell, lstm_hidden_size, {**network, **fixed}, also)
        self.keep_direction = keep_direction
        self.value_gain, self.log_std_min, self.task_size = value_gain, log_std_min, task_size
        self.told_size, self.rate_cost, self.rate_target_hz = told_size, rate_cost, rate_target_hz
        self.shared_lstm, self.enable_critic_lstm = shared, own

        self.lstm_kwargs: dict[str, Any] = {}  # upstream's attribute
        self.lstm_actor = self._make_core()
        self.lstm_critic = self._make_core() if own else None
        self.critic = None if shared or own else nn.Linear(self.features_dim, self.lstm_output_dim)
        self.task_net = nn.Linear(readouts, task_size) if task_size else None
        self.told_critic = PrivilegedCritic(self.features_dim, readouts, told_size) if told_size else None
        self.lstm_hidden_state_shape = (1, 1, self.lstm_actor.hidden_size)
        self.head = make_head(self.action_dist)
        self._acted, self._warned = 0, False
        with torch.no_grad():
            self.value_net.weight.mul_(value_gain)
        if use_sde:
            self.reset_noise()
        # Before the optimiser: one that rewires takes the wiring it finds.
        self.pretrained = None if pretrained is None else load_cell(self, pretrained)
        self.optimizer = self._make_optimizer(lr_schedule(1))  # last: it must see every parameter

    # ---- the neutral face --------------------------------------------------------------------------------------------

    def initial_state(self, n: int) -> State:
        """The state at rest for n environments: all zeros, each entry [n, ...]."""
        state = self.lstm_actor.initial_state(n)
        return join(state, self.lstm_critic.initial_state(n)) if self.lstm_critic is not None else state

    @torch.no_grad()
    def act(
        self, obs: Any, state: State, starts: Any, deterministic: bool = False, task: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """One environment step.

        Args:
            obs: [N, ...] as the observation space says (a dict of these for Dict); array or tensor.
            state: from `initial_state` or the last `act`; it is not written to.
            starts: nonzero where a lifetime begins, so that the state is reset first, [N].
            deterministic: the mode instead of a sample; draws no random number.
            task: the hidden task [N, V], for a critic that is told it; the action does not depend on it.
        Returns: actions [N, ...] (neither clipped nor unscaled), values [N], log-probabilities [N], the state after.
        Raises: ShapeMismatch, BadValue.
        """
        return self._step(obs, state, starts, deterministic, task)

    def evaluate_sequence(
        self, obs: Any, actions: Tensor, state: State, starts: Tensor, task: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Any]]:
        """Values, log-probabilities and entropy of what was done, with gradient: the same stepping as `act`.

        Args:
            obs: [T, N, ...]. actions: [T, N, ...]. state: before the first step. starts: [T, N].
            task: [T, N, V], for a critic that is told it.
        Returns: values [T, N], log-probabilities [T, N], entropy [T, N], and what auxiliary costs need: "counts",
            spikes of each cell over the sequence, [N, H] or None; "state", after the last step; "task_guess" [T, N, V]
            where there is such a head.
        """
        obs = to_tensor(obs, self.observation_space, self.device, axes=2)
        features = self._features(obs, axes=2)
        latent_pi, latent_vf, readout, counts, state = self._latents(features, state, starts, counts=True)
        params = self._action_params(latent_pi)
        log_probs, entropy = self.head.evaluate(params, self.spread, actions.reshape(*params.shape[:2], -1))
        extras: dict[str, Any] = {"counts": counts, "state": state}
        if self.task_net is not None:
            extras["task_guess"] = self.task_net(readout)
        return self._value(latent_vf, features[1], readout, task), log_probs, entropy, extras

    @torch.no_grad()
    def predict_values_from(self, obs: Any, state: State, starts: Any) -> Tensor:
        """Values [N] of observations [N, ...] met in `state`, which is left as it is: for bootstrapping."""
        obs = to_tensor(obs, self.observation_space, self.device)
        starts = torch.as_tensor(starts, device=self.device)
        _, latent_vf, _, _, _ = self._latents(self._features(obs), state, starts[None])
        return self.value_net(latent_vf[0]).squeeze(-1)

    def load_cell(self, where: str | Path) -> Taken:
        """Go on with the cell of an agent or of a supervised run, and with an optimiser that begins anew.

        Returns: what was taken and what was left, see `lsnn_rl.agents.pretrained`.
        Raises: MissingFile, BrokenFile; ShapeMismatch if nothing fits.
        """
        self.pretrained = load_cell(self, where)
        self.optimizer = self._make_optimizer(self.optimizer.param_groups[0]["lr"])
        return self.pretrained

    @property
    def network(self) -> RecurrentNetwork | FeedForward:
        """The actor's network: weights, cell, substeps."""
        return self.lstm_actor.network

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            **super()._get_constructor_parameters(),
            "share_features_extractor": self.share_features_extractor,
            "shared_lstm": self.shared_lstm,
            "enable_critic_lstm": self.enable_critic_lstm,
            "cell": self.cell,
            "readouts": self.readouts,
            "encoder": self.encoder_name,
            "encoder_kwargs": self.encoder_kwargs,
            "normalized": self.normalized,
            "keep_direction": self.keep_direction,
            "value_gain": self.value_gain,
            "log_std_min": self.log_std_min,
            "action_bins": self.action_bins,
            "task_size": self.task_size,
            "told_size": self.told_size,
            "direct_input": self.direct_input,
            "rate_cost": self.rate_cost,
            "rate_target_hz": self.rate_target_hz,
            "rewiring": self.rewiring,
            **self.network_options,
        }

    # ---- both faces stand on these -----------------------------------------------------------------------------------

    def _step(
        self, obs: Any, state: State, starts: Any, deterministic: bool, task: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """`act`, but open to gradients."""
        device = self.value_net.weight.device
        obs = to_tensor(obs, self.observation_space, device)
        check_finite(obs, self.observation_space)
        starts = torch.as_tensor(starts, device=device)
        features = self._features(obs)
        self._acted += 1
        if self._acted & (self._acted - 1) == 0 and not self._warned:  # after 1, 2, 4, 8 ... steps: early, and seldom
            self._warned = warn_beyond(features[0], self.lstm_actor.encoder.box)
        latent_pi, latent_vf, readout, _, state = self._latents(features, state, starts[None])
        actions, log_probs = self.head.act(self._action_params(latent_pi[0]), self.spread, deterministic)
        shape = self.action_space.shape or ()
        values = self._value(latent_vf[0], features[1][0], readout[0], task)
        return actions.reshape(-1, *shape), values, log_probs, state

    def _value(self, latent_vf: Tensor, features: Tensor, readout: Tensor, task: Tensor | None) -> Tensor:
        if self.told_critic is None or task is None:
            return self.value_net(latent_vf).squeeze(-1)
        return self.told_critic(features, readout, task)

    def _features(self, obs: PyTorchObs, axes: int = 1) -> tuple[Tensor, Tensor]:
        """Features [T, N, F] for actor and critic, all steps at once; one step [N, ...] gets T = 1."""
        first = next(iter(obs.values())) if isinstance(obs, dict) else obs
        lead = first.shape[:2] if axes == 2 else (1, first.shape[0])
        if self._as_it_is:
            features = first.float().reshape(*lead, -1)
            return features, features
        extracted = self.extract_features(each(obs, lambda part: part.flatten(0, 1)) if axes == 2 else obs)
        for_pi, for_vf = extracted if isinstance(extracted, tuple) else (extracted, extracted)
        return for_pi.unflatten(0, lead), for_vf.unflatten(0, lead)

    def _latents(self, features: tuple[Tensor, Tensor], state: State, starts: Tensor, counts: bool = False) -> Latents:
        """Latents [T, N, L] of actor and critic, the actor's readout [T, N, R], spike counts [N, H], the state."""
        for_pi, for_vf = features
        actor_state, critic_state = split(state)
        actor, actor_state = self.lstm_actor.run(for_pi, actor_state, starts, counts)
        readout_vf, spikes = actor.readout, actor.counts
        if self.lstm_critic is not None:
            critic, critic_state = self.lstm_critic.run(for_vf, critic_state, starts, counts)
            readout_vf = critic.readout
            if spikes is not None and critic.counts is not None:
                spikes = torch.cat([spikes, critic.counts], 1)
        elif self.critic is not None:
            readout_vf = self.critic(for_vf)
        state = join(actor_state, critic_state) if critic_state else actor_state
        latent_pi = self.mlp_extractor.forward_actor(actor.readout)
        return (
            latent_pi,
            self.mlp_extractor.forward_critic(readout_vf),
            actor.readout[..., : self.readouts],
            spikes,
            state,
        )

    def _action_params(self, latent_pi: Tensor) -> Tensor:
        params = self.action_net(latent_pi)
        if isinstance(self.action_dist, StateDependentNoiseDistribution):
            return torch.cat([params, latent_pi], -1)
        return params

    # ---- building ----------------------------------------------------------------------------------------------------

    def _which_cell(self, cell: str | None) -> str:
        if self.pinned_cell is not None and cell not in (None, self.pinned_cell):
            raise BadValue(
                f"{type(self).__name__} has the cell {self.pinned_cell!r}, asked for {cell!r}. "
                f"Use LSNNPolicy(cell={cell!r})."
            )
        return cell or self.pinned_cell or "lsnn"

    def _build(self, lr_schedule: Schedule) -> None:
        if self.action_bins is not None:
            self.action_dist = BinnedDistribution(Bins(self.action_space, self.action_bins))
        super()._build(lr_schedule)

    def _build_mlp_extractor(self) -> None:
        self.lstm_output_dim = self.readouts + (self._make_encoder().size if self.direct_input else 0)
        super()._build_mlp_extractor()

    def _make_encoder(self) -> Encoder | KeyedPoisson:
        # Normalised numbers, and those of a user's own features extractor, have no bounds that cells could be tuned to.
        bounded = self._plain and not self.normalized
        space = self.observation_space if bounded else spaces.Box(-np.inf, np.inf, (self.features_dim,))
        return building.make_encoder(self.encoder_name, space, self.encoder_kwargs)

    def _make_core(self) -> Core:
        encoder = self._make_encoder()
        network = building.make_network(self.cell, encoder.size, self.readouts, self.network_options)
        if encoder.bias_line is not None and self.cell != "none":
            with torch.no_grad():  # a random bias would park cells many thresholds from theirs
                network.get_parameter("w_in")[:, encoder.bias_line] = 0
        return Core(encoder, network, self.features_dim, self.direct_input)

    def _make_optimizer(self, learning_rate: float) -> torch.optim.Optimizer:
        optimizer = self.optimizer_class(self.parameters(), **{"lr": learning_rate, **self.optimizer_kwargs})
        if not self.rewiring:
            return optimizer
        method, options = choose(self.rewiring)
        return method.for_network(optimizer, self.lstm_actor.network, **options)


class MultiInputLSNNPolicy(LSNNPolicy):
    """LSNNPolicy by the name under which SB3's users look for Dict observations; LSNNPolicy takes them too."""


class LIFPolicy(LSNNPolicy):
    """LSNNPolicy without adaptation: its memory is what membranes and recurrent spikes keep going."""

    pinned_cell = "lif"


class GRUPolicy(LSNNPolicy):
    """LSNNPolicy with gated recurrent units."""

    pinned_cell = "gru"


class LSTMPolicy(LSNNPolicy):
    """LSNNPolicy with an LSTM."""

    pinned_cell = "lstm"


class RNNPolicy(LSNNPolicy):
    """LSNNPolicy with tanh units."""

    pinned_cell = "rnn"


class FeedForwardPolicy(LSNNPolicy):
    """LSNNPolicy without any recurrence: the control that remembers nothing."""

    pinned_cell = "none"
