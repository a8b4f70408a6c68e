"""The command line, `lsnn-rl`: each command parses, calls one function, and says where the result went."""

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from lsnn_rl.agents.zoo_cli import zoo
from lsnn_rl.benchmarks.cli import benchmark
from lsnn_rl.errors import BadValue, LSNNError
from lsnn_rl.pretrain.cli import pretrain

# Huge pages save page faults of large fresh tensors; torch reads this when it is loaded, which is later than this line.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

app = typer.Typer(
    help="Agents that learn to learn with spikes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(benchmark)
app.command()(pretrain)
app.add_typer(zoo, name="zoo", no_args_is_help=True)
EnvKwargs = Annotated[
    list[str], typer.Option("--env-kwarg", help="A setting of the world, key=value; may be repeated.")
]


@app.command()
def train(
    recipe: Annotated[str | None, typer.Argument(help="recipe.yml or its folder, a zoo name, or a world's id.")] = None,
    changes: Annotated[list[str], typer.Option("--set", help="Change the recipe: ppo.n_steps=256; repeatable.")] = [],  # noqa: B006
    minutes: Annotated[float | None, typer.Option(help="Wall-clock limit, warm-up included.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights, worlds and actions.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Run folder; a new one under runs/ if not given.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
) -> None:
    """Train an agent from a recipe; write recipe, checkpoints, logs, agent and card into one run folder."""
    from lsnn_rl.agents import training
    from lsnn_rl.agents.cards import short
    from lsnn_rl.agents.recipe import find_recipe

    if (recipe is None) == (resume is None):
        raise BadValue("Say what to train: either a recipe, for example LSNNArena-v0/lsnn, or --resume FOLDER.")
    try:
        if resume is not None:
            place = resume
            if changes or seed is not None or folder is not None:
                raise BadValue(
                    "--set, --seed and --folder belong to a new run. Resume with --minutes alone, or begin anew."
                )
            card = training.resume(resume, _say, progress, minutes)
        else:
            assert recipe is not None
            settings = find_recipe(recipe).with_changes(
                [*changes, *_given("train.minutes", minutes), *_given("train.seed", seed)]
            )
            place = folder or _new_folder(settings.env.id, str(settings.policy.get("cell", "lsnn")))
            card = training.train(settings, place, _say, progress)
    except training.Interrupted as stopped:
        _say(f"\n{stopped}")  # below the bar that was left standing
        raise typer.Exit(130) from None
    _say(short(card))
    _say(f"Written to {place}. Watch it: lsnn-rl enjoy {place}")


@app.command()
def evaluate(
    agent: Annotated[str, typer.Argument(help="A run folder, a zoo name, or a classical agent's name.")],
    env: Annotated[str | None, typer.Option(help="A world's id; the agent's own if not given.")] = None,
    split: Annotated[str, typer.Option(help="test, test-ood or train.")] = "test",
    lifetimes: Annotated[int, typer.Option(help="How many, numbered from 0.")] = 1000,
    json: Annotated[str | None, typer.Option(help="Write the card here; - prints it and nothing else.")] = None,
    deterministic: Annotated[bool, typer.Option(help="Take the most probable action.")] = True,
    controls: Annotated[
        str, typer.Option(help="Comma-separated: state_reset, sampled, adaptation_zeroed, reward_shuffled ...")
    ] = "state_reset",
    env_kwargs: EnvKwargs = [],  # noqa: B006
    seed: Annotated[int, typer.Option(help="Seed of sampled actions.")] = 0,
    slots: Annotated[int, typer.Option(help="Lifetimes side by side; changes the speed only.")] = 250,
) -> None:
    """Make a card: fixed lifetimes, references, and the same agent with its state wiped after each trial."""
    from lsnn_rl.agents.adapters import agent_and_world, name_of
    from lsnn_rl.agents.evaluate import evaluate as evaluate_agent

    with redirect_stdout(sys.stderr):  # whatever a library prints, standard output carries the card alone
        actor, env_id, own = agent_and_world(agent, env, _key_values(env_kwargs))
        with _share_bar() as report:
            card = evaluate_agent(
                actor,
                env_id,
                split,
                lifetimes,
                deterministic,
                [name for name in controls.split(",") if name],
                own,
                slots=slots,
                seed=seed,
                name=name_of(agent),
                on_progress=report,
            )
    if json == "-":
        print(card.to_json())
        return
    _print_table(card)
    if json is not None:
        _say(f"Written to {card.save(json)}.")


@zoo.command()
@app.command()
def enjoy(
    what: Annotated[str, typer.Argument(help="A run folder, a zoo name, or a world's id.")],
    agent: Annotated[str | None, typer.Option(help="Who acts in the world, by name.")] = None,
    beside: Annotated[str | None, typer.Option(help="Another agent, shown in the same lifetimes.")] = None,
    play: Annotated[bool, typer.Option("--play", help="You act: arrow keys, WASD, digits or the mouse.")] = False,
    film: Annotated[Path | None, typer.Option("--record", help="Write a .gif or .mp4 instead of a window.")] = None,
    card: Annotated[Path | None, typer.Option(help="With --play: keep your card in this file.")] = None,
    brain: Annotated[
        bool, typer.Option("--brain/--world", help="Show spikes and thresholds, or the world only.")
    ] = True,
    split: Annotated[str, typer.Option(help="test, test-ood or train.")] = "test",
    lifetime: Annotated[int, typer.Option(help="Number of the (first) lifetime.")] = 0,
    lifetimes: Annotated[
        int | None, typer.Option(help="How many to show or play; until the window closes if not given.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Length of the film.")] = 10.0,
    fps: Annotated[int, typer.Option(help="Pictures per second in the window.")] = 30,
    env_kwargs: EnvKwargs = [],  # noqa: B006
) -> None:
    """Watch an agent think in its world, film it, or play yourself."""
    from lsnn_rl.agents import enjoy as theatre
    from lsnn_rl.agents.adapters import world_and_agent

    env_id, kwargs, actor = world_and_agent(what, agent, _key_values(env_kwargs))
    if play and film is not None:
        raise BadValue("--play is for you at the keys and --record films an agent. Leave one of the two out.")
    if play:
        from lsnn_rl.agents import play as stage

        _say(stage.HELP)
        played = stage.play(env_id, kwargs, split, fps, lifetimes, say=_say)
        if played is None:
            _say("No lifetime was lived to its end, so there is no card.")
            return
        _print_table(played)
        if card is not None:
            stage.save_card(played, card, _say)
        return
    actors = [actor] if beside is None else [actor, beside]
    if film is not None:
        made = theatre.record(actors, env_id, film, kwargs, split, lifetime, seconds, brain=brain)
        _say(f"Written to {made}.")
    else:
        theatre.watch(actors, env_id, kwargs, split, lifetime, fps, lifetimes, brain, _say)


@app.command()
def plot(
    places: Annotated[
        list[str] | None, typer.Argument(help="card.json files, run folders or agents; nothing lists the kinds.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The figure: .png, .pdf or .svg; KIND.png if not given.")] = None,
    kind: Annotated[str, typer.Option(help="What to draw; without PLACES, all kinds are listed.")] = "adaptation",
    title: Annotated[str | None, typer.Option(help="A title of your own.")] = None,
    order: Annotated[str | None, typer.Option(help="Of a raster's cells: 'first spike' or place.")] = None,
    tag: Annotated[str | None, typer.Option(help="Of a learning curve, for example rollout/ep_rew_mean.")] = None,
    function: Annotated[int | None, typer.Option(help="Of beliefs: number of a test function.")] = None,
) -> None:
    """Draw a figure: of cards, of training logs, or of an agent that is woken for it."""
    from lsnn_rl.agents import figures

    if not places:
        print(figures.listing())
        return
    given = ("order", order), ("tag", tag), ("function", function)
    options = {name: value for name, value in given if value is not None}
    figure = figures.draw(kind, places, title, **options)
    file = out or Path(f"{kind}.png")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=200)
    _say(f"Written to {file}.")


@app.command()
def push(
    agent: Annotated[str, typer.Argument(help="A run folder, a saved agent or a zoo name.")],
    repo_id: Annotated[str, typer.Argument(help="user/name on the Hugging Face hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
) -> None:
    """Publish an agent on the Hugging Face hub: two files that hold no code, and a page."""
    from lsnn_rl.agents.hub import PREFIX, push_agent

    address = push_agent(agent, repo_id, private=private)
    _say(f"Published at {address}. Watch it: lsnn-rl enjoy {PREFIX}{repo_id.removeprefix(PREFIX)}")


@app.command()
def surgery(
    agent: Annotated[str, typer.Argument(help="A run folder or a zoo name.")] = "LSNNArena-v0/lsnn",
    pairs: Annotated[int, typer.Option(help="Test lifetimes, each once the host of a transplant.")] = 200,
    json: Annotated[Path | None, typer.Option(help="Write the shares with intervals here.")] = None,
    out: Annotated[Path | None, typer.Option(help="Draw the figure here: .png, .pdf or .svg.")] = None,
    delay: Annotated[int, typer.Option(help="Steps after a reward at which states are taken.")] = 10,
    seed: Annotated[int, typer.Option(help="Of who is paired with whom.")] = 0,
) -> None:
    """Which part of an agent's state is its memory? Move it into another lifetime, and see whose goal is visited."""
    from lsnn_rl.agents import figures
    from lsnn_rl.agents.adapters import agent_and_world
    from lsnn_rl.agents.surgery import operate, table

    _, env_id, kwargs = agent_and_world(agent)
    with _share_bar() as report:
        found = operate(agent, env_id, kwargs, pairs=pairs, delay=delay, seed=seed, on_progress=report)
    print(table(found.card))
    if json is not None:
        _say(f"Written to {found.card.save(json)}.")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        figures.surgery(found).savefig(out, dpi=200)
        _say(f"Written to {out}.")


@app.command()
def demo(
    minutes: Annotated[float, typer.Option(help="Time to train.")] = 10.0,
    recipe: Annotated[str, typer.Option(help="What to train.")] = "LSNNArena-v0/lsnn_direct",
    folder: Annotated[Path, typer.Option(help="Where everything goes; an earlier demo there is replaced.")] = Path(
        "runs/demo"
    ),
    lifetimes: Annotated[int, typer.Option(help="Test lifetimes.")] = 500,
    seed: Annotated[int | None, typer.Option(help="Seed of weights, worlds and actions.")] = None,
) -> None:
    """Train a spiking agent, evaluate it against the references and its own amnesia, draw and film it."""
    from lsnn_rl.agents import training
    from lsnn_rl.agents.demo import run_demo

    changes = [f"train.minutes={minutes}", f"test.lifetimes={lifetimes}", *_given("train.seed", seed)]
    try:
        card = run_demo(recipe, changes, folder, _say)
    except training.Interrupted as stopped:
        _say(f"\n{stopped}")  # below the bar that was left standing
        raise typer.Exit(130) from None
    _print_table(card)
    _say(f"Written to {folder}: agent, card.json, adaptation.png, lifetime.gif. Watch it: lsnn-rl enjoy {folder}")
    from lsnn_rl.agents.window import display_at_hand

    if sys.stdin.isatty() and display_at_hand() and typer.confirm("Watch it live now?", default=True):
        enjoy(str(folder))


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from lsnn_rl import __version__

        print(__version__)
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a mistake we can explain is printed, not traced."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="lsnn-rl")
    except LSNNError as mistake:
        print(f"lsnn-rl: {mistake}", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as refusal:  # of the system: no such folder, no right to write, no room
        if refusal.filename is None:
            raise
        where = f"{refusal.filename}: {refusal.strerror}"
        print(f"lsnn-rl: {where}. Give another path, or make room there.", file=sys.stderr)
        raise SystemExit(2) from None


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _given(key: str, value: object) -> list[str]:
    return [] if value is None else [f"{key}={value}"]


def _new_folder(env_id: str, cell: str) -> Path:
    return Path("runs") / env_id / f"{cell}-{datetime.now():%Y%m%d-%H%M%S}"


def _key_values(pairs: Sequence[str]) -> dict[str, Any]:
    """Settings written key=value, values read as YAML."""
    from lsnn_rl.settings import read_value

    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise BadValue(f"--env-kwarg {pair} sets nothing. Write key=value, for example teleport=same_step.")
        settings[key] = read_value(value, key)
    return settings


def _share_bar() -> Any:
    from lsnn_rl.agents.training import share_bar

    return share_bar(sys.stderr.isatty())


def _print_table(card: Any) -> None:
    """The card as a table: the agent, the same agent hampered, and the references."""
    from rich.console import Console
    from rich.table import Table

    from lsnn_rl.agents.cards import decimals

    digits = decimals([card["score"]["mean"], *(card["references"] or {}).values()])  # as in the tables of the zoo
    of = card["score"]["of"]
    references = card["references"] or {}
    lived, each = ("lifetimes", "lifetime") if card["split_hash"] else ("episodes", "episode")
    table = Table(title=f"{card['env']}, {card['lifetimes']} {card['split']} {lived}", title_justify="left")
    table.add_column("agent", no_wrap=True, overflow="ignore")
    for heading in (f"{of} per {each}", "95 % interval", *(["amnesic 0, best known 1"] if references else [])):
        table.add_column(heading, justify="right")
    rows = [(card["agent"], card["score"], card["normalized"], "bold")]
    rows += [
        (f"  {name.replace('_', ' ')}", entry, entry["normalized"], "") for name, entry in card["controls"].items()
    ]
    for name, entry, normalized, style in rows:
        low, high = entry["ci95"]
        share = [] if normalized is None else [f"{normalized['mean']:.2f}"]
        interval = f"{low:.{digits}f} to {high:.{digits}f}"
        table.add_row(name, f"{entry['mean']:.{digits}f}", interval, *share, style=style)
    for name, value in references.items():
        table.add_row(f"reference: {name.replace('_', ' ')}", f"{value:.{digits}f}", style="dim")
    Console().print(table)
    if card["claims"]["uses_memory"] is not None:
        print("Uses memory: " + ("yes" if card["claims"]["uses_memory"] else "not shown"))


if __name__ == "__main__":
    main()
