"""From a policy's keywords to its parts, with an answer for every keyword that makes no sense."""

from collections.abc import Mapping
from typing import Any, Literal

from gymnasium import spaces

from lsnn_rl import units
from lsnn_rl.agents.feedforward import FeedForward
from lsnn_rl.agents.poisson import KeyedPoisson
from lsnn_rl.encoders import Encoder, build_encoder
from lsnn_rl.errors import BadValue, unknown_name
from lsnn_rl.network import LSNN, RecurrentNetwork, build_network
from lsnn_rl.network.options import accepted
from lsnn_rl.neurons import CELLS
from lsnn_rl.neurons.alif import ALIF


def check_upstream_defaults(n_lstm_layers: int, lstm_kwargs: dict[str, Any] | None) -> None:
    """Two of upstream's keywords speak of nn.LSTM and have no meaning here."""
    if n_lstm_layers != 1:
        raise BadValue(
            f"n_lstm_layers = {n_lstm_layers}, but the network has one layer. Leave it at 1 and give more neurons."
        )
    if lstm_kwargs:
        raise BadValue(
            f"lstm_kwargs = {lstm_kwargs} is for torch's nn.LSTM, which is not used here. "
            "Pass the network's options by name, for example tau_adapt_ms=700."
        )


def critic_core(shared: bool | None, own: bool | None, share_features: bool) -> tuple[bool, bool]:
    """Whether actor and critic share a network, and whether the critic has its own; neither is a linear critic.

    AssertionErrors, as upstream's: code written for it may expect them.
    """
    assert not (shared and own), (
        "shared_lstm=True and enable_critic_lstm=True exclude each other. Share one, or give the critic its own."
    )
    assert share_features or not shared, (
        "shared_lstm=True needs share_features_extractor=True. Share both, or give the critic its own network "
        "(enable_critic_lstm=True)."
    )
    if shared is None:
        shared = own is None and share_features
    return shared, not shared if own is None else own


def wiring(
    cell: str, connectivity: float | None, rewiring: Mapping[str, Any] | Literal[False] | None
) -> tuple[Mapping[str, Any] | Literal[False] | None, dict[str, Any]]:
    """How the synapses are rewired, and what the network is told of its connectivity: nothing if it is rewired."""
    if rewiring is False or cell == "none":
        return rewiring, {} if connectivity is None else {"connectivity": connectivity}
    if connectivity is None:
        return dict(rewiring) if rewiring else None, {}
    also = (rewiring or {}).get("connectivity", connectivity)
    if also != connectivity:
        raise BadValue(
            f"connectivity = {connectivity} and rewiring = {dict(rewiring or {})} name two fractions. Leave one out."
        )
    return {"connectivity": connectivity, **(rewiring or {})}, {}


def with_neurons(cell: str, neurons: int | None, options: dict[str, Any], also: set[str]) -> dict[str, Any]:
    """The network's options, with upstream's `lstm_hidden_size` in their own words.

    Args: also: the policy's other keywords, for the error.
    Raises: UnknownName for an option of neither; BadValue.
    """
    known = known_options(cell)
    for name in options:
        if name not in known:
            raise unknown_name(f"option of a policy with cell {cell!r}", name, known | also)
    if "noise" in options:
        raise BadValue(
            "noise: a policy must meet in learning what it met in acting, and keeps no samples. Leave it out."
        )
    if neurons is None:
        return dict(options)
    sizes = {"regular": neurons - neurons // 2, "adaptive": neurons // 2} if cell == "lsnn" else {"size": neurons}
    if given := sorted({"regular", "adaptive", "size"} & set(options)):
        raise BadValue(f"lstm_hidden_size = {neurons} and {', '.join(given)} both say how many neurons. Leave one out.")
    return {**sizes, **options}


def known_options(cell: str) -> set[str]:
    """Keywords that a network of this cell takes."""
    if cell == "none":
        return accepted(FeedForward)
    if cell == "lsnn":
        return accepted(LSNN) | accepted(ALIF) | {"regular", "adaptive"}
    if cell not in CELLS.names():
        raise unknown_name("cell", cell, [*CELLS.names(), "lsnn", "none"])
    return accepted(CELLS.get(cell)) | accepted(RecurrentNetwork) | {"size"}


def make_encoder(name: str, space: spaces.Space, options: dict[str, Any]) -> Encoder | KeyedPoisson:
    """The encoder of that name; one that draws spikes draws them so that learning meets them again."""
    options = dict(options)
    try:
        if not options.pop("poisson", False):
            return build_encoder(name, space, **options)
        rate = units.per_step(options.get("rate_max_hz", 500.0), options.get("dt_ms", 1.0))
        return KeyedPoisson(build_encoder("population", space, **options), rate)
    except TypeError as error:
        raise BadValue(
            f"encoder_kwargs = {options} for the encoder {name!r}: {str(error).partition('() ')[2]}. "
            "See lsnn_rl.encoders for what each takes."
        ) from error


def make_network(cell: str, inputs: int, readouts: int, options: dict[str, Any]) -> RecurrentNetwork | FeedForward:
    """A network of any cell, or the feed-forward control."""
    if cell == "none":
        return FeedForward(inputs, readouts, **options)
    return build_network(cell, inputs, readouts, **options)
