if __name__ != "lsnn_rl.envs":
    raise ImportError("This folder is installed as lsnn_rl.envs: write `import lsnn_rl.envs`, not `import envs`.")
