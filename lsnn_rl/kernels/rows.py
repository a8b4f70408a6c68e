"""The three inner loops that take most of the time, written in LLVM directly so that sums stay in registers.

`accumulate` adds up rows of a matrix picked by a list: currents from spikes, weight gradients from events, readouts.
`sparse_product` and `dense_product` carry gradients back through the recurrent weights.
The order of every sum depends on the lists only, never on how many rows of the batch are worked on together.
"""

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from lsnn_rl.kernels.simd import I32, I64, LANES, at, fused, load_vector, shifted, splat, store_vector

WIDE = bool(llvm.get_host_cpu_features().get("avx512f"))  # 32 registers of 16 floats, or 16 of 8 (or 32 of 4)
ROW_TILE = {32: 8, 64: 4} if WIDE else {32: 4, 64: 2}  # rows of a dense product in registers together, by precision
WORD_TILE = 3 if WIDE else 1  # and words


GROUPS = (20, 14, 11, 8, 6, 5, 4, 3, 2, 1)  # words of units that `accumulate` can hold in registers together


def group_limit(bits: int) -> int:
    """The most words that fit in registers beside what else is needed, for numbers of 32 or 64 bits."""
    return (20 if WIDE else 6) * 32 // bits


def _bits(kind: ir.Type) -> int:
    return 64 if kind == ir.DoubleType() else 32


def _cells(builder: ir.IRBuilder, kind: ir.Type, count: int) -> list[ir.Value]:
    """Variables that LLVM turns into registers."""
    return [cgutils.alloca_once(builder, kind) for _ in range(count)]


def _call(builder: ir.IRBuilder, name: str, args: list[ir.Value], write: Callable[..., None]) -> None:
    """Call a subroutine of the module, written once by `write(builder, *args)` and never inlined (compile time)."""
    name = f"lsnn_rl.{name}.{args[0].type.pointee}"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), [value.type for value in args]), name)
        function.linkage = "linkonce_odr"  # one copy, however many modules bring theirs
        function.attributes.add("noinline")
        function.attributes.add("optsize")  # lists are short: unrolled loops would only cost time to compile
        inner = ir.IRBuilder(function.append_basic_block("entry"))
        write(inner, *function.args)
        inner.ret_void()
    builder.call(function, args)


def _accumulator(count: int) -> Callable[..., None]:
    """The subroutine for `count` words."""

    def write(builder, target, start, rows, stride, index, value, first, last, ones, low, high) -> None:
        sums = _cells(builder, ir.VectorType(target.type.pointee, LANES), count)

        def add_rows(numbers: ir.Value, weights: ir.Value | None, begin: ir.Value, stop: ir.Value) -> None:
            with cgutils.for_range_slice(builder, begin, stop, I64(1), I64) as (entry, _):
                row = builder.mul(builder.sext(builder.load(at(builder, numbers, entry)), I64), stride)
                factor = None if weights is None else splat(builder, builder.load(at(builder, weights, entry)))
                for k in range(count):
                    vector = load_vector(builder, rows, builder.add(row, I64(LANES * k)))
                    total = builder.load(sums[k])
                    total = builder.fadd(total, vector) if factor is None else fused(builder, factor, vector, total)
                    builder.store(total, sums[k])

        for k in range(count):
            builder.store(load_vector(builder, start, I64(LANES * k)), sums[k])
        add_rows(index, value, first, last)
        add_rows(ones, None, low, high)
        for k in range(count):
            store_vector(builder, builder.load(sums[k]), target, I64(LANES * k))

    return write


@intrinsic
def _accumulate(context: Any, words, target, start, rows, stride, index, value, first, last, ones, low, high) -> Any:
    signature = types.void(
        types.int64,
        target,
        start,
        rows,
        types.int64,
        index,
        value,
        types.int64,
        types.int64,
        ones,
        types.int64,
        types.int64,
    )

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        end = builder.append_basic_block("end")
        choice = builder.switch(args[0], end)
        for count in (count for count in GROUPS if count <= group_limit(_bits(args[1].type.pointee))):
            block = builder.append_basic_block(f"words{count}")
            choice.add_case(I64(count), block)
            builder.position_at_end(block)
            _call(builder, f"accumulate{count}", list(args[1:]), _accumulator(count))
            builder.branch(end)
        builder.position_at_end(end)
        return ctx.get_dummy_value()

    return signature, generate


@njit(nogil=True)
def accumulate(limit, words, target, start, rows, stride, index, value, first, last, ones, low, high):
    """target = start + sum of value[e] * rows[index[e]] for e in first..last + sum of rows[ones[e]] for e in low..high.

    All are pointers; `words` groups of 16 columns, `limit` of them in registers together; rows are `stride` apart.
    """
    done = 0
    while done < words:
        room = min(limit, words - done)
        group = 1
        for fitting in GROUPS:
            if group < fitting <= room:
                group = fitting
        _accumulate(
            group, shifted(target, 16 * done), shifted(start, 16 * done), shifted(rows, 16 * done), stride,
            index, value, first, last, ones, low, high,
        )  # fmt: skip
        done += group


def _hidden(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """The same value, but LLVM no longer knows that it was loaded, and so will not load its parts one by one.

    Loads are what limits the sparse product; picking from a register goes elsewhere in the processor.
    """
    if not WIDE:
        return value
    return builder.asm(ir.FunctionType(value.type, [value.type]), "", "=v,0", [value], side_effect=False)


@intrinsic
def _sparse_product(context: Any, target, source, order, starts, index, weights, rows, tile) -> Any:
    lanes = tile.count
    width = min(lanes, LANES)
    signature = types.void(target, source, order, starts, index, weights, types.int64, tile)

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        target, source, order, starts, index, weights, rows, _ = args
        kind = ir.VectorType(target.type.pointee, width)
        parts = lanes // width
        sums = [_cells(builder, kind, parts) for _ in range(4)]  # four chains hide the latency of an addition
        with cgutils.for_range_slice(builder, I64(0), rows, I64(1), I64) as (row, _):
            for cell in (cell for chain in sums for cell in chain):
                builder.store(ir.Constant(kind, None), cell)
            begin, stop = (builder.load(at(builder, starts, builder.add(row, I64(k)))) for k in (0, 1))
            with cgutils.for_range_slice(builder, begin, stop, I64(4), I64) as (entry, _):
                four = _hidden(builder, load_vector(builder, weights, entry, 4))
                for step, chain in enumerate(sums):
                    here = builder.add(entry, I64(step))
                    place = builder.sext(builder.load(at(builder, index, here)), I64)
                    picks = ir.Constant(ir.VectorType(I32, width), [I32(step)] * width)
                    factor = builder.shuffle_vector(four, four, picks)
                    for part, cell in enumerate(chain):
                        vector = load_vector(builder, source, builder.add(place, I64(width * part)), width)
                        builder.store(fused(builder, factor, vector, builder.load(cell)), cell)
            place = builder.mul(builder.sext(builder.load(at(builder, order, row)), I64), I64(lanes))
            for part in range(parts):
                a, b, c, d = (builder.load(chain[part]) for chain in sums)
                total = builder.fadd(builder.fadd(a, b), builder.fadd(c, d))
                store_vector(builder, total, target, builder.add(place, I64(width * part)))
        return ctx.get_dummy_value()

    return signature, generate


@intrinsic
def scatter(context: Any, target, places, weights, factor, first, last) -> Any:
    """target[places[e]] += factor * weights[e] for e in first .. last, which are multiples of 4.

    Unrolled by hand: numba would try vectors, whose gathers cost more than they save on lists as short as a fan.
    """
    signature = types.void(target, places, weights, factor, types.int64, types.int64)

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        target, places, weights, factor, first, last = args
        four = splat(builder, factor, 4)
        with cgutils.for_range_slice(builder, first, last, I64(4), I64) as (entry, _):
            parts = _hidden(builder, builder.fmul(four, load_vector(builder, weights, entry, 4)))
            for k in range(4):
                place = at(builder, target, _place(builder, places, entry, k))
                part = builder.extract_element(parts, I32(k))
                builder.store(builder.fadd(builder.load(place), part), place)
        return ctx.get_dummy_value()

    return signature, generate


@intrinsic
def gather(context: Any, target, source, places, factor, first, last) -> Any:
    """target[e] += factor * source[places[e]] for e in first .. last, which are multiples of 4."""
    signature = types.void(target, source, places, factor, types.int64, types.int64)

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        target, source, places, factor, first, last = args
        four = splat(builder, factor, 4)
        with cgutils.for_range_slice(builder, first, last, I64(4), I64) as (entry, _):
            parts = ir.Constant(ir.VectorType(factor.type, 4), ir.Undefined)
            for k in range(4):
                part = builder.load(at(builder, source, _place(builder, places, entry, k)))
                parts = builder.insert_element(parts, part, I32(k))
            total = fused(builder, four, parts, load_vector(builder, target, entry, 4))
            store_vector(builder, total, target, entry)
        return ctx.get_dummy_value()

    return signature, generate


def _place(builder: ir.IRBuilder, places: ir.Value, entry: ir.Value, k: int) -> ir.Value:
    return builder.sext(builder.load(at(builder, places, builder.add(entry, I64(k)))), I64)


_ONE, _TWO, _THREE, _TILE_8, _TILE_16, _TILE_32 = ((1,) * count for count in (1, 2, 3, 8, 16, 32))  # sizes, as types


@njit(nogil=True)
def sparse_product(lanes, target, source, order, starts, index, weights, rows):
    """target[order[r], :] = sum over the list of r of weight * source[index, :], for 8, 16 or 32 rows of the batch
    (`lanes`).

    Lists are padded with zero weights to multiples of 4; indices are already times `lanes`.
    """
    if lanes == 32:
        _sparse_product(target, source, order, starts, index, weights, rows, _TILE_32)
    elif lanes == 16:
        _sparse_product(target, source, order, starts, index, weights, rows, _TILE_16)
    else:
        _sparse_product(target, source, order, starts, index, weights, rows, _TILE_8)


@intrinsic
def _dense_tile(context: Any, target, place, start, scale, source, offsets, weights, depth, count) -> Any:
    words = count.count
    signature = types.void(target, place, start, scale, source, offsets, weights, types.int64, count)

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        target, place, start, scale, source, offsets, weights, depth, _ = args
        element = target.type.pointee
        rows = ROW_TILE[_bits(element)]
        kind = ir.VectorType(element, LANES)
        sums = [_cells(builder, kind, words) for _ in range(rows)]
        outs = [builder.load(at(builder, place, I64(r))) for r in range(rows)]
        begins = [at(builder, source, builder.load(at(builder, offsets, I64(r)))) for r in range(rows)]
        factor = splat(builder, scale)
        for r in range(rows):
            for w in range(words):
                old = load_vector(builder, start, builder.add(outs[r], I64(LANES * w)))
                builder.store(builder.fmul(factor, old), sums[r][w])
        with cgutils.for_range_slice(builder, I64(0), depth, I64(1), I64) as (k, _):
            line = builder.mul(k, I64(LANES * words))
            columns = [load_vector(builder, weights, builder.add(line, I64(LANES * w))) for w in range(words)]
            for r in range(rows):
                number = splat(builder, builder.load(at(builder, begins[r], k)))
                for w in range(words):
                    builder.store(fused(builder, number, columns[w], builder.load(sums[r][w])), sums[r][w])
        for r in range(rows):
            for w in range(words):
                store_vector(builder, builder.load(sums[r][w]), target, builder.add(outs[r], I64(LANES * w)))
        return ctx.get_dummy_value()

    return signature, generate


def tile_words(words: int) -> list[int]:
    """How `words` columns of 16 are cut into tiles: threes and twos, no one if it can be helped."""
    if WORD_TILE == 1 or words == 1:
        return [1] * words
    twos = -words % 3
    return [3] * ((words - 2 * twos) // 3) + [2] * twos


@njit(nogil=True)
def dense_product(words, target, place, start, scale, source, offsets, weights, depth):
    """target[place[r] :] = scale * start[place[r] :] + sum_k source[offsets[r] + k] * weights[k, :], r < ROW_TILE.

    The columns of the weights [depth, 16 words] are cut by `tile_words`, each tile [depth, its columns] contiguous.
    """
    done = 0
    while done < words:
        left = words - done
        to = shifted(target, 16 * done)
        old = shifted(start, 16 * done)
        here = shifted(weights, 16 * done * depth)
        if WORD_TILE == 3 and left != 1 and left != 2 and left != 4:
            _dense_tile(to, place, old, scale, source, offsets, here, depth, _THREE)
            done += 3
        elif WORD_TILE == 3 and left != 1:
            _dense_tile(to, place, old, scale, source, offsets, here, depth, _TWO)
            done += 2
        else:
            _dense_tile(to, place, old, scale, source, offsets, here, depth, _ONE)
            done += 1
