"""Draw the table in docs/results.md from the cards in zoo/pretrained."""

from pathlib import Path

from lsnn_rl.pretrain.results import redraw

if __name__ == "__main__":
    redraw(Path(__file__).resolve().parent.parent / "docs" / "results.md")
