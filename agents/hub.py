"""Agents on the Hugging Face hub: the two files of a saved agent, with a page that says what they are.

    push_agent("runs/mine", "user/name")        load_agent("hf:user/name")        lsnn-rl evaluate hf:user/name

What is pulled is checked as any folder is: a checksum, safetensors and JSON, and no code is run. Files of other kinds
are neither pushed nor fetched, whatever lies beside them.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from lsnn_rl.agents.sharing import CARD, WEIGHTS, find_agent, load_agent, save_agent
from lsnn_rl.errors import BadValue, MissingFile, missing_package

PREFIX = "hf:"
PAGE, SCORES = "README.md", "card.json"


def push_agent(
    agent: Any,
    repo_id: str,
    *,
    private: bool = False,
    message: str = "Push an agent",
    token: str | None = None,
) -> str:
    """Publish an agent; its repository is made if there is none.

    Args:
        agent: a model or policy, or whatever `load_agent` takes: a folder, a run folder, a zoo name.
        repo_id: "user/name", with or without "hf:" in front.
        private: for a new repository.
        message: of the commit.
        token: of the hub; the one from `hf auth login` if not given.
    Returns: the address of the repository.
    Raises: MissingPackage; MissingFile or BrokenFile for an agent that cannot be loaded; BadValue if the hub refuses.
    """
    hub = _hub()
    repo_id = repo_id.removeprefix(PREFIX)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "agent"
        if isinstance(agent, str | Path):
            _copy(find_agent(agent), folder)
        else:
            save_agent(agent, folder)
        load_agent(folder)  # what nobody could load is not published
        (folder / PAGE).write_text(page(folder, repo_id), encoding="utf-8")
        try:
            api = hub.HfApi(token=token)
            address = api.create_repo(repo_id, private=private, exist_ok=True)
            api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=message)
        except (OSError, ValueError) as problem:  # huggingface_hub's errors are both, whatever its version
            raise BadValue(
                f"The agent could not be pushed to {repo_id}: {_first_line(problem)}. Names are user/name; log in with "
                "`hf auth login`, or pass token=..."
            ) from problem
    return str(address)


def fetch_agent(where: str) -> Path:
    """The folder of an agent on the hub, fetched if it is not in huggingface_hub's cache.

    Args: where: "hf:user/name", or "hf:user/name@revision" for a branch, tag or commit.
    Raises: MissingPackage; MissingFile if there is none, or no way to reach it.
    """
    repo_id, _, revision = where.removeprefix(PREFIX).partition("@")
    try:
        folder = _hub().snapshot_download(repo_id, revision=revision or None, allow_patterns=[CARD, WEIGHTS, SCORES])
    except (OSError, ValueError) as problem:
        raise MissingFile(
            f"There is no agent at {where}: {_first_line(problem)}. Write hf:user/name; for a private one log in "
            "first: hf auth login."
        ) from problem
    return Path(folder)


def page(folder: Path, repo_id: str) -> str:
    """What a visitor of the repository reads: what it is, how well it does if a card lies beside it, how to run it."""
    about = json.loads((folder / CARD).read_text(encoding="utf-8"))
    env_id = about["env"]["id"] or "an unnamed world"
    cell = about["policy_kwargs"].get("cell", "lstm")
    lines = [
        "---",
        "library_name: lsnn-rl",
        "tags:",
        "- reinforcement-learning",
        "- spiking-neural-network",
        "- lsnn-rl",
    ]
    lines += [f"- {json.dumps(env_id)}", "---", "", f"# {cell} in {env_id}", ""]
    if (folder / SCORES).is_file():
        scores = json.loads((folder / SCORES).read_text(encoding="utf-8"))
        low, high = scores["score"]["ci95"]
        lines += [
            f"{scores['score']['of'].capitalize()} per lifetime: {scores['score']['mean']:.2f} "
            f"(95 % interval {low:.2f} to {high:.2f}, {scores['lifetimes']} {scores['split']} lifetimes).",
            "",
        ]
    lines += [
        "```bash",
        f"lsnn-rl enjoy {PREFIX}{repo_id}",
        f"lsnn-rl evaluate {PREFIX}{repo_id}",
        "```",
        "```python",
        "from lsnn_rl import load_agent",
        f'agent = load_agent("{PREFIX}{repo_id}")',
        "```",
        "",
        "Weights are safetensors, the rest is JSON: loading runs no code.",
    ]
    return "\n".join(lines) + "\n"


def _copy(source: Path, target: Path) -> None:
    """The files that make an agent, and its card from beside it, or from the folder above in a run and in the zoo."""
    target.mkdir()
    for name in (CARD, WEIGHTS):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    above = source.parent / SCORES if source.name == "agent" else source / SCORES
    for scores in (source / SCORES, above):
        if scores.is_file():
            shutil.copyfile(scores, target / SCORES)


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as problem:
        raise missing_package("huggingface_hub", "hub", "Agents on the Hugging Face hub") from problem
    return huggingface_hub


def _first_line(problem: Exception) -> str:
    return next(
        (line.strip().rstrip(".") for line in str(problem).splitlines() if line.strip()), type(problem).__name__
    )
