"""From a trial to a brain, its draws and its initial state; all that cannot run is refused here."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np

from hpcvbi.brain.brain import Brain, steps_of
from hpcvbi.cohort import COHORTS, made_up, tables
from hpcvbi.cohort.tables import Network
from hpcvbi.config.connectomes import Files, Folder, NeurolibPerson
from hpcvbi.config.declare import (
    Declaration,
    bare_brain,
    declarations,
    maps_of,
    space_of,
    stimuli_of,
    treated,
    values_of,
)
from hpcvbi.config.monitors import Direct
from hpcvbi.config.trial import Trial
from hpcvbi.core.errors import ConfigError
from hpcvbi.observe.summary import Fc, Moments, Spectrum

LARGEST_RESULT = 2**34
"""Bytes of signals that a trial may hold in memory."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What `simulate` takes: `theta` (draw, param), `initial` (state, region) or as it takes it."""

    brain: Brain
    theta: np.ndarray
    initial: np.ndarray | Literal["random"] | None


def prepare(trial: Trial) -> Prepared:
    """Return what a trial simulates; ConfigError or DataError names file, line and key."""
    with trial.at("connectome"):
        network = _network(trial)
        connectome = treated(network.connectome, trial.connectome)
    brain = bare_brain(trial, connectome)
    for key, changes in _declarations(trial, network):
        with trial.at(*key):
            brain = replace(brain, **changes)
    theta = np.zeros((1, 0))
    if trial.draws is not None:
        space = space_of(trial, brain, trial.draws.parameters, ("draws", "of"))
        brain = replace(brain, space=space)
        with trial.at("draws"):
            theta = trial.draws.theta(space, trial.seed)
    with trial.at("draws"):
        brain.parameters(theta[:1])
    _check_names(trial, brain)
    _check_size(trial, brain, len(theta))
    return Prepared(brain, theta, _initial(trial, brain))


def _network(trial: Trial) -> Network:
    section = trial.connectome
    if isinstance(section, Folder):
        network = tables.read_network(trial.folder / section.folder)
    elif isinstance(section, Files):
        bare = section.lengths is None and not section.weights.endswith(".zip")
        if bare and trial.coupling.speed is not None:
            raise ConfigError("delays need lengths: name their table, or no coupling.speed")
        files = {
            stem: None if name is None else trial.folder / name
            for stem, name in section.model_dump(include={"lengths", "labels", "maps"}).items()
        }
        network = tables.read_files(trial.folder / section.weights, **files)
    elif isinstance(section, NeurolibPerson):
        (person,) = COHORTS[section.kind]((section.person,))
        network = Network(person.connectome, person.maps)
    else:
        network = Network(made_up.connectome(section.regions, section.seed), {})
    return network


def _declarations(trial: Trial, network: Network) -> Iterator[Declaration]:
    integration, labels = trial.simulation, network.connectome.labels
    yield from declarations(trial, integration, integration.burn_in)
    yield ("simulation", "duration"), {"duration": integration.duration}
    yield from _monitors(trial)
    maps = {name: np.array(values) for name, values in trial.maps.items()}
    for name, values in maps.items():
        if len(values) != len(labels):
            with trial.at("maps", name):
                raise ConfigError(f"{len(values)} numbers for {len(labels)} regions")
    yield from maps_of(trial, {**network.maps, **maps})
    yield from stimuli_of(trial, labels)
    yield from values_of(trial)


def _monitors(trial: Trial) -> Iterator[Declaration]:
    monitors: list[Any] = []
    direct = {m.name: m for m in trial.monitors if isinstance(m, Direct)}
    for number, section in enumerate(trial.monitors):
        if section.name in (m.name for m in monitors):
            with trial.at("monitors", number):
                raise ConfigError(f"a second monitor {section.name!r}: give it another `name`")
        if not isinstance(section, Direct) and section.of not in direct:
            near = get_close_matches(section.of, direct, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            with trial.at("monitors", number, "of"):
                shown = ", ".join(direct) or "there is none"
                raise ConfigError(
                    f"must name a monitor that shows a signal ({shown}), got {section.of!r}{hint}"
                )
        monitor = section.build()
        if isinstance(monitor, Spectrum):
            with trial.at("monitors", number, "segment"):
                monitor.length(direct[section.of].period)
        if isinstance(monitor, Fc | Moments):
            period = direct[section.of].period
            with trial.at("monitors", number, "of"):
                if trial.simulation.duration < 2 * period:
                    raise ConfigError(
                        f"monitor {section.of} sees one volume of {period:g} ms; two are needed: "
                        f"lower its period or raise the duration"
                    )
        monitors.append(monitor)
        yield ("monitors", number), {"monitors": tuple(monitors)}


def _check_names(trial: Trial, brain: Brain) -> None:
    taken = {*brain.space.names, "draw", "time", "region", "other_region", "frequency", "status"}
    for number, section in enumerate(trial.monitors):
        if section.name in taken:
            with trial.at("monitors", number, "name"):
                raise ConfigError(
                    f"{section.name!r} is the name of a parameter or of a coordinate already"
                )


def _check_size(trial: Trial, brain: Brain, draws: int) -> None:
    bytes_each = np.dtype(trial.simulation.dtype).itemsize * brain.connectome.n_regions
    for number, section in enumerate(trial.monitors):
        monitor, key, remedy = brain.monitors[number], "of", "simulate fewer draws"
        if isinstance(monitor, Fc):
            many = brain.connectome.n_regions
        elif isinstance(monitor, Spectrum):
            many = len(monitor.bins)
        elif isinstance(section, Direct) and section.keep:
            many, key = steps_of(brain.duration, section.period, section.name), "period"
            remedy = (
                "raise the period, simulate fewer draws, or write keep: false and let other "
                "monitors summarise it"
            )
        else:
            continue
        size = draws * many * bytes_each
        if size > LARGEST_RESULT:
            with trial.at("monitors", number, key):
                raise ConfigError(
                    f"{size / 1e9:.0f} GB of signals, at most {LARGEST_RESULT / 1e9:.0f} are "
                    f"simulated at once: {remedy}"
                )


def _initial(trial: Trial, brain: Brain) -> np.ndarray | Literal["random"] | None:
    given = trial.simulation.initial
    if given is None or isinstance(given, str):
        return given
    n, names = brain.connectome.n_regions, brain.model.state_names
    state = np.repeat([[s.init] for s in brain.model.state], n, axis=1)
    for name, value in given.items():
        with trial.at("simulation", "initial", name):
            if name not in names:
                raise ConfigError(
                    f"is no state variable of {brain.model.name} ({', '.join(names)})"
                )
            if isinstance(value, tuple) and len(value) != n:
                raise ConfigError(f"{len(value)} numbers for {n} regions")
        state[names.index(name)] = value
    return state
