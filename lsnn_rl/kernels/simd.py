"""Short vectors for numba: 16 numbers at a time in the processor's own registers, by LLVM vector types.

LLVM splits a vector of 16 into what the machine has (one AVX-512 register, two of AVX2, four of NEON), so one source
serves all. Memory is addressed by raw pointers with offsets counted in elements and is not checked: callers validate
first.

Numbers that leave a vector through a bit mask (`pack_values`, `pack_indices`) are written without a branch where the
processor can compress a register (AVX-512), and plainly elsewhere or with LSNN_RL_PLAIN=1; `PACKED` says which.
"""

import os
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16  # numbers in a vector, of either precision; spikes of 16 units are one uint16
PACKED = bool(llvm.get_host_cpu_features().get("avx512f")) and os.environ.get("LSNN_RL_PLAIN", "") in ("", "0")

I1, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 16, 32, 64))


class Vector(types.Type):
    """`LANES` numbers of one precision, as a numba type."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(name=f"vector{LANES}x{dtype}")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.dtype).get_value_type(), LANES))


# ---- pieces of LLVM code, shared by the intrinsics below and by kernels/rows.py -----------------------------------


def at(builder: ir.IRBuilder, pointer: ir.Value, offset: ir.Value, kind: ir.Type | None = None) -> ir.Value:
    """The address `offset` elements on, seen as a pointer to `kind`."""
    address = builder.gep(pointer, [offset])
    return address if kind is None else builder.bitcast(address, kind.as_pointer())


def load_vector(builder: ir.IRBuilder, pointer: ir.Value, offset: ir.Value, lanes: int = LANES) -> ir.Value:
    element = pointer.type.pointee
    value = builder.load(at(builder, pointer, offset, ir.VectorType(element, lanes)))
    value.align = 8 if element == ir.DoubleType() else 4
    return value


def store_vector(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value, offset: ir.Value) -> None:
    stored = builder.store(value, at(builder, pointer, offset, value.type))
    stored.align = 8 if value.type.element == ir.DoubleType() else 4


def splat(builder: ir.IRBuilder, number: ir.Value, lanes: int = LANES) -> ir.Value:
    kind = ir.VectorType(number.type, lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, I32(0))
    return builder.shuffle_vector(
        first, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(I32, lanes), [I32(0)] * lanes)
    )


def named(builder: ir.IRBuilder, name: str, kind: ir.FunctionType) -> ir.Function:
    """An LLVM intrinsic, declared once in the module."""
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


def suffix(kind: ir.VectorType) -> str:
    return f"v{kind.count}" + {"float": "f32", "double": "f64", "i32": "i32"}[str(kind.element)]


def fused(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a * b + c, rounded once."""
    return builder.call(named(builder, f"llvm.fma.{suffix(a.type)}", ir.FunctionType(a.type, [a.type] * 3)), [a, b, c])


def bits_to_lanes(builder: ir.IRBuilder, mask: ir.Value, lanes: int = LANES) -> ir.Value:
    return builder.bitcast(builder.trunc(mask, ir.IntType(lanes)), ir.VectorType(I1, lanes))


def count_bits(builder: ir.IRBuilder, mask: ir.Value, bits: int = LANES) -> ir.Value:
    wide = builder.zext(builder.trunc(mask, ir.IntType(bits)), I64)
    return builder.call(named(builder, "llvm.ctpop.i64", ir.FunctionType(I64, [I64])), [wide])


def _compress(builder: ir.IRBuilder, value: ir.Value, lanes: ir.Value) -> ir.Value:
    kind = value.type
    name = f"llvm.experimental.vector.compress.{suffix(kind)}"
    function = named(builder, name, ir.FunctionType(kind, [kind, lanes.type, kind]))
    return builder.call(function, [value, lanes, ir.Constant(kind, ir.Undefined)])


def _half(builder: ir.IRBuilder, value: ir.Value, which: int) -> ir.Value:
    order = ir.Constant(ir.VectorType(I32, LANES // 2), [I32(which * LANES // 2 + k) for k in range(LANES // 2)])
    return builder.shuffle_vector(value, value, order)


# ---- addresses ------------------------------------------------------------------------------------------------


@intrinsic
def pointer(context: Any, frame: types.CPointer, slot: types.Integer, like: types.Type) -> Any:
    """The address in slot `slot` of a frame, as a pointer to numbers like `like` (an array or a numpy type)."""
    dtype = like.dtype if isinstance(like, types.Array) else like.instance_type
    signature = types.CPointer(dtype)(frame, slot, like)

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        index = builder.sext(args[1], I64) if args[1].type.width < 64 else args[1]
        address = builder.load(at(builder, args[0], index))
        return builder.inttoptr(address, ctx.get_value_type(sig.return_type))

    return signature, generate


@intrinsic
def data(context: Any, array: types.Array) -> Any:
    """Where an array's numbers begin. The caller keeps the array alive."""

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return ctx.make_array(sig.args[0])(ctx, builder, args[0]).data

    return types.CPointer(array.dtype)(array), generate


@intrinsic
def aligned(context: Any, array: types.Array) -> Any:
    """Where an array's numbers begin, moved up to a cache line; allocate 16 numbers more than needed."""

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        begin = ctx.make_array(sig.args[0])(ctx, builder, args[0]).data
        line = builder.and_(builder.add(builder.ptrtoint(begin, I64), I64(63)), I64(-64))
        return builder.inttoptr(line, begin.type)

    return types.CPointer(array.dtype)(array), generate


@intrinsic
def shifted(context: Any, base: types.CPointer, offset: types.Integer) -> Any:
    """The pointer `offset` elements on."""
    return base(base, types.int64), lambda ctx, builder, sig, args: at(builder, args[0], args[1])


@intrinsic
def get(context: Any, base: types.CPointer, offset: types.Integer) -> Any:
    """One number, without bounds or wraparound."""
    return base.dtype(base, types.int64), lambda ctx, builder, sig, args: builder.load(at(builder, *args))


@intrinsic
def put(context: Any, base: types.CPointer, offset: types.Integer, number: types.Number) -> Any:
    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        builder.store(args[2], at(builder, args[0], args[1]))
        return ctx.get_dummy_value()

    return types.void(base, types.int64, base.dtype), generate


@intrinsic
def word(context: Any, base: types.CPointer, offset: types.Integer) -> Any:
    """The 16 bits of one word of spikes, as an int64."""

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.zext(builder.load(at(builder, *args)), I64)

    return types.int64(base, types.int64), generate


@intrinsic
def put_word(context: Any, base: types.CPointer, offset: types.Integer, mask: types.Integer) -> Any:
    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        builder.store(builder.trunc(args[2], I16), at(builder, args[0], args[1]))
        return ctx.get_dummy_value()

    return types.void(base, types.int64, types.int64), generate


@intrinsic
def prefetch(context: Any, base: types.CPointer, offset: types.Integer) -> Any:
    """Ask for a cache line ahead of its use."""

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        address = builder.bitcast(at(builder, args[0], args[1]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [address.type, I32, I32, I32])
        builder.call(named(builder, "llvm.prefetch.p0", kind), [address, I32(0), I32(3), I32(1)])
        return ctx.get_dummy_value()

    return types.void(base, types.int64), generate


# ---- vectors --------------------------------------------------------------------------------------------------


@intrinsic
def load(context: Any, base: types.CPointer, offset: types.Integer) -> Any:
    return Vector(base.dtype)(base, types.int64), lambda ctx, builder, sig, args: load_vector(builder, *args)


@intrinsic
def store(context: Any, base: types.CPointer, offset: types.Integer, value: Vector) -> Any:
    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        store_vector(builder, args[2], args[0], args[1])
        return ctx.get_dummy_value()

    return types.void(base, types.int64, value), generate


@intrinsic
def load_part(context: Any, base: types.CPointer, offset: types.Integer, mask: types.Integer) -> Any:
    """The lanes whose bit is set, zeros in the others; never touches the others' memory."""

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        kind = ctx.get_value_type(sig.return_type)
        address = at(builder, args[0], args[1], kind)
        lanes = bits_to_lanes(builder, args[2])
        name = f"llvm.masked.load.{suffix(kind)}.p0"
        function = named(builder, name, ir.FunctionType(kind, [address.type, I32, lanes.type, kind]))
        return builder.call(
            function, [address, I32(sig.return_type.dtype.bitwidth // 8), lanes, ir.Constant(kind, None)]
        )

    return Vector(base.dtype)(base, types.int64, types.int64), generate


@intrinsic
def store_part(context: Any, base: types.CPointer, offset: types.Integer, value: Vector, mask: types.Integer) -> Any:
    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        kind = args[2].type
        address = at(builder, args[0], args[1], kind)
        lanes = bits_to_lanes(builder, args[3])
        name = f"llvm.masked.store.{suffix(kind)}.p0"
        function = named(builder, name, ir.FunctionType(ir.VoidType(), [kind, address.type, I32, lanes.type]))
        builder.call(function, [args[2], address, I32(sig.args[2].dtype.bitwidth // 8), lanes])
        return ctx.get_dummy_value()

    return types.void(base, types.int64, value, types.int64), generate


@intrinsic
def fill(context: Any, number: types.Number) -> Any:
    """The same number in all lanes."""
    return Vector(number)(number), lambda ctx, builder, sig, args: splat(builder, args[0])


def _binary(operation: str) -> Callable[..., Any]:
    @intrinsic
    def combine(context: Any, a: Vector, b: Vector) -> Any:
        return a(a, b), lambda ctx, builder, sig, args: getattr(builder, operation)(*args)

    return combine


add, sub, mul, div = (_binary(operation) for operation in ("fadd", "fsub", "fmul", "fdiv"))


@intrinsic
def fma(context: Any, a: Vector, b: Vector, c: Vector) -> Any:
    """a * b + c, rounded once."""
    return a(a, b, c), lambda ctx, builder, sig, args: fused(builder, *args)


@intrinsic
def absolute(context: Any, a: Vector) -> Any:
    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        kind = args[0].type
        return builder.call(named(builder, f"llvm.fabs.{suffix(kind)}", ir.FunctionType(kind, [kind])), args)

    return a(a), generate


def _comparison(sign: str) -> Callable[..., Any]:
    @intrinsic
    def compare(context: Any, a: Vector, b: Vector) -> Any:
        def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            ordered = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
            return builder.zext(builder.bitcast(ordered(sign, *args), I16), I64)

        return types.int64(a, b), generate

    return compare


above, differs = _comparison(">"), _comparison("!=")  # one bit per lane, in an int64; NaN differs from everything


@intrinsic
def where(context: Any, mask: types.Integer, a: Vector, b: Vector) -> Any:
    """a where the lane's bit is set, b elsewhere."""

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.select(bits_to_lanes(builder, args[0]), args[1], args[2])

    return a(types.int64, a, b), generate


@intrinsic
def bits(context: Any, mask: types.Integer) -> Any:
    """How many of the 16 bits are set."""
    return types.int64(types.int64), lambda ctx, builder, sig, args: count_bits(builder, args[0])


@intrinsic
def lowest(context: Any, mask: types.Integer) -> Any:
    """Position of the lowest bit that is set; the mask is not 0."""
    return types.int64(types.int64), lambda ctx, builder, sig, args: builder.cttz(args[0], I1(1))


# ---- from masks to lists and back -----------------------------------------------------------------------------


@intrinsic
def pack_indices(
    context: Any, base: types.CPointer, offset: types.Integer, mask: types.Integer, first: types.Integer
) -> Any:
    """Write `first` + the positions of the set bits from `offset` on; returns the offset behind them.

    Up to 16 numbers behind the end are overwritten.
    """

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        target, offset, mask, first = args
        if PACKED:
            kind = ir.VectorType(I32, LANES)
            numbers = builder.add(
                splat(builder, builder.trunc(first, I32)), ir.Constant(kind, [I32(k) for k in range(LANES)])
            )
            store_vector(builder, _compress(builder, numbers, bits_to_lanes(builder, mask)), target, offset)
            return builder.add(offset, count_bits(builder, mask))
        end = cgutils.alloca_once_value(builder, offset)
        left = cgutils.alloca_once_value(builder, builder.and_(mask, I64(2**LANES - 1)))
        loop, done = builder.append_basic_block("bit"), builder.append_basic_block("packed")
        builder.cbranch(builder.icmp_signed("!=", builder.load(left), I64(0)), loop, done)
        builder.position_at_end(loop)
        now = builder.load(left)
        number = builder.add(first, builder.cttz(now, I1(1)))
        builder.store(builder.trunc(number, I32), at(builder, target, builder.load(end)))
        builder.store(builder.add(builder.load(end), I64(1)), end)
        rest = builder.and_(now, builder.sub(now, I64(1)))
        builder.store(rest, left)
        builder.cbranch(builder.icmp_signed("!=", rest, I64(0)), loop, done)
        builder.position_at_end(done)
        return builder.load(end)

    return types.int64(base, types.int64, types.int64, types.int64), generate


@intrinsic
def pack_values(context: Any, base: types.CPointer, offset: types.Integer, mask: types.Integer, value: Vector) -> Any:
    """Write the lanes whose bit is set, densely from `offset` on. Up to 16 numbers behind the end are overwritten."""

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        target, offset, mask, value = args
        if PACKED:
            lanes = bits_to_lanes(builder, mask)
            if value.type.element == ir.FloatType():
                store_vector(builder, _compress(builder, value, lanes), target, offset)
                return ctx.get_dummy_value()
            for half in range(2):  # LLVM 20 to 22 crash on compressing a vector that must be split
                part = _compress(builder, _half(builder, value, half), _half(builder, lanes, half))
                store_vector(builder, part, target, offset)
                offset = builder.add(offset, count_bits(builder, mask, LANES // 2))
            return ctx.get_dummy_value()
        for lane in range(LANES):
            builder.store(builder.extract_element(value, I32(lane)), at(builder, target, offset))
            offset = builder.add(offset, builder.and_(builder.lshr(mask, I64(lane)), I64(1)))
        return ctx.get_dummy_value()

    return types.void(base, types.int64, types.int64, value), generate


@intrinsic
def unpack_values(context: Any, base: types.CPointer, offset: types.Integer, mask: types.Integer) -> Any:
    """Undo `pack_values`: the next numbers from `offset` on, in the lanes whose bit is set, zeros in the others."""

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        source, offset, mask = args
        kind = ctx.get_value_type(sig.return_type)
        zeros = ir.Constant(kind, None)
        if PACKED:
            lanes = bits_to_lanes(builder, mask)
            name = f"llvm.masked.expandload.{suffix(kind)}"
            function = named(builder, name, ir.FunctionType(kind, [source.type, lanes.type, kind]))
            return builder.call(function, [at(builder, source, offset), lanes, zeros])
        value = zeros
        for lane in range(LANES):
            bit = builder.and_(builder.lshr(mask, I64(lane)), I64(1))
            number = builder.select(
                builder.trunc(bit, I1), builder.load(at(builder, source, offset)), kind.element(0.0)
            )
            value = builder.insert_element(value, number, I32(lane))
            offset = builder.add(offset, bit)
        return value

    return Vector(base.dtype)(base, types.int64, types.int64), generate


@intrinsic
def transpose(
    context: Any,
    source: types.CPointer,
    row: types.Integer,
    target: types.CPointer,
    column: types.Integer,
    tile: types.UniTuple,
) -> Any:
    """target[j * column + i] = source[i * row + j] for a square tile of len(tile) numbers a side."""
    lanes = tile.count

    def generate(ctx: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        source, row, target, column, _ = args
        values = [load_vector(builder, source, builder.mul(row, I64(i)), lanes) for i in range(lanes)]
        step = lanes // 2
        while step:  # exchange one bit of the row number with the same bit of the column number
            low = [c if not c & step else lanes + (c ^ step) for c in range(lanes)]
            high = [c | step if not c & step else lanes + c for c in range(lanes)]
            for i in (i for i in range(lanes) if not i & step):
                a, b = values[i], values[i | step]
                for which, order in ((i, low), (i | step, high)):
                    picks = ir.Constant(ir.VectorType(I32, lanes), [I32(k) for k in order])
                    values[which] = builder.shuffle_vector(a, b, picks)
            step //= 2
        for i, value in enumerate(values):
            store_vector(builder, value, target, builder.mul(column, I64(i)))
        return ctx.get_dummy_value()

    return types.void(source, types.int64, target, types.int64, tile), generate
