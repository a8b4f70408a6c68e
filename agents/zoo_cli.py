"""`lsnn-rl zoo`: what is in the zoo, in one line or in words, and how to make it again."""

import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lsnn_rl.agents.zoo_rows import Row

zoo = typer.Typer(help="Agents and networks that ship, with their cards, and how to make them again.")
Name = Annotated[str, typer.Argument(help="A row of the zoo, for example LSNNArena-v0/lsnn or store_recall/paper:lif.")]


@zoo.command("list")
def list_rows() -> None:
    """What is in the zoo, one line a row."""
    from lsnn_rl.agents.zoo_rows import rows
    from lsnn_rl.agents.zoo_words import listing

    print(listing(rows()))


@zoo.command()
def show(name: Name) -> None:
    """Tell a row in words: how well it does, on what, how it was made, and what to type."""
    from lsnn_rl.agents.zoo_rows import find_row
    from lsnn_rl.agents.zoo_words import told

    print(told(find_row(name)))


@zoo.command()
def reproduce(
    name: Name,
    seed: Annotated[int | None, typer.Option(help="That of the card, unless you want another.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Run folder; a new one under runs/ if not given.")] = None,
    changes: Annotated[
        list[str], typer.Option("--set", help="Change the recipe, train.total_steps=1e6; repeatable.")
    ] = [],  # noqa: B006
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
) -> None:
    """Train a row again, from its recipe and seed and for as long, and compare the new card with the one that ships."""
    from lsnn_rl.agents.zoo_rows import find_row
    from lsnn_rl.agents.zoo_words import verdict

    row = find_row(name)
    seed = (row.seeds[0] if row.cards else 0) if seed is None else seed
    place = folder or Path("runs") / row.place / f"{row.agent.replace(':', '-')}-{datetime.now():%Y%m%d-%H%M%S}"
    if row.minutes is not None:
        _say(f"This took {row.minutes:.0f} minutes when the card was made.")
    card = (_pretrain if row.supervised else _train)(row, seed, place, changes, progress)
    print(verdict(row, card, seed))
    if changes:
        print(f"Not the recipe that ships: {', '.join(changes)}.")


def _train(row: "Row", seed: int, place: Path, changes: list[str], progress: bool) -> dict[str, Any]:
    from lsnn_rl.agents import training
    from lsnn_rl.agents.recipe import read_recipe

    shipped = row.card_of(seed) or (row.cards[0] if row.cards else {})
    settings = [f"train.seed={seed}"]
    steps = (shipped.get("training") or {}).get("env_steps")
    if steps:  # as many steps as the card's agent was given, however fast this machine is
        settings += [f"train.total_steps={steps}", "train.minutes=null"]
    if "lifetimes" in shipped:
        settings.append(f"test.lifetimes={shipped['lifetimes']}")
    try:
        return training.train(read_recipe(row.recipe).with_changes([*settings, *changes]), place, _say, progress)
    except training.Interrupted as stopped:
        _say(f"\n{stopped}")  # below the bar that was left standing
        raise typer.Exit(130) from None


def _pretrain(row: "Row", seed: int, place: Path, changes: list[str], progress: bool) -> dict[str, Any]:
    """By the command that the card holds; the first card's, with another seed, where that seed has none."""
    from lsnn_rl.pretrain.cards import load_card
    from lsnn_rl.pretrain.cli import pretrain

    shipped = row.card_of(seed) or (row.cards[0] if row.cards else {})
    words = shlex.split(shipped.get("command") or f"lsnn-rl pretrain {row.place} --recipe {row.agent}")[2:]
    if "--seed" in words:
        at = words.index("--seed")
        del words[at : at + 2]
    words += ["--seed", str(seed), "--folder", str(place), "--progress" if progress else "--no-progress"]
    command = typer.Typer(add_completion=False)
    command.command()(pretrain)
    words += [f"--set={change}" for change in changes]
    stopped = typer.main.get_command(command).main(words, standalone_mode=False)
    if stopped:
        raise typer.Exit(stopped)
    return load_card(place)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
