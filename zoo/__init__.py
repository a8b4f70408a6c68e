if __name__ != "lsnn_rl.zoo":
    raise ImportError("This folder is installed as lsnn_rl.zoo: write `import lsnn_rl.zoo`, not `import zoo`.")
