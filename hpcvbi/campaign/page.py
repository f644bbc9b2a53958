"""The page of a store, be it of a study or of a choice between studies."""

from pathlib import Path

from hpcvbi import report
from hpcvbi.campaign.particles import posteriors
from hpcvbi.config import is_choice
from hpcvbi.store import Store


def build_page(folder: Path | str) -> Path:
    """Write `folder`/report.html from the store alone and return its path."""
    if is_choice(Store.open(folder).study):
        return report.build_choice(folder, posteriors(folder))
    return report.build(folder)
