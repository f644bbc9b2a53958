"""32-bit integers throughout a generated kernel.

numba computes with 64-bit integers whatever their operands; a GPU has 32-bit registers, and divides
64-bit integers by a long routine. `narrow` rewrites the text of a kernel so that every integer in
it is cast to 32 bits after each operation, which the compiler turns into 32-bit operations. Numbers
of the model pass unchanged.
"""

import ast

import numpy as np

from hpcvbi.sim.cuda.device import SIMULATED

if SIMULATED:

    def small(x):
        """Cast an integer to 32 bits; other numbers pass."""
        return np.int32(x) if isinstance(x, int | np.integer) else x

    def quotient(a, b):
        """Integer quotient, rounded down."""
        return np.int32(a // b)

    def remainder(a, b):
        """Remainder of `quotient`."""
        return np.int32(a % b)

else:
    from llvmlite import ir
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    INT = ir.IntType(32)

    @intrinsic
    def small(typing, x):
        """Cast an integer to 32 bits; other numbers pass."""
        if not isinstance(x, types.Integer):
            return x(x), lambda context, builder, signature, args: args[0]

        def generate(context, builder, signature, args):
            return context.cast(builder, args[0], signature.args[0], types.int32)

        return types.int32(x), generate

    def _division(instruction, adjust):
        def typer(typing, a, b):
            def generate(context, builder, signature, args):
                a, b = (
                    context.cast(builder, value, kind, types.int32)
                    for value, kind in zip(args, signature.args, strict=True)
                )
                rest = builder.srem(a, b)
                zero = ir.Constant(INT, 0)
                # A divisor is a count, so only a negative dividend has to be rounded down.
                below = builder.icmp_signed("<", rest, zero)
                result = rest if instruction == "srem" else builder.sdiv(a, b)
                return builder.add(result, builder.select(below, adjust(b), zero))

            return types.int32(a, b), generate

        return intrinsic(typer)

    quotient = _division("sdiv", lambda b: ir.Constant(INT, -1))
    remainder = _division("srem", lambda b: b)

DIVISIONS = {ast.FloorDiv: "quotient", ast.Mod: "remainder"}
NAMES = {"small": small, "quotient": quotient, "remainder": remainder}
"""What the text calls after `narrow`."""


class _Narrow(ast.NodeTransformer):
    def visit_BinOp(self, node):
        self.generic_visit(node)
        if name := DIVISIONS.get(type(node.op)):
            return _call(name, node.left, node.right)
        return _call("small", node)

    def visit_AugAssign(self, node):
        target = ast.Name(node.target.id, ast.Load())
        value = self.visit(ast.BinOp(target, node.op, node.value))
        return ast.Assign([node.target], value)

    def visit_Constant(self, node):
        return _call("small", node) if type(node.value) is int else node

    def visit_Subscript(self, node):
        # The index of a tuple has to stay a constant.
        return node if isinstance(node.slice, ast.Constant) else self.generic_visit(node)


def _call(name, *arguments):
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def narrow(text: str) -> str:
    """Return the text of a kernel with the integers in its functions cast to 32 bits."""
    tree = ast.parse(text)
    for part in tree.body:
        if isinstance(part, ast.FunctionDef):
            part.body = [_Narrow().visit(statement) for statement in part.body]
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"
