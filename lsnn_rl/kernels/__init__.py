"""Fused kernels: the same numbers as the law of lsnn_rl.network, much faster. `cpu` is the one there is."""
