"""Watching and playing: keys and mouse are events posted to a window that nobody sees."""

from pathlib import Path

import numpy as np
import pygame
import pytest
from PIL import Image

from lsnn_rl.agents.brain_view import PAGE, SEEN, BrainView, _heat
from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.enjoy import performances, watch
from lsnn_rl.agents.performance import Performance
from lsnn_rl.agents.play import compare, draw_result
from lsnn_rl.agents.scope import HELP, Scope
from lsnn_rl.agents.window import Window
from lsnn_rl.agents.zoo_places import ZOO
from lsnn_rl.cli import main
from lsnn_rl.envs.arena_view import _page
from lsnn_rl.envs.canvas import GOAL, HEIGHT, WIDTH
from lsnn_rl.errors import BadValue

ROOT = Path(__file__).resolve().parent.parent
AGENT, WORLD = "LSNNArena-v0/lsnn", "LSNNArena-v0"


def run(*words):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code


def press(name, kind=pygame.KEYDOWN):
    pygame.event.post(pygame.event.Event(kind, key=pygame.key.key_code(name)))


def mouse(kind, point):
    pygame.event.post(pygame.event.Event(kind, pos=point, button=1))


class Script:
    """Does something before each picture of a window is shown, and leaves at the end."""

    def __init__(self, monkeypatch, *deeds):
        self.pictures, deeds, show = [], iter(deeds), Window.show

        def scripted(window, picture):
            self.pictures.append(picture.get_size())
            deed = next(deeds, lambda: press("escape"))
            if deed is not None:
                deed()
            return show(window, picture)

        monkeypatch.setattr(Window, "show", scripted)


@pytest.fixture(scope="module")
def lived():
    """A spiking agent after 60 steps."""
    show = Performance(AGENT, WORLD, lifetime=3)
    for _ in range(60):
        show.step()
    return show


def test_the_past_is_drawn_as_it_was_and_leaves_the_present_alone(lived):
    show, view = Performance("oracle", WORLD, lifetime=5), BrainView()
    first = view.image([show], 0)
    for _ in range(30):
        show.step()
    place = show.task.place.copy()

    again = view.image([show], 0)

    assert np.array_equal(first, again)
    assert np.array_equal(show.task.place, place)
    assert not np.array_equal(view.image([show], 30), first)


def test_a_performance_is_what_the_evaluation_lives():
    from lsnn_rl.agents.evaluate import evaluate

    show = Performance(AGENT, WORLD, {"steps": 150}, lifetime=2)
    while show.step():
        pass

    card = evaluate(AGENT, WORLD, lifetimes=3, env_kwargs={"steps": 150}, controls=())
    assert show.moments[-1].scored == card["per_lifetime"]["goals"][2]
    assert show.steps == 150


def test_spikes_additions_and_values_are_those_of_the_network(lived):
    import torch

    look, network = lived.looks[60], lived.network
    with torch.no_grad():
        _, w_rec, w_out = network.weights()
    reached = (w_rec[:, look.activity > 0] != 0).sum() + (w_out[:, look.activity > 0] != 0).sum()

    assert look.spikes == look.activity.sum() > 0
    assert look.operations == reached.item()
    assert set(np.unique(look.activity)) == {0.0, 1.0}
    assert look.threshold.shape == (150,) and look.threshold.min() >= 1.0
    assert np.isfinite(look.value) and np.isnan(lived.looks[0].value)


def test_spikes_and_trials_stand_in_the_raster_where_they_happened(lived):
    view = BrainView()

    image = view.image([lived], 60)

    height, width, (left, top) = 216, 480, (784, 40)
    column = left + width - round(width / SEEN)  # the newest step
    for cell in np.flatnonzero(lived.looks[60].activity)[:10]:
        row = top + int((cell + 0.5) * height / 300)
        assert image[row, column : column + 2].max() > 120
    assert image[top : top + height, left + 140 : left + 340].max() < 60  # before birth all is dark


def test_heat_goes_from_dark_to_bright():
    brightness = _heat(np.linspace(0, 1, 9)).astype(float) @ [0.2126, 0.7152, 0.0722]

    assert (np.diff(brightness) > 0).all()


@pytest.mark.parametrize("agent", ["oracle", "LSNNArena-v0/lsnn"])
def test_every_agent_can_be_looked_at_in_any_size(agent):
    show = Performance(agent, WORLD)
    show.step()

    assert BrainView().image([show], 1).shape == (PAGE[1], PAGE[0], 3)
    assert BrainView(0.5).image([show], 1).shape == (PAGE[1] // 2, PAGE[0] // 2, 3)
    assert BrainView(brain=False).image([show], 1).shape == (HEIGHT, WIDTH, 3)


def test_two_agents_share_one_picture_of_the_same_lifetime(lived):
    other = Performance("oracle", WORLD, lifetime=3)
    other.step()

    image = BrainView().image([lived, other], 1)

    assert np.array_equal(lived.observations[0], other.observations[0])
    assert image.shape == (PAGE[1], PAGE[0], 3)


def test_cells_are_ordered_by_place_within_their_population(lived):
    view = BrainView(by_place=True)

    order = view._order(lived, 60)

    assert sorted(order) == list(range(300))
    assert set(order[:150]) == set(range(150)) and list(order) != list(range(300))


class Keys:
    """A scope at lifetime 4 of short lives of the oracle."""

    def __init__(self, folder):
        self.said = []
        begin = performances(["oracle"], WORLD, {"steps": 40})
        self.scope = Scope(begin, 4, folder, self.said.append, brain=False)

    def __call__(self, *names):
        for name in names:
            self.scope.press(frozenset([name]))
        return self.scope.step


def test_the_show_goes_on_stands_still_and_goes_back(tmp_path):
    keys = Keys(tmp_path)
    scope = keys.scope

    for _ in range(12):
        scope.tick()
    assert scope.step == 12
    keys("space")
    scope.tick()
    assert scope.step == 12
    assert keys("right", "right", "left") == 13
    assert keys("home") == 0
    assert keys("end") == 14  # the newest step that was lived
    assert keys("space", "left") == 4
    assert scope.shows[0].steps == 14


def test_slow_motion_takes_several_pictures_for_a_step_and_haste_several_steps_for_one(tmp_path):
    keys = Keys(tmp_path)
    keys("down", "down")
    steps = []
    for _ in range(8):
        keys.scope.tick()
        steps.append(keys.scope.step)

    assert steps == [0, 0, 0, 1, 1, 1, 1, 2]
    keys("up", "up", "up", "up")
    keys.scope.tick()
    assert keys.scope.step == 6


def test_a_lifetime_that_was_shown_whole_is_over(tmp_path):
    keys = Keys(tmp_path)
    for _ in range(45):
        keys.scope.tick()

    assert keys.scope.over and keys.scope.step == 40
    keys("left")
    assert not keys.scope.over


def test_other_lifetimes_are_a_key_away(tmp_path):
    keys = Keys(tmp_path)
    born = keys.scope.shows[0].observations[0]

    keys("n")
    assert keys.scope.lifetime == 5 and not np.array_equal(keys.scope.shows[0].observations[0], born)
    keys("b")
    assert keys.scope.lifetime == 4 and np.array_equal(keys.scope.shows[0].observations[0], born)


def test_a_picture_and_a_film_are_kept_where_the_scope_says(tmp_path):
    import imageio.v3 as imageio

    keys = Keys(tmp_path)
    keys("right", "s", "r")
    for _ in range(6):
        keys.scope.picture()
        keys.scope.tick()
    keys("r")

    assert [line.partition(" ")[0] for line in keys.said] == ["Kept", "Kept"]
    picture, film = sorted(tmp_path.iterdir(), key=lambda file: file.suffix, reverse=True)
    assert Image.open(picture).size == (WIDTH, HEIGHT)
    assert len(imageio.imread(film)) == 6


def test_the_list_of_keys_covers_every_key_and_opens_over_the_picture(tmp_path):
    keys = Keys(tmp_path)
    plain = keys.scope.image()
    keys("h")

    assert not np.array_equal(keys.scope.image(), plain)
    named = {name for line in HELP for name in line.partition(":")[0].split(", ")}
    for name in named - {"escape"}:
        keys(name)  # none is unknown to the scope: each leaves a trace or a film behind
    assert keys.scope.view.by_place and keys.scope.film is not None
    keys.scope.close()


def test_a_window_shows_lifetimes_until_it_is_left(monkeypatch):
    script = Script(monkeypatch, None, lambda: press("space"), None, None)

    watch("oracle", WORLD, {"steps": 30}, brain=False)

    assert script.pictures == [(WIDTH, HEIGHT)] * 5


def test_a_window_that_is_resized_gets_larger_pictures(monkeypatch):
    def resize():
        pygame.display.set_mode((WIDTH * 2, HEIGHT * 2), pygame.RESIZABLE)

    script = Script(monkeypatch, None, resize, None)

    watch("oracle", WORLD, brain=False)

    assert script.pictures[0] == (WIDTH, HEIGHT) and script.pictures[-1] == (2 * WIDTH, 2 * HEIGHT)


def test_as_many_lifetimes_are_shown_as_asked_for(monkeypatch):
    script = Script(monkeypatch, *[None] * 100)

    watch("oracle", WORLD, {"steps": 12}, lifetimes=2, brain=False)

    assert len(script.pictures) == 2 * 13  # the beginning and every step


def test_a_person_goes_where_the_mouse_points_and_gets_a_card(monkeypatch, tmp_path, capsys):
    import gymnasium as gym

    env = gym.make_vec(WORLD, num_envs=1, split="test")
    env.reset(options={"lifetimes": np.array([0])})
    goal = _page(env.unwrapped.task, *env.unwrapped.task.goal[0])
    go_on = [lambda: press("space")] * 2  # from the last picture of the lifetime, and from the final screen
    Script(monkeypatch, lambda: mouse(pygame.MOUSEBUTTONDOWN, goal), *[None] * 301, *go_on)

    code = run("enjoy", WORLD, "--play", "--lifetimes", 1, "--card", tmp_path / "me.json", "--env-kwarg", "steps=300")

    card = Card.load(tmp_path / "me.json")
    assert code == 0 and card["agent"] == "you" and card["lifetimes"] == 1
    assert card["score"]["mean"] >= 3  # the oracle reaches about 8
    assert "you" in capsys.readouterr().out


def test_whoever_leaves_early_is_told_that_there_is_no_card(monkeypatch, capsys):
    Script(monkeypatch, None)

    assert run("enjoy", WORLD, "--play") == 0
    assert "no card" in capsys.readouterr().err


def test_escape_at_the_end_of_a_lifetime_keeps_it_and_begins_no_other(monkeypatch):
    from lsnn_rl.agents.play import play

    script = Script(monkeypatch, *[None] * 4, lambda: press("escape"))

    card = play(WORLD, {"steps": 3}, say=lambda _: None)

    assert card["lifetimes"] == 1
    assert len(script.pictures) <= 7


def test_agents_that_cannot_live_where_a_person_played_are_left_out():
    blind = {"steps": 3, "observe_position": False}
    score = {"of": "goals", "mean": 1.0}

    rows = compare(Card(env=WORLD, split="test", env_kwargs=blind, agent="you", lifetimes=2, score=score))

    names = [name for name, _ in rows]
    assert names[0] == "you" and "oracle" in names and "lsnn" not in names


@pytest.mark.parametrize("world", ["POPGymMultiarmedBanditEasy-v0", "LSNNCartPoleNoVel-v0", "CartPole-v1"])
def test_a_world_of_episodes_is_not_played_by_hand(world):
    from lsnn_rl.agents.play import play

    with pytest.raises(BadValue, match="lsnn-rl enjoy AGENT"):
        play(world)


def test_held_keys_move_a_person_in_eight_directions():
    window, show = Window("keys", (WIDTH, HEIGHT), 500), Performance("oracle", WORLD)
    picture = pygame.Surface((WIDTH, HEIGHT))

    press("up")
    press("d")
    window.show(picture)
    window.show(picture)
    assert show.task.hand(0, window.hand()) == pytest.approx([0.5**0.5, 0.5**0.5])
    assert not window.hand().tapped
    press("up", pygame.KEYUP)
    press("d", pygame.KEYUP)
    window.show(picture)
    assert show.task.hand(0, window.hand()).tolist() == [0.0, 0.0]


def test_the_final_screen_sets_a_person_beside_the_agents_of_the_same_lifetimes():
    card = Card(env=WORLD, split="test", env_kwargs={}, agent="you", lifetimes=2, score={"of": "goals", "mean": 12.0})

    rows = dict(compare(card))
    picture = draw_result(WORLD, Performance("oracle", WORLD).task, list(rows.items()))

    you, *agents, amnesic, best_known, oracle = rows
    assert (you, agents[0]) == ("you", "lsnn")
    assert sorted(agents) == sorted(file.parent.parent.name for file in (ZOO / WORLD).glob("*/agent/agent.json"))
    assert (amnesic, best_known, oracle) == ("amnesic", "best known", "oracle")
    assert rows["you"] == 12.0 and rows["oracle"] > rows["amnesic"]
    assert picture.get_size() == (WIDTH, HEIGHT)
    assert picture.get_at((330, 168))[:3] != GOAL


def test_a_machine_without_a_screen_is_told_to_film(monkeypatch, capsys):
    def no_screen(*arguments):
        raise pygame.error("No available video device")

    monkeypatch.setattr(pygame.display, "set_mode", no_screen)
    assert run("enjoy", WORLD, "--agent", "oracle") == 2

    assert "--record life.mp4" in capsys.readouterr().err


def test_the_demonstration_offers_the_window_where_there_is_one(monkeypatch, tmp_path):
    from lsnn_rl.agents import demo, enjoy, window

    offered = []
    monkeypatch.setattr(demo, "run_demo", lambda *a: Card.load(ROOT / "zoo" / AGENT))
    monkeypatch.setattr(enjoy, "watch", lambda agents, *rest: offered.append(agents))
    monkeypatch.setattr("typer.confirm", lambda question, default: True)
    for somebody, display in ((True, ":1"), (True, ""), (False, ":1")):
        monkeypatch.setattr("sys.stdin", type("Input", (), {"isatty": lambda self, is_there=somebody: is_there})())
        monkeypatch.setenv("DISPLAY", display)
        monkeypatch.setenv("WAYLAND_DISPLAY", "")
        monkeypatch.setattr(window.sys, "platform", "linux")
        run("demo", "--folder", ROOT / "zoo" / AGENT)

    assert len(offered) == 1
