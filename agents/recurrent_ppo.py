"""Proximal policy optimisation for any recurrent policy, with Stable-Baselines3's surface.

It knows no cell and no world by name. A policy has three verbs (`initial_state`, `act`, `evaluate_sequence`) and a
state that is carried, never looked into: across steps, rollouts, lifetimes (reset in place by `starts`) and through
save/load. Acting and training run the same stepping function from the same state, so before the first update the ratio
is 1.
"""

import math
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from sb3_contrib import RecurrentPPO as UpstreamPPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, ConvertCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from lsnn_rl.agents.auxiliary import complete, costs, task_size
from lsnn_rl.agents.bounds import within
from lsnn_rl.agents.callbacks import TrainingProgress
from lsnn_rl.agents.losses import ascend, ppo_loss
from lsnn_rl.agents.lstm_face import verbs_of
from lsnn_rl.agents.policies import (
    FeedForwardPolicy,
    GRUPolicy,
    LIFPolicy,
    LSNNPolicy,
    LSTMPolicy,
    MultiInputLSNNPolicy,
    RNNPolicy,
)
from lsnn_rl.agents.rollout import Batch, Rollout
from lsnn_rl.agents.schedules import ScheduleLike, make_schedule
from lsnn_rl.agents.vec_bridge import answers, ask, make_env, stagger
from lsnn_rl.errors import BadValue, unknown_name
from lsnn_rl.state import State, rows, take

POLICIES = (LSNNPolicy, MultiInputLSNNPolicy, LIFPolicy, GRUPolicy, LSTMPolicy, RNNPolicy, FeedForwardPolicy)


class RecurrentPPO(OnPolicyAlgorithm):
    """PPO (clipped) for recurrent policies, spiking or not.

    The keywords up to `device` are Stable-Baselines3's, in its order. What differs from them:

    Args:
        policy: a policy class with the neutral face of `lsnn_rl.agents.policies`, one of sb3_contrib's recurrent
            policies, or a name of either.
        env: an id (made with `n_envs` and `env_kwargs`, natively vectorised where possible), a Gymnasium environment
            or vector environment, or an SB3 VecEnv.
        learning_rate, clip_range, clip_range_vf, ent_coef: a number, a function of the remaining progress, or a
            named schedule such as {"schedule": "linear", "start": 0.001} (`lsnn_rl.agents.schedules`).
        n_steps: environment steps of one rollout, in each environment.
        batch_size: transitions in a minibatch, rounded to whole columns; None makes four minibatches.
        normalize_advantage: over the whole rollout, since the columns of one minibatch are few and correlated.
        target_kl: ends the update once approx_kl of a minibatch exceeds 1.5 times this, as in SB3; logged.
        bptt_steps: gradients reach this far back, in environment steps; divides n_steps (None: n_steps).
        burn_in_steps: before every chunk its first state is computed anew from this many steps earlier, without
            gradient, with the weights as they are by then; 0 takes the state as it was when acted.
        bootstrap: whether a lifetime that was cut off is worth what would have come after its end. False: the end is
            the end, so with gae_lambda = 1 the targets are the Monte-Carlo returns of whole lifetimes.
        reward_scale: factor on rewards as they are learned from. A reward in every step makes returns of dozens, whose
            squared errors drown the policy's gradient in the common norm; scores stay in the world's own units.
        privileged_critic: tell the critic the hidden task, which the world reveals in training only
            (`lsnn_rl.agents.privileged`); the actor never sees it.
        auxiliary: weights of costs beside PPO's: `task_inference` (telling the hidden task, which the world reveals in
            training only), `firing_rate` (distance from `rate_target_hz`, in units of that target), `voltage`
            (membranes beyond +-threshold at the ends of chunks). `spike_budget_hz` bounds the mean rate of all cells:
            its multiplier rises by `spike_budget_step` times the relative excess after every update. 0 is off.
        rewiring: how the policy's synapses are rewired, e.g. {"connectivity": 0.2}; the same as policy_kwargs rewiring
            or, for DEEP R, policy_kwargs connectivity.
        stagger: let the first lifetimes begin at evenly spread ages, so that they do not all end in one step.
    Raises: BadValue, UnknownName or WrongAlgorithm at construction for what cannot be trained.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        **UpstreamPPO.policy_aliases,
        **{policy.__name__: policy for policy in POLICIES},
    }
    rollout_buffer: Rollout  # type: ignore[assignment]
    policy: Any
    policy_class: Any
    action_space: Any
    clip_range: Any  # a schedule once the model is set up
    clip_range_vf: Any
    ent_coef: Any
    _last_obs: Any
    _last_episode_starts: Any

    def __init__(
        self,
        policy: str | type[BasePolicy],
        env: GymEnv | VectorEnv | str,
        learning_rate: ScheduleLike = 3e-4,
        n_steps: int = 500,
        batch_size: int | None = None,
        n_epochs: int = 4,
        gamma: float = 0.99,
        gae_lambda: float = 0.95,
        clip_range: ScheduleLike = 0.2,
        clip_range_vf: ScheduleLike | None = None,
        normalize_advantage: bool = True,
        ent_coef: ScheduleLike = 0.0,
        vf_coef: float = 0.5,
        max_grad_norm: float = 0.5,
        use_sde: bool = False,
        sde_sample_freq: int = -1,
        target_kl: float | None = None,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "cpu",
        _init_setup_model: bool = True,
        *,
        auxiliary: Mapping[str, float] | None = None,
        bptt_steps: int | None = None,
        burn_in_steps: int = 0,
        bootstrap: bool = True,
        reward_scale: float = 1.0,
        privileged_critic: bool = False,
        rewiring: Mapping[str, Any] | None = None,
        n_envs: int | None = None,
        env_kwargs: dict[str, Any] | None = None,
        stagger: bool = True,
    ) -> None:
        if isinstance(policy, str) and policy not in self.policy_aliases:
            raise unknown_name("policy", policy, self.policy_aliases)
        super().__init__(
            policy,  # type: ignore[arg-type]
            env if env is None else make_env(env, n_envs, **(env_kwargs or {})),
            learning_rate=learning_rate,  # type: ignore[arg-type]
            n_steps=n_steps,
            gamma=gamma,
            gae_lambda=gae_lambda,
            ent_coef=ent_coef,  # type: ignore[arg-type]
            vf_coef=vf_coef,
            max_grad_norm=max_grad_norm,
            use_sde=use_sde,
            sde_sample_freq=sde_sample_freq,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            seed=seed,
            device=device,
            _init_setup_model=False,
            supported_action_spaces=(spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary),
        )
        self.batch_size, self.n_epochs, self.bptt_steps = batch_size, n_epochs, bptt_steps
        self.burn_in_steps, self.bootstrap, self.reward_scale = burn_in_steps, bootstrap, reward_scale
        self.privileged_critic = privileged_critic
        self.clip_range, self.clip_range_vf = clip_range, clip_range_vf
        self.normalize_advantage, self.target_kl, self.stagger = normalize_advantage, target_kl, stagger
        self.auxiliary = complete(auxiliary)
        self.rewiring = dict(rewiring) if rewiring else None
        self.spike_multiplier = 0.0  # of the spike budget
        self.validations: list[list[float]] = []  # environment steps and score, see ValidationCallback
        self._last_state: dict[str, Tensor] | None = None
        self._elapsed_s = 0.0
        self._lifetime_steps = 0
        self.lifetime_goals: deque[float] = deque(maxlen=stats_window_size)
        self.lifetime_first_find: deque[float] = deque(maxlen=stats_window_size)
        if _init_setup_model:
            self._setup_model()

    # ---- setting up --------------------------------------------------------------------------------------------------

    @staticmethod
    def _wrap_env(env: Any, verbose: int = 0, monitor_wrapper: bool = True) -> VecEnv:
        return OnPolicyAlgorithm._wrap_env(make_env(env), verbose, monitor_wrapper)

    def _setup_lr_schedule(self) -> None:
        self.lr_schedule = make_schedule(self.learning_rate)

    def _setup_model(self) -> None:
        self._check_settings()
        self._setup_lr_schedule()
        self.clip_range = make_schedule(self.clip_range, "clip_range")
        self.ent_coef = make_schedule(self.ent_coef, "ent_coef")
        if self.clip_range_vf is not None:
            self.clip_range_vf = make_schedule(self.clip_range_vf, "clip_range_vf")
        self.set_random_seed(self.seed)
        width = self._task_sizes()
        if self.rewiring:
            self.policy_kwargs = {**self.policy_kwargs, "rewiring": self.rewiring}
        if issubclass(self.policy_class, LSNNPolicy):
            normalizer = self.get_vec_normalize_env()
            if normalizer is not None and normalizer.norm_obs:
                self.policy_kwargs = {"normalized": True, **self.policy_kwargs}
            if self.env is not None and answers(self.env, ["shortens"]) and ask(self.env, "shortens").all():
                self.policy_kwargs = {"keep_direction": True, **self.policy_kwargs}
        self.policy = self.policy_class(
            self.observation_space, self.action_space, self.lr_schedule, use_sde=self.use_sde, **self.policy_kwargs
        ).to(self.device)
        # What was taken is in the weights now; whoever loads a copy of this model need not have the source.
        self.policy_kwargs = {name: value for name, value in self.policy_kwargs.items() if name != "pretrained"}
        self.verbs = verbs_of(self.policy)
        self.rollout_buffer = Rollout(
            self.n_steps,
            self.n_envs,
            self.observation_space,
            self.bptt_steps,
            self.device,
            width,
            self.burn_in_steps,
        )
        # A state that was saved with the model goes on; one of another size belongs to other environments.
        if self._last_state is None or rows(self._last_state) not in (0, self.n_envs):
            self._last_state = self.verbs.initial_state(self.n_envs)
        self._last_state = {name: value.to(self.device) for name, value in self._last_state.items()}

    def _task_sizes(self) -> int:
        """Tell the policy how wide the hidden task is where something needs it in training; 0 if nothing does."""
        width, weight = 0, self.auxiliary["task_inference"]
        for wanted, asked, name in (
            (weight, f"auxiliary task_inference = {weight}", "task_size"),
            (self.privileged_critic, "privileged_critic = True", "told_size"),
        ):
            if wanted:
                width = task_size(asked, self.env, self.policy_class, self.policy_kwargs.get(name, 0))
                self.policy_kwargs = {**self.policy_kwargs, name: width}
        return width

    def _check_settings(self) -> None:
        for name in ("n_steps", "n_epochs"):
            if getattr(self, name) < 1:
                raise BadValue(f"{name} = {getattr(self, name)} trains nothing. Give a whole number from 1 up.")
        if self.bptt_steps is not None and self.bptt_steps < 1:
            raise BadValue(
                f"bptt_steps = {self.bptt_steps} reaches nowhere. Give a divisor of {self.n_steps} (n_steps)."
            )
        if not self.max_grad_norm > 0:
            raise BadValue(f"max_grad_norm = {self.max_grad_norm} leaves no gradient. Give a positive number.")
        for name in ("gamma", "gae_lambda"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadValue(f"{name} = {getattr(self, name)} is no discount. Give a number from 0 to 1.")
        if not (math.isfinite(self.reward_scale) and self.reward_scale > 0):
            raise BadValue(f"reward_scale = {self.reward_scale} teaches nothing. Give a positive number, such as 0.1.")

    # ---- acting ------------------------------------------------------------------------------------------------------

    def collect_rollouts(  # type: ignore[override]
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: Rollout, n_rollout_steps: int
    ) -> bool:
        """Fill the rollout; False if a callback asked to stop (what was seen last is then kept for the next call)."""
        assert self._last_obs is not None and self._last_state is not None
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        callback.on_rollout_start()  # before anything is drawn: a checkpoint that is taken there begins here
        if self.use_sde:
            self.policy.reset_noise(env.num_envs)

        while not rollout_buffer.full:
            if self.use_sde and self.sde_sample_freq > 0 and rollout_buffer.pos % self.sde_sample_freq == 0:
                self.policy.reset_noise(env.num_envs)
            obs_tensor, starts = rollout_buffer.observe(self._last_obs, self._last_episode_starts, self._last_state)
            if rollout_buffer.task is not None:
                rollout_buffer.tell(ask(env, "task_vector"), ask(env, "task_known"))
            with torch.no_grad():
                told = self._told(rollout_buffer.task_now())
                actions, values, log_probs, state = self.verbs.act(obs_tensor, self._last_state, starts, **told)

            new_obs, rewards, dones, infos = env.step(within(actions.cpu().numpy(), self.policy))

            rollout_buffer.add(actions, values, log_probs, self.reward_scale * rewards)
            done = np.flatnonzero(dones)
            if done.size:
                self._finish_lifetimes(done, infos, state)
            self._last_obs, self._last_episode_starts, self._last_state = new_obs, dones, state
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False

        with torch.no_grad():
            self._bootstrap(rollout_buffer)
            task = torch.as_tensor(ask(env, "task_vector"), dtype=torch.float32) if self.privileged_critic else None
            values = self._values(new_obs, state, dones, task)
        rollout_buffer.finish(values, dones, self.gamma, self.gae_lambda)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _finish_lifetimes(self, done: np.ndarray, infos: list[dict[str, Any]], state: dict[str, Tensor]) -> None:
        """Take what ended lifetimes tell: their statistics, and their last observation if they were cut off."""
        ended = [infos[i] for i in done]
        self._update_info_buffer(ended, np.ones(len(ended), dtype=bool))
        for info in ended:
            if info.get("episode", {}).get("l", math.inf) < self._lifetime_steps:
                continue  # one that began in the middle would lower the mean
            if "goals" in info:
                self.lifetime_goals.append(float(info["goals"]))
            if info.get("first_find") is not None and info["first_find"] >= 0:
                self.lifetime_first_find.append(float(info["first_find"]))
        cut = [
            i
            for i in done
            if self.bootstrap and infos[i].get("TimeLimit.truncated") and "terminal_observation" in infos[i]
        ]
        if cut:
            here = torch.as_tensor(cut, device=self.device)
            self.rollout_buffer.cut(np.array(cut), [infos[i]["terminal_observation"] for i in cut], take(state, here))

    def _bootstrap(self, rollout: Rollout) -> None:
        """Add the discounted value of what would have come to the last reward of every lifetime that was cut off."""
        cut = rollout.cut_off()
        if cut is not None:
            obs, state, steps, slots = cut
            task = None if rollout.task is None else rollout.task[steps, slots]
            values = self._values(obs, state, np.zeros(len(slots), dtype=bool), task)
            rollout.rewards[steps, slots] += self.gamma * values.cpu()

    def _values(self, obs: Any, state: dict[str, Tensor], starts: np.ndarray, task: Tensor | None) -> Tensor:
        """Values [N] of observations; no random number is drawn, and the state stays where it is."""
        as_tensor, first = self.rollout_buffer.as_tensor(obs), torch.as_tensor(starts, device=self.device)
        return self.verbs.act(as_tensor, state, first, deterministic=True, **self._told(task))[1]

    def _told(self, task: Tensor | None) -> dict[str, Tensor]:
        """What the verbs are told beside the observation: the hidden task, if the critic may know it."""
        return {"task": task.to(self.device)} if self.privileged_critic and task is not None else {}

    # ---- learning ----------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Several epochs over the rollout, in minibatches of whole columns."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        schedules = {name: getattr(self, name) for name in ("clip_range", "clip_range_vf", "ent_coef")}
        rates = {name: schedule and schedule(self._current_progress_remaining) for name, schedule in schedules.items()}
        logs: dict[str, list[float]] = {}
        spikes: Tensor | None = None
        watched = 0
        stopped_at = None
        parameters = list(self.policy.parameters())  # walking through the modules takes as long as clipping

        for epoch, minibatches in enumerate(
            self.rollout_buffer.minibatches(self.batch_size, self.n_epochs, self.normalize_advantage)
        ):
            for batch in minibatches:
                state = batch.state if batch.before is None else self._refreshed(batch)
                values, log_probs, entropy, extras = self.verbs.evaluate_sequence(
                    batch.observations, batch.actions, state, batch.starts, **self._told(batch.task)
                )
                loss, parts = ppo_loss(
                    log_probs,
                    values,
                    entropy,
                    batch.log_probs,
                    batch.values,
                    batch.advantages,
                    batch.returns,
                    vf_coef=self.vf_coef,
                    **rates,
                )
                network = getattr(self.policy, "network", None)
                beside = costs(self.auxiliary, batch, extras, network, self.spike_multiplier)
                for name, (weight, cost) in beside.items():
                    loss = loss + weight * cost
                    parts[name + "_loss"] = cost.detach()
                parts["loss"] = loss.detach()
                for name, part in parts.items():
                    logs.setdefault(name, []).append(part.item())
                if epoch == 0 and extras.get("counts") is not None:
                    counts = extras["counts"].detach().sum(0)
                    spikes = counts if spikes is None else spikes + counts
                    watched += batch.starts.numel()
                if self.target_kl is not None and logs["approx_kl"][-1] > 1.5 * self.target_kl:
                    stopped_at = epoch
                    break
                self.policy.optimizer.zero_grad()
                loss.backward()
                norm = nn.utils.clip_grad_norm_(parameters, self.max_grad_norm).item()
                overflow = math.isinf(norm)  # through time a gradient can outgrow every number; without it, then
                logs.setdefault("overflows", []).append(float(overflow))
                if not overflow:
                    logs.setdefault("grad_norm", []).append(norm)
                self._guard({name: entries[-1] for name, entries in logs.items()})
                if not overflow:
                    self.policy.optimizer.step()
            self._n_updates += 1
            if stopped_at is not None:
                break

        if "overflows" in logs and "grad_norm" not in logs:
            self._guard({"grad_norm": math.inf})
        self._log_update(logs, rates, stopped_at)
        if spikes is not None:
            rate_hz = self._log_spikes(spikes, watched)
            if budget_hz := self.auxiliary["spike_budget_hz"]:
                excess = rate_hz / budget_hz - 1
                self.spike_multiplier = ascend(self.spike_multiplier, excess, self.auxiliary["spike_budget_step"])

    @torch.no_grad()
    def _refreshed(self, batch: Batch) -> State:
        """The state before the first step of every column, from the burn-in and with the weights as they are now."""
        assert batch.before is not None
        observations, starts, state, known = batch.before
        for t in range(len(starts)):
            obs = {key: value[t] for key, value in observations.items()} if isinstance(observations, dict) else None
            seen = observations[t] if obs is None else obs  # type: ignore[index]
            *_, state = self.verbs.act(seen, state, starts[t], deterministic=True)  # draws no random number
        keep = {name: known.view(-1, *[1] * (value.dim() - 1)) for name, value in state.items()}
        return {name: torch.where(keep[name], value, batch.state[name]) for name, value in state.items()}

    def _guard(self, numbers: dict[str, float]) -> None:
        """Stop before a loss or gradient that is not finite reaches the weights."""
        bad = [f"{name} is {number}" for name, number in numbers.items() if not math.isfinite(number)]
        if bad:
            what = f"Training stopped at {self.num_timesteps} steps because {', '.join(bad)}"
            raise BadValue(
                f"{what}; the weights are still those from before. {self._rescue(what)} Lower learning_rate or "
                "max_grad_norm, or look for huge rewards or observations."
            )

    def _rescue(self, what: str) -> str:
        """Write the last good checkpoint where a CheckpointCallback keeps them, with `what` beside it, and say so."""
        keeper = getattr(self, "checkpoint_keeper", None)
        if keeper is None:
            return "Keep the weights with save_checkpoint(model, path)."
        path = keeper.on_failure(what)
        return f"The last good checkpoint is {path}: go on from it with load_checkpoint." if path else ""

    # ---- logging -----------------------------------------------------------------------------------------------------

    def _log_update(self, logs: dict, rates: dict[str, float | None], stopped_at: int | None) -> None:
        for name, entries in logs.items():
            self.logger.record(f"train/{name}", float(np.mean(entries)))
        rollout = self.rollout_buffer
        explained = explained_variance(rollout.values.numpy().ravel(), rollout.returns.numpy().ravel())
        self.logger.record("train/explained_variance", explained)
        if isinstance(getattr(self.policy, "log_std", None), Tensor):
            self.logger.record("train/std", self.policy.log_std.detach().exp().mean().item())
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        for name, rate in rates.items():
            if rate is not None:
                self.logger.record(f"train/{name}", rate)
        if self.target_kl is None:
            return
        self.logger.record("train/epochs_done", self.n_epochs if stopped_at is None else stopped_at)
        reason = f"approx_kl {logs['approx_kl'][-1]:.4f} exceeds 1.5 x target_kl {self.target_kl}"
        self.logger.record("train/stopped_because", "" if stopped_at is None else reason, exclude="tensorboard")
        if stopped_at is not None and self.verbose >= 1:
            print(f"Update ended in epoch {stopped_at + 1} of {self.n_epochs}: {reason}")

    def _log_spikes(self, spikes: Tensor, watched: int) -> float:
        """Log the spikes [H] that each cell emitted in `watched` environment steps, all rows together.

        Returns: the mean rate in hertz.
        """
        network = self.policy.network
        rate_hz = spikes.mean().item() / (watched * network.substeps * network.dt_ms / 1000)
        self.logger.record("spikes/rate_hz", rate_hz)
        self.logger.record("spikes/dead_fraction", (spikes == 0).float().mean().item())
        if self.auxiliary["spike_budget_hz"]:
            self.logger.record("spikes/budget_multiplier", self.spike_multiplier)
        return rate_hz

    def dump_logs(self, iteration: int = 0) -> None:
        if self.lifetime_goals:
            self.logger.record("lifetime/goals", float(np.mean(self.lifetime_goals)))
        if self.lifetime_first_find:
            self.logger.record("lifetime/first_find", float(np.mean(self.lifetime_first_find)))
        super().dump_logs(iteration)

    # ---- the loop ----------------------------------------------------------------------------------------------------

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int | None = 1,
        tb_log_name: str = "RecurrentPPO",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
        *,
        minutes: float | None = None,
        resume: bool = False,
    ) -> "RecurrentPPO":
        """Train until `total_timesteps` environment steps or `minutes` are over, whichever comes first.

        Schedules see the larger of the two shares, so a run limited by time also ends with its last learning rate.

        Args:
            callback, log_interval, tb_log_name, reset_num_timesteps: as in Stable-Baselines3.
            progress_bar: shows goals per lifetime and steps per second.
            minutes: wall-clock limit.
            resume: go on with an interrupted call: both limits count from its beginning, not from here.
        """
        if resume:
            reset_num_timesteps = False
            total_timesteps = max(0, total_timesteps - self.num_timesteps)
        else:
            self._elapsed_s = 0.0
        if self.stagger and (reset_num_timesteps or self._last_obs is None):
            assert self.env is not None
            self._lifetime_steps = stagger(self.env)
        if reset_num_timesteps:
            self.validations = []
        if reset_num_timesteps or self._last_obs is None:
            self.rollout_buffer.reset()
            self.rollout_buffer.set_tail(None)  # the worlds begin anew
        callbacks = list(callback) if isinstance(callback, list) else [callback] if callback is not None else []
        wrapped = [part if isinstance(part, BaseCallback) else ConvertCallback(part) for part in callbacks]
        if progress_bar:
            wrapped.append(TrainingProgress(minutes))
        total_timesteps, callback = self._setup_learn(
            total_timesteps, CallbackList(wrapped), reset_num_timesteps, tb_log_name, False
        )
        self._minutes, self._began = minutes, time.monotonic() - self._elapsed_s
        callback.on_training_start(locals(), globals())
        assert self.env is not None
        iteration = 0
        while self.num_timesteps < total_timesteps and self._time_share() < 1:
            try:
                if not self.collect_rollouts(self.env, callback, self.rollout_buffer, self.n_steps):
                    break
            except BadValue as problem:  # the world showed or paid something that is not finite
                raise BadValue(f"{problem} {self._rescue(str(problem))}") from None
            iteration += 1
            self._update_current_progress_remaining(self.num_timesteps, total_timesteps)
            if log_interval is not None and iteration % log_interval == 0:
                self.dump_logs(iteration)
            self.train()
            self._elapsed_s = time.monotonic() - self._began
        callback.on_training_end()
        return self

    def _time_share(self) -> float:
        return (time.monotonic() - self._began) / (60 * self._minutes) if self._minutes else 0.0

    def _update_current_progress_remaining(self, num_timesteps: int, total_timesteps: int) -> None:
        self._current_progress_remaining = max(0.0, 1.0 - max(num_timesteps / total_timesteps, self._time_share()))

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "verbs", "checkpoint_keeper"]
