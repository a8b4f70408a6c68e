"""The pages of the zoo say what its cards say. Expected values: cards made by hand, Student's table, the papers."""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest
import typer

import lsnn_rl.cli as cli
from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.figures.zoo import BANDITS, has_curve, of_world, popgym_bandits, together
from lsnn_rl.agents.popgym_scores import PUBLISHED
from lsnn_rl.agents.zoo_pages import PICTURES, popgym, redrawn, short, supervised, targets, world_table, worlds
from lsnn_rl.agents.zoo_rows import Row, find_row, rows
from lsnn_rl.agents.zoo_targets import Target, compared
from lsnn_rl.envs.references import reference_scores
from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.errors import BrokenFile, UnknownName

ROOT = Path(__file__).resolve().parent.parent
ARENA, EASY = "LSNNArena-v0", BANDITS["Easy"]


def pages():
    spec = importlib.util.spec_from_file_location("make_results", ROOT / "scripts" / "make_results.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script.PAGES


def arena_card(goals: float, seed: int = 0, wiped: float | None = 15.0, **changes) -> dict:
    curve = {"bin_steps": 100, "mean": [1.0, 2.0], "low": [0.9, 1.9], "high": [1.1, 2.1]}
    card = {"schema": 1, "env": ARENA, "env_kwargs": {}, "env_hash": "1", "split": "test", "lifetimes": 100}
    card |= {"score": {"of": "goals", "mean": goals, "ci95": [goals - 0.5, goals + 0.5]}, "curve": curve}
    card |= {"references": reference_scores(ARENA, "test"), "controls": {}}
    share = (goals - 22.22) / (52.73 - 22.22)
    card |= {"normalized": {"mean": share, "ci95": [share, share]}}
    card |= {"training": {"seed": seed, "env_steps": 2_000_000, "minutes": 3.0}}
    if wiped is not None:
        card["controls"] = {"state_reset": {"mean": wiped, "ci95": [wiped, wiped], "curve": curve}}
    return card | changes


def popgym_card(greedy: float, seed: int = 0, mmer: float | None = None, env_id: str = EASY) -> dict:
    entry = {"mean": greedy, "ci95": [greedy - 0.01, greedy + 0.01]}
    curve = {"of": "goals per 100 steps", "bin_steps": 10, "mean": [0.0], "low": [0.0], "high": [0.0]}
    training = {"seed": seed, "env_steps": 15_000_000, "minutes": 10.0} | ({} if mmer is None else {"mmer": mmer})
    return {"env": env_id, "score": {"of": "return", **entry}, "return": entry, "curve": curve, "training": training}


@pytest.fixture
def zoo(tmp_path):
    """A zoo of one's own: `zoo("LSNNArena-v0/gru", {"card.json": card})` fills it and gives its rows."""

    def fill(name: str, cards: dict[str, dict], recipe: str = "# A recipe.\npolicy: {cell: gru}\n") -> list[Row]:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "recipe.yml").write_text(recipe)
        for file, card in cards.items():
            (folder / file).write_text(json.dumps(card))
        return rows(tmp_path)

    return fill


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "|" in line]


def column(table: str, agent: str) -> dict[str, str]:
    head, _, *lines = cells(table)
    (found,) = [line for line in lines if agent in (line[0], line[1])]
    return dict(zip(head, found, strict=True))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_page_is_the_one_that_the_cards_give(page):
    text = page.read_text(encoding="utf-8")

    assert redrawn(text, rows(), {file.stem for file in (ROOT / "docs" / PICTURES).glob("*.png")}) == text
    assert text.count("<!-- drawn from the cards:") == text.count("<!-- end -->") >= 3


def test_every_world_with_curves_has_its_figure_and_no_picture_is_left_over():
    drawn = {file.stem for file in (ROOT / "docs" / PICTURES).glob("*.png")}
    with_curves = {r.place for r in rows() if r.place in WORLDS and r.cards and not r.variant and has_curve(r.cards[0])}

    assert drawn == with_curves | {"popgym"}
    assert all(file.stat().st_size < 150_000 for file in (ROOT / "docs" / PICTURES).glob("*.png"))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_command_of_a_page_parses(page):
    root = typer.main.get_command(cli.app)
    commands = set(re.findall(r"`(lsnn-rl [^`]+)`", page.read_text(encoding="utf-8")))
    commands |= {line.partition("#")[0] for line in re.findall(r"^lsnn-rl .+$", page.read_text(), flags=re.MULTILINE)}

    assert len(commands) > 5
    names = {row.name for row in rows()}
    for words in map(shlex.split, commands):
        command, context, words = root, None, words[1:]
        while hasattr(command, "commands"):
            name, command, words = command.resolve_command(root.make_context("lsnn-rl", words), words)
        context = command.make_context(name, list(words))  # raises for an option or argument it does not have
        if words[:1] and "name" in context.params:
            assert words[0] in names


def test_the_file_of_a_card_says_its_row_and_its_seed(zoo):
    cards = {"card.json": arena_card(40.0), "card-seed2.json": arena_card(42.0, 2)}
    found = zoo(f"{ARENA}/lsnn", cards | {"card-demo-seed1.json": arena_card(30.0, 1)})

    assert [(row.name, row.seeds, row.shipped_seed) for row in found] == [
        (f"{ARENA}/lsnn", [0, 2], 0),
        (f"{ARENA}/lsnn:demo", [1], None),
    ]


def test_two_seeds_get_student_s_interval_over_seeds_and_one_keeps_its_own_over_lifetimes(zoo):
    zoo(f"{ARENA}/gru", {"card.json": arena_card(50.0), "card-seed1.json": arena_card(52.0, 1)})
    table = world_table(zoo(f"{ARENA}/lsnn", {"card.json": arena_card(45.0)}))

    assert column(table, "**gru**")["95 % interval"] == "38.3 to 63.7"  # 51 +- 12.706 * sqrt(2) / sqrt(2)
    assert column(table, "**gru**")["seeds"] == "2" and column(table, "**lsnn**")["seeds"] == "1"
    assert column(table, "**lsnn**")["95 % interval"] == "44.5 to 45.5 (lifetimes)"


def test_classical_players_stand_among_the_agents_by_their_score(zoo):
    table = world_table(zoo(f"{ARENA}/lsnn", {"card.json": arena_card(45.0)}))

    names = [line[0] for line in cells(table)[2:]]
    assert names[0] == "oracle" and names.index("sweep remember (best known)") < names.index("**lsnn**")
    assert names.index("**lsnn**") < names.index("sweep amnesic (amnesic)")
    assert column(table, "**lsnn**")["normalised"] == "0.75"  # (45 - 22.22) / (52.73 - 22.22)


def test_a_card_with_hardly_anything_in_it_leaves_cells_empty_and_breaks_nothing(zoo):
    bare = {"env": ARENA, "score": {"of": "goals", "mean": 45.0, "ci95": [44.5, 45.5]}}
    found = zoo(f"{ARENA}/lsnn", {"card.json": bare})

    assert "minutes" not in cells(world_table(found))[0]
    assert "**45.0**" in worlds(found, set()) and "no agent yet" in targets(found)
    assert of_world(found) is None
    assert "recipe only" not in short(found)


def test_a_half_written_card_is_named(zoo, tmp_path):
    zoo(f"{ARENA}/lsnn", {})
    (tmp_path / ARENA / "lsnn" / "card.json").write_text("{")

    with pytest.raises(BrokenFile, match="zoo reproduce LSNNArena-v0/lsnn"):
        rows(tmp_path)


def test_a_missed_target_is_told_and_a_reached_one_too(zoo):
    missed = zoo(f"{ARENA}/lsnn", {"card.json": arena_card(48.0)})
    assert "found" in targets(missed).splitlines()[0] and "0.845 (1 seed) | **missed**" in targets(missed)

    reached = zoo(f"{ARENA}/lsnn", {"card.json": arena_card(48.5)})
    assert "0.861 (1 seed) | reached" in targets(reached)


def test_regret_is_counted_in_units_of_the_best_known_players_and_less_is_better():
    known = reference_scores("LSNNGPBandit-v0", "test")
    lost = known["oracle"] - known["best_known"]
    card = arena_card(known["oracle"] - 2 * lost, env="LSNNGPBandit-v0")
    row = Row("LSNNGPBandit-v0/lsnn", Path(), (card,))

    assert Target("regret", 1.3).measure(row) == pytest.approx(2.0)
    assert Target("regret", 1.3).reached(row) is False and Target("regret", 2.5).reached(row) is True


def test_the_spiking_agent_is_compared_with_its_controls_by_intervals():
    def row(agent, goals):
        return Row(f"{ARENA}/{agent}", Path(), (arena_card(goals),))

    sentences = compared([row("lsnn", 45.0), row("lstm", 45.9), row("lif", 20.0), row("gru", 48.0)])

    assert sentences == [
        "within the interval of the LSTM",
        "clearly below the GRU",
        "clearly above the network without adaptation",
        "clearly above itself with its state wiped after every trial",
    ]


def test_a_control_is_as_good_as_its_best_row():
    def row(agent, goals):
        return Row(f"{ARENA}/{agent}", Path(), (arena_card(goals),))

    assert compared([row("lsnn", 45.0), row("gru", 20.0), row("gru:longer", 48.0)])[0] == "clearly below the GRU"


def test_the_curve_of_several_seeds_is_their_mean_and_of_two_the_band_is_the_span_of_theirs():
    one, two = arena_card(40.0), arena_card(42.0, 1)
    two["curve"] = {"bin_steps": 100, "mean": [3.0, 4.0], "low": [2.9, 3.9], "high": [3.1, 4.1]}

    card = together([one, two], "lsnn")

    assert card["curve"]["mean"] == [2.0, 3.0]
    assert card["curve"]["low"] == [0.9, 1.9] and card["curve"]["high"] == [3.1, 4.1]
    assert one["curve"]["mean"] == [1.0, 2.0]


def test_a_world_s_figure_names_its_own_best_known_player(zoo):
    zoo(f"{ARENA}/gru", {"card.json": arena_card(50.0)})
    figure = of_world(zoo(f"{ARENA}/lsnn", {"card.json": arena_card(45.0), "card-seed1.json": arena_card(46.0, 1)}))

    said = {text.get_text() for text in figure.axes[0].texts}
    assert {"lsnn", "gru", "its state wiped after each goal", "best known: sweep remember", "oracle"} <= said
    assert figure.axes[0].get_title(loc="left") == "LSNNArena-v0: 100 test lifetimes, 1 to 2 seeds"


def test_a_world_s_figure_shows_the_best_row_of_each_control(zoo):
    zoo(f"{ARENA}/lif", {"card.json": arena_card(39.0), "card-direct.json": arena_card(48.0)})
    figure = of_world(zoo(f"{ARENA}/lsnn", {"card.json": arena_card(49.0)}))

    said = {text.get_text() for text in figure.axes[0].texts}
    assert "lif:direct" in said and "lif" not in said


@pytest.mark.parametrize("seeds", [0, 1, 3])
def test_popgym_s_bars_show_what_was_published_and_ours_from_however_many_seeds(zoo, seeds):
    names = ["card.json", "card-seed1.json", "card-seed2.json"][:seeds]
    cards = {name: popgym_card(0.70 + 0.01 * seed, seed, 0.65) for seed, name in enumerate(names)}

    figure = popgym_bandits(zoo(f"{EASY}/lsnn", cards))

    heights = [round(bar.get_height(), 3) for bar in figure.axes[0].patches]
    published = [number for env_id in BANDITS.values() for number in PUBLISHED[env_id][:2]]
    assert sorted(heights) == sorted(published + [0.65] * (seeds > 0))


def test_where_no_mmer_was_kept_the_bar_is_the_greedy_return_and_pale(zoo):
    figure = popgym_bandits(zoo(f"{EASY}/lsnn", {"card.json": popgym_card(0.7)}))

    (bar,) = [bar for bar in figure.axes[0].patches if round(bar.get_height(), 3) == 0.7]
    assert bar.get_alpha() == 0.5


def test_popgym_s_table_sets_our_score_beside_the_published_ones(zoo):
    cards = {"card.json": popgym_card(0.70, 0, 0.66), "card-seed1.json": popgym_card(0.72, 1, 0.68)}
    table = popgym(zoo(f"{EASY}/lsnn", cards))

    ours = column(table, "**lsnn**")
    assert ours["MMER"] == "**0.670**" and ours["greedy return"] == "**0.710**" and ours["steps"] == "15.0 M"
    assert [line[3] for line in cells(table) if line[0] == EASY][:2] == ["0.631", "0.619"]
    assert table.endswith("By MMER our LSNN beside the best of the 13: Easy 0.670, above 0.631.")


def supervised_row(*scores: dict, **changes) -> Row:
    card = {"task": "smnist", "recipe": "ours", "cell": "lsnn", "measure": "accuracy", "rate_hz": 10.0, "wall_s": 60.0}
    card |= {"parameters": {"all": 100, "active": 12}, "iterations": 5} | changes
    return Row("smnist/ours", Path(), tuple(card | {"test": s, "seed": n} for n, s in enumerate(scores)), True)


def test_three_seeds_of_a_task_get_student_s_interval_over_seeds():
    row = supervised_row(*({"mean": mean, "ci95": [0.0, 1.0]} for mean in (0.4, 0.5, 0.6)))

    found = column(supervised([row]), "smnist")

    assert (found["test"], found["seeds"]) == ("accuracy 50.0 %", "3")
    assert found["95 % interval"] == "25.2 % to 74.8 %"  # 0.1 / sqrt(3) * 4.303 on either side
    assert found["paper"].startswith("94.2") and found["synapses"] == "12 of 100"


def test_one_seed_of_a_task_is_not_passed_off_as_more():
    found = column(supervised([supervised_row({"mean": 0.5, "ci95": [0.4, 0.6]})]), "smnist")

    assert (found["95 % interval"], found["seeds"]) == ("40.0 % to 60.0 % (answers)", "1")


def test_the_interval_of_a_share_ends_where_shares_end():
    row = supervised_row(*({"mean": mean, "ci95": [0.0, 1.0]} for mean in (0.0, 1.0)))

    assert (row.score.low, row.score.high) == (0.0, 1.0)


def test_a_misspelt_row_is_answered_with_the_nearest():
    assert find_row("LSNNArena-v0").name == find_row("zoo/LSNNArena-v0/lsnn").name == "LSNNArena-v0/lsnn"
    assert find_row("zoo/pretrained/store_recall/paper:lif").name == "store_recall/paper:lif"
    with pytest.raises(UnknownName, match="Did you mean 'store_recall/paper'"):
        find_row("store_recal/paper")


def test_no_card_names_a_folder_of_the_machine_it_was_made_on():
    for row in rows():
        text = json.dumps([{k: v for k, v in card.items() if k != "_file"} for card in row.cards])
        assert "/home/" not in text and "/tmp/" not in text and "/root/" not in text, row.name


def test_a_card_of_an_agent_can_be_read_by_the_other_tools():
    for row in rows():
        if row.cards and not row.supervised:
            assert Card.load(row.folder / row.cards[0]["_file"])["env"] == row.place


def test_a_target_is_judged_by_the_world_s_best_lsnn_and_says_which_that_is():
    longer, plain = find_row("LSNNBernoulliBandit-v0/lsnn_long"), find_row("LSNNBernoulliBandit-v0/lsnn")
    assert longer.score.mean > plain.score.mean

    (line,) = [line for line in targets(rows()).splitlines() if line.startswith("| LSNNBernoulliBandit-v0")]

    assert line.startswith("| LSNNBernoulliBandit-v0 (`lsnn_long`) |") and f"({len(longer.cards)} seeds)" in line
