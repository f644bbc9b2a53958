"""Lanes from and to flat arrays. No index is checked: the caller answers for the bounds."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from hpcvbi.sim.lanes.vector import Vector, broadcast, llvm_type


def _address(context, builder, signature, args, kind):
    array = context.make_array(signature.args[0])(context, builder, args[0])
    index = context.cast(builder, args[1], signature.args[1], types.intp)
    pointer = builder.bitcast(builder.gep(array.data, [index]), llvm_type(kind).as_pointer())
    return pointer, kind.elem.bitwidth // 8


@intrinsic(prefer_literal=True)
def load(typing, array, index, n):
    """`n` consecutive elements of a flat array from `index`; bounds are up to the caller."""
    kind = Vector(array.dtype, n.literal_value)

    def generate(context, builder, signature, args):
        pointer, alignment = _address(context, builder, signature, args, kind)
        value = builder.load(pointer)
        value.align = alignment
        return value

    return kind(array, index, n), generate


@intrinsic
def entry(typing, array, index):
    """One element of a flat array; the caller answers for the bounds."""

    def generate(context, builder, signature, args):
        source = context.make_array(signature.args[0])(context, builder, args[0])
        at = context.cast(builder, args[1], signature.args[1], types.intp)
        return builder.load(builder.gep(source.data, [at]))

    return array.dtype(array, index), generate


@intrinsic(prefer_literal=True)
def spread(typing, array, index, n):
    """One element of a flat array in all `n` lanes; the caller answers for the bounds."""
    kind = Vector(array.dtype, n.literal_value)

    def generate(context, builder, signature, args):
        source = context.make_array(signature.args[0])(context, builder, args[0])
        at = context.cast(builder, args[1], signature.args[1], types.intp)
        return broadcast(builder, builder.load(builder.gep(source.data, [at])), kind.n)

    return kind(array, index, n), generate


@intrinsic(prefer_literal=True)
def gather(typing, array, index, rows, n):
    """Lane k of row rows[k], the rows of `n` elements each beginning at `index`; the caller answers
    for the bounds.
    """
    kind = Vector(array.dtype, n.literal_value)

    def generate(context, builder, signature, args):
        source = context.make_array(signature.args[0])(context, builder, args[0])
        at = context.cast(builder, args[1], signature.args[1], types.intp)
        first = builder.gep(source.data, [at])
        number = ir.IntType(32)
        value = ir.Constant(llvm_type(kind), ir.Undefined)
        for lane in range(kind.n):
            row = builder.extract_element(args[2], ir.Constant(number, lane))
            offset = builder.add(
                builder.mul(row, ir.Constant(number, kind.n)), ir.Constant(number, lane)
            )
            element = builder.load(builder.gep(first, [builder.sext(offset, ir.IntType(64))]))
            value = builder.insert_element(value, element, ir.Constant(number, lane))
        return value

    return kind(array, index, rows, n), generate


@intrinsic
def store(typing, array, index, value):
    """Write the lanes of `value` to a flat array from `index`; bounds are up to the caller."""

    def generate(context, builder, signature, args):
        pointer, alignment = _address(context, builder, signature, args, value)
        builder.store(args[2], pointer, align=alignment)
        return context.get_dummy_value()

    return types.void(array, index, value), generate
