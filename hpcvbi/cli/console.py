"""Where the command line writes."""

from rich.console import Console


def make_console() -> Console:
    """Return where to write; what is written is never markup: it may hold paths and errors."""
    return Console(markup=False, emoji=False)
