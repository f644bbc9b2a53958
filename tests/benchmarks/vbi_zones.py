"""Epileptogenic and propagation zones found again: precision and recall over random maps.

As in the paper two regions are epileptogenic (η −1.5), three in the propagation zone (−2.4), the
others healthy (−3.5), here at random places. A region is what its posterior mean is nearest to.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from vbi_cases import CASES, Case
from vbi_cases.epileptor import NETWORK, from_unit, to_unit
from vbi_pool import identity
from vbi_rows import Cell, Zones

from hpcvbi.core.seeds import generator

MAPS = 50
ETA = np.array([-3.5, -2.4, -1.5])
HEALTHY, PROPAGATION, EPILEPTOGENIC = range(3)


def random_maps(n: int) -> np.ndarray:
    """Zones (map, region) of random maps."""
    rng, zones = generator("vbi maps"), np.full((n, NETWORK.n_regions), HEALTHY)
    for zone in zones:
        chosen = rng.permutation(len(zone))[:5]
        zone[chosen[:2]], zone[chosen[2:]] = EPILEPTOGENIC, PROPAGATION
    return zones


def features_of_maps(case: Case, zones: np.ndarray, folder: Path) -> np.ndarray:
    """Features (map, region, feature) of a simulation of each map, kept in a file."""
    path, wanted = folder / f"{case.name}_maps.npz", f"{identity(case)} {zones.sum(axis=0)}"
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            if str(file["identity"]) == wanted:
                return file["x"]
    x = case.simulate(to_unit(ETA[zones]), 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, identity=np.array(wanted), x=x)
    return x


def classified(eta: np.ndarray) -> np.ndarray:
    """Zone whose excitability is nearest."""
    return np.abs(np.asarray(eta)[..., None] - ETA).argmin(axis=-1)


def judged(cell: Cell, ask: Callable[[np.ndarray, int], np.ndarray], folder: Path) -> Zones:
    """Classify all regions of all maps by posteriors `ask` gives, and count."""
    zones = random_maps(MAPS)
    x = features_of_maps(CASES[cell.case], zones, folder)
    samples = ask(x.reshape(-1, x.shape[-1]), 1)[:, :, 0]
    found = classified(from_unit(samples.mean(axis=1))).reshape(zones.shape)
    return Zones(*vars(cell).values(), MAPS, *precision_and_recall(found, zones))


def precision_and_recall(found: np.ndarray, zones: np.ndarray) -> tuple[float, ...]:
    """Precision and recall of the epileptogenic, then of the propagation zone, over all regions of
    all maps (map, region); and the share of maps without a mistake.
    """
    shares = []
    for zone in (EPILEPTOGENIC, PROPAGATION):
        hits = ((found == zone) & (zones == zone)).sum()
        shares += [hits / max((found == zone).sum(), 1), hits / max((zones == zone).sum(), 1)]
    return (*map(float, shares), float((found == zones).all(axis=1).mean()))
