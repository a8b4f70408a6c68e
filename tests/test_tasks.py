"""Every supervised task keeps the contract, and each deals out what its paper describes."""

import numpy as np
import pytest
import torch

from lsnn_rl.errors import BadValue, UnknownName
from lsnn_rl.tasks import TASKS
from lsnn_rl.tasks.base import cross_entropy, luck, poisson, right
from lsnn_rl.tasks.evidence import Evidence
from lsnn_rl.tasks.store_recall import StoreRecall, answers

SMALL = {  # keywords that make a task quick; a task that needs files is tested in a file of its own
    "store_recall": {"symbols": 6, "symbol_ms": 20.0, "delay": 2.0},
    "evidence": {"cues": 3, "cue_ms": 10.0, "every_ms": 15.0, "delay_ms": 60.0, "decision_ms": 20.0},
}


@pytest.fixture(params=sorted(SMALL))
def task(request):
    return TASKS.get(request.param)(**SMALL[request.param])


def copied(batch):
    return batch._replace(x=batch.x.clone())


def test_the_same_arguments_give_the_same_batch_and_others_another(task):
    first, again = copied(task.batch("train", 5, 3, seed=1)), copied(task.batch("train", 5, 3, seed=1))
    other_index, other_seed = copied(task.batch("train", 5, 4, seed=1)), copied(task.batch("train", 5, 3, seed=2))

    assert torch.equal(first.x, again.x)
    assert torch.equal(first.target, again.target)
    assert not torch.equal(first.x, other_index.x)
    assert not torch.equal(first.x, other_seed.x)


def test_training_validation_and_test_are_dealt_from_different_decks(task):
    x = {split: task.batch(split, 5, 0).x.clone() for split in ("train", "validation", "test")}

    assert not torch.equal(x["train"], x["validation"])
    assert not torch.equal(x["train"], x["test"])
    assert not torch.equal(x["validation"], x["test"])


def test_the_seed_of_a_training_does_not_touch_the_test_split(task):
    assert torch.equal(task.batch("test", 5, 0, seed=1).x.clone(), task.batch("test", 5, 0, seed=2).x)


def test_the_batches_of_a_split_hold_all_its_examples_once(task):
    rows = [batch.x.shape[1] for batch in task.batches("validation", 200)]

    assert sum(rows) == task.size_of("validation")
    assert max(rows) == 200


def test_lines_are_zero_or_one_and_as_many_as_announced(task):
    batch = task.batch("train", 5, 0)

    assert batch.x.shape[1:] == (5, task.inputs)
    assert set(batch.x.unique().tolist()) == {0.0, 1.0}


def test_loss_and_scores_agree_that_a_perfect_readout_is_perfect(task):
    batch = task.batch("train", 16, 0)
    perfect = told(task, batch)

    assert task.loss(perfect, batch) < 0.01
    assert float(task.scores(perfect, batch).mean()) == (1.0 if task.larger_is_better else 0.0)


def test_a_readout_that_says_the_opposite_is_always_wrong(task):
    batch = task.batch("train", 16, 0)
    opposite = -told(task, batch)

    assert task.loss(opposite, batch) > 5
    assert float(task.scores(opposite, batch).mean()) == (0.0 if task.larger_is_better else 1.0)


def told(task, batch):
    """Readouts [T, N, 2] that give the right answer, loudly, whenever it is asked for."""
    target = batch.target if batch.target.dim() == 2 else batch.target[:, None]
    steps = len(batch.x) // target.shape[1]
    loud = 10 * torch.nn.functional.one_hot(target.clamp(min=0), 2).float() - 5  # [N, symbols, 2]
    return loud.transpose(0, 1).repeat_interleave(steps, dim=0)


def test_an_unknown_split_is_answered_with_the_known_ones():
    with pytest.raises(UnknownName, match="train"):
        luck("tests", 0, 0)


def test_poisson_spikes_come_as_often_as_asked_for():
    spikes = poisson(np.random.default_rng(0), 0.05, (1000, 1000))

    assert abs(spikes.mean() - 0.05) < 5 * np.sqrt(0.05 * 0.95 / 1e6)


def test_the_cross_entropy_of_even_logits_is_the_logarithm_of_the_classes():
    assert cross_entropy(torch.zeros(3, 10), torch.tensor([1, 2, 3])).item() == pytest.approx(np.log(10))


def test_right_counts_the_largest_logit():
    assert right(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([1, 1])).tolist() == [1.0, 0.0]


# ---- store-recall ----------------------------------------------------------------------------------------------------


def test_commands_alternate_and_every_sequence_asks_at_least_once():
    _, store, recall = StoreRecall().sequences(500, np.random.default_rng(0))

    assert not (store & recall).any()
    assert recall.any(axis=1).all()
    open_questions = np.cumsum(store, axis=1) - np.cumsum(recall, axis=1)
    assert set(np.unique(open_questions)) == {0, 1}


def test_the_answer_is_the_bit_shown_with_the_last_store():
    bits = np.array([[1, 1, 0, 0, 1, 0]])
    store = np.array([[1, 0, 0, 1, 0, 0]], dtype=bool)
    recall = np.array([[0, 0, 1, 0, 0, 1]], dtype=bool)

    assert answers(bits, store, recall).tolist() == [[-1, -1, 1, -1, -1, 0]]


def test_each_symbol_is_shown_by_its_quarter_of_the_lines_at_fifty_hertz():
    task = StoreRecall()
    batch = task.batch("train", 64, 0)
    bits, store, recall = task.sequences(64, luck("train", 0, 0))

    rates = batch.x.view(12, 200, 64, 4, 25).mean(dim=(1, 4)).permute(1, 0, 2) * 1000  # [N, symbols, group], Hz

    shown = np.stack([(bits == 0) & ~recall, (bits == 1) & ~recall, store, recall], axis=-1)
    assert (rates.numpy()[~shown] == 0).all()
    assert abs(rates.numpy()[shown].mean() - 50) < 1


def test_the_bit_that_is_stored_cannot_be_guessed():
    batch = StoreRecall(symbol_ms=1.0).batch("train", 5000, 0)

    asked = batch.target[batch.target >= 0].float()

    assert abs(asked.mean() - 0.5) < 0.05


def test_a_store_recall_of_one_symbol_is_refused():
    with pytest.raises(BadValue, match="at least 2 symbols"):
        StoreRecall(symbols=1)


# ---- evidence accumulation -------------------------------------------------------------------------------------------


def test_an_example_lasts_2250_ms_and_its_decision_150():
    task = Evidence()

    assert len(task.batch("train", 2, 0).x) == 7 * 150 + 1200
    assert task.decision == 150


def test_the_side_with_more_cues_is_the_right_answer():
    batch = Evidence(noise_hz=0.0, cue_hz=1000.0).batch("train", 50, 0)

    left, right_side = batch.x[:, :, :10].sum(dim=(0, 2)), batch.x[:, :, 10:20].sum(dim=(0, 2))

    assert torch.equal((right_side > left).long(), batch.target)
    assert ((left + right_side) == 7 * 100 * 10).all()


def test_the_recall_signal_comes_in_the_decision_only_and_noise_throughout():
    x = Evidence().batch("train", 50, 0).x

    assert x[:-150, :, 20:30].sum() == 0
    assert abs(x[-150:, :, 20:30].mean() * 1000 - 40) < 2
    assert abs(x[:, :, 30:].mean() * 1000 - 10) < 0.5


def test_an_even_number_of_cues_is_refused_because_it_may_have_no_answer():
    with pytest.raises(BadValue, match="odd number"):
        Evidence(cues=6)
