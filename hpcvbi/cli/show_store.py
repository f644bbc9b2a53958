"""Tables of what a store holds, and of what is wrong with it."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from hpcvbi.campaign import Extension, Repaired
from hpcvbi.store import Survey

_SHOWN = 50


def survey(console: Console, found: Survey) -> None:
    """Show what was checked, what does not hold, and what else there is."""
    rate = f"{found.bytes / 1e6 / found.seconds:.0f} MB/s" if found.seconds > 0 else ""
    console.print(
        f"{found.files} files, {found.bytes / 1e6:.1f} MB checked in {found.seconds:.1f} s "
        f"({rate}): {found.blocks} blocks, {found.groups} rounds and data sets",
        soft_wrap=True,
    )
    if found.driver is not None and found.driver.alive is not False:
        console.print(f"beside a driver: {found.driver}", soft_wrap=True, markup=False)
    _damage(console, found)
    _listed(
        console,
        f"{len(found.refused)} lines of the ledger are not believed",
        (f"{line.segment}:{line.line} {line.why}".lstrip(":0 ") for line in found.refused),
    )
    _listed(
        console,
        f"{sum(map(len, found.unmarked.values()))} blocks have no mark (yet)",
        (f"{'/'.join(key)} {list(blocks)}" for key, blocks in found.unmarked.items()),
    )
    for files, what in (
        (found.leftovers, "files under construction that the next driver sweeps"),
        (found.unmarked_files, "files without a mark, which nobody reads"),
        (found.strangers, "files do not belong there; they are left alone"),
    ):
        _listed(console, f"{len(files)} {what}", files)
    if found.index_behind:
        console.print("the index of all groups is behind; the next driver writes it again")
    if found.holds:
        console.print("all that is marked holds", style="bold green")


def repaired(console: Console, done: Repaired) -> None:
    """Show what was computed again, and what could not be."""
    blocks = ", ".join(f"{b.chain}/{b.round} {b.index}" for b in done.simulated) or "none"
    console.print(f"simulated again: {blocks}", soft_wrap=True, markup=False)
    if done.files:
        console.print(
            f"their content is what the ledger names; {done.equal} of {done.files} files are equal "
            "byte for byte",
            soft_wrap=True,
        )
    written = ", ".join(done.written) or "none"
    console.print(f"rounds and data sets written again: {written}", soft_wrap=True, markup=False)
    console.print("nothing else was computed or written")
    for block in done.different:
        words = f"NOT REPAIRED {'/'.join(map(str, block.key))}: came back with other content"
        console.print(words, style="bold red", markup=False, soft_wrap=True)
    for person, error in done.failed.items():
        words = f"NOT REPAIRED {person}: {error}"
        console.print(words, style="bold red", markup=False, soft_wrap=True)
    survey(console, done.after)


def extension(console: Console, planned: Extension) -> None:
    """Show what an extension adds, keeps and supersedes."""
    for line in planned.changes:
        console.print(f"  {line}", markup=False, soft_wrap=True)
    rows = Table("round", "of those who are there", "draws to simulate", box=None)
    for name, draws in planned.draws.items():
        rows.add_row(name, _fate(planned, name), str(draws))
    console.print(rows)
    lost = [name for name in planned.superseded if name not in planned.draws]
    if lost:
        words = f"superseded, and computed again: {', '.join(lost)}"
        console.print(words, markup=False, soft_wrap=True)


def _fate(planned: Extension, name: str) -> str:
    if name in planned.grown:
        return f"{planned.stay[name]} draws stay, {planned.grown[name]} each in the end"
    if name in planned.superseded:
        return "superseded"
    return "stays" if name in planned.kept else "comes"


def _damage(console: Console, found: Survey) -> None:
    if not found.damage:
        return
    rows = Table("person", "group", "block", "array", "damage", "file", box=None)
    for d in found.damage[:_SHOWN]:
        block = "" if d.block is None else str(d.block)
        what = f"{d.kind} ({d.detail})" if d.detail else d.kind
        rows.add_row(d.chain, d.group, block, d.array, what, d.file)
    console.print(f"{len(found.damage)} DAMAGED", style="bold red")
    console.print(rows)
    if len(found.damage) > _SHOWN:
        console.print(f"... and {len(found.damage) - _SHOWN} more")


def _listed(console: Console, title: str, items: Iterable[str]) -> None:
    listed = list(items)
    if not listed:
        return
    console.print(f"{title}:")
    for item in listed[:10]:
        console.print(f"  {item}", markup=False, soft_wrap=True)
    if len(listed) > 10:
        console.print(f"  ... and {len(listed) - 10} more")
