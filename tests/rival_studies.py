"""Two studies of the same people, whose recordings were simulated with the model of one of them."""

from pathlib import Path

import numpy as np
from synthetic_people import (
    VOLUMES,
    recorded_bold,
    synthetic_connectome,
    write_people,
    write_study,
)

TRUTHS = {"e1": "gating", "l1": "linear_", "l2": "linear_"}
"""Whose model each person's recording is of, as the rivals are called."""
SETTINGS = {"rounds": 4, "draws": 64, "particles": 24}


def write_rivals(folder: Path, people: str = "all", more: str = "") -> list[Path]:
    """Write the two study files, and the people if they are not there."""
    cohort = folder / "people"
    if not cohort.exists():
        write_people(cohort, {"e1": 1.15, "l1": 1.0, "l2": 1.0})
        for number, (name, G) in enumerate({"l1": 0.02, "l2": 0.05}.items(), start=1):
            connectome = synthetic_connectome(number)
            bold = recorded_bold(connectome, G, 7 + number, VOLUMES, "linear", "x", 1e-3)
            np.savetxt(cohort / name / "bold.csv", bold, delimiter=",")
    paths = []
    for file, name, change in (
        ("gating.yaml", "gating", {"low: 0.4, high": "low: 0.9, high"}),
        (
            "linear.yaml",
            "linear-",
            {
                "wong_wang_ei": "linear",
                "S_E": "x",
                "low: 0.4, high: 1.3": "low: 0.0, high: 0.06",
                "low: 5e-5, high: 4e-4": "low: 5e-4, high: 4e-3",
            },
        ),
    ):
        path = write_study(folder / file, cohort, folder / f"out_{name}")
        text = path.read_text().replace("name: small", f"name: {name}")
        for old, new in change.items():
            assert old in text
            text = text.replace(old, new)
        text = text.replace("tr: 0.72}", f"tr: 0.72, people: {people}}}")
        path.write_text(text + more)
        paths.append(path)
    return paths
