"""Draw the tables of zoo/README.md and docs/results.md, and the figures of the latter, from the cards in the zoo."""

from pathlib import Path

from lsnn_rl.agents.figures.style import save_small
from lsnn_rl.agents.figures.zoo import of_world, popgym_bandits
from lsnn_rl.agents.zoo_pages import PICTURES, redrawn
from lsnn_rl.agents.zoo_rows import rows
from lsnn_rl.envs.registration import WORLDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "zoo" / "README.md", ROOT / "docs" / "results.md")


def main() -> None:
    pictures, shown = ROOT / "docs" / PICTURES, rows()
    figures = {"popgym": popgym_bandits(shown)}
    for env_id in WORLDS:
        figure = of_world([row for row in shown if row.place == env_id])
        if figure is not None:
            figures[env_id] = figure
    for old in pictures.glob("*.png"):
        old.unlink()
    for name, figure in figures.items():
        save_small(figure, pictures / f"{name}.png")
    for page in PAGES:
        page.write_text(redrawn(page.read_text(encoding="utf-8"), shown, figures), encoding="utf-8")
        print(f"{page.relative_to(ROOT)} drawn")


if __name__ == "__main__":
    main()
