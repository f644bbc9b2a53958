"""A numba type for `n` numbers in one SIMD register: Vector(float32, 16) is LLVM's <16 x float>.

Compiled functions use it with ordinary operators. A scalar operand is cast to the element type and
broadcast, so that a float32 kernel never widens to float64 by way of a literal. Nothing here
reassociates or contracts: what is written is what is computed, in every lane alike, for every
width.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic, models, overload, register_model

LLVM_TYPES = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.int32: ir.IntType(32),
    types.uint32: ir.IntType(32),
    types.int64: ir.IntType(64),
    types.uint64: ir.IntType(64),
}
LLVM_SUFFIX = {"float": "f32", "double": "f64", "i32": "i32", "i64": "i64"}


class Vector(types.Type):
    """`n` elements of type `elem`."""

    def __init__(self, elem, n):
        self.elem, self.n = elem, n
        super().__init__(name=f"Vector({elem},{n})")


class Mask(types.Type):
    """`n` truth values."""

    def __init__(self, n):
        self.n = n
        super().__init__(name=f"Mask({n})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """A Vector is an LLVM vector value."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, llvm_type(kind))


@register_model(Mask)
class MaskModel(models.PrimitiveModel):
    """A Mask is an LLVM vector of bits."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(ir.IntType(1), kind.n))


def llvm_type(kind):
    """LLVM vector type of a Vector."""
    return ir.VectorType(LLVM_TYPES[kind.elem], kind.n)


def is_float(kind):
    """Whether the elements are floating-point numbers."""
    return isinstance(kind.elem, types.Float)


def broadcast(builder, value, n):
    """Repeat a scalar LLVM value in `n` lanes."""
    kind = ir.VectorType(value.type, n)
    if isinstance(value, ir.Constant) and value.constant is not ir.Undefined:
        return ir.Constant(kind, [value.constant] * n)
    first = builder.insert_element(
        ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
    )
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), n), [0] * n)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)


def widen(context, builder, value, source, target):
    """Cast a scalar to the element type of `target` and broadcast it; a Vector passes."""
    if isinstance(source, Vector):
        return value
    return broadcast(builder, context.cast(builder, value, source, target.elem), target.n)


def common(*kinds):
    """Return the Vector type that these operands share, or None when there is none."""
    vectors = {k for k in kinds if isinstance(k, Vector)}
    if len(vectors) > 1:
        raise TypingError(f"lanes of different kinds: {sorted(map(str, vectors))}")
    if not vectors or not all(isinstance(k, Vector | types.Number) for k in kinds):
        return None
    return vectors.pop()


def _elementwise(emit, result=lambda kind: kind):
    """Make an intrinsic of `emit(builder, kind, *vectors)` on any mix of Vectors and scalars."""

    def typer(*operands):
        kind = common(*operands)
        if kind is None:
            return None

        def generate(context, builder, signature, args):
            vectors = [
                widen(context, builder, a, s, kind)
                for a, s in zip(args, signature.args, strict=True)
            ]
            return emit(builder, kind, *vectors)

        return result(kind)(*operands), generate

    return typer


def _binary(symbol, emit, result=lambda kind: kind):
    typer = _elementwise(emit, result)

    @intrinsic
    def operation(typing, a, b):
        return typer(a, b)

    @overload(symbol)
    def _(a, b):
        if isinstance(a, Vector) or isinstance(b, Vector):
            return lambda a, b: operation(a, b)

    return operation


def _arithmetic(float_name, signed_name, unsigned_name=None):
    def emit(builder, kind, a, b):
        if is_float(kind):
            name = float_name
        else:
            name = signed_name if kind.elem.signed else (unsigned_name or signed_name)
        return getattr(builder, name)(a, b)

    return emit


def _comparison(sign):
    def emit(builder, kind, a, b):
        if is_float(kind):
            return builder.fcmp_ordered(sign, a, b)
        compare = builder.icmp_signed if kind.elem.signed else builder.icmp_unsigned
        return compare(sign, a, b)

    return emit


for _symbol, _names in {
    operator.add: ("fadd", "add"),
    operator.sub: ("fsub", "sub"),
    operator.mul: ("fmul", "mul"),
    operator.truediv: ("fdiv", "sdiv", "udiv"),
    operator.and_: ("", "and_"),
    operator.or_: ("", "or_"),
    operator.xor: ("", "xor"),
    operator.lshift: ("", "shl"),
    operator.rshift: ("", "ashr", "lshr"),
}.items():
    _binary(_symbol, _arithmetic(*_names))
for _symbol, _sign in {
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
}.items():
    _binary(_symbol, _comparison(_sign), lambda kind: Mask(kind.n))


@intrinsic
def _negate(typing, a):
    def generate(context, builder, signature, args):
        return builder.fneg(args[0]) if is_float(a) else builder.neg(args[0])

    return a(a), generate


@overload(operator.neg)
def _neg(a):
    if isinstance(a, Vector):
        return lambda a: _negate(a)


def call_llvm(builder, name, *args):
    """Call LLVM's intrinsic `name` on vectors of one type."""
    kind = args[0].type
    full = f"{name}.v{kind.count}{LLVM_SUFFIX[str(kind.element)]}"
    function = builder.module.globals.get(full)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(args)), full)
    return builder.call(function, args)


_fma = _elementwise(lambda builder, kind, a, b, c: call_llvm(builder, "llvm.fma", a, b, c))
_sqrt = _elementwise(lambda builder, kind, a: call_llvm(builder, "llvm.sqrt", a))
_rint = _elementwise(lambda builder, kind, a: call_llvm(builder, "llvm.rint", a))


@intrinsic
def fma(typing, a, b, c):
    """a * b + c, rounded once."""
    return _fma(a, b, c)


@intrinsic
def sqrt(typing, a):
    """Square root."""
    return _sqrt(a)


@intrinsic
def rint(typing, a):
    """Nearest integer, halves to even."""
    return _rint(a)


@intrinsic
def where(typing, mask, a, b):
    """`a` in the lanes where `mask` holds, else `b`; `a` and `b` may be scalars, not both."""
    kind = common(a, b)

    def generate(context, builder, signature, args):
        yes = widen(context, builder, args[1], a, kind)
        no = widen(context, builder, args[2], b, kind)
        return builder.select(args[0], yes, no)

    return kind(mask, a, b), generate


def _conversion(instruction, targets):
    @intrinsic
    def convert(typing, a):
        kind = Vector(targets[a.elem], a.n)

        def generate(context, builder, signature, args):
            return getattr(builder, instruction)(args[0], llvm_type(kind))

        return kind(a), generate

    return convert


to_int = _conversion("fptosi", {types.float32: types.int32, types.float64: types.int64})
to_float = _conversion("sitofp", {types.int32: types.float32, types.int64: types.float64})
unsigned_to_float = _conversion("uitofp", {types.uint32: types.float32})
as_bits = _conversion("bitcast", {types.float32: types.int32, types.float64: types.int64})
from_bits = _conversion("bitcast", {types.int32: types.float32, types.int64: types.float64})
as_signed = _conversion("bitcast", {types.uint32: types.int32, types.uint64: types.int64})
to_double = _conversion("fpext", {types.float32: types.float64})


@intrinsic
def rotate_left(typing, a, bits):
    """Rotate the bits of unsigned lanes to the left."""

    def generate(context, builder, signature, args):
        return call_llvm(
            builder, "llvm.fshl", args[0], args[0], widen(context, builder, args[1], bits, a)
        )

    return a(a, bits), generate
