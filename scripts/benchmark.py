"""Measure speed against named rivals: core, envs or learner."""

import typer

from lsnn_rl.benchmarks.cli import benchmark

if __name__ == "__main__":
    typer.run(benchmark)
