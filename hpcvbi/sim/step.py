"""Source text of one step of one node: inputs, stimuli, right-hand side, scheme, bounds."""

import inspect
from collections.abc import Callable

from hpcvbi.brain.model import State
from hpcvbi.sim.kernel import KEEP, KICK, Kernel

INFINITY = float("inf")


class StepWriter:
    """Writes the lines of a step; `add(text, spaces)` collects them."""

    def __init__(self, kernel: Kernel, add: Callable[[str, int], None]):
        self.kernel, self.add = kernel, add
        model = kernel.model
        self.state = [f"x_{s.name}" for s in model.state]
        self.etas = [f"eta_{v}" for v in kernel.noise_on] if kernel.noise == "ou" else []
        self.modulated = {on for on, _ in kernel.stimuli if on in model.param_names}

    def observable(self, name: str, spaces: int) -> str:
        """Name of a state variable's lanes, or of an output's, which is computed here."""
        if name in self.kernel.model.state_names:
            return f"x_{name}"
        (output,) = [o for o in self.kernel.model.outputs if o.name == name]
        names = inspect.signature(output.formula).parameters
        states = self.kernel.model.state_names
        args = ", ".join(f"x_{n}" if n in states else f"p_{n}" for n in names)
        self.add(f"o_{name} = out_{name}({args})", spaces)
        return f"o_{name}"

    def channels(self, spaces: int) -> list[str]:
        """Compute the channels of the present state; their names."""
        coupling = self.kernel.coupling
        sent = [self.observable(name, spaces) for name in self.kernel.sent]
        if coupling.pre is None:
            return sent
        names = [f"h_{c}" for c in range(self.kernel.channels)]
        params = [f"p_{name}" for name in coupling.pre_params]
        if coupling.channels is None:
            for name, quantity in zip(names, sent, strict=True):
                self.add(f"{name} = pre({', '.join([quantity, *params])})", spaces)
        else:
            self.add(f"{', '.join(names)}, = pre({', '.join([*sent, *params])})", spaces)
        return names

    def inputs(self, totals: list[str], own: list[str], spaces: int) -> None:
        """Inputs of the model, named c_<input>."""
        coupling = self.kernel.coupling
        names = [f"c_{name}" for name in self.kernel.model.inputs]
        params = ["entry(strength, i)", *(f"p_{name}" for name in coupling.post_params)]
        if coupling.mix is not None:
            args = ", ".join([*totals, *own, *params])
            self.add(f"{', '.join(names)}, = mix({args})", spaces)
            return
        if not coupling.channels:
            for name, sent in zip(names, self.kernel.sends, strict=True):
                if sent is None:
                    self.add(f"{name} = nil", spaces)
            names = [n for n, sent in zip(names, self.kernel.sends, strict=True) if sent]
        for name, total, channel in zip(names, totals, own, strict=True):
            self.add(f"{name} = post({', '.join([total, channel, *params])})", spaces)

    def stimuli(self, s: int, spaces: int) -> None:
        """What stimuli add to parameters, and to derivatives (named u_<variable>)."""
        model = self.kernel.model
        for name in self.modulated:
            self.add(f"q_{name} = p_{name}", spaces)
        begun = set(self.modulated)
        for k, (on, name) in enumerate(self.kernel.stimuli):
            target = f"q_{on}" if on in model.param_names else f"u_{on}"
            shape = f"spread(V, {k} * nodes + i, W) * spread(U, {k} * steps + t + {s}, W)"
            amount = f"p_{name} * ({shape})"
            self.add(f"{target} = {f'{target} + ' if on in begun else ''}{amount}", spaces)
            begun.add(on)

    def derivative(self, at: list[str], out: str, spaces: int) -> list[str]:
        """Time derivative at the state `at`; names of its components."""
        model, stimulated = self.kernel.model, {on for on, _ in self.kernel.stimuli}
        params = [f"{'q' if n in self.modulated else 'p'}_{n}" for n in model.param_names]
        inputs = [f"c_{name}" for name in model.inputs]
        self.add(f"{out} = dfun({', '.join([*at, *inputs, *params])})", spaces)
        names = []
        for v, name in enumerate(model.state_names):
            terms = [f"{out}[{v}]"]
            terms += [f"u_{name}"] if name in stimulated else []
            terms += [f"eta_{name}"] if f"eta_{name}" in self.etas else []
            if len(terms) == 1:
                names.append(terms[0])
                continue
            self.add(f"{out}_{v} = {' + '.join(terms)}", spaces)
            names.append(f"{out}_{v}")
        return names

    def kicked(self, normal: str, s: int, spaces: int) -> list[str]:
        """State plus the white noise of the step; names of the variables."""
        if self.kernel.noise != "white":
            return self.state
        if self.kernel.model.diffusion is not None:
            params = [f"p_{name}" for name in self.kernel.model.param_names]
            self.add(f"g = diffusion({', '.join([*self.state, *params])})", spaces)
        names = []
        for v, name in enumerate(self.kernel.model.state_names):
            if name not in self.kernel.noise_on:
                names.append(self.state[v])
                continue
            factor = f" * g[{v}]" if self.kernel.model.diffusion is not None else ""
            n = self.kernel.noise_on.index(name)
            drawn = normal.format(n=n, s=s)
            self.add(f"k_{v} = fma(p_{KICK}{name}{factor}, {drawn}, {self.state[v]})", spaces)
            names.append(f"k_{v}")
        return names

    def move(self, base: list[str], terms: list[tuple[str, list[str]]], spaces: int) -> list[str]:
        """Add multiples of derivatives to `base`, within bounds; names e_<v>."""
        for v, name in enumerate(base):
            value = name
            for factor, derivative in terms:
                value = f"fma({factor}, {derivative[v]}, {value})"
            self.add(f"e_{v} = {value}", spaces)
            self.bound(f"e_{v}", self.kernel.model.state[v], spaces)
        return [f"e_{v}" for v in range(len(base))]

    def advance(self, s: int, normal: str, spaces: int) -> None:
        """Advance the state by one step; `normal` names the normal of noise {n} at step {s}."""
        kicked = self.kicked(normal, s, spaces)
        d = self.derivative(self.state, "d", spaces)
        scheme = self.kernel.scheme
        if scheme == "sra1":
            middle = self.area_kicked(normal, s, spaces) if self.kernel.areas else self.state
            e = self.move(middle, [("most", d)], spaces)
            d2 = self.derivative(e, "d2", spaces)
            e = self.move(kicked, [("third", d), ("third * 2.0", d2)], spaces)
        elif scheme == "rk4":
            d2 = self.derivative(self.move(kicked, [("half", d)], spaces), "d2", spaces)
            d3 = self.derivative(self.move(kicked, [("half", d2)], spaces), "d3", spaces)
            d4 = self.derivative(self.move(kicked, [("dt", d3)], spaces), "d4", spaces)
            terms = [("sixth", d), ("third", d2), ("third", d3), ("sixth", d4)]
            e = self.move(kicked, terms, spaces)
        else:
            e = self.move(kicked, [("dt", d)], spaces)
            if scheme == "heun":
                d2 = self.derivative(e, "d2", spaces)
                pairs = [f"({a} + {b})" for a, b in zip(d, d2, strict=True)]
                e = self.move(kicked, [("half", pairs)], spaces)
        for name, value in zip(self.state, e, strict=True):
            self.add(f"{name} = {value}", spaces)
        for n, (eta, name) in enumerate(zip(self.etas, self.kernel.noise_on, strict=False)):
            drawn = normal.format(n=n, s=s)
            self.add(f"{eta} = fma(p_{KEEP}, {eta}, p_{KICK}{name} * {drawn})", spaces)

    def area_kicked(self, normal: str, s: int, spaces: int) -> list[str]:
        """State plus the noise of the inner stage of SRA1: 3/4 σ √dt (ξ + ζ/√3)."""
        names, many = [], len(self.kernel.noise_on)
        for v, name in enumerate(self.kernel.model.state_names):
            if name not in self.kernel.noise_on:
                names.append(self.state[v])
                continue
            n = self.kernel.noise_on.index(name)
            xi, zeta = normal.format(n=n, s=s), normal.format(n=n + many, s=s)
            mixed = f"fma({zeta}, {1.0 / 3.0**0.5!r}, {xi})"
            self.add(f"m_{v} = fma(p_{KICK}{name} * 0.75, {mixed}, {self.state[v]})", spaces)
            names.append(f"m_{v}")
        return names

    def bound(self, name: str, state: State, spaces: int) -> None:
        """Hold a variable inside its bounds; NaN passes, so that a diverged draw is seen as one."""
        for sign, bound in (("<", state.low), (">", state.high)):
            if abs(bound) == INFINITY:
                continue
            if state.outside == "soft":
                inner = bound + state.margin if sign == "<" else bound - state.margin
                bent = f"tanh(({name} - {inner!r}) * {1.0 / state.margin!r})"
                value, edge = f"fma({bent}, {state.margin!r}, nil + {inner!r})", inner
            else:
                value = "not_a_number" if state.outside == "diverge" else repr(float(bound))
                edge = float(bound)
            self.add(f"{name} = where({name} {sign} {edge!r}, {value}, {name})", spaces)
