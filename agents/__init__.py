if __name__ != "lsnn_rl.agents":
    raise ImportError("This folder is installed as lsnn_rl.agents: write `import lsnn_rl.agents`, not `import agents`.")
