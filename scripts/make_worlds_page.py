"""Write docs/worlds.md: every world as its own docstring describes it, with a picture, reference scores and speed.

Pictures show the best known classical agent two thirds through a test lifetime. Scores come from envs/references.json,
speeds from docs/envs-benchmark.json (`lsnn-rl benchmark envs --json docs/envs-benchmark.json`).
"""

import inspect
import json
import re
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import typer
from PIL import Image

import lsnn_rl
from lsnn_rl.agents.classical import classical_names, roles_of
from lsnn_rl.agents.enjoy import performances
from lsnn_rl.envs.references import NAMES, reference_row
from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.envs.task import LifetimeTask, load_task

DOCS = Path(__file__).resolve().parent.parent / "docs"
PICTURES = DOCS / "pictures" / "worlds"
BENCHMARK = DOCS / "envs-benchmark.json"
WIDTH = 720  # of a picture, pixels

INTRODUCTION = """\
# The worlds

Every world is played in lifetimes: something hidden stays the same for one lifetime (or changes by a rule), and must
be found out and remembered within it. All ids work in `gymnasium.make` and, natively vectorised, in
`gymnasium.make_vec`, with `split="train" | "test" | "test-ood"`. Each carries its floor and its ceiling: what chance
earns, what the best agent without memory of its lifetime earns, the best known strategy (the exact optimum where it can
be computed), and an agent that knows what is hidden. All of them are agents: `lsnn-rl evaluate AGENT --env ID`,
`lsnn-rl enjoy ID --agent AGENT`. Play yourself: `lsnn-rl enjoy ID --play`. `steps=500`
makes lifetimes of another length (`max_episode_steps` of `gymnasium.make` would only cut them off, behind the rules'
back). A world of your own is [one class and one line](new_world.md).

This page is made by `python scripts/make_worlds_page.py` from the docstrings, `envs/references.json` and
`docs/envs-benchmark.json`.
"""
SPEED = """\
Steps per second of all lifetimes together, one core of {processor}, CPU time. *Times Sync*: against Gymnasium's
SyncVectorEnv around the same worlds. *Network*: how many times longer a spiking network of 200 cells takes to act for
as many lifetimes; below 1 the world is what one waits for."""
HEADINGS = (
    "world",
    "one environment, µs a step",
    "N = 1",
    "N = 64",
    "N = 1024",
    "times Sync (1024)",
    "times gymnax (1024)",
    "network (1024)",
)


def sections(rules: type[LifetimeTask]) -> dict[str, str]:
    """Heading -> text of a docstring; what stands before the first heading is called ""."""
    parts = re.split(r"^## (.+)$", inspect.getdoc(rules) or "", flags=re.MULTILINE)
    return {"": parts[0].strip()} | {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def draw(env_id: str) -> Path:
    """The picture of a world."""
    agent = roles_of(env_id)["best_known"]
    show = performances([agent], env_id)(0)[0]
    for _ in range(max(1, 2 * show.task.steps // 3)):
        show.step()
    from lsnn_rl.agents.brain_view import BrainView

    image = Image.fromarray(BrainView(brain=False).image([show], show.steps))
    show.close()
    image = image.resize((WIDTH, round(WIDTH * image.height / image.width)), Image.Resampling.LANCZOS)
    file = PICTURES / f"{env_id}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    image.quantize(96, dither=Image.Dither.NONE).save(file, optimize=True)
    return file


def number(value: float) -> str:
    """Three digits are enough for a table."""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def score_table(env_id: str) -> str:
    """Reference scores, with intervals, of the splits that were measured."""
    lines = ["| who | agent | test | test-ood |", "|---|---|---|---|"]
    rows = {split: reference_row(env_id, split) for split in ("test", "test-ood")}
    names = {"random": "chance", "amnesic": "no memory", "best_known": "best known", "oracle": "knows what is hidden"}

    def cell(entry: dict[str, Any] | None) -> str:
        return (
            ""
            if entry is None
            else f"{number(entry['mean'])} ({number(entry['ci95'][0])} to {number(entry['ci95'][1])})"
        )

    for name in NAMES:
        found = {split: row and row["scores"][name] for split, row in rows.items()}
        lines.append(
            f"| {names[name]} | `{roles_of(env_id)[name]}` | {cell(found['test'])} | {cell(found['test-ood'])} |"
        )
    for agent in classical_names(env_id):
        if agent not in roles_of(env_id).values():
            found = {split: row and row["others"].get(agent) for split, row in rows.items()}
            lines.append(f"| | `{agent}` | {cell(found['test'])} | {cell(found['test-ood'])} |")
    return "\n".join(lines)


def chapter(env_id: str) -> str:
    """Everything about one world."""
    rules = load_task(WORLDS[env_id][0])
    said, row = sections(rules), reference_row(env_id, "test")
    unit = f"{rules.unit} per lifetime" + (f", {row['lifetimes']} lifetimes" if row else "")
    lines = [f"## {env_id}", said.pop(""), f"![{env_id}](pictures/worlds/{env_id}.png)"]
    lines += [f"**Scores** ({unit}, mean and 95 % interval)", score_table(env_id)]
    for name in (
        "Lifetime",
        "What must be remembered",
        "Action space",
        "Observation space",
        "Rewards",
        "Starting state",
    ):
        if name in said:
            lines += [f"**{name}.** {said.pop(name)}"]
    for name in ("Info", "Reference scores", "Arguments"):
        if name in said:
            lines += [f"<details><summary>{name}</summary>\n\n{said[name]}\n\n</details>"]
    return "\n\n".join(lines)


def speed_table() -> str:
    """Steps per second of every world and of its rivals."""
    if not BENCHMARK.is_file():
        return ""
    result = json.loads(BENCHMARK.read_text())
    table = ["| " + " | ".join(HEADINGS) + " |", "|---" * len(HEADINGS) + "|"]
    for env_id, workload in result["workloads"].items():
        rows = workload["rows"]
        peers = rows["1024"]["peers"]
        cells = [env_id, f"{1e3 * rows['1']['peers']['single']['ms']:.0f}"]
        cells += [f"{rows[n]['steps_per_s']:,.0f}" for n in ("1", "64", "1024")]
        cells += [f"{peers[name]['ratio']:.1f}" if name in peers else "" for name in ("sync", "gymnax", "network")]
        table.append("| " + " | ".join(cells) + " |")
    return "\n\n".join(["## Speed", SPEED.format(**result["machine"]), "\n".join(table)])


def main(pictures: Annotated[bool, typer.Option(help="Draw the pictures again too.")] = True) -> None:
    """Write the page, and the pictures it shows."""
    if pictures:
        for env_id in WORLDS:
            draw(env_id)
    overview = ["| id | what is hidden and what is done | lifetime | actions |", "|---|---|---|---|"]
    for env_id in WORLDS:
        env = gym.make(env_id)
        first = sections(load_task(WORLDS[env_id][0]))[""].split("\n\n")[0].replace("\n", " ")
        steps = env.unwrapped.task.steps  # type: ignore[attr-defined]
        overview.append(f"| [{env_id}](#{env_id.lower()}) | {first} | {steps} steps | {_short(env.action_space)} |")
    parts = [INTRODUCTION, "\n".join(overview), *(chapter(env_id) for env_id in WORLDS), speed_table()]
    (DOCS / "worlds.md").write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    print(f"Wrote {DOCS / 'worlds.md'} for {lsnn_rl.__name__} {lsnn_rl.__version__}")


def _short(space: gym.Space[Any]) -> str:
    if isinstance(space, gym.spaces.Discrete):
        return f"{space.n} choices"
    size = space.shape[0]  # type: ignore[index]
    return "1 number" if size == 1 else f"{size} numbers"


if __name__ == "__main__":
    typer.run(main)
