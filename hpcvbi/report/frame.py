"""What every page has: one file without scripts or outside resources, for screen, phone and paper,
with where the time went and under which circumstances the store was filled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from hpcvbi.report.cost import Cost, cost_figure, cost_of
from hpcvbi.report.read import settings_of
from hpcvbi.report.style import data_uri
from hpcvbi.store import Store, is_sealed, progress, tombstones
from hpcvbi.store.durable import write_durably

FIGURES_FOR = 16
"""People who get figures of their own; the page stays small for a large cohort."""


@dataclass(frozen=True)
class Picture:
    """A figure in the page: SVG as a data URI, what it shows in words, and whether it is wide."""

    uri: str
    caption: str
    wide: bool = False


def write(store: Store, template: str, content: Mapping[str, Any]) -> Path:
    """Fill a template of this package, write report.html beside the store and return its path."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = files("hpcvbi.report")
    environment = Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    path = store.folder / "report.html"
    write_durably(path, environment.get_template(template).render(content).encode())
    return path


def framed(store: Store, people: Sequence[str]) -> dict[str, Any]:
    """Return what `base.html.jinja` shows of a store, given everybody in it."""
    cost = cost_of(store)
    return {
        "title": store.folder.resolve().name,
        "people": people,
        "rounds": progress(store.folder).rounds,
        "cost": cost,
        "cost_picture": _cost_picture(cost, people),
        "terms": _terms(cost),
        "withdrawn": list(tombstones(store.folder).values()),
        "sealed": is_sealed(store.folder),
        "stamp": _stamp(cost),
        "study": list(_leaves(settings_of(store))),
        "sha256": store.sha256,
    }


def _cost_picture(cost: Cost, people: Sequence[str]) -> Picture | None:
    if not cost.shares:
        return None
    return Picture(
        data_uri(cost_figure(cost, people)), "Seconds per person and kind of work.", True
    )


def _terms(cost: Cost) -> list[str]:
    """Under which terms the data may be used, as the runs recorded them."""
    said: dict[str, None] = {}
    for run in cost.runs:
        terms = run.stamp.get("terms", ())
        said |= dict.fromkeys([terms] if isinstance(terms, str) else terms)
    return [terms for terms in said if terms]


def _stamp(cost: Cost) -> list[tuple[str, str]]:
    """Circumstances of the last run, one line each."""
    if not cost.runs:
        return []
    stamp = {k: v for k, v in cost.runs[-1].stamp.items() if k != "terms"}
    return [(key, "unknown" if value is None else str(value)) for key, value in _leaves(stamp)]


def _leaves(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted key and value of everything in nested mappings; lists stay whole."""
    if not isinstance(value, Mapping):
        return [(prefix, ", ".join(map(str, value)) if isinstance(value, list) else value)]
    nested = ((f"{prefix}.{key}" if prefix else str(key), inner) for key, inner in value.items())
    return [leaf for key, inner in nested for leaf in _leaves(inner, key)]
