"""How the learning rate goes over a training, as a factor on the first one."""

import math

from lsnn_rl.pretrain.recipe import OptimizerRecipe


def factor(settings: OptimizerRecipe, iteration: int, share: float) -> float:
    """The factor in an iteration (from 0), when `share` of the training (0 to 1) is over.

    constant: 1.  steps: times `factor` every `every` iterations, as in the released code.  cosine: 1 to 0 by half a
    cosine. During the first `warm_up` iterations all of them rise from almost nothing.

    >>> [round(factor(OptimizerRecipe(schedule="steps"), i, 0.0), 2) for i in (0, 2499, 2500, 5000)]
    [1.0, 1.0, 0.8, 0.64]
    """
    rising = min(1.0, (iteration + 1) / (settings.warm_up + 1))
    if settings.schedule == "steps":
        return rising * settings.factor ** (iteration // settings.every)
    if settings.schedule == "cosine":
        return rising * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
    return rising
