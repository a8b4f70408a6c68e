"""Sparse training: what must hold after every step of any rewiring method, then what each method promises."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lsnn_rl.errors import BadValue, BrokenFile, ShapeMismatch, UnknownName
from lsnn_rl.network import LSNN
from lsnn_rl.rewiring import REWIRINGS, SET, DeepR, RigL, SoftDeepR

torch.set_num_threads(1)
METHODS = REWIRINGS.names()
QUICK = {"set": {"every": 3}, "rigl": {"every": 3, "until": 60}}  # so that a few steps already rewire


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def matrices(*shapes, seed=0):
    return [nn.Parameter(torch.randn(shape, generator=seeded(seed + i))) for i, shape in enumerate(shapes)]


def give_gradients(parameters, generator):
    for p in parameters:
        p.grad = torch.randn(p.shape, generator=generator)


def wrap(method, parameters, **options):
    optimizer = torch.optim.Adam(parameters, lr=options.pop("lr", 0.05))
    return REWIRINGS.get(method)(optimizer, parameters, **{"connectivity": 0.2, **QUICK.get(method, {}), **options})


# ---- laws of every method --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_given_weights_are_pruned_to_the_connectivity_of_each_matrix(method):
    parameters = matrices((30, 20), (10, 30))
    given = [p.detach().clone() for p in parameters]

    wrap(method, parameters, connectivity=[0.1, 0.5])

    assert [int(p.count_nonzero()) for p in parameters] == [60, 150]
    for p, dense in zip(parameters, given, strict=True):
        assert torch.equal(p[p != 0], dense[p != 0])


@pytest.mark.parametrize("method", METHODS)
def test_forbidden_synapses_are_never_active_and_make_no_room(method):
    (w,) = matrices((20, 20))
    sparse = wrap(method, [w], forbidden=[torch.eye(20, dtype=torch.bool)])

    for step in range(12):
        give_gradients([w], seeded(step))
        sparse.step()

        assert torch.equal(w.detach().diagonal(), torch.zeros(20))
    assert sparse.report()["0"]["possible"] == 380
    assert sparse.budget == 76


@pytest.mark.parametrize("method", METHODS)
def test_a_dormant_synapse_never_reconnects_by_the_optimiser_alone(method):
    parameters = matrices((30, 20))
    still = {
        "deep_r": {"l1": 0.0},
        "soft_deep_r": {"l1": 1e-19, "temperature": 1e-20},
        "set": {"every": 99},
        "rigl": {"every": 99},
    }
    sparse = wrap(method, parameters, lr=1e-5, **still[method])  # no deaths, hence no births
    before = parameters[0].detach() != 0

    for step in range(5):
        give_gradients(parameters, seeded(step))
        sparse.step()

    assert torch.equal(parameters[0].detach() != 0, before)


@pytest.mark.parametrize("method", METHODS)
def test_dormant_synapses_keep_the_moments_they_would_have_in_the_plain_optimiser(method):
    sparse_w, plain_w = matrices((20, 10)), matrices((20, 10))
    sparse, plain = wrap(method, sparse_w), torch.optim.Adam(plain_w, lr=0.05)

    for step in range(8):
        for parameters, optimizer in ((sparse_w, sparse), (plain_w, plain)):
            give_gradients(parameters, seeded(step))
            optimizer.step()

    assert torch.equal(sparse.state[sparse_w[0]]["exp_avg"], plain.state[plain_w[0]]["exp_avg"])
    assert torch.equal(sparse.state[sparse_w[0]]["exp_avg_sq"], plain.state[plain_w[0]]["exp_avg_sq"])


@pytest.mark.parametrize("method", METHODS)
def test_parameters_not_listed_are_left_to_the_optimiser_untouched(method):
    (w,), bias, twin = matrices((20, 10)), nn.Parameter(torch.ones(20)), nn.Parameter(torch.ones(20))
    sparse = REWIRINGS.get(method)(torch.optim.Adam([w, bias], lr=0.05), [w], 0.2)
    plain = torch.optim.Adam([twin], lr=0.05)

    for step in range(5):
        give_gradients([bias, w], seeded(step))
        give_gradients([twin], seeded(step))
        sparse.step()
        plain.step()

    assert torch.equal(bias, twin)


@pytest.mark.parametrize("method", METHODS)
def test_saving_and_resuming_is_bit_equal_to_never_stopping(method):
    options = {"temperature": 1e-3} if "deep_r" in method else {}
    parameters = matrices((30, 20), (10, 30))
    sparse = wrap(method, parameters, seed=3, **options)
    for step in range(7):
        give_gradients(parameters, seeded(step))
        sparse.step()
    saved = copy.deepcopy(sparse.state_dict())
    weights = [nn.Parameter(p.detach().clone()) for p in parameters]
    resumed = wrap(method, weights, seed=4, **options)
    for fresh, p in zip(weights, parameters, strict=True):
        fresh.data.copy_(p.data)
    resumed.load_state_dict(saved)

    for step in range(7, 20):
        for each, optimizer in ((parameters, sparse), (weights, resumed)):
            give_gradients(each, seeded(step))
            optimizer.step()

    for p, fresh in zip(parameters, weights, strict=True):
        assert torch.equal(p, fresh)
    assert torch.equal(sparse.generator.get_state(), resumed.generator.get_state())


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_wiring(method):
    runs = []
    for _ in range(2):
        parameters = matrices((30, 20))
        sparse = wrap(method, parameters, seed=7)
        for step in range(10):
            give_gradients(parameters, seeded(step))
            sparse.step()
        runs.append(parameters[0].detach())

    assert torch.equal(*runs)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("inner", [torch.optim.SGD, torch.optim.RMSprop, torch.optim.AdamW])
def test_any_optimiser_can_be_wrapped_and_scheduled(method, inner):
    parameters = matrices((20, 10))
    sparse = REWIRINGS.get(method)(inner(parameters, lr=0.1), parameters, 0.2)
    schedule = torch.optim.lr_scheduler.StepLR(sparse, step_size=1, gamma=0.5)

    for step in range(2):
        give_gradients(parameters, seeded(step))
        sparse.step()
        schedule.step()

    assert isinstance(sparse, torch.optim.Optimizer)
    assert sparse.optimizer.param_groups[0]["lr"] == 0.025
    assert sparse.learning_rate("0") == 0.025


@pytest.mark.parametrize("method", METHODS)
def test_a_copy_rewires_on_its_own(method):
    parameters = matrices((20, 10))
    sparse = wrap(method, parameters)

    untouched = parameters[0].detach().clone()

    twin = copy.deepcopy(sparse)
    (copied,) = twin.matrices.values()
    give_gradients([copied], seeded(1))
    twin.step()

    assert twin.param_groups is twin.optimizer.param_groups
    assert torch.equal(parameters[0], untouched)
    assert not torch.equal(copied, untouched)


def blobs(count, generator):
    """Ten classes of two Gaussian blobs each in 40 dimensions: no hyperplane separates them."""
    centres = torch.randn(20, 40, generator=seeded(99))
    blob = torch.randint(0, 20, (count,), generator=generator)
    return centres[blob] + torch.randn(count, 40, generator=generator), blob % 10


def trained_accuracy(make_optimizer, steps=400):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(40, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 10))
    optimizer = make_optimizer(net)
    generator = seeded(5)
    for _ in range(steps):
        x, label = blobs(64, generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), label).backward()
        optimizer.step()
    x, label = blobs(2000, seeded(6))
    return (net(x).argmax(1) == label).float().mean().item(), optimizer


def train_at_three_percent(method, **options):
    def optimizer(net):
        weights = [layer.weight for layer in net if isinstance(layer, nn.Linear)]
        return REWIRINGS.get(method)(torch.optim.Adam(net.parameters(), lr=0.01), weights, 0.03, **options)

    return trained_accuracy(optimizer)


@pytest.mark.parametrize("method", METHODS)
def test_three_percent_of_the_synapses_of_a_multilayer_perceptron_learn_almost_as_well_as_all(method):
    options = {
        "deep_r": {},
        "soft_deep_r": {"l1": 1e-3, "temperature": 1e-7},
        "set": {"every": 20},
        "rigl": {"every": 20, "until": 300},
    }
    dense, _ = trained_accuracy(lambda net: torch.optim.Adam(net.parameters(), lr=0.01))

    sparse, optimizer = train_at_three_percent(method, **options[method])

    assert dense > 0.95
    assert sparse > dense - 0.05  # chance is 0.1
    assert optimizer.report()["all"]["connectivity"] < (0.1 if method == "soft_deep_r" else 0.0301)


def test_rewired_synapses_learn_better_than_as_many_fixed_ones():
    rewired, _ = train_at_three_percent("deep_r")
    fixed, _ = train_at_three_percent("set", fraction=0.0)

    assert rewired > fixed + 0.1


# ---- DEEP R ----------------------------------------------------------------------------------------------------------


def test_dormant_synapses_receive_gradient_and_signs_never_flip():
    torch.manual_seed(0)
    layer = nn.Linear(50, 20)
    signs = layer.weight.detach().sign()
    sparse = DeepR(torch.optim.Adam(layer.parameters(), lr=0.1), [layer.weight], 0.2, temperature=1e-3)
    generator = seeded(1)

    for _ in range(50):
        sparse.zero_grad()
        layer(torch.randn(8, 50, generator=generator)).pow(2).sum().backward()
        sparse.step()

        w = layer.weight.detach()
        assert (layer.weight.grad[w == 0] != 0).all()
        assert ((w == 0) | (w.sign() == signs)).all()


@pytest.mark.parametrize("temperature", [0.0, 1e-2])
def test_the_active_count_equals_the_budget_after_any_step(temperature):
    parameters = matrices((30, 20), (10, 30))
    sparse = wrap("deep_r", parameters, temperature=temperature, lr=0.3)
    deaths = 0

    for step in range(40):
        give_gradients(parameters, seeded(step))
        before = [p.detach() != 0 for p in parameters]
        sparse.step()

        deaths += sum(int((b & (p == 0)).sum()) for b, p in zip(before, parameters, strict=True))
        assert sparse.active_count() == sparse.budget == 180
    assert deaths > 100


def test_one_iteration_follows_the_published_order_of_operations():
    w = nn.Parameter(torch.tensor([[0.5, -0.5, 0.004, -0.2, 0.0, 0.3]]))
    sparse = DeepR(torch.optim.SGD([w], lr=0.1), [w], connectivity=5 / 6, l1=0.1)
    w.grad = torch.tensor([[1.0, 1.0, 0.0, -3.0, -7.0, 0.0]])

    sparse.step()

    # gradient step -0.1 dL/dw, then 0.1 * 0.1 towards zero:  0.5 -> 0.4 -> 0.39,  -0.5 -> -0.6 -> -0.59,  0.3 -> 0.29;
    # 0.004 decays through zero, -0.2 is pushed to +0.1 and dies, the dormant 0.0 may not follow its gradient to 0.7;
    # two died and three places are free, so two of them hold newborn synapses of magnitude 1e-12
    assert torch.allclose(w[0, [0, 1, 5]], torch.tensor([0.39, -0.59, 0.29]))
    assert sorted(w[0, 2:5].abs().tolist()) == pytest.approx([0.0, 1e-12, 1e-12], abs=1e-18)
    assert w[0, 2] >= 0 >= w[0, 3]


def test_the_decay_follows_the_current_learning_rate_of_its_group():
    slow, fast = matrices((4, 4), (4, 4))
    slow.data.fill_(1.0), fast.data.fill_(1.0)
    groups = [{"params": [slow], "lr": 0.01}, {"params": [fast], "lr": 0.1}]
    sparse = DeepR(torch.optim.SGD(groups), [slow, fast], connectivity=1.0, l1=0.5)
    schedule = torch.optim.lr_scheduler.ExponentialLR(sparse, gamma=0.1)

    for _ in range(2):
        sparse.step()
        schedule.step()

    assert torch.allclose(slow, torch.tensor(1 - 0.5 * (0.01 + 0.001)))
    assert torch.allclose(fast, torch.tensor(1 - 0.5 * (0.1 + 0.01)))


def test_the_random_walk_spreads_as_the_square_root_of_rate_and_temperature():
    w = nn.Parameter(torch.full((200, 200), 5.0))
    sparse = DeepR(torch.optim.SGD([w], lr=0.1), [w], connectivity=1.0, l1=0.0, temperature=0.02)

    for _ in range(10):
        sparse.step()

    assert (w - 5).std().item() == pytest.approx(math.sqrt(10 * 2 * 0.1 * 0.02), rel=0.02)


def test_births_are_split_between_matrices_in_proportion_to_their_share_and_uniform_within():
    parameters = matrices((100, 60), (100, 20))
    sparse = DeepR(torch.optim.SGD(parameters, lr=0.1), parameters, connectivity=0.1, l1=1e9)  # all die, all are reborn

    sparse.step()

    wide, narrow = (p.detach() != 0 for p in parameters)
    assert int(wide.sum()) + int(narrow.sum()) == 800
    assert abs(int(wide.sum()) - 600) < 4 * math.sqrt(800 * 0.75 * 0.25)
    assert wide.sum(dim=0).max() < 10 + 5 * math.sqrt(10)  # 10 synapses a column on average
    assert wide.sum(dim=0).min() > 0


def test_a_matrix_without_room_passes_its_births_on():
    full, roomy = matrices((4, 5), (100, 100))
    sparse = DeepR(torch.optim.SGD([full, roomy], lr=0.1), [full, roomy], connectivity=[1.0, 0.002], l1=0.0)
    sparse.budgets["1"] = 300  # a deficit that the odds would send mostly to the second, partly to the full first

    sparse.step()

    assert int(full.count_nonzero()) == 20
    assert int(roomy.count_nonzero()) == 300


def test_few_and_many_births_are_equally_uniform():
    (w,) = matrices((10, 10))
    sparse = wrap("deep_r", [w])
    mask = torch.zeros(10, 10, dtype=torch.bool)
    mask[:, ::2] = True
    counts = {2: torch.zeros(100), 30: torch.zeros(100)}

    for count, hits in counts.items():
        for _ in range(2000):
            chosen = sparse.choose(mask, count)
            assert len(chosen.unique()) == count
            hits[chosen] += 1

    for count, hits in counts.items():
        assert hits.view(10, 10)[:, 1::2].sum() == 0
        expected = 2000 * count / 50
        assert (hits.view(10, 10)[:, ::2] - expected).abs().max() < 4.5 * math.sqrt(expected)


@settings(max_examples=40, deadline=None)
@given(
    shapes=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=3),
    connectivity=st.floats(0.01, 1.0),
    lr=st.floats(1e-4, 2.0),
    l1=st.floats(0.0, 10.0),
    temperature=st.floats(0.0, 1.0),
    seed=st.integers(0, 10**6),
)
def test_whatever_the_settings_budget_signs_and_absent_synapses_hold(shapes, connectivity, lr, l1, temperature, seed):
    parameters = matrices(*shapes, seed=seed)
    signs = [p.detach().sign() for p in parameters]
    forbidden = [torch.rand(p.shape, generator=seeded(seed)) < 0.2 for p in parameters]
    sparse = wrap(
        "deep_r", parameters, connectivity=connectivity, lr=lr, l1=l1, temperature=temperature, forbidden=forbidden
    )

    for step in range(6):
        give_gradients(parameters, seeded(seed + step))
        sparse.step()

        assert sparse.active_count() == sparse.budget
        for w, sign, absent in zip(parameters, signs, forbidden, strict=True):
            assert ((w == 0) | (w.sign() == sign)).all()
            assert (w[absent] == 0).all()


def test_dale_signs_are_read_from_the_columns_and_kept_by_newborn_synapses():
    columns = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0])
    w = nn.Parameter(torch.rand(40, 5, generator=seeded(0)) * columns)
    sparse = DeepR(torch.optim.Adam([w], lr=0.5), [w], 0.3, signs="dale")

    for step in range(30):
        give_gradients([w], seeded(step))
        sparse.step()

    assert ((w == 0) | (w.sign() == columns)).all()
    assert int(w.count_nonzero()) == 60


def test_signs_given_as_tensors_overrule_the_weights():
    (w,) = matrices((10, 4))
    magnitudes = w.detach().abs()

    DeepR(torch.optim.Adam([w], lr=0.1), [w], 1.0, signs=[torch.tensor([1.0, -1.0, -1.0, 1.0])])

    assert torch.equal(w, magnitudes * torch.tensor([1.0, -1.0, -1.0, 1.0]))


def test_a_network_is_rewired_without_self_connections_and_its_biases_stay_dense():
    network = LSNN(inputs=20, regular=20, adaptive=10, readouts=5, generator=seeded(0))

    sparse = DeepR.for_network(torch.optim.Adam(network.parameters(), lr=0.1), network, 0.2)
    for step in range(10):
        give_gradients(network.parameters(), seeded(step))
        sparse.step()

    assert list(sparse.matrices) == ["w_in", "w_rec", "w_out"]
    assert sparse.active_count() == sparse.budget == 120 + 174 + 30  # of 600, 30 * 29 and 150
    assert network.w_rec.detach().diagonal().abs().sum() == 0
    assert int(network.bias_out.count_nonzero()) == 5


def test_a_network_that_obeys_dales_law_hands_over_the_signs_of_its_cells():
    network = LSNN(inputs=20, regular=20, adaptive=10, readouts=5, dale=True, generator=seeded(0))

    sparse = DeepR.for_network(torch.optim.Adam(network.parameters(), lr=0.1), network, 0.2)
    for step in range(30):
        give_gradients(network.parameters(), seeded(step))
        sparse.step()

    inhibitory = network.populations["inhibitory"]
    excitatory = network.populations["excitatory"]
    for w in (network.w_rec, network.w_out):
        assert (w[:, inhibitory] <= 0).all() and (w[:, excitatory] >= 0).all()
    assert torch.equal(sparse.signs["w_in"], network.sign_in.expand(30, 20))


def test_the_report_of_a_network_knows_its_populations():
    network = LSNN(inputs=20, regular=20, adaptive=10, readouts=5, dale=True, generator=seeded(0))
    sparse = DeepR.for_network(torch.optim.Adam(network.parameters(), lr=0.1), network, 0.2)

    pairs = sparse.report()["w_rec"]["pairs"]

    assert len(pairs) == len(network.populations) ** 2
    block = network.w_rec[network.populations["adaptive_excitatory"], network.populations["regular_inhibitory"]]
    assert pairs["regular_inhibitory -> adaptive_excitatory"] == int(block.count_nonzero()) / block.numel()


def test_the_report_counts_synapses_by_population_pair():
    w = nn.Parameter(torch.zeros(4, 6))
    w.data[:2, :3] = 1.0
    w.data[3, 5] = 1.0
    sparse = DeepR(torch.optim.SGD([w], lr=0.1), {"w_rec": w}, 0.5)

    report = sparse.report(
        {"w_rec": ({"regular": slice(0, 2), "adaptive": [2, 3]}, {"first": slice(0, 3), "last": [5]})}
    )

    assert report["all"] == {"active": 7, "possible": 24, "connectivity": 7 / 24}
    assert report["w_rec"]["pairs"] == {
        "first -> regular": 1.0,
        "last -> regular": 0.0,
        "first -> adaptive": 0.0,
        "last -> adaptive": 0.5,
    }


# ---- the others ------------------------------------------------------------------------------------------------------


def test_soft_deep_r_settles_at_the_expected_connectivity_and_the_exponential_of_its_walk():
    w = nn.Parameter(torch.randn(100, 100, generator=seeded(0)) * 1e-3)
    sparse = SoftDeepR(torch.optim.SGD([w], lr=0.005), [w], connectivity=0.3, l1=1.0, temperature=0.1)

    for _ in range(1500):
        sparse.step()

    active = w.detach()[w.detach() != 0].abs()
    assert len(active) / 1e4 == pytest.approx(0.3, abs=0.03)
    assert active.mean().item() == pytest.approx(0.1 / 1.0, rel=0.15)  # T / l1, up to the finite step


def test_set_moves_the_weakest_synapses_and_keeps_every_count():
    w = nn.Parameter(torch.arange(1.0, 101.0).view(10, 10))
    sparse = SET(torch.optim.SGD([w], lr=0.1), [w], connectivity=0.5, fraction=0.2, every=2)
    start = w.detach().clone()
    weakest = start[start != 0].sort().values[:10]

    sparse.step()
    assert torch.equal(w, start)
    sparse.step()

    strong = start > weakest[-1]
    assert torch.equal(w[strong], start[strong])
    assert int(w.count_nonzero()) == 50
    assert (w[~strong].abs() < 1e-11).all()


def test_rigl_grows_where_the_gradient_is_largest_and_downhill():
    w = nn.Parameter(torch.zeros(2, 4))
    w.data[0] = torch.tensor([5.0, 4.0, 3.0, 1.0])
    sparse = RigL(torch.optim.SGD([w], lr=0.0), [w], connectivity=0.5, fraction=0.5, every=1, until=10**9)
    w.grad = torch.tensor([[0.0, 0.0, 0.0, 0.1], [0.5, -3.0, 2.0, 0.2]])

    sparse.step()

    assert w[0].tolist() == [5.0, 4.0, 0.0, 0.0]
    assert w[1].sign().tolist() == [0.0, 1.0, -1.0, 0.0]


def test_rigl_refuses_a_network_without_gradients_of_dormant_synapses():
    network = LSNN(3, 4, 4, 2, dormant_gradients=False)
    optimizer = torch.optim.Adam(network.parameters())

    with pytest.raises(BadValue, match="deep_r or set"):
        RigL.for_network(optimizer, network)
    assert SET.for_network(optimizer, network, 0.5).report()


def test_rigl_moves_ever_less_and_stops():
    parameters = matrices((20, 20))
    sparse = wrap("rigl", parameters, fraction=0.4, every=1, until=20)

    shares = []
    for step in range(25):
        give_gradients(parameters, seeded(step))
        sparse.step()
        shares.append(sparse.moved_fraction())

    assert shares[9] == pytest.approx(0.2)  # half way: half of the fraction
    assert shares[19:] == [0.0] * 6
    assert shares == sorted(shares, reverse=True)


# ---- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, error, remedy",
    [
        ({"connectivity": 0.0}, BadValue, "above 0 and at most 1"),
        ({"connectivity": 12}, BadValue, "above 0 and at most 1"),
        ({"connectivity": [0.1, 0.2]}, ShapeMismatch, "Give one for each"),
        ({"l1": -1.0}, BadValue, "zero or a positive number"),
        ({"temperature": math.nan}, BadValue, "zero or a positive number"),
        ({"signs": "dales"}, UnknownName, "Known: random, dale"),
        ({"signs": "dale"}, BadValue, "dale=True"),
        ({"signs": [torch.ones(3)]}, ShapeMismatch, "one for each presynaptic cell"),
        ({"signs": [torch.zeros(4)]}, BadValue, "sign"),
        ({"forbidden": [torch.eye(3)]}, ShapeMismatch, "matrix's own shape"),
        ({"forbidden": {"w_rek": torch.eye(3)}}, UnknownName, "Known: 0"),
    ],
)
def test_a_mistake_is_answered_with_its_remedy(options, error, remedy):
    parameters = matrices((5, 4))

    with pytest.raises(error, match=remedy):
        DeepR(torch.optim.Adam(parameters), parameters, **options)


def test_a_matrix_unknown_to_the_optimiser_is_refused():
    known, unknown = matrices((3, 3), (3, 3))

    with pytest.raises(BadValue, match="Build the optimiser with it"):
        DeepR(torch.optim.Adam([known]), [unknown])


def test_half_precision_is_refused_because_it_cannot_hold_a_newborn_synapse():
    w = nn.Parameter(torch.ones(3, 3, dtype=torch.float16))

    with pytest.raises(BadValue, match="float32 or float64"):
        DeepR(torch.optim.SGD([w], lr=0.1), [w])


def test_dense_weights_loaded_after_wrapping_are_noticed():
    parameters = matrices((5, 5))
    sparse = wrap("deep_r", parameters)
    parameters[0].data.fill_(1.0)

    with pytest.raises(BadValue, match="Load weights first"):
        sparse.step()


def test_the_state_of_a_plain_optimiser_is_refused():
    parameters = matrices((5, 5))
    sparse = wrap("deep_r", parameters)

    with pytest.raises(BrokenFile, match="plain optimiser"):
        sparse.load_state_dict(sparse.optimizer.state_dict())


def test_soft_deep_r_without_temperature_has_no_equilibrium():
    parameters = matrices((5, 5))

    with pytest.raises(BadValue, match="use DeepR"):
        SoftDeepR(torch.optim.SGD(parameters, lr=0.1), parameters, temperature=0.0)
