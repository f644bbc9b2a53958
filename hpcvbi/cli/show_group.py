"""Tables of what people have in common; brackets hold 90 % intervals."""

import numpy as np
from rich.console import Console
from rich.table import Table

from hpcvbi.campaign import Difference, Group
from hpcvbi.core.space import Space


def group(console: Console, found: Group) -> None:
    """Show a group's mean and spread, its people, and every warning."""
    rows = Table(f"group {found.name} ({len(found.people)})", "mean", "spread", box=None)
    centre, spread = found.centre, found.spread
    for p, label in enumerate(_labels(found.space)):
        rows.add_row(label, _said(centre[:, p]), _said(spread[:, p]))
    console.print(rows)
    rows = Table("person", *_labels(found.space), "draws that count", box=None)
    for person, theta, ess in zip(found.people, found.theta, found.pooled.ess, strict=True):
        rows.add_row(person, *(_said(column) for column in theta.T), f"{ess:.0f}")
    console.print(rows)
    for warning in found.pooled.warnings:
        words = f"WARNING {found.name}: {warning}"
        console.print(words, style="bold red", markup=False, soft_wrap=True)


def difference(console: Console, found: Difference, space: Space) -> None:
    """Show how the means of two groups differ."""
    rows = Table(f"{found.first} less {found.second}", "means", "P(more)", box=None)
    for p, label in enumerate(_labels(space)):
        rows.add_row(label, _said(found.centre[:, p]), f"{found.probability[p]:.3f}")
    console.print(rows)


def left_out(console: Console, people: list[str]) -> None:
    """Show who is in no group."""
    if people:
        words = f"left out: {', '.join(people)} (no posterior, or no group)"
        console.print(words, markup=False, soft_wrap=True)


def _labels(space: Space) -> list[str]:
    return [p.name if p.unit == "1" else f"{p.name} in {p.unit}" for p in space.params]


def _said(draws: np.ndarray) -> str:
    low, high = np.quantile(draws, [0.05, 0.95])
    return f"{draws.mean():.3g} ({low:.3g} to {high:.3g})"
