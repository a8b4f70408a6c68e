"""Speech: the corpus is read as it was written, and a frame is called what was said in it."""

import struct
import wave

import numpy as np
import pytest
import torch

from lsnn_rl.errors import BadValue, BrokenFile, LSNNError, MissingFile, MissingPackage, UnknownName
from lsnn_rl.pretrain import PretrainRecipe, find_recipe, recipe_names
from lsnn_rl.pretrain.model import build_model, build_optimizer
from lsnn_rl.tasks import synthetic_phones, timit
from lsnn_rl.tasks.espeak_phones import transcribe
from lsnn_rl.tasks.mfcc import centres, features
from lsnn_rl.tasks.phones import PHONES, classes_of, fold
from lsnn_rl.tasks.speech_files import CORE_TEST, DEVELOPMENT, corpus_in, read_phones, read_sound
from lsnn_rl.tasks.timit import TIMIT, SyntheticPhones


def sphere(samples, order="01", coding="pcm", rate=16000):
    """A file as it lies on the disc: 1,024 bytes of header, then 16-bit numbers."""
    head = (
        f"NIST_1A\n   1024\ndatabase_id -s5 TIMIT\nchannel_count -i 1\nsample_count -i {len(samples)}\n"
        f"sample_rate -i {rate}\nsample_n_bytes -i 2\nsample_byte_format -s2 {order}\n"
        f"sample_sig_bits -i 16\nsample_coding -s{len(coding)} {coding}\nend_head\n"
    )
    return head.encode().ljust(1024) + np.asarray(samples, "<i2" if order == "01" else ">i2").tobytes()


def riff(path, samples, rate=16000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())


def write_utterance(place, sentence, phones, seed, ms=100):
    """Noise, a tenth of a second for each phone, as SPHERE with a transcription."""
    place.mkdir(parents=True, exist_ok=True)
    samples = 16 * ms
    sound = np.random.default_rng(seed).integers(-1000, 1000, samples * len(phones))
    (place / f"{sentence}.WAV").write_bytes(sphere(sound))
    lines = [f"{samples * i} {samples * (i + 1)} {phone}\n" for i, phone in enumerate(phones)]
    (place / f"{sentence}.PHN").write_text("".join(lines))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """All speakers of the development and core test lists with one sentence each, and three who train."""
    root = tmp_path_factory.mktemp("speech")
    for number, speaker in enumerate(["mxyz0", "fxyz0", "mxyz1"]):
        for said in range(2):
            phones = ["h#", "sh", "iy", "hv", "ae", "dcl", "d", "h#"][: 6 + number + said - 1]
            write_utterance(root / "TRAIN" / "DR1" / speaker.upper(), f"SX{said}", phones, 10 * number + said)
        write_utterance(root / "TRAIN" / "DR1" / speaker.upper(), "SA1", ["h#", "q", "h#"], 99)
    for number, speaker in enumerate(sorted(DEVELOPMENT | CORE_TEST)):
        write_utterance(root / "TEST" / "DR2" / speaker.upper(), "SI7", ["h#", "q", "ao", "h#"], number)
    write_utterance(root / "TEST" / "DR2" / "MELSE0", "SX1", ["h#"], 5)
    return root


@pytest.fixture(scope="module")
def task(corpus):
    return TIMIT(root=corpus)


# ---- classes ---------------------------------------------------------------------------------------------------------


def test_there_are_sixty_one_forty_eight_and_thirty_nine_classes():
    assert [len(classes_of(classes)) for classes in (61, 48, 39)] == [61, 48, 39]


def test_folding_joins_what_lee_and_hon_joined():
    groups = {}
    for phone in PHONES:
        groups.setdefault(fold(phone, 39), set()).add(phone)

    joined = {name: members for name, members in groups.items() if len(members) > 1}

    assert joined == {  # table I of Lee and Hon 1989
        "aa": {"aa", "ao"},
        "ah": {"ah", "ax", "ax-h"},
        "er": {"er", "axr"},
        "hh": {"hh", "hv"},
        "ih": {"ih", "ix"},
        "l": {"l", "el"},
        "m": {"m", "em"},
        "n": {"n", "en", "nx"},
        "ng": {"ng", "eng"},
        "sh": {"sh", "zh"},
        "sil": {"pcl", "tcl", "kcl", "bcl", "dcl", "gcl", "h#", "pau", "epi", "q"},
        "uw": {"uw", "ux"},
    }


def test_an_unknown_phone_is_answered_with_the_known_ones():
    with pytest.raises(UnknownName, match="Did you mean 'ax-h'"):
        fold("ax_h", 39)


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["01", "10"])
def test_a_sphere_file_of_either_byte_order_gives_its_samples(tmp_path, order):
    samples = [0, 1, -2, 32767, -32768, 258]
    (tmp_path / "SX1.WAV").write_bytes(sphere(samples, order))

    assert read_sound(tmp_path / "SX1.WAV").tolist() == samples


def test_a_riff_file_gives_its_samples(tmp_path):
    riff(tmp_path / "sx1.wav", [3, -4, 500])

    assert read_sound(tmp_path / "sx1.wav").tolist() == [3, -4, 500]


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (sphere([1, 2, 3])[:-2], r"ends after 2 of 3 samples.*Copy it anew"),
        (sphere([1], coding="pcm,embedded-shorten-v2.00"), r"is compressed \(pcm,embedded-shorten.*sph2pipe"),
        (sphere([1], rate=8000), r"at 8000 Hz, not 1 of 2 at 16000"),
        (b"NIST_1A\nlong\n", "does not say how long its header is"),
        (b"a page about speech", r"neither NIST SPHERE nor RIFF"),
        (b"RIFF" + struct.pack("<I", 4) + b"WAVE", r"neither NIST SPHERE nor RIFF"),
    ],
)
def test_a_broken_sound_is_named_with_what_is_wrong(tmp_path, content, answer):
    (tmp_path / "SX1.WAV").write_bytes(content)

    with pytest.raises(BrokenFile, match=answer):
        read_sound(tmp_path / "SX1.WAV")


def test_a_riff_file_of_another_rate_is_refused(tmp_path):
    riff(tmp_path / "sx1.wav", [1, 2], rate=44100)

    with pytest.raises(BrokenFile, match="1 channels of 16 bits at 44100 Hz, not 1 of 16 at 16000"):
        read_sound(tmp_path / "sx1.wav")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("0 100 h#\n100 50 sh\n", "goes back in time in line 2"),
        ("0 100 silence\n", "in line 1, which is no 'BEGIN END PHONE' of TIMIT"),
        ("0 100\n", "in line 1"),
        ("", "transcribes nothing"),
    ],
)
def test_a_broken_transcription_is_named_with_its_line(tmp_path, text, answer):
    (tmp_path / "SX1.PHN").write_text(text)

    with pytest.raises(BrokenFile, match=answer):
        read_phones(tmp_path / "SX1.PHN")


def test_the_lists_of_speakers_are_those_of_the_standard():
    assert (len(DEVELOPMENT), len(CORE_TEST), len(DEVELOPMENT & CORE_TEST)) == (50, 24, 0)
    assert sum(speaker.startswith("f") for speaker in CORE_TEST) == 8  # a woman and two men of each of eight regions


def test_the_corpus_is_found_below_the_folder_that_is_named_also_in_lower_case(tmp_path):
    for part in ("train", "test"):
        (tmp_path / "timit" / part).mkdir(parents=True)

    assert corpus_in(tmp_path) == tmp_path / "timit"
    assert corpus_in(tmp_path / "elsewhere") is None


def test_a_copy_with_lower_case_and_two_suffixes_is_read_as_well(corpus, tmp_path):
    for file in corpus.rglob("*.*"):
        other = tmp_path / str(file.relative_to(corpus)).lower()
        other.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".WAV":
            riff(f"{other}.wav", read_sound(file))
        else:
            other.write_bytes(file.read_bytes())

    copied, first = TIMIT(root=tmp_path), TIMIT(root=corpus)

    assert torch.equal(copied.batch("test", 24, 0).x, first.batch("test", 24, 0).x)


def test_a_corpus_that_is_nowhere_is_answered_with_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("LSNN_RL_DATA", raising=False)

    with pytest.raises(MissingFile, match=r"LSNN_RL_DATA, which is not set.*LDC93S1.*--data FOLDER.*synthetic_phones"):
        TIMIT()
    with pytest.raises(MissingFile, match="no TRAIN beside TEST"):
        TIMIT(root=tmp_path)


def test_the_environment_variable_names_the_folder_too(corpus, monkeypatch):
    monkeypatch.setenv("LSNN_RL_DATA", str(corpus))

    assert TIMIT().size_of("test") == 24


def test_a_missing_sound_and_a_missing_speaker_are_asked_for_by_name(tmp_path):
    write_utterance(tmp_path / "TRAIN" / "DR1" / "MXYZ0", "SX1", ["h#"], 0)
    write_utterance(tmp_path / "TEST" / "DR1" / "FAKS0", "SX1", ["h#"], 0)

    with pytest.raises(MissingFile, match="lacks utterances of the validation split, speakers fadg0"):
        TIMIT(root=tmp_path)
    (tmp_path / "TRAIN" / "DR1" / "MXYZ0" / "SX1.WAV").unlink()
    with pytest.raises(MissingFile, match=r"SX1.PHN has no sound beside it. Copy SX1.WAV there"):
        TIMIT(root=tmp_path)


# ---- features --------------------------------------------------------------------------------------------------------


def textbook(sound):
    """Thirteen coefficients, frame by frame and sum by sum, as the HTK book writes them."""
    emphasised = [float(sound[0])] + [float(sound[i]) - 0.97 * float(sound[i - 1]) for i in range(1, len(sound))]
    edges = [700 * (10 ** (m / 2595) - 1) for m in np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 28)]
    corners = [int(513 * edge / 16000) for edge in edges]
    rows = []
    for begin in range(0, len(sound) - 399, 160):
        frame = [emphasised[begin + i] * (0.54 - 0.46 * np.cos(2 * np.pi * i / 399)) for i in range(400)]
        spectrum = np.abs(np.exp(-2j * np.pi * np.outer(range(257), range(400)) / 512) @ np.array(frame)) ** 2 / 512
        logarithms = []
        for low, peak, high in zip(corners, corners[1:], corners[2:], strict=False):
            rising = sum(spectrum[k] * (k - low) / (peak - low) for k in range(low, peak))
            logarithms.append(np.log(rising + sum(spectrum[k] * (high - k) / (high - peak) for k in range(peak, high))))
        row = [np.log(spectrum.sum())]
        for n in range(1, 13):
            value = sum(e * np.cos(np.pi * n * (2 * m + 1) / 52) for m, e in enumerate(logarithms)) * np.sqrt(2 / 26)
            row.append(value * (1 + 11 * np.sin(np.pi * n / 22)))
        rows.append(row)
    return np.array(rows)


def test_coefficients_are_those_of_the_textbook():
    sound = np.random.default_rng(1).integers(-5000, 5000, 1200).astype(np.int16)

    assert np.allclose(features(sound)[:, :13], textbook(sound), rtol=1e-5, atol=1e-4)


def test_differences_are_of_the_neighbours_before_and_after():
    rows = features(np.random.default_rng(2).integers(-5000, 5000, 2000).astype(np.int16))

    assert np.allclose(rows[1:-1, 13:26], rows[2:, :13] - rows[:-2, :13], atol=1e-4)
    assert np.allclose(rows[1:-1, 26:], rows[2:, 13:26] - rows[:-2, 13:26], atol=1e-4)


def test_a_tone_is_loudest_in_the_filter_around_it():
    tone = (8000 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000)).astype(np.int16)

    heard = features(tone, "filterbank")[10, :26]

    mel = 2595 * np.log10(1 + np.array([1000, 8000]) / 700)
    assert heard.argmax() == round(27 * mel[0] / mel[1]) - 1


def test_digital_silence_has_finite_features_and_a_click_too_short_for_a_frame_is_refused():
    assert np.isfinite(features(np.zeros(800, dtype=np.int16))).all()
    with pytest.raises(BadValue, match="at least 25 ms"):
        features(np.zeros(399, dtype=np.int16))


# ---- the task --------------------------------------------------------------------------------------------------------


def test_a_frame_is_called_what_is_said_at_its_centre(task):
    batch = task.batch("test", 24, 0)

    said = [task.classes[label] for label in batch.target[:, 0].tolist()]

    changes = [16000 * second // 10 for second in (1, 2, 3)]
    expected = np.searchsorted(changes, centres(len(said)), side="right")
    assert said == [["h#", "q", "ao", "h#"][which] for which in expected]


def test_sa_sentences_and_speakers_outside_the_lists_are_left_out(task):
    assert task.sizes == {"train": 6, "validation": 50, "test": 24}
    assert task.details()["speakers"] == {"train": 3, "validation": 50, "test": 24}
    assert task.details()["corpus"] == "TIMIT (LDC93S1)"


def test_thirty_nine_classes_fold_the_targets(corpus):
    task = TIMIT(root=corpus, classes=39)

    said = {task.classes[label] for label in task.batch("test", 24, 0).target.unique().tolist()}

    assert task.readouts == 39
    assert said == {"sil", "aa"}


def test_features_have_mean_zero_and_deviation_one_over_the_training_split(task):
    rows = task.frames["train"].rows

    assert np.abs(rows.mean(axis=0)).max() < 1e-4
    assert np.abs(rows.std(axis=0) - 1).max() < 1e-3
    assert (task.inputs, TIMIT.measure) == (39, "error")


def test_a_round_of_training_shows_every_utterance_that_fills_a_batch_once(task):
    first, second = (
        np.concatenate([task.numbers("train", 2, 3 * number + i, seed=1) for i in range(3)]) for number in (0, 1)
    )

    assert sorted(first) == sorted(second) == list(range(6))
    assert list(first) != list(task.numbers("train", 6, 0, seed=2))


def test_frames_that_fill_a_batch_up_are_zeros_and_nobody_judges_them(task):
    batch = task.batch("train", 6, 0)
    readout = torch.nn.functional.one_hot(batch.target.clamp(min=0), 61).float() * 50
    empty = batch.target == timit.NO_FRAME
    readout[empty] = 7.0

    assert int(empty.sum()) > 0 and batch.x[empty].abs().max() == 0
    assert len(task.scores(readout, batch)) == int((~empty).sum())
    assert float(task.scores(readout, batch).mean()) == 0
    assert task.loss(readout, batch) < 1e-6


def test_with_a_delay_the_answer_to_a_frame_is_read_so_many_frames_later(corpus):
    task = TIMIT(root=corpus, delay=3)
    batch = task.batch("test", 24, 0)
    readout = torch.zeros(len(batch.x), 24, 61)
    readout[3:] = torch.nn.functional.one_hot(batch.target, 61)

    assert len(batch.x) == len(batch.target) + 3
    assert float(task.scores(readout, batch).mean()) == 0
    with pytest.raises(BadValue, match="0 or more"):
        TIMIT(root=corpus, delay=-1)


# ---- both directions -------------------------------------------------------------------------------------------------


def both_ways(corpus, cell, **more):
    data = {
        "task": {"name": "timit", "kwargs": {"root": str(corpus)}},
        "network": {"cell": cell, **({"regular": 6, "adaptive": 4} if cell == "lsnn" else {"size": 7})},
        "bidirectional": True,
        **more,
    }
    return PretrainRecipe.from_dict(data)


@pytest.mark.parametrize("cell", ["lsnn", "lstm"])
def test_a_bidirectional_network_hears_the_future_and_one_direction_does_not(corpus, task, cell):
    model = build_model(both_ways(corpus, cell), task)
    x = task.batch("test", 4, 0).x
    changed = x.clone()
    changed[-5:] = 3.0

    with torch.no_grad():
        future = (model(x)[0] - model(changed)[0])[:-5].abs().max()
        past = (model.network.run(x)[0].readout - model.network.run(changed)[0].readout)[:-5].abs().max()

    assert future > 1e-3
    assert past == 0


@pytest.mark.parametrize("cell", ["lsnn", "lstm"])
def test_what_a_batch_is_filled_up_with_changes_no_answer(corpus, task, cell):
    model = build_model(both_ways(corpus, cell), task)
    x = task.batch("test", 3, 0).x
    longer = torch.cat([x, torch.zeros(11, *x.shape[1:])])

    with torch.no_grad():
        answers, filled = model(x)[0], model(longer)[0]

    assert torch.allclose(answers, filled[: len(x)], atol=1e-5)


def test_both_directions_share_one_budget_of_synapses_and_have_no_self_connections(corpus, task):
    recipe = both_ways(corpus, "lsnn", rewiring={"method": "deep_r", "connectivity": 0.2})
    model = build_model(recipe, task)
    optimizer = build_optimizer(recipe, model)
    batch = task.batch("train", 4, 0)

    task.loss(model(batch.x)[0], batch).backward()
    optimizer.step()

    matrices = model.rewired
    assert sorted(matrices) == ["w_in", "w_in_backward", "w_out", "w_out_backward", "w_rec", "w_rec_backward"]
    active = sum(int((w != 0).sum()) for w in matrices.values())
    assert active <= 0.2 * sum(w.numel() for w in matrices.values()) + 1
    assert matrices["w_rec_backward"].diagonal().abs().max() == 0


def test_a_task_that_answers_at_its_end_has_no_use_for_the_other_direction(task):
    recipe = PretrainRecipe.from_dict({"task": {"name": "store_recall"}, "bidirectional": True})
    from lsnn_rl.pretrain.model import build_task

    with pytest.raises(BadValue, match="bidirectional: true .* store_recall cannot"):
        build_model(recipe, build_task(recipe))


# ---- synthetic phones ------------------------------------------------------------------------------------------------


def test_a_hand_made_sentence_is_cut_into_closures_releases_and_glides():
    hum, silence = np.full(2205, 800, dtype=np.int16), np.zeros(2205, dtype=np.int16)
    sound = np.concatenate([hum, silence, hum, hum, silence])  # 100 ms each
    phones = transcribe(sound, [0, 4410, 6615, 8820], ["'A@", "k", "I", "_:"])

    assert [(phone.name, round(phone.begin / 22.05), round(phone.end / 22.05)) for phone in phones] == [
        ("aa", 0, 60),
        ("r", 60, 100),
        ("kcl", 100, 200),
        ("k", 200, 300),
        ("ix", 300, 400),
        ("h#", 400, 500),
    ]


def test_a_phoneme_of_another_language_is_answered_with_the_known_ones():
    with pytest.raises(UnknownName, match="English phoneme of eSpeak NG"):
        transcribe(np.full(4000, 9, dtype=np.int16), [0, 2000], ["Q^", "_"])


def test_synthetic_phones_that_are_nowhere_are_answered_with_how_to_make_them(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with pytest.raises(MissingFile, match=r"--download.*pip install 'lsnn-rl\[speech\]'"):
        SyntheticPhones()


def test_a_corpus_without_its_manifest_is_no_corpus_of_synthetic_phones(corpus):
    with pytest.raises(BrokenFile, match="is no corpus of synthetic phones"):
        SyntheticPhones(root=corpus)


def test_a_corpus_is_written_into_an_empty_folder_only_and_for_as_many_speakers_as_there_are_voices(tmp_path):
    (tmp_path / "something").write_text("mine")

    with pytest.raises(BadValue, match="is not empty"):
        synthetic_phones.write_corpus(tmp_path)
    with pytest.raises(BadValue, match="at most 64"):
        synthetic_phones.write_corpus(tmp_path / "new", speakers={"train": 1, "validation": 1, "test": 65})


def test_voices_of_one_split_never_speak_in_another():
    variants = synthetic_phones._variants(seed=0)

    everyone = [name for names in variants.values() for name in names]
    assert len(everyone) == len(set(everyone)) == len(synthetic_phones.MALE + synthetic_phones.FEMALE)


def test_a_corpus_is_the_same_to_the_byte_and_can_be_learned_from_or_says_what_to_install(tmp_path):
    few = {"train": 2, "validation": 1, "test": 1}
    folders = [tmp_path / "one", tmp_path / "two"]
    try:
        for folder in folders:
            synthetic_phones.write_corpus(folder, seed=3, speakers=few, sentences=1)
    except LSNNError as missing:
        assert isinstance(missing, MissingPackage)
        assert "pip install 'lsnn-rl[speech]'" in str(missing)
        return

    one, two = ({file.relative_to(f): file.read_bytes() for file in f.rglob("*.*")} for f in folders)
    task = SyntheticPhones(root=folders[0])
    batch = task.batch("train", 2, 0)
    assert one == two
    assert len(one) == 4 * 3 + 1
    assert task.details()["corpus"] == "synthetic phones (eSpeak NG), not TIMIT"
    assert task.sizes == {"train": 2, "validation": 1, "test": 1}
    assert (batch.target[0] == task.classes.index("h#")).all()


# ---- recipes ---------------------------------------------------------------------------------------------------------


def test_the_recipes_can_be_built_for_each_of_their_cells(corpus, task):
    for name in ("timit", "synthetic_phones"):
        for recipe in [find_recipe(name, kind) for kind in recipe_names(name)]:
            for cell in [recipe.network["cell"], *recipe.cells]:
                assert build_model(recipe.with_cell(cell), task).network.readouts == 61
