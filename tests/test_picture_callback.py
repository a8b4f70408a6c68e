"""TensorBoard gets pictures, and training does not notice."""

import pytest
import torch

from lsnn_rl import RecurrentPPO
from lsnn_rl.agents.picture_callback import PICTURES, PictureCallback
from lsnn_rl.errors import UnknownName

WORLD, SETTINGS = "LSNNArena-v0", {"steps": 60}


def trained(callback=None, folder=None):
    model = RecurrentPPO(
        "LSNNPolicy",
        WORLD,
        n_envs=4,
        env_kwargs=SETTINGS,
        n_steps=16,
        batch_size=32,
        n_epochs=1,
        policy_kwargs={"regular": 6, "adaptive": 6},
        seed=0,
        tensorboard_log=folder,
    )
    return model.learn(192, callback=callback)


def test_pictures_are_logged_at_the_beginning_and_every_so_many_steps(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained(PictureCallback(WORLD, SETTINGS, every=100, pictures=tuple(PICTURES)), str(tmp_path))

    (folder,) = tmp_path.iterdir()
    events = EventAccumulator(str(folder), size_guidance={"images": 0})
    events.Reload()
    assert set(events.Tags()["images"]) == {f"pictures/{name}" for name in PICTURES}
    raster = events.Images("pictures/raster")
    assert len(raster) == 2 and raster[0].width > 300 and raster[0].encoded_image_string.startswith(b"\x89PNG")


def test_looking_does_not_change_what_is_learned():
    watched = trained(PictureCallback(WORLD, SETTINGS, every=1, pictures=("raster", "connectivity")))
    alone = trained()

    for name, weights in alone.policy.state_dict().items():
        assert torch.equal(weights, watched.policy.state_dict()[name]), name


def test_an_unknown_picture_is_refused_before_training():
    with pytest.raises(UnknownName, match="Did you mean 'raster'"):
        PictureCallback(WORLD, pictures=("rastr",))
