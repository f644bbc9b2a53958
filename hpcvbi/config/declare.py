"""From the sections that all files share to a brain, step by step, each step in the name of the key
that it comes from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from hpcvbi.brain.brain import SPEED, Brain
from hpcvbi.brain.connectome import Connectome
from hpcvbi.brain.coupling import COUPLINGS
from hpcvbi.brain.model import Model
from hpcvbi.brain.stimulus import Stimulus
from hpcvbi.config.document import Document
from hpcvbi.config.network import ConnectomeSection, Integration, Parameter
from hpcvbi.config.section import Value
from hpcvbi.config.source import Key
from hpcvbi.core.errors import ConfigError
from hpcvbi.core.prior import Uniform
from hpcvbi.core.space import Param, Space
from hpcvbi.models.load import model_of

Declaration = tuple[tuple[Key, ...], dict[str, Any]]
"""A key of the file, and what it changes in the brain."""


def treated(connectome: Connectome, section: ConnectomeSection) -> Connectome:
    """Return the connectome as it is simulated."""
    if section.symmetrise:
        connectome = connectome.symmetrised()
    if not section.self_connections:
        connectome = connectome.without_self_connections()
    return connectome.normalised(section.normalise)


def model_in(document: Document) -> Model:
    """Return the model that the document names."""
    with document.at("model", "name"):
        return model_of(document.model.name, document.texts)


def bare_brain(document: Document, connectome: Connectome) -> Brain:
    """Return a brain of model and coupling alone, watched by nobody, for one step."""
    model = model_in(document)
    step = min(model.time_constant, 1.0)
    with document.at("coupling", "of" if document.coupling.of else "kind"):
        return Brain(
            connectome,
            model,
            COUPLINGS[document.coupling.kind],
            noise=None,
            dt=step,
            duration=step,
            monitors=(),
            speed=document.coupling.speed,
            rounding=document.coupling.rounding,
            sends=document.coupling.of or (),
        )


def declarations(
    document: Document, integration: Integration, burn_in: float
) -> Iterator[Declaration]:
    """How the equations are driven and integrated."""
    if document.noise is not None:
        yield ("noise", "on"), {"noise": document.noise.build()}
    yield ("simulation", "scheme"), {"scheme": integration.scheme}
    yield ("simulation", "refine"), {"refine": integration.refine}
    yield ("simulation", "dt"), {"dt": integration.dt, "duration": integration.dt}
    yield ("simulation", "burn_in"), {"burn_in": burn_in}
    yield ("coupling", "step"), {"coupling_step": document.coupling.step}


def maps_of(document: Document, known: Mapping[str, np.ndarray]) -> Iterator[Declaration]:
    """Regional maps of parameters; `known` are the annotations that there are."""
    maps: dict[str, dict[str, np.ndarray]] = {}
    for parameter, names in document.model.maps.items():
        for name in names:
            with document.at("model", "maps", parameter):
                if name not in known:
                    near = get_close_matches(name, known, n=1)
                    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                    raise ConfigError(
                        f"there is no map {name!r}; {hint if known else 'there are no maps at all'}"
                    )
        maps[parameter] = {name: known[name] for name in names}
        yield ("model", "maps", parameter), {"maps": dict(maps)}


def stimuli_of(document: Document, labels: tuple[str, ...]) -> Iterator[Declaration]:
    """Stimuli, one after the other."""
    stimuli: list[Stimulus] = []
    for number, section in enumerate(document.stimuli):
        with document.at("stimuli", number):
            stimuli.append(section.build(labels, document.texts))
        yield ("stimuli", number), {"stimuli": tuple(stimuli)}


def values_of(document: Document) -> Iterator[Declaration]:
    """Parameters that keep one value."""
    values: dict[str, float | np.ndarray] = {}
    given: list[tuple[tuple[Key, ...], Value]] = [
        *((("model", "values", name), value) for name, value in document.model.values.items()),
        *((("values", name), value) for name, value in document.values.items()),
    ]
    for path, value in given:
        values[str(path[-1])] = np.array(value) if isinstance(value, tuple) else value
        yield path, {"values": dict(values)}


def space_of(
    document: Document, brain: Brain, parameters: Mapping[str, Parameter], path: Sequence[Key]
) -> Space:
    """Parameters that are drawn, in the order of `brain.params`, each checked in its key."""
    drawn: dict[str, Param] = {}
    known = {p.name: p for p in brain.params}
    for name, section in parameters.items():
        with document.at(*path, name):
            if name == SPEED.name and name not in known:
                raise ConfigError("needs delays: write any number [mm/ms] as coupling.speed")
            # an unknown name is the brain's to refuse: it knows which one is near
            param = known.get(name, Param(name, 0.0, prior=Uniform(0.0, 1.0)))
            param = param.with_prior(section.build(param.prior))
            replace(brain, space=Space((param,)))
            drawn[name] = param
    return Space(tuple(drawn[name] for name in known if name in drawn))
