"""Algorithms that keep no state must not get a recurrent policy; they are told so before the first step."""

import sys
from types import FrameType

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from lsnn_rl.errors import WrongAlgorithm


def needs_memory(policy: str, caller: str) -> WrongAlgorithm:
    return WrongAlgorithm(
        f"{policy} is recurrent: it must be handed its state at every step. Found {caller}. "
        "Use lsnn_rl.RecurrentPPO or sb3_contrib.RecurrentPPO."
    )


def refuse_memoryless_caller(policy: str) -> None:
    """Raise WrongAlgorithm if the algorithm that is building the policy will not keep its state.

    SB3 tells a policy nothing about who builds it, so this looks for a `_setup_model` among the calling frames. Whoever
    uses SB3's own rollout loop calls the policy without state; any other loop gets the benefit of the doubt, and
    `forward` would still refuse.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        caller = frame.f_locals.get("self")
        if frame.f_code.co_name == "_setup_model" and isinstance(caller, BaseAlgorithm):
            stock_loop = getattr(type(caller), "collect_rollouts", None) is OnPolicyAlgorithm.collect_rollouts
            if stock_loop or isinstance(caller, OffPolicyAlgorithm):
                raise needs_memory(policy, f"{type(caller).__module__}.{type(caller).__name__}, which keeps none")
            return
        frame = frame.f_back
