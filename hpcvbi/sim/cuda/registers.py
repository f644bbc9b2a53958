"""Fewer live registers for models with many parameters.

A kernel loads the parameters of its draws once, before all loops. On a CPU those that do not fit
its registers wait on the stack, which is near; on a GPU it is far. Where there are more than
`MOST_HELD` of them, `sink` has every visit of a region load them again, from the multiprocessor's
cache.
"""

import ast
from collections.abc import Iterator

MOST_HELD = 20
"""Parameters that are kept in registers."""


def sink(text: str) -> str:
    """Return the text of a kernel with its parameters loaded where they are used, if many."""
    tree = ast.parse(text)
    (run,) = [part for part in tree.body if isinstance(part, ast.FunctionDef)]
    loads = {s.targets[0].id: s for s in run.body if _loads_parameter(s)}  # type: ignore[attr-defined]
    rest = [s for s in run.body if s not in loads.values()]
    outside = {name for s in rest if not isinstance(s, ast.For) for name in _names(s)}
    if len(loads) <= MOST_HELD or outside & set(loads):
        return text
    run.body = rest
    for loop in (node for node in ast.walk(run) if _shared_among_workers(node)):
        used = [loads[name] for name in loads if name in set(_names(loop))]
        loop.body = [*used, *loop.body]  # type: ignore[attr-defined]
    return ast.unparse(tree) + "\n"


def _loads_parameter(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and ast.unparse(statement.value).startswith("load(P, ")


def _shared_among_workers(node: ast.AST) -> bool:
    return isinstance(node, ast.For) and ast.unparse(node.iter) == "each(nodes)"


def _names(node: ast.AST) -> Iterator[str]:
    return (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
