"""The table of results says what the cards say, and the cards say what the shipped networks do."""

from pathlib import Path

import pytest
from safetensors.torch import load_file

from lsnn_rl.pretrain.loop import Training
from lsnn_rl.pretrain.recipe import read_recipe, zoo
from lsnn_rl.pretrain.results import BEGIN, END, cards_in, row, table

ROOT = Path(__file__).resolve().parent.parent


def card(**changes):
    own = {"task": "smnist", "recipe": "ours", "cell": "lsnn", "measure": "accuracy", "seed": 0, "rate_hz": 10.0}
    own |= {"test": {"mean": 0.5, "ci95": [0.4, 0.6], "answers": 100}, "wall_s": 60.0, "command": "lsnn-rl pretrain"}
    return own | {"parameters": {"all": 100, "active": 12}} | changes


def test_the_table_of_the_document_is_the_one_the_cards_give():
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")

    assert text.split(BEGIN)[1].split(END)[0].strip() == table(cards_in())


def test_three_seeds_get_student_s_interval_over_seeds():
    scores = [{"mean": mean, "ci95": [0.0, 1.0], "answers": 100} for mean in (0.4, 0.5, 0.6)]

    cells = row([card(test=test, seed=seed) for seed, test in enumerate(scores)])

    assert cells[3:6] == ["accuracy 50.0 %", "25.2 to 74.8", "3"]  # 0.1 / sqrt(3) * 4.303 on either side


def test_one_seed_is_not_passed_off_as_more():
    assert row([card()])[4:6] == ["40.0 to 60.0 (answers)", "1"]


def test_no_card_names_a_folder_of_the_machine_it_was_made_on():
    for file in zoo().glob("*/*/card*.json"):
        text = file.read_text(encoding="utf-8")
        assert "/home/" not in text and "/tmp/" not in text and "/root/" not in text, file


@pytest.mark.parametrize("name", ["store_recall/quiet", "evidence/paper"])
def test_a_shipped_network_does_what_its_card_says(name):
    (own,) = [c for c in cards_in() if f"{c['task']}/{c['recipe']}" == name and c["cell"] == "lsnn" and c["seed"] == 0]
    training = Training(read_recipe(zoo() / name))
    training.model.load_state_dict(load_file(zoo() / name / "network.safetensors"))

    scores, _ = training.judge("validation")

    # spikes flip on processors that round differently, so a few of the answers may differ
    assert float(scores.mean()) == pytest.approx(own["validation"]["best"], abs=0.02)
