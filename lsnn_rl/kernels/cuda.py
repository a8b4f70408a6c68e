"""The law on a CUDA device under captured graphs: the same operations, without the cost of launching them one by one.

A run over T steps is some twenty small operations a step, and launching them from Python takes longer than the device
needs. The first run of a shape is computed as it is written; the second is captured, forward and backward, in one graph
each, and every later one copies its tensors in and replays them. Weights are read where they lie, so training moves on
without another capture. A graph has one set of memory: if another run went through it before a backward pass, forward
is replayed first, and gradients are right in any order of calls.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call

KEPT = 6  # graphs a network keeps, the least used goes: acting, learning and evaluating, whole and last minibatches

Law = Callable[..., list[Tensor]]  # the dynamic inputs -> all outputs

_graphs: WeakKeyDictionary[nn.Module, "OrderedDict[Hashable, Graph | None]"] = WeakKeyDictionary()


class _Bound(nn.Module):
    """A law and the network whose parameters it reads, so that others can take their place."""

    def __init__(self, network: nn.Module, law: Law) -> None:
        super().__init__()
        self.network, self.law = network, law

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        return self.law(*inputs)


class Graph:
    """One captured run: static inputs and outputs, and the graphs between them."""

    def __init__(self, network: nn.Module, law: Law, inputs: Sequence[Tensor], learning: bool) -> None:
        self.turn = 0  # changes whenever what a forward run left behind is written over
        self.inputs = [value.detach().clone().requires_grad_(learning and value.requires_grad) for value in inputs]
        # Leaves of their own in the same memory: those of training belong to the default stream, closed to a capture.
        leaves = {
            f"network.{name}": p.detach().requires_grad_(learning and p.requires_grad)
            for name, p in network.named_parameters()
        }
        self.sources = [value for value in (*self.inputs, *leaves.values()) if value.requires_grad]
        bound = _Bound(network, law)

        def outputs() -> list[Tensor]:
            return functional_call(bound, leaves, tuple(self.inputs))

        with torch.set_grad_enabled(learning):
            self._warm_up(outputs)
            self.forward_graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.forward_graph):
                self.outputs = outputs()
        if not learning:
            return
        self.ends = [value for value in self.outputs if value.requires_grad]
        self.end_gradients = [torch.empty_like(value) for value in self.ends]
        self.backward_graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.backward_graph, pool=self.forward_graph.pool()):
            self.gradients = torch.autograd.grad(self.ends, self.sources, self.end_gradients, allow_unused=True)

    def _warm_up(self, outputs: Callable[[], list[Tensor]]) -> None:
        """Libraries set themselves up at their first call, which a graph cannot hold. Nothing of it is kept."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            ends = [value for value in outputs() if value.requires_grad]
            if ends:
                torch.autograd.grad(ends, self.sources, [torch.zeros_like(end) for end in ends], allow_unused=True)
        torch.cuda.current_stream().wait_stream(stream)

    def replay(self, inputs: Sequence[Tensor]) -> int:
        """Run forward on these inputs; `outputs` hold the result until the next replay. Returns the turn."""
        with torch.no_grad():
            for static, value in zip(self.inputs, inputs, strict=True):
                static.copy_(value)
        self.forward_graph.replay()
        self.turn += 1
        return self.turn

    def back(self, gradients: Sequence[Tensor]) -> list[Tensor | None]:
        """Gradients of `sources` from those of `ends`, for the run replayed last."""
        for static, value in zip(self.end_gradients, gradients, strict=True):
            static.copy_(value)
        self.backward_graph.replay()
        self.turn += 1  # it worked in the memory of what it needed
        return [None if value is None else value.clone() for value in self.gradients]


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: Graph, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.graph, ctx.count = graph, count
        ctx.save_for_backward(*tensors)  # the parameters too: autograd then notices if they were changed meanwhile
        ctx.turn = graph.replay(tensors[:count])
        outputs = tuple(value.detach().clone() for value in graph.outputs)
        ctx.learned = [value.requires_grad for value in graph.outputs]
        ctx.mark_non_differentiable(*(out for out, learned in zip(outputs, ctx.learned, strict=True) if not learned))
        return outputs

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        graph, tensors = ctx.graph, ctx.saved_tensors
        if graph.turn != ctx.turn:
            ctx.turn = graph.replay(tensors[: ctx.count])
        found = iter(graph.back([g for g, learned in zip(gradients, ctx.learned, strict=True) if learned]))
        return None, None, *(next(found) if needed else None for needed in ctx.needs_input_grad[2:])


def run(network: nn.Module, law: Law, inputs: Sequence[Tensor], options: Hashable) -> Sequence[Tensor]:
    """What `law(*inputs)` returns, by a captured graph from the second call on.

    Args:
        network: whose parameters and buffers the law reads, in place.
        law: a function of tensors on one device that never waits for it (no `.item()`, no branch on values).
        inputs: all that changes from call to call.
        options: whatever else decides which operations the law consists of.
    """
    parameters = list(network.parameters())
    learning = torch.is_grad_enabled() and any(p.requires_grad for p in (*inputs, *parameters))
    places = tuple((p.data_ptr(), p.requires_grad) for p in (*parameters, *network.buffers()))
    shapes = tuple((value.shape, value.dtype, learning and value.requires_grad) for value in inputs)
    key = (options, learning, shapes, places)

    kept = _graphs.setdefault(network, OrderedDict())
    if key not in kept:
        kept[key] = None  # a shape that never comes again is not worth a capture
        while len(kept) > KEPT:
            kept.popitem(last=False)
        return law(*inputs)
    kept.move_to_end(key)
    graph = kept[key]
    if graph is None:
        graph = kept[key] = Graph(network, law, inputs, learning)
    if learning:
        return _Replay.apply(graph, len(inputs), *inputs, *parameters)
    graph.replay(inputs)
    return [value.clone() for value in graph.outputs]
