"""The worlds: lifelike tasks that must be learned anew in every lifetime. Needs numpy and gymnasium only.

One class per world (`task.LifetimeTask`, batched rules), two faces for all of them (`lifetime.LifetimeEnv`, a
`gymnasium.Env`, and `vector.LifetimeVectorEnv`, a native `gymnasium.vector.VectorEnv`), one line per id in
`registration.WORLDS`.
"""

if __name__ != "lsnn_rl.envs":
    raise ImportError("This folder is installed as lsnn_rl.envs: write `import lsnn_rl.envs`, not `import envs`.")
