"""Bandits: some arms, a few pulls, and no telling which arm pays best but by pulling.

Four families in which agents are known to learn to learn: independent arms (Duan et al. 2016, RL2), two arms that
explain each other and an arm that pays little and tells all (Wang et al. 2016), and an arm that mostly is not worth a
look (Lange and Sprekeler 2020).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lsnn_rl.envs.task import Floats, Hand, LifetimeTask, Moment, Rows
from lsnn_rl.errors import BadValue, unknown_name

if TYPE_CHECKING:
    from lsnn_rl.envs.canvas import Canvas

PAYS = ("win", "popgym")
# Chance that the left arm wins, on one side of 1/2; the other side is as likely. None: anywhere from 0 to 1.
DIFFICULTIES: dict[str, float | None] = {"uniform": None, "easy": 0.1, "medium": 0.25, "hard": 0.4}
_LONGEST_NORMAL = 8.6  # no number of `_normal` is farther from zero: sqrt(-2 log 2^-53) = 8.57


class Bandit(LifetimeTask):
    """What all bandits share: an action pulls an arm, a trial is one pull, the hidden task is what the arms pay.

    A subclass draws `means` in `begin` and says in `_pull` what a pull shows. Every slot uses up the same luck in a
    step whichever arm is pulled, so agents that live the same numbered lifetimes can be compared in pairs.
    """

    memory: ClassVar[tuple[str, ...]] = (*LifetimeTask.memory, "means", "arm", "shown", "known", "pulls")
    views: ClassVar[frozenset[str]] = frozenset(["observe_action", "observe_reward"])
    score: ClassVar[str] = "return"
    unit: ClassVar[str] = "reward"

    title: ClassVar[str] = "Bandit"
    told: ClassVar[str] = "find out which arm pays best, and pull it"
    axis: ClassVar[str] = "reward"  # what the height of a mark in a picture means
    hidden: ClassVar[slice] = slice(None)  # the arms whose means make up the hidden task

    def __init__(
        self,
        slots: int,
        steps: int,
        arms: int,
        shows: tuple[float, float],
        good: float,
        observe_action: bool,
        observe_reward: bool,
    ) -> None:
        """shows: least and greatest number that a pull can show, zero among them; good: the least that is a success."""
        super().__init__(slots, steps)
        self.arms, self.shows, self.good = _whole("arms", arms, 2), shows, good
        self.means = np.zeros((slots, self.arms))  # what each arm pays on average: the hidden task
        self.arm = np.full(slots, -1)  # the arm pulled last, -1 before the first pull
        self.shown = np.zeros(slots)  # what that pull showed
        self.known = np.zeros(slots, np.bool_)  # some pull has told something about the task
        self.pulls = np.zeros((slots, self.arms))  # how often each arm was pulled
        self._numbers = np.arange(self.arms)
        self.observe_action, self.observe_reward = observe_action, observe_reward
        parts = (("action", slice(0, self.arms), observe_action), ("reward", -1, observe_reward))
        self.seen = [(name, where) for name, where, shown in parts if shown]
        if not (observe_action or observe_reward):
            raise BadValue("Both parts of the observation are switched off. Leave observe_action or observe_reward on.")
        low, high = np.zeros(self.arms), np.ones(self.arms)
        if not observe_action:
            low, high = low[:0], high[:0]
        if observe_reward:
            low, high = np.append(low, shows[0]), np.append(high, shows[1])
        self.observation_space = spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)
        self.action_space = spaces.Discrete(self.arms)

    # -- the rules --------------------------------------------------------------------------------------------------

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.arm[rows] = -1
        self.shown[rows] = self.pulls[rows] = 0.0
        self.known[rows] = False

    def step(self, actions: NDArray[np.int64]) -> Floats:
        self.next_trial(np.flatnonzero(self.arm >= 0))
        self.arm, self.shown = actions, self._pull(actions)
        self.success = self.shown >= self.good
        self.known |= self._tells(actions)
        self.pulls[self.every, actions] += 1.0
        return self._paid()

    def _pull(self, arms: NDArray[np.int64]) -> Floats:
        """What pulling these arms shows, [N], a fresh array."""
        raise NotImplementedError(f"{type(self).__name__} has no _pull(). Write it as in BernoulliBandit.")

    def _tells(self, arms: NDArray[np.int64]) -> NDArray[np.bool_] | bool:
        """Where pulling these arms tells something about the task, [N]."""
        return True

    def _paid(self) -> Floats:
        """The reward of the last pull, [N], a fresh array."""
        return self.shown.copy()

    def observe(self) -> NDArray[np.float32]:
        seen = np.zeros((self.slots, *self.observation_space.shape), np.float32)  # type: ignore[misc]
        if self.observe_action:
            seen[:, : self.arms] = self.arm[:, None] == self._numbers
        if self.observe_reward:
            seen[:, -1] = self.shown
        return seen

    # -- what only teachers and judges may know -----------------------------------------------------------------------

    def task_vector(self) -> NDArray[np.float32]:
        """What the arms pay on average, [N, V]; arms that are known beforehand are left out."""
        return self.means[:, self.hidden].astype(np.float32)

    def task_known(self) -> NDArray[np.bool_]:
        """Where some pull has told something about the task: a rule of thumb, the rest comes pull by pull."""
        return self.known.copy()

    def expert(self) -> NDArray[np.int64]:
        """The arm that pays best, [N]."""
        return self.means.argmax(axis=1)

    def answer(self) -> dict[str, NDArray]:
        return {"means": self.means.copy()}

    def summary(self) -> dict[str, NDArray]:
        return {"regret": ((self.means.max(axis=1, keepdims=True) - self.means) * self.pulls).sum(axis=1)}

    # -- drawing ------------------------------------------------------------------------------------------------------

    def glimpse(self, slot: int) -> tuple[int, float]:
        """The arm pulled (-1: none yet) and what it showed."""
        return int(self.arm[slot]), float(self.shown[slot])

    def span(self) -> tuple[float, float]:
        """Between which means a picture of the arms has to reach."""
        return self.shows

    def belief(self, pulls: Floats, sums: Floats, at: Floats) -> Floats:
        """How likely the means `at` [M] are for each arm, [K, M], up to a factor, given what the pulls showed.

        pulls, sums: [K], how often each arm was pulled and the sum of what it showed.
        """
        raise NotImplementedError(f"{type(self).__name__} has no belief(). Write it as in BernoulliBandit.")

    def hand(self, slot: int, hand: Hand) -> int | None:
        """The arm that was clicked, or whose digit was pressed: 1 to 9, and 0 for the tenth."""
        from lsnn_rl.envs.bandits_view import arm_at

        if hand.clicked and hand.point is not None:
            return arm_at(self, hand.point)
        arms = sorted((int(key) - 1) % 10 for key in hand.tapped if key.isdigit() and len(key) == 1)
        return arms[0] if arms and arms[0] < self.arms else None

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.bandits_view import draw_bandit  # only whoever draws needs it

        draw_bandit(canvas, self, slot, history, references)


class BernoulliBandit(Bandit):
    """Arms that win or lose, each with a hidden chance of its own (Duan et al. 2016, arXiv 1611.02779).

    ## Action space
    `Discrete(arms)`: the arm to pull.

    ## Observation space
    `Box` of `arms` + 1 numbers: the arm pulled last (one-hot, all zeros before the first pull; `observe_action`), and 1
    if it won (`observe_reward`).

    ## Rewards
    1 for a win, 0 for a loss. With `pay="popgym"`, 1/steps for a win and -1/steps for a loss, as in POPGym's
    MultiarmedBandit (10, 20, 30 arms and 200, 400, 600 steps there), so that a lifetime earns -1 to 1.

    ## Starting state
    Every arm's chance of winning is drawn from Beta(prior_wins, prior_losses): uniform from 0 to 1 unless told.

    ## Lifetime
    `steps` pulls of the same arms; it ends by `truncated`. Every pull is a trial; it succeeds if it wins.

    ## What must be remembered
    How often each arm won and lost. The time left matters too: exploring pays less and less.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `regret` at the end of a lifetime: by how much the chances of the
    arms pulled fell short of the best arm's; `privileged = {"means": chances}` only if asked for.

    ## Reference scores
    random pulls any arm. "No memory" stays with an arm that won and goes to the next when it lost: all that the last
    pull can say, and well above random. Best known is the finite-horizon Gittins index. Means of a lifetime known
    independently, with 95 % intervals: 5 arms, 10 pulls 6.666 +- 0.014, where the exact optimum is 6.660; 5, 10 and
    50 arms, 100 pulls 78.4 +- 0.5, 83.9 +- 0.4 and 85.5 +- 0.3. Exact optima (`lsnn_rl.agents.exact`): 6.022 for 2
    arms and 10 pulls, 38.56 for 2 and 60, 6.714 for 10 or more and 10. On POPGym's levels Bayes-UCB of 1.5 standard
    deviations earns 0.72, 0.82 and 0.86.

    ## Arguments
    arms; steps: pulls of a lifetime; prior_wins, prior_losses: whole numbers; pay: "win" or "popgym"; observe_action,
    observe_reward: what is seen. The split "test-ood" has poorer arms, Beta(2, 5).

    ## Version history
    v0: first release.
    """

    ood: ClassVar[dict[str, Any]] = {"prior_wins": 2, "prior_losses": 5}
    title: ClassVar[str] = "Bernoulli bandit"
    axis: ClassVar[str] = "chance of winning"

    def __init__(
        self,
        slots: int = 1,
        *,
        arms: int = 10,
        steps: int = 100,
        prior_wins: int = 1,
        prior_losses: int = 1,
        pay: str = "win",
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        super().__init__(slots, steps, arms, (0.0, 1.0), 1.0, observe_action, observe_reward)
        if pay not in PAYS:
            raise unknown_name("pay", pay, PAYS)
        self.prior_wins, self.prior_losses = _whole("prior_wins", prior_wins), _whole("prior_losses", prior_losses)
        self.by_share = pay == "popgym"

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        # The a-th smallest of a + b - 1 uniform numbers has the distribution Beta(a, b).
        count = self.prior_wins + self.prior_losses - 1
        luck = self.luck.take(rows, self.arms * count).reshape(len(rows), self.arms, count)
        self.means[rows] = np.sort(luck, axis=2)[:, :, self.prior_wins - 1]

    def _pull(self, arms: NDArray[np.int64]) -> Floats:
        return _wins(self, arms)

    def _paid(self) -> Floats:
        return (2.0 * self.shown - 1.0) / self.steps if self.by_share else self.shown.copy()

    def belief(self, pulls: Floats, sums: Floats, at: Floats) -> Floats:
        """Beta densities."""
        return _beta(self.prior_wins + sums, self.prior_losses + pulls - sums, at)


class DependentBandit(Bandit):
    """Two arms of which one wins as often as the other loses (Wang et al. 2016, arXiv 1611.05763).

    ## Action space
    `Discrete(2)`: the arm to pull.

    ## Observation space
    `Box` of 3 numbers: the arm pulled last (one-hot, all zeros before the first pull; `observe_action`), and 1 if it
    won (`observe_reward`).

    ## Rewards
    1 for a win, 0 for a loss.

    ## Starting state
    Arm 0 wins with chance p, arm 1 with 1 - p. `difficulty` says how p is drawn: "uniform" from 0 to 1; "easy" 0.1 or
    0.9; "medium" 0.25 or 0.75; "hard" 0.4 or 0.6.

    ## Lifetime
    `steps` pulls of the same arms; it ends by `truncated`. Every pull is a trial; it succeeds if it wins.

    ## What must be remembered
    One number: how many pulls so far spoke for arm 0 (it won, or arm 1 lost) more than against it.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `regret` at the end of a lifetime: by how much the chances of the
    arms pulled fell short of the better arm's; `privileged = {"means": chances}` only if asked for.

    ## Reference scores
    Both arms tell the same, so pulling the arm that the evidence speaks for is Bayes-optimal: it regrets 1.221
    (uniform), 0.625 (easy), 1.000 (medium) and 2.312 (hard) in 100 pulls, exactly; the better arm itself wins 75, 90,
    75 and 60 times. "No memory" stays with an arm that won and leaves one that lost: all that the last pull can say.

    ## Arguments
    difficulty; steps: pulls of a lifetime; observe_action, observe_reward: what is seen. The split "test-ood" is "hard"
    unless a difficulty was chosen.

    ## Version history
    v0: first release.
    """

    ood: ClassVar[dict[str, Any]] = {"difficulty": "hard"}
    title: ClassVar[str] = "Dependent bandit"
    axis: ClassVar[str] = "chance of winning"
    told: ClassVar[str] = "one arm wins as often as the other loses: every pull tells about both"
    hidden: ClassVar[slice] = slice(1)

    def __init__(
        self,
        slots: int = 1,
        *,
        difficulty: str = "uniform",
        steps: int = 100,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        super().__init__(slots, steps, 2, (0.0, 1.0), 1.0, observe_action, observe_reward)
        if difficulty not in DIFFICULTIES:
            raise unknown_name("difficulty", difficulty, DIFFICULTIES)
        self.chance = DIFFICULTIES[difficulty]

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        luck = self.luck.take(rows, 1)[:, 0]
        left = luck if self.chance is None else np.where(luck < 0.5, self.chance, 1.0 - self.chance)
        self.means[rows] = np.stack([left, 1.0 - left], axis=1)

    def _pull(self, arms: NDArray[np.int64]) -> Floats:
        return _wins(self, arms)

    def belief(self, pulls: Floats, sums: Floats, at: Floats) -> Floats:
        """Beta densities, or the two chances that can be."""
        left = 1.0 + np.array([sums[0] + pulls[1] - sums[1]])  # pulls that spoke for arm 0
        right = 2.0 + pulls.sum() - left
        if self.chance is None:
            density = _beta(left, right, at)
        else:
            low, high = self.chance, 1.0 - self.chance
            share = 1.0 / (1.0 + (low / high) ** min(float(left[0] - right[0]), 300.0))
            density = (_bump(at, high) * share + _bump(at, low) * (1.0 - share))[None]
        return np.concatenate([density, density[:, ::-1]])


class InformativeBandit(Bandit):
    """Eleven arms, of which one pays well and one tells which it is (Wang et al. 2016, arXiv 1611.05763).

    ## Action space
    `Discrete(11)`: the arm to pull.

    ## Observation space
    `Box` of 12 numbers: the arm pulled last (one-hot, all zeros before the first pull; `observe_action`), and its
    reward (`observe_reward`).

    ## Rewards
    Without chance: the target `target_reward`, the other ordinary arms `other_reward`, the last arm a tenth of the
    target's number, counted from 1.

    ## Starting state
    The target is one of the first ten arms, each as likely.

    ## Lifetime
    `steps` pulls with one target; it ends by `truncated`. Every pull is a trial; it succeeds if it finds the target.

    ## What must be remembered
    Hardly anything: to pull the arm that the last reward named, and then to stay. What must have been learned is to
    give up reward for knowledge in the first pull.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `regret` at the end of a lifetime: what knowing the target would
    have brought more; `privileged = {"means": rewards}` only if asked for.

    ## Reference scores
    Asking first, then pulling the target, is optimal while the other arms pay little: 0.55 + 4 x 5 = 20.55 in five
    pulls. Trying the ordinary arms in turn brings 11.35. Neither needs to remember more than it sees, so "no memory"
    stands here for an agent that does not even learn from what it sees, and always pulls the same ordinary arm: 7.45.
    random pulls any arm: 7.02.

    ## Arguments
    steps: pulls of a lifetime; target_reward, other_reward; observe_action, observe_reward: what is seen. In the split
    "test-ood" the other arms pay 2.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (*Bandit.memory, "target")
    ood: ClassVar[dict[str, Any]] = {"other_reward": 2.0}
    title: ClassVar[str] = "Informative bandit"
    told: ClassVar[str] = "one of the first ten arms pays well; the last pays a tenth of its number"
    ordinary: ClassVar[int] = 10
    hint: ClassVar[float] = 0.1

    def __init__(
        self,
        slots: int = 1,
        *,
        steps: int = 5,
        target_reward: float = 5.0,
        other_reward: float = 1.1,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        highest_hint = self.hint * self.ordinary
        if not (math.isfinite(target_reward) and target_reward > max(other_reward, highest_hint) and other_reward >= 0):
            raise BadValue(
                f"target_reward = {target_reward}, other_reward = {other_reward}; the last arm pays up to "
                f"{highest_hint:g}. Let the target pay more than both, and the others not less than 0."
            )
        arms = self.ordinary + 1
        super().__init__(slots, steps, arms, (0.0, float(target_reward)), target_reward, observe_action, observe_reward)
        self.target_reward, self.other_reward = float(target_reward), float(other_reward)
        self.target = np.zeros(slots, np.int64)  # the arm that pays well

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        target = (self.luck.take(rows, 1)[:, 0] * self.ordinary).astype(np.int64)
        self.target[rows] = target
        self.means[rows, :-1] = self.other_reward
        self.means[rows, target] = self.target_reward
        self.means[rows, -1] = self.hint * (target + 1)

    def _pull(self, arms: NDArray[np.int64]) -> Floats:
        return self.means[self.every, arms]

    def _tells(self, arms: NDArray[np.int64]) -> NDArray[np.bool_]:
        return (arms == self.ordinary) | (arms == self.target)

    def belief(self, pulls: Floats, sums: Floats, at: Floats) -> Floats:
        """What each arm can still pay."""
        reward = sums / np.maximum(pulls, 1.0)
        could = (pulls[:-1] == 0) | (reward[:-1] == self.target_reward)
        if (met := (pulls[:-1] > 0) & could).any():
            could = met
        elif pulls[-1]:
            could = np.arange(1, self.arms) == round(reward[-1] / self.hint)
        chance = could / could.sum()
        ordinary = chance[:, None] * _bump(at, self.target_reward) + (1 - chance[:, None]) * _bump(
            at, self.other_reward
        )
        hints = sum(c * _bump(at, self.hint * (k + 1)) for k, c in enumerate(chance))
        return np.concatenate([ordinary, np.atleast_2d(hints)])


class GaussianBandit(Bandit):
    """One arm that pays nothing, and one that mostly costs (Lange and Sprekeler 2020, arXiv 2010.04466).

    ## Action space
    `Discrete(2)`: the arm to pull.

    ## Observation space
    `Box` of 3 numbers: the arm pulled last (one-hot, all zeros before the first pull; `observe_action`), and its reward
    (`observe_reward`).

    ## Rewards
    Arm 0 pays 0. Arm 1 pays its mean plus noise, normal with standard deviation `pull_sd`.

    ## Starting state
    The mean of arm 1 is drawn from a normal distribution, `prior_mean` and `prior_sd`.

    ## Lifetime
    `steps` pulls with the same mean; it ends by `truncated`. Every pull is a trial; it succeeds if it pays more than 0.

    ## What must be remembered
    Whether arm 1 is worth pulling. Its last reward nearly says so: this world asks less for memory than for knowing
    when to learn at all, which in short lifetimes, or with little spread of the means, does not pay.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `regret` at the end of a lifetime: what pulling the better arm all
    along would have brought more, on average; `privileged = {"means": means}` only if asked for.

    ## Reference scores
    Best known is the Bayes-optimal agent: it gives arm 1 up where its estimate falls below a bound that rises with age
    (dynamic programming over the estimate). "No memory" stands here for an agent that does not learn at all and pulls
    the arm that is better beforehand, arm 0: it earns 0. random earns 50 times the prior mean; the better arm itself
    pays 100 E[max(0, mean)] = 8.33.

    ## Arguments
    steps: pulls of a lifetime; prior_mean, prior_sd, pull_sd; observe_action, observe_reward: what is seen. In the
    split "test-ood" arm 1 mostly pays: its prior mean is 1.

    ## Version history
    v0: first release.
    """

    ood: ClassVar[dict[str, Any]] = {"prior_mean": 1.0}
    title: ClassVar[str] = "Gaussian bandit"
    told: ClassVar[str] = "the first arm pays nothing, the second mostly costs: is it worth a look?"
    hidden: ClassVar[slice] = slice(1, 2)

    def __init__(
        self,
        slots: int = 1,
        *,
        steps: int = 100,
        prior_mean: float = -1.0,
        prior_sd: float = 1.0,
        pull_sd: float = 0.1,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        for name, value in {"prior_sd": prior_sd, "pull_sd": pull_sd}.items():
            if not (value > 0 and math.isfinite(value)):
                raise BadValue(f"{name} = {value} is not a standard deviation. Give a positive number.")
        if not math.isfinite(prior_mean):
            raise BadValue(f"prior_mean = {prior_mean} is not a mean. Give a finite number.")
        far = abs(prior_mean) + _LONGEST_NORMAL * (prior_sd + pull_sd)
        least = float(np.nextafter(0.0, 1.0))
        super().__init__(slots, steps, 2, (-far, far), least, observe_action, observe_reward)
        self.prior_mean, self.prior_sd, self.pull_sd = prior_mean, prior_sd, pull_sd

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.means[rows, 0] = 0.0
        self.means[rows, 1] = self.prior_mean + self.prior_sd * _normal(self.luck.take(rows, 2))

    def _pull(self, arms: NDArray[np.int64]) -> Floats:
        noise = self.pull_sd * _normal(self.luck.take(self.every, 2))
        return np.where(arms == 1, self.means[:, 1] + noise, 0.0)

    def _tells(self, arms: NDArray[np.int64]) -> NDArray[np.bool_]:
        return arms == 1

    def span(self) -> tuple[float, float]:
        far = 3.5 * self.prior_sd
        return min(self.prior_mean - far, -far), max(self.prior_mean + far, far)

    def belief(self, pulls: Floats, sums: Floats, at: Floats) -> Floats:
        """Arm 0 is known; the normal density of arm 1."""
        precision = self.prior_sd**-2 + pulls[1] * self.pull_sd**-2
        mean = (self.prior_mean * self.prior_sd**-2 + sums[1] * self.pull_sd**-2) / precision
        return np.stack([_bump(at, 0.0), np.exp(-0.5 * precision * (at - mean) ** 2)])


def _whole(name: str, value: float, least: int = 1) -> int:
    if value != int(value) or value < least:
        raise BadValue(f"{name} = {value} is not possible. Give a whole number, {least} or more.")
    return int(value)


def _wins(bandit: Bandit, arms: NDArray[np.int64]) -> Floats:
    """1 where the pulled arm wins, [N]."""
    luck = bandit.luck.take(bandit.every, 1)[:, 0]
    return (luck < bandit.means[bandit.every, arms]).astype(np.float64)


def _normal(luck: Floats) -> Floats:
    """One standard normal number from each two uniform ones, [n, 2] to [n] (Box and Muller 1958)."""
    return np.sqrt(-2.0 * np.log1p(-luck[:, 0])) * np.cos(2.0 * np.pi * luck[:, 1])


def _beta(a: Floats, b: Floats, at: Floats) -> Floats:
    """Beta densities up to a factor, greatest about 1, [K] parameters and [M] places to [K, M]."""
    inside = np.clip(at, 1e-9, 1.0 - 1e-9)
    log = (a[:, None] - 1.0) * np.log(inside) + (b[:, None] - 1.0) * np.log1p(-inside)
    return np.exp(log - log.max(axis=1, keepdims=True))


def _bump(at: Floats, value: float) -> Floats:
    """All on one value: 1 at the place nearest to it, 0 elsewhere, [M]."""
    return (np.arange(len(at)) == np.abs(at - value).argmin()).astype(np.float64)
