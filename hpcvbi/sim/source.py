"""Source text of the lanes kernels; `sim.kernel` says what its arrays hold."""

from hpcvbi.sim.kernel import SPAN, Kernel
from hpcvbi.sim.templates import BOLD_STEP, DENSE_TOTALS, FC_UPDATE, HEAD


def indent(text: str, spaces: int) -> list[str]:
    """Lines of `text`, each moved to the right."""
    return [" " * spaces + line for line in text.splitlines()]


class Writer:
    """Collects the lines of one kernel."""

    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        self.lines: list[str] = []
        model = kernel.model
        self.state = [f"x_{s.name}" for s in model.state]
        self.inputs = [f"c_{name}" for name in model.inputs]
        self.model_args = [f"p_{name}" for name in model.param_names]
        self.coupling_args = [f"p_{p.name}" for p in kernel.coupling.params]
        self.sent = [f"x_{name}" for name in model.sends]

    def add(self, text: str, spaces: int) -> None:
        """Append `text` moved to the right."""
        self.lines += indent(text, spaces)

    def head(self) -> None:
        """Signature, key words and everything that does not change over time."""
        k = self.kernel
        watched = []
        for m, watch in enumerate(k.watches):
            watched += [f"every{m}", f"A{m}", f"O{m}"]
            watched += [f"sub{m}", f"B{m}", f"K{m}"] if watch.kind == "bold" else []
            watched += [f"D{m}", f"E{m}"] if watch.kind == "fc" else []
        self.add(HEAD.format(width=k.width, watched=", ".join(watched)), 0)
        for n, name in enumerate(k.lane_params):
            self.add(f"p_{name} = load(P, {n} * W, W)", 4)
        if k.noise_on and "sigma" in k.lane_params:
            self.add("p_sigma = p_sigma * sqrt(nil + dt)", 4)
        for m, watch in enumerate(k.watches):
            if watch.kind == "bold":
                names = [f"K{m}_{n}" for n in range(11)]
                for n, name in enumerate(names):
                    self.add(f"{name} = load(K{m}, {n} * W, W)", 4)
                self.add(f"portion{m} = 1.0 / (nil + sub{m})", 4)
                self.add(f"h{m} = (nil + dt) * sub{m} * 0.001", 4)
            if watch.kind == "average":
                self.add(f"portion{m} = 1.0 / (nil + every{m})", 4)
            self.add(f"done{m} = 0" if watch.kind == "fc" else f"seen{m} = 0", 4)

    def noise(self, spaces: int, keep: bool) -> None:
        """Normals of one node for four steps; into Z, or kept in registers."""
        for n in range(len(self.kernel.noise_on)):
            names = [f"n{n}_{s}" for s in range(4)]
            self.add(
                f"{', '.join(names)} = four_normals(zero, quad, i, {n}, k0, k1, k2, k3)", spaces
            )
            for s, name in enumerate(names):
                if self.kernel.double:
                    self.add(f"{name} = to_double({name})", spaces)
                if not keep:
                    self.add(f"store(Z, (({n} * nodes + i) * 4 + {s}) * W, {name})", spaces)

    def timing(self, s: int, spaces: int) -> None:
        """Which monitors fall due after step t + s."""
        self.add(f"after = t + {s} + 1 - burn_in", spaces)
        for m, watch in enumerate(self.kernel.watches):
            if watch.kind == "fc":
                continue
            self.add(f"volume{m}_{s} = -1", spaces)
            self.add(f"if after > 0 and after % every{m} == 0:", spaces)
            self.add(f"volume{m}_{s} = after // every{m} - 1", spaces + 4)
            self.add(f"if volume{m}_{s} >= O{m}.size // (nodes * W):", spaces + 4)
            self.add(f"volume{m}_{s} = -1", spaces + 8)
            self.add("else:", spaces + 4)
            self.add(f"seen{m} = volume{m}_{s} + 1", spaces + 8)
            if watch.kind == "bold":
                self.add(f"due{m}_{s} = after % sub{m} == 0", spaces)
                self.add(f"partial{m}_{s} = t + {s} + 1 < sub{m}", spaces)
            if watch.kind == "average":
                self.add(f"clear{m}_{s} = after % every{m} == 0", spaces)

    def node_constants(self, spaces: int) -> None:
        """State and the parameters that differ between regions."""
        for v, name in enumerate(self.state):
            self.add(f"{name} = load(X, ({v} * nodes + i) * W, W)", spaces)
        for n, name in enumerate(self.kernel.node_params):
            self.add(f"p_{name} = load(Q, ({n} * nodes + i) * W, W)", spaces)
        if self.kernel.noise_on and "sigma" in self.kernel.node_params:
            self.add("p_sigma = p_sigma * sqrt(nil + dt)", spaces)

    def sent_channels(self, spaces: int) -> list[str]:
        """Compute the channels of the present state; their names."""
        names = [f"h_{c}" for c in range(self.kernel.channels)]
        if self.kernel.coupling.pre is None:
            return self.sent
        self.add(f"{', '.join(names)}, = pre({', '.join(self.sent)})", spaces)
        return names

    def step(self, s: int, totals: list[str], normal: str, spaces: int) -> None:
        """Advance one node by one step, then let the monitors look."""
        k = self.kernel
        own = self.sent_channels(spaces)
        for name, total, channel in zip(self.inputs, totals, own, strict=True):
            args = ", ".join([total, channel, "strength[i]", *self.coupling_args])
            self.add(f"{name} = post({args})", spaces)
        args = ", ".join([*self.state, *self.inputs, *self.model_args])
        self.add(f"d = dfun({args})", spaces)
        drifted = []
        for v, name in enumerate(k.model.state):
            x = self.state[v]
            kick = x
            if name.name in k.noise_on:
                n = k.noise_on.index(name.name)
                self.add(f"k_{v} = fma(p_sigma, {normal.format(n=n, s=s)}, {x})", spaces)
                kick = f"k_{v}"
            drifted.append(kick)
            self.add(f"e_{v} = fma(dt, d[{v}], {kick})", spaces)
            self.clip(f"e_{v}", v, spaces)
        if k.heun:
            predicted = ", ".join(f"e_{v}" for v in range(len(self.state)))
            args = ", ".join([predicted, *self.inputs, *self.model_args])
            self.add(f"g = dfun({args})", spaces)
            for v, kick in enumerate(drifted):
                self.add(f"e_{v} = fma((nil + dt) * 0.5, d[{v}] + g[{v}], {kick})", spaces)
                self.clip(f"e_{v}", v, spaces)
        for v, x in enumerate(self.state):
            self.add(f"{x} = e_{v}", spaces)
        self.watch(s, spaces)

    def clip(self, name: str, v: int, spaces: int) -> None:
        """Hold a variable inside its bounds; NaN passes, so that a diverged draw is seen as one."""
        state = self.kernel.model.state[v]
        if state.low > -float("inf"):
            self.add(f"{name} = where({name} < {state.low!r}, {state.low!r}, {name})", spaces)
        if state.high < float("inf"):
            self.add(f"{name} = where({name} > {state.high!r}, {state.high!r}, {name})", spaces)

    def watch(self, s: int, spaces: int) -> None:
        """Monitors of one node after one step."""
        for m, watch in enumerate(self.kernel.watches):
            at = f"(volume{m}_{s} * nodes + i) * W"
            if watch.kind == "sample":
                self.add(f"if volume{m}_{s} >= 0:", spaces)
                self.add(f"store(O{m}, {at}, x_{watch.of})", spaces + 4)
            if watch.kind in ("average", "bold"):
                self.add(f"store(A{m}, i * W, load(A{m}, i * W, W) + x_{watch.of})", spaces)
            if watch.kind == "average":
                self.add(f"if volume{m}_{s} >= 0:", spaces)
                self.add(f"store(O{m}, {at}, load(A{m}, i * W, W) * portion{m})", spaces + 4)
                self.add(f"if clear{m}_{s}:", spaces)
                self.add(f"store(A{m}, i * W, nil)", spaces + 4)
            if watch.kind == "bold":
                constants = [f"K{m}_{n}" for n in range(11)]
                text = BOLD_STEP.format(
                    m=m, s=s, dynamics=", ".join(constants[:7]), signal=", ".join(constants[7:])
                )
                self.add(f"if due{m}_{s} and partial{m}_{s}:", spaces)
                self.add(f"store(A{m}, i * W, nil)", spaces + 4)
                self.add(f"elif due{m}_{s}:", spaces)
                self.add(text, spaces)

    def store_state(self, spaces: int) -> None:
        """Write the state of one node back."""
        for v, name in enumerate(self.state):
            self.add(f"store(X, ({v} * nodes + i) * W, {name})", spaces)

    def gather(self, span: int, spaces: int) -> list[list[str]]:
        """Totals over the incoming connections of node i at `span` consecutive steps."""
        channels = range(self.kernel.channels)
        names = [[f"t{c}_{s}" for c in channels] for s in range(span)]
        for row in names:
            for name in row:
                self.add(f"{name} = nil", spaces)
        self.add("for e in range(rows[i], rows[i + 1]):", spaces)
        self.add("r = slot - taps[e]", spaces + 4)
        self.add("if r < 0:", spaces + 4)
        self.add("r += ring", spaces + 8)
        self.add("o = base[e] + r * W", spaces + 4)
        self.add("w = spread(weights, e, W)", spaces + 4)
        for c in channels:
            for s in range(span):
                source = f"load(H, o + ({c} * nodes * (ring + {span - 1}) + {s}) * W, W)"
                self.add(f"t{c}_{s} = fma({source}, w, t{c}_{s})", spaces + 4)
        return names

    def keep_channels(self, s: int, span: int, spaces: int) -> None:
        """Write the channels of node i after step t + s to the ring and its repeated beginning."""
        for c, name in enumerate(self.sent_channels(spaces)):
            at = f"(({c} * nodes + i) * (ring + {span - 1})"
            self.add(f"store(H, {at} + slot + {s}) * W, {name})", spaces)
            if s < span - 1:
                self.add("if slot == 0:", spaces)
                self.add(f"store(H, {at} + ring + {s}) * W, {name})", spaces + 4)

    def blocked(self) -> None:
        """Four steps per visit of a node."""
        self.add("for quad in range(quads):", 4)
        self.add(f"t = {SPAN} * quad", 8)
        self.add("slot = t % ring", 8)
        for s in range(SPAN):
            self.timing(s, 8)
        self.add("for i in range(nodes):", 8)
        totals = self.gather(SPAN, 12)
        self.noise(12, keep=True)
        self.node_constants(12)
        for s in range(SPAN):
            self.step(s, totals[s], "n{n}_{s}", 12)
            self.keep_channels(s, SPAN, 12)
        self.store_state(12)

    def stepwise(self) -> None:
        """One step of all nodes at a time."""
        k = self.kernel
        self.add("for quad in range(quads):", 4)
        if k.noise_on:
            self.add("for i in range(nodes):", 8)
            self.noise(12, keep=False)
        self.add("for quarter in range(4):", 8)
        self.add("t = 4 * quad + quarter", 12)
        self.timing(0, 12)
        if k.dense:
            self.dense_totals()
        else:
            self.add("slot = t % ring", 12)
        self.add("for i in range(nodes):", 12)
        if k.dense:
            totals = [f"t{c}_0" for c in range(k.channels)]
            for c, name in enumerate(totals):
                self.add(f"{name} = load(C, ({c} * rows[0] + i) * W, W)", 16)
        else:
            totals = self.gather(1, 16)[0]
        self.node_constants(16)
        self.step(0, totals, "load(Z, (({n} * nodes + i) * 4 + quarter) * W, W)", 16)
        if k.dense:
            for c, name in enumerate(self.sent_channels(16)):
                self.add(f"store(H, ({c} * nodes + i) * W, {name})", 16)
        else:
            self.keep_channels(0, 1, 16)
        self.store_state(16)

    def dense_totals(self) -> None:
        """Totals of all nodes, several targets at once."""
        targets = self.kernel.targets
        numbers = range(targets)
        for c in range(self.kernel.channels):
            sums = [f"t{n} = fma(h, spread(weights, w + {n}, W), t{n})" for n in numbers]
            text = DENSE_TOTALS.format(
                targets=targets,
                channel=c,
                zeros="; ".join(f"t{n} = nil" for n in numbers),
                sums="; ".join(sums),
                stores="; ".join(f"store(C, o + {n} * W, t{n})" for n in numbers),
            )
            self.add(text, 0)

    def finish(self) -> None:
        """Functional connectivity of the volumes that this pass completed."""
        spaces = 8 if self.kernel.span == SPAN else 12
        for m, watch in enumerate(self.kernel.watches):
            if watch.kind == "fc":
                self.add(FC_UPDATE.format(m=m, of=watch.of), spaces - 4)
        self.add("return 0", 4)


def source(kernel: Kernel) -> str:
    """Return the Python source of the kernel, a function named `run`."""
    writer = Writer(kernel)
    writer.head()
    if kernel.span == SPAN:
        writer.blocked()
    else:
        writer.stepwise()
    writer.finish()
    return "\n".join(writer.lines) + "\n"
