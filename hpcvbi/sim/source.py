"""Source text of the kernels; `sim.kernel` says what its arrays hold and which shapes there are."""

from hpcvbi.sim.kernel import SPAN, Kernel
from hpcvbi.sim.step import StepWriter
from hpcvbi.sim.templates import DENSE_TOTALS, HEAD
from hpcvbi.sim.watching import WatchWriter


class Writer:
    """Collects the lines of one kernel."""

    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        self.lines: list[str] = []
        self.step = StepWriter(kernel, self.add)
        self.watch = WatchWriter(kernel, self.add, self.step.observable)

    def add(self, text: str, spaces: int) -> None:
        """Append the lines of `text`, each moved to the right."""
        self.lines += [" " * spaces + line for line in text.splitlines()]

    def head(self) -> None:
        """Signature, key words and everything that does not change over time."""
        k = self.kernel
        watched = ", ".join(self.watch.arguments())
        self.add(HEAD.format(width=k.width, level=k.level, watched=watched), 0)
        for n, name in enumerate(k.lane_params):
            self.add(f"p_{name} = load(P, {n} * W, W)", 4)
        self.watch.head(4)

    def present(self, spaces: int) -> None:
        """Write the channels at t = 0 with the arithmetic of lanes: every shape reads the same."""
        k = self.kernel
        if k.coupling.pre is None and set(k.sent) <= set(k.model.state_names):
            return
        last = "" if k.shape == "dense" else f" * (ring + {k.span - 1}) + ring - 1"
        self.add("for i in each(nodes):", spaces)
        self.load_node(spaces + 4)
        for c, name in enumerate(self.step.channels(spaces + 4)):
            self.add(f"store(H, (({c} * nodes + i){last}) * W, {name})", spaces + 4)
        self.add("barrier()", spaces)

    def noise(self, at: str, spaces: int) -> None:
        """Normals of one node for four steps, into Z at `at` or, if that is empty, in registers."""
        k, many = self.kernel, len(self.kernel.noise_on)
        for n in range(many):
            names = [f"n{n}_{s}" for s in range(4)]
            if k.areas:
                names += [f"n{n + many}_{s}" for s in range(4)]
                call = f"normals_and_areas(zero, quad, i, {n}, {n + many}, k0, k1, k2, k3)"
            else:
                call = f"four_normals(zero, quad, i, {n}, k0, k1, k2, k3)"
            self.add(f"{', '.join(names)} = {call}", spaces)
            for index, name in enumerate(names):
                if k.double:
                    self.add(f"{name} = to_double({name})", spaces)
                if at:
                    row, s = n + many * (index // 4), index % 4
                    self.add(f"store(Z, {at.format(n=row, s=s)}, {name})", spaces)

    def rows(self) -> list[str]:
        """Names of the rows of X."""
        return [*self.step.state, *self.step.etas]

    def load_node(self, spaces: int) -> None:
        """State and the parameters that differ between regions."""
        for v, name in enumerate(self.rows()):
            self.add(f"{name} = load(X, ({v} * nodes + i) * W, W)", spaces)
        for n, name in enumerate(self.kernel.node_params):
            self.add(f"p_{name} = load(Q, ({n} * nodes + i) * W, W)", spaces)

    def store_node(self, spaces: int) -> None:
        """Write the state of one node back."""
        for v, name in enumerate(self.rows()):
            self.add(f"store(X, ({v} * nodes + i) * W, {name})", spaces)

    def gather(self, span: int, spaces: int) -> list[list[str]]:
        """Totals over the incoming connections of node i at `span` consecutive steps."""
        names = [[f"t{c}_{s}" for c in range(self.kernel.channels)] for s in range(span)]
        flat = [name for row in names for name in row]
        for name in flat:
            self.add(f"{name} = nil; {name}_odd = nil", spaces)
        self.add("for e in range(entry(rows, i), entry(rows, i + 1), 2):", spaces)
        self.connection("e", "", span, spaces + 4)
        self.connection("e + 1", "_odd", span, spaces + 4)
        for name in flat:
            self.add(f"{name} = {name} + {name}_odd", spaces)
        return names

    def connection(self, e: str, suffix: str, span: int, spaces: int) -> None:
        """Add one connection's share to the totals; every second one has sums of its own, so that
        additions need not wait for each other.
        """
        if self.kernel.own_delays:
            self.add(f"r = slot - load(taps, ({e}) * W, W)", spaces)
            self.add("r = where(r < 0, r + ring, r)", spaces)
            self.add(f"o = entry(base, {e})", spaces)
        else:
            self.add(f"r = slot - entry(taps, {e})", spaces)
            # plus `ring` where negative, without a branch: it would be mispredicted
            self.add("r += ring & (r >> 63)", spaces)
            self.add(f"o = entry(base, {e}) + r * W", spaces)
        self.add(f"w = spread(weights, {e}, W)", spaces)
        for c in range(self.kernel.channels):
            for s in range(span):
                at = f"o + ({c} * nodes * (ring + {span - 1}) + {s}) * W"
                read = f"gather(H, {at}, r, W)" if self.kernel.own_delays else f"load(H, {at}, W)"
                name = f"t{c}_{s}{suffix}"
                self.add(f"{name} = fma({read}, w, {name})", spaces)

    def keep_channels(self, own: list[str], s: int, span: int, spaces: int) -> None:
        """Write the channels of node i after step t + s to the ring and its repeated beginning."""
        for c, name in enumerate(own):
            at = f"(({c} * nodes + i) * (ring + {span - 1})"
            self.add(f"store(H, {at} + slot + {s}) * W, {name})", spaces)
            if s < span - 1:
                self.add("if slot == 0:", spaces)
                self.add(f"store(H, {at} + ring + {s}) * W, {name})", spaces + 4)

    def one_step(self, s: int, totals: list[str], own: list[str], normal: str, spaces: int) -> None:
        """Advance one node by one step, then let the monitors look."""
        self.step.inputs(totals, own, spaces)
        self.step.stimuli(s, spaces)
        self.step.advance(s, normal, spaces)
        self.watch.look(s, spaces)

    def blocked(self) -> None:
        """`window` steps per visit of a node, SPAN at a time."""
        where = f"quad, slot = t // {SPAN}, t % ring"
        if self.kernel.long_visits:
            self.add("for begin in range(0, steps, window):", 4)
            self.watch.countdown(8)
            self.add("for i in each(nodes):", 8)
            self.watch.start_countdown(12)
            self.add(f"for t in range(begin, min(begin + window, steps), {SPAN}):", 12)
            self.add(where, 16)
            self.span("break", 16)
        else:
            self.add(f"for t in range(0, steps, {SPAN}):", 4)
            self.add(where, 8)
            for s in range(SPAN):
                self.watch.timing(s, 8)
            self.add("for i in each(nodes):", 8)
            self.span("continue", 12)
        self.add("barrier()", 8)
        self.watch.finish(8)

    def span(self, leave: str, spaces: int) -> None:
        """SPAN steps of node i; `leave` if the simulation ends among them."""
        totals = self.gather(SPAN, spaces)
        self.noise("", spaces)
        self.load_node(spaces)
        own = self.step.channels(spaces)
        for s in range(SPAN):
            if self.kernel.long_visits:
                self.watch.count(s, spaces)
            self.one_step(s, totals[s], own, "n{n}_{s}", spaces)
            own = self.step.channels(spaces)
            self.keep_channels(own, s, SPAN, spaces)
            if s < SPAN - 1 and self.kernel.ends_within:
                self.add(f"if t + {s + 1} == steps:", spaces)
                self.store_node(spaces + 4)
                self.add(leave, spaces + 4)
        self.store_node(spaces)

    def stepwise(self) -> None:
        """One step of all nodes at a time, with sparse or dense totals."""
        k, dense = self.kernel, self.kernel.shape == "dense"
        self.add(f"for quad in range((steps + {SPAN - 1}) // {SPAN}):", 4)
        if k.noise_on:
            self.add("for i in each(nodes):", 8)
            self.noise("(({n} * nodes + i) * 4 + {s}) * W", 12)
        self.add(f"for t in range({SPAN} * quad, min({SPAN} * quad + {SPAN}, steps)):", 8)
        self.add(f"quarter = t - {SPAN} * quad", 12)
        self.watch.timing(0, 12)
        if dense:
            self.dense_totals()
        else:
            self.add("slot = t % ring", 12)
            self.add("before = (t + ring - 1) % ring", 12)
        self.add("for i in each(nodes):", 12)
        if dense:
            totals = [f"t{c}_0" for c in range(k.channels)]
            for c, name in enumerate(totals):
                self.add(f"{name} = load(C, ({c} * padded + i) * W, W)", 16)
        else:
            totals = self.gather(1, 16)[0]
        self.load_node(16)
        own = self.own_channels("" if dense else " * ring + before", 16)
        self.one_step(0, totals, own, "load(Z, (({n} * nodes + i) * 4 + quarter) * W, W)", 16)
        own = self.step.channels(16)
        if dense:
            for c, name in enumerate(own):
                self.add(f"store(H, ({c} * nodes + i) * W, {name})", 16)
        else:
            self.keep_channels(own, 0, 1, 16)
        self.store_node(16)
        self.add("barrier()", 12)
        self.watch.finish(12)

    def own_channels(self, slot: str, spaces: int) -> list[str]:
        """Channels of node i before the step: what is sent, or as they were kept."""
        if self.kernel.coupling.pre is None:
            return self.step.channels(spaces)
        names = [f"h_{c}" for c in range(self.kernel.channels)]
        for c, name in enumerate(names):
            self.add(f"{name} = load(H, (({c} * nodes + i){slot}) * W, W)", spaces)
        return names

    def held(self) -> None:
        """`window` steps per visit of a node, under the same totals."""
        self.add("for begin in range(0, steps, window):", 4)
        self.add("slot = begin // window % ring", 8)
        self.watch.countdown(8)
        self.add("for i in each(nodes):", 8)
        totals = self.gather(1, 12)[0]
        self.load_node(12)
        self.watch.start_countdown(12)
        self.add("for t in range(begin, min(begin + window, steps)):", 12)
        if self.kernel.noise_on:
            self.add("quad, quarter = t // 4, t % 4", 16)
            self.add("if quarter == 0 or t == begin:", 16)
            self.noise("(({n} * nodes + i) * 4 + {s}) * W", 20)
        self.watch.count(0, 16)
        own = self.step.channels(16)
        normal = "load(Z, (({n} * nodes + i) * 4 + quarter) * W, W)"
        self.one_step(0, totals, own, normal, 16)
        self.keep_channels(self.step.channels(12), 0, 1, 12)
        self.store_node(12)
        self.add("barrier()", 8)
        self.watch.finish(8)

    def dense_totals(self) -> None:
        """Totals of all nodes, several targets at once."""
        numbers = range(self.kernel.targets)
        for c in range(self.kernel.channels):
            sums = [f"t{n} = fma(h, spread(weights, w + {n}, W), t{n})" for n in numbers]
            text = DENSE_TOTALS.format(
                targets=self.kernel.targets,
                channel=c,
                zeros="; ".join(f"t{n} = nil" for n in numbers),
                sums="; ".join(sums),
                stores="; ".join(f"store(C, o + {n} * W, t{n})" for n in numbers),
            )
            self.add(text, 0)
        self.add("barrier()", 12)


def source(kernel: Kernel) -> str:
    """Return the Python source of the kernel, a function named `run`."""
    writer = Writer(kernel)
    writer.head()
    writer.present(4)
    if kernel.shape == "blocked":
        writer.blocked()
    elif kernel.shape == "held":
        writer.held()
    else:
        writer.stepwise()
    writer.add("return 0", 4)
    return "\n".join(writer.lines) + "\n"
