"""The benchmark compares fairly: turns are taken, ratios mean what they say, rivals compute what they should."""

import copy
import json
import subprocess
import sys

import pytest
import torch
from typer.testing import CliRunner

from lsnn_rl.benchmarks import SUITES
from lsnn_rl.benchmarks.core import act, eager, learn, two_threads
from lsnn_rl.benchmarks.floor import floor, work
from lsnn_rl.benchmarks.peers import peers_for
from lsnn_rl.benchmarks.settings import Settings
from lsnn_rl.benchmarks.timing import interleave, machine, peak_mb
from lsnn_rl.benchmarks.workloads import WORKLOADS, Workload, mean_rate_hz, set_rate
from lsnn_rl.cli import app
from lsnn_rl.errors import BadValue, UnknownName

torch.set_num_threads(1)
TINY = Workload("tiny", 3, 40, 8, 10, 10, 2, 0.5, 300.0, 60.0, 20.0, (8,))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


class Clock:
    """Time passes only when somebody works."""

    def __init__(self):
        self.now, self.log = 0.0, []

    def work(self, name, seconds):
        def run():
            self.log.append(name)
            self.now += seconds

        return run

    def __call__(self):
        return self.now


# ---- timing ----------------------------------------------------------------------------------------------------------


def test_contenders_take_turns_and_the_quick_one_runs_again_until_its_turn_is_over():
    clock = Clock()

    times = interleave({"slow": clock.work("slow", 0.25), "fast": clock.work("fast", 0.0625)}, 2, 0.125, clock)

    assert clock.log == ["slow", "fast", "slow", "fast", "fast", "slow", "fast", "fast"]  # the first two only warm up
    assert times["slow"].min_ms == 250.0
    assert times["fast"].median_ms == 62.5


def test_the_least_and_the_median_are_of_the_measured_runs_only():
    clock = Clock()
    durations = iter([9.0, 0.5, 0.25, 1.0])

    def run():
        clock.now += next(durations)

    times = interleave({"only": run}, 3, 0.1, clock)

    assert (times["only"].min_ms, times["only"].median_ms) == (250.0, 500.0)


def test_peak_memory_sees_what_a_run_took_and_gave_back():
    peak = peak_mb(lambda: torch.ones(64 * 2**20 // 4).sum())

    assert peak is None or 60 < peak < 90


def test_the_machine_names_itself_and_its_versions():
    here = machine()

    assert here["cores"] >= 1
    assert here["versions"]["torch"] == torch.__version__
    json.dumps(here)


# ---- loads and floor -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["minibatch", "acting"])
def test_a_load_has_the_connectivity_and_the_rate_it_promises(name):
    load = WORKLOADS[name]
    network = load.network(seeded(0))
    possible = load.size * load.inputs + load.size * (load.size - 1) + load.readouts * load.size
    active = sum(int(w.count_nonzero()) for w in (network.w_in, network.w_rec, network.w_out))

    rate = set_rate(network, load, seeded(1))

    assert active / possible == pytest.approx(load.connectivity, rel=1e-3)
    assert rate == pytest.approx(load.rate_hz, rel=0.2)


def test_the_mean_rate_is_spikes_per_cell_and_second():
    network = TINY.untuned(seeded(0))
    x = TINY.spikes(seeded(1))
    spikes = network.run(x, spikes=True)[0].spikes

    assert mean_rate_hz(network, x) == pytest.approx(1000 * spikes.mean().item(), rel=1e-5)


def test_the_least_work_counts_every_event_once_forward_and_once_backward():
    load = Workload("hand", 1, 100, 10, 5, 5, 2, 1.0, 300.0, 100.0, 50.0, ())
    # 1,000 cell steps, 50 spikes, 100 input events, rows of 10 synapses, 2 readouts
    forward = 2 * 10 * (50 + 100) + 2 * 2 * 50 + 15 * 1000
    backward = 2 * 10 * 1000 + 2 * 10 * (50 + 100) + 2 * 2 * 50 + 2 * 2 * 1000 + 15 * 1000

    assert work(load, 50.0, training=False)[0] == pytest.approx(forward / 1e9)
    assert work(load, 50.0)[0] == pytest.approx((forward + backward) / 1e9)


def test_the_floor_is_the_larger_of_arithmetic_and_memory():
    bound = floor(TINY, 20.0)

    arithmetic = bound["gflop"] / bound["peak_gflops"]
    memory = bound["mb"] / 1000 / bound["bandwidth_gb_s"]
    assert bound["floor_ms"] == pytest.approx(1000 * max(arithmetic, memory))
    assert bound["peak_gflops"] > 1
    assert bound["bandwidth_gb_s"] > 0.5


# ---- contenders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", peers_for(TINY))
def test_a_rival_computes_gradients_of_all_its_weights_and_acts_on_every_row(name, monkeypatch):
    from lsnn_rl.benchmarks import peers

    models = []
    original = peers.backward
    monkeypatch.setattr(peers, "backward", lambda model, loss: (models.append(model), original(model, loss)))
    rival = peers_for(TINY)[name]

    rival.train(TINY, TINY.spikes(seeded(0)))()
    with torch.no_grad():
        outputs = rival.act(TINY, 3)(torch.ones(3, TINY.inputs))

    trained = [p for p in models[0].parameters() if p.requires_grad]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in trained)
    assert outputs.shape == (3, TINY.readouts)


def test_ours_and_the_eager_law_are_the_same_network_with_the_same_gradient():
    x = TINY.spikes(seeded(0))
    ours = TINY.network(seeded(1))
    law = eager(ours)

    learn(ours, x)()
    learn(law, x)()

    assert law.backend == "law"
    for name in ("w_in", "w_rec", "w_out"):
        assert torch.allclose(getattr(ours, name).grad, getattr(law, name).grad, rtol=1e-3, atol=1e-7)


def test_acting_carries_its_state_from_step_to_step():
    network = TINY.network(seeded(1))
    x = TINY.spikes(seeded(0))
    step = act(copy.deepcopy(network), TINY.batch)

    with torch.no_grad():
        steps = torch.stack([step(line) for line in x.unbind(0)])
        whole = network.run(x)[0].readout

    assert torch.allclose(steps, whole, atol=1e-6)


def test_two_threads_are_given_back():
    seen = []

    two_threads(lambda: seen.append(torch.get_num_threads()), repeats=1)

    assert set(seen) == {2}
    assert torch.get_num_threads() == 1


# ---- the command -----------------------------------------------------------------------------------------------------


def call(*arguments):
    return CliRunner().invoke(app, ["benchmark", *arguments])


def test_the_command_prints_one_json_object_and_nothing_else():
    done = call("core", "--only", "minibatch", "--quick", "--repeats", "1", "--json", "-")

    result = json.loads(done.stdout)
    workload = result["workloads"]["minibatch"]
    assert list(result["workloads"]) == ["minibatch"]
    assert {"eager", "lstm128", "lstm220"} <= set(workload["peers"])
    for peer in workload["peers"].values():
        assert peer["ratio"] == pytest.approx(peer["ms"] / workload["ours_ms"])
    assert 0 < workload["floor_ms"] < workload["ours_ms"]
    assert workload["sizes"]["size"] == 128
    assert workload["formula_mb"]["written"] < workload["formula_mb"]["reserved"]


def test_the_memory_of_forward_and_backward_is_what_the_formula_says():
    code = """
import torch
from lsnn_rl.benchmarks.core import learn
from lsnn_rl.benchmarks.memory import formula_mb
from lsnn_rl.benchmarks.timing import peak_mb
from lsnn_rl.benchmarks.workloads import WORKLOADS
from lsnn_rl.kernels import buffers

load, generator = WORKLOADS["smnist"].shortened(2), torch.Generator().manual_seed(0)
x, network = load.spikes(generator), load.network(generator)
learn(network, x[:2])()  # compiled, loaded
buffers.release()
formula = formula_mb(network, x)
print(formula["written"], peak_mb(learn(network, x)), formula["reserved"])
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    written, peak, reserved = (float(number) for number in said.split())
    assert 0.9 * written < peak < 1.1 * reserved


def test_the_command_draws_a_table_and_writes_the_file(tmp_path):
    file = tmp_path / "result.json"

    done = call("envs", "--only", "LSNNArena-v0", "--quick", "--repeats", "1", "--json", str(file))

    assert "steps/s" in done.stdout
    rows = json.loads(file.read_text())["workloads"]["LSNNArena-v0"]["rows"]
    assert rows["64"]["peers"].keys() >= {"sync", "dummy", "network"} and "single" in rows["1"]["peers"]
    assert rows["64"]["steps_per_s"] == pytest.approx(64_000 / rows["64"]["ours_ms"])


def test_the_learner_suite_compares_learners_on_the_same_numbers(monkeypatch):
    from lsnn_rl.benchmarks import learner

    everyone = learner.learners
    monkeypatch.setattr(learner, "SLOTS", 4)
    built = {}
    monkeypatch.setattr(learner, "learners", lambda *given: built.setdefault(len(built), everyone(*given)))
    result = SUITES.get("learner")(Settings(repeats=1, quick=True, only=["ppo"]))

    assert {(m.n_steps, m.n_envs, m.n_epochs, m.batch_size) for m in built[0].values()} == {(16, 4, 4, 16)}
    assert {m.env.get_attr("task")[0].steps for m in built[0].values()} == {2000}
    workload, fps, ratio = result["workloads"]["ppo"], result["fps"], result["ratio"]
    assert {"ours_lsnn", "ours_lstm", "ours_gru", "contrib_lstm", "contrib_lsnn", "ppo_mlp"} <= set(fps)
    assert fps["ours_lsnn"] == pytest.approx(1000 * 64 / workload["ours_ms"])
    assert ratio["ours_lsnn_vs_contrib_lstm"] == pytest.approx(fps["ours_lsnn"] / fps["contrib_lstm"])
    assert ratio["ours_lstm_vs_contrib_lstm"] == pytest.approx(fps["ours_lstm"] / fps["contrib_lstm"])
    assert all(0 < share < 1 for share in workload["share_learning"].values())


def test_a_misspelt_suite_or_workload_is_answered_with_the_known_ones():
    with pytest.raises(UnknownName, match="Known: core, cuda, envs, learner"):
        SUITES.get("cores")
    with pytest.raises(UnknownName, match="Did you mean 'smnist'"):
        SUITES.get("core")(Settings(only=["mnist"]))


def test_the_suite_for_cuda_says_so_where_there_is_no_device(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(BadValue, match="no CUDA device here.*lsnn-rl benchmark core"):
        SUITES.get("cuda")(Settings())
