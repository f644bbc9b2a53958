"""A trial: simulate a few draws of one brain, write what its monitors saw, draw a picture of it."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi import __version__
from hpcvbi.brain.brain import Brain
from hpcvbi.campaign.stamp import stamp
from hpcvbi.config import Prepared, Trial, prepare
from hpcvbi.core.block import WHOLE, Status
from hpcvbi.observe.bold import Bold
from hpcvbi.observe.summary import Fc, Moments, Spectrum
from hpcvbi.report.quick_look import Seen, quick_look
from hpcvbi.sim.simulate import Simulated, simulate
from hpcvbi.store import Variable, check_place, write_dataset


@dataclass(frozen=True)
class TrialOutcome:
    """What a trial has computed, and where it lies.

    `seconds` is the time of the simulation, the compilation of a kernel that is used for the first
    time included; `node_steps` counts regions times steps times draws.
    """

    statuses: dict[Status, int]
    regions: int
    node_steps: int
    seconds: float
    output: Path
    replaced: bool
    picture: Path | None


@dataclass(frozen=True, eq=False)
class _Signal:
    """One variable of the data set: its dimensions after `draw`, with their coordinates."""

    name: str
    values: np.ndarray
    unit: str
    doc: str
    dims: tuple[str, ...]
    coords: tuple[Variable, ...] = ()


def simulate_trial(trial: Trial) -> TrialOutcome:
    """Simulate a trial and write its output, and the picture beside it.

    Raises
    ------
    ConfigError, DataError : what cannot run, before anything is spent.
    StoreError : the output cannot be written.
    """
    prepared = prepare(trial)
    simulation, output = trial.simulation, Path(trial.output)
    check_place(output)
    options: dict[str, Any] = {}
    if simulation.backend == "cpu":
        options["threads"] = simulation.threads or len(os.sched_getaffinity(0))
    start = time.perf_counter()
    simulated = simulate(
        prepared.brain,
        prepared.theta,
        seed=trial.seed,
        backend=simulation.backend,
        dtype=simulation.dtype,
        initial=prepared.initial,
        **options,
    )
    seconds = time.perf_counter() - start
    brain, replaced = prepared.brain, output.exists()
    signals = list(_signals(brain, simulated))
    coords = {c.name: c for signal in signals for c in signal.coords}
    write_dataset(
        output,
        [Variable(s.name, ("draw", *s.dims), s.values, s.unit, s.doc) for s in signals],
        [*_own_coords(prepared, simulated), *coords.values()],
        _about(trial, prepared),
    )
    picture = output.with_suffix(".png") if trial.plot else None
    if picture is not None:
        quick_look(_seen(prepared, simulated), brain.connectome.labels, picture)
    return TrialOutcome(
        statuses={Status(k): n for k, n in sorted(Counter(simulated.status.tolist()).items())},
        regions=brain.connectome.n_regions,
        node_steps=brain.connectome.n_regions * brain.n_steps * len(prepared.theta),
        seconds=seconds,
        output=output,
        replaced=replaced,
        picture=picture,
    )


def _signals(brain: Brain, simulated: Simulated) -> Iterator[_Signal]:
    labels = np.array(brain.connectome.labels)
    region = Variable("region", ("region",), labels)
    times: dict[float, str] = {}
    bands: dict[tuple[float, ...], str] = {}
    monitors: tuple[Any, ...] = brain.monitors
    for monitor in monitors:
        if monitor.name not in simulated.signals:
            continue
        name, values = monitor.name, simulated.signals[monitor.name]
        unit, doc = unit_of(brain, monitor), f"{type(monitor).__name__} of {monitor.of}"
        if isinstance(monitor, Fc):
            other = Variable("other_region", ("other_region",), labels)
            yield _Signal(name, values, "1", doc, ("region", "other_region"), (region, other))
        elif isinstance(monitor, Moments):
            for k, (moment, its) in enumerate((("mean", unit), ("variance", _squared(unit)))):
                about = f"{moment} of {monitor.of} over time"
                yield _Signal(f"{name}_{moment}", values[:, k], its, about, ("region",), (region,))
        elif isinstance(monitor, Spectrum):
            found = tuple(monitor.frequencies)
            dim = bands.setdefault(found, f"frequency_{name}" if bands else "frequency")
            axis = Variable(dim, (dim,), np.array(found), "Hz")
            density = f"{_squared(unit)}/Hz"
            yield _Signal(name, values, density, doc, (dim, "region"), (axis, region))
        else:
            period = monitor.period
            dim = times.setdefault(period, f"time_{name}" if times else "time")
            times_s = np.arange(1, values.shape[1] + 1) * period / 1000.0
            axis = Variable(dim, (dim,), times_s, "s", "since the burn-in; end of the interval")
            yield _Signal(name, values, unit, doc, (dim, "region"), (axis, region))


def unit_of(brain: Brain, monitor: Any) -> str:
    """Unit of what a monitor shows; of one that summarises another, the unit of that one."""
    if isinstance(monitor, Fc | Moments | Spectrum):
        monitor = next(m for m in brain.monitors if m.name == monitor.of)
    if isinstance(monitor, Bold):
        return "1"
    units = {s.name: s.unit for s in brain.model.state}
    return (units | {o.name: o.unit for o in brain.model.outputs})[monitor.of]


def _squared(unit: str) -> str:
    return "1" if unit == "1" else f"({unit})^2"


def _own_coords(prepared: Prepared, simulated: Simulated) -> list[Variable]:
    status = Variable("status", ("draw",), simulated.status, doc="what became of the draw")
    return [
        Variable("draw", ("draw",), np.arange(len(prepared.theta))),
        status,
        *(
            Variable(p.name, ("draw",), prepared.theta[:, column], p.unit, p.doc)
            for column, p in enumerate(prepared.brain.space.params)
        ),
    ]


def _about(trial: Trial, prepared: Prepared) -> dict[str, str]:
    brain, circumstances = prepared.brain, stamp()
    table = brain.parameters(prepared.theta[:1])
    fixed = {
        name: value[0].tolist() if value.shape[1] > 1 else float(value[0, 0])
        for name, value in table.items()
        if name not in brain.space.names
    }
    about = {
        "source": f"hpcvbi {__version__}",
        "commit": circumstances["commit"] or "",
        "versions": json.dumps(circumstances["versions"]),
        "model": brain.model.name,
        "seed": str(trial.seed),
        "dtype": trial.simulation.dtype,
        "backend": trial.simulation.backend,
        "parameters": json.dumps(fixed),
        "file": trial.written,
    }
    return {**about, **({"files": json.dumps(dict(trial.texts))} if trial.texts else {})}


def _seen(prepared: Prepared, simulated: Simulated) -> list[Seen]:
    """What the picture shows: the last draw that is whole, one row per monitor of the brain."""
    brain = prepared.brain
    whole = np.flatnonzero(np.isin(simulated.status, WHOLE))
    draw = int(whole[-1]) if len(whole) else 0
    point = zip(brain.space.names, prepared.theta[draw], strict=True)
    which = ", ".join([f"draw {draw}", *(f"{name} = {value:.4g}" for name, value in point)])
    signals = {name: values[draw].astype(float) for name, values in simulated.signals.items()}
    rows = []
    monitors: tuple[Any, ...] = brain.monitors
    for monitor in monitors:
        if isinstance(monitor, Fc | Moments | Spectrum):
            continue
        summaries = [m for m in monitors if m.of == monitor.name]
        fc = next((signals[m.name] for m in summaries if isinstance(m, Fc)), None)
        band = next((m for m in summaries if isinstance(m, Spectrum)), None)
        rows.append(
            Seen(
                title=f"{monitor.name} of {monitor.of}; {which}",
                unit=unit_of(brain, monitor),
                period_s=monitor.period / 1000.0,
                signal=signals.get(monitor.name),
                fc=fc,
                spectrum=None if band is None else (band.frequencies, signals[band.name]),
            )
        )
    return rows
