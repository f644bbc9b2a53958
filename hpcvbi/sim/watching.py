"""Source text of the monitors: when they fall due, what they do after a step, and what the monitors
that are of other monitors do with completed volumes.
"""

from collections.abc import Callable

from hpcvbi.sim.kernel import Kernel
from hpcvbi.sim.templates import BOLD_STEP, FC_UPDATE, MOMENTS_UPDATE, SPECTRUM_UPDATE

UPDATES = {"fc": FC_UPDATE, "moments": MOMENTS_UPDATE, "spectrum": SPECTRUM_UPDATE}
ARRAYS = {
    # every: steps per volume; volumes: their number; slots: how many of them O holds;
    # sub: steps per haemodynamic step
    "sample": "every volumes slots O",
    "average": "every volumes slots A O",
    "bold": "every volumes slots A O sub B K",
    "fc": "A O D E",
    "moments": "O",
    "spectrum": "A O D E T length bins",
}
N_CONSTANTS, N_DYNAMICS = 11, 7


class WatchWriter:
    """Writes the lines of all monitors of a kernel."""

    def __init__(
        self,
        kernel: Kernel,
        add: Callable[[str, int], None],
        observable: Callable[[str, int], str],
    ):
        self.kernel, self.add, self.observable = kernel, add, observable
        self.direct = [(m, w) for m, w in enumerate(kernel.watches) if not w.derived]

    def arguments(self) -> list[str]:
        """Names of the kernel's arguments that belong to monitors."""
        return [
            f"{name}{m}"
            for m, watch in enumerate(self.kernel.watches)
            for name in ARRAYS[watch.kind].split()
        ]

    def head(self, spaces: int) -> None:
        """Constants of the monitors, and how far each is."""
        for m, watch in enumerate(self.kernel.watches):
            if watch.kind == "bold":
                self.add(f"portion{m} = 1.0 / (nil + real(sub{m}))", spaces)
                self.add(f"h{m} = (nil + dt) * real(sub{m}) * 0.001", spaces)
            if watch.kind == "average":
                self.add(f"portion{m} = 1.0 / (nil + real(every{m}))", spaces)
            self.add(f"done{m} = 0" if watch.derived else f"seen{m} = 0", spaces)

    def timing(self, s: int, spaces: int) -> None:
        """Which monitors fall due after step t + s."""
        self.add(f"after = t + {s} + 1 - burn_in", spaces)
        for m, watch in self.direct:
            self.add(f"volume{m}_{s} = -1", spaces)
            self.add(f"if after > 0 and after % every{m} == 0:", spaces)
            self.add(f"volume{m}_{s} = after // every{m} - 1", spaces + 4)
            self.add(f"if volume{m}_{s} >= volumes{m}:", spaces + 4)
            self.add(f"volume{m}_{s} = -1", spaces + 8)
            self.add("else:", spaces + 4)
            self.add(f"seen{m} = volume{m}_{s} + 1", spaces + 8)
            if watch.kind == "bold":
                self.add(f"due{m}_{s} = after % sub{m} == 0", spaces)
                self.add(f"partial{m}_{s} = t + {s} + 1 < sub{m}", spaces)
            if watch.kind == "average":
                self.add(f"clear{m}_{s} = after % every{m} == 0", spaces)

    def countdown(self, spaces: int) -> None:
        """Steps from the beginning of a visit until each monitor falls due, and its volume."""
        self.add("after = begin - burn_in", spaces)
        for m, watch in self.direct:
            self.add(f"first{m} = every{m} - after % every{m}", spaces)
            self.add(f"number{m} = after // every{m}", spaces)
            self.add(f"if after + window >= every{m}:", spaces)
            self.add(f"seen{m} = min((after + window) // every{m}, volumes{m})", spaces + 4)
            if watch.kind == "bold":
                self.add(f"fall{m} = sub{m} - after % sub{m}", spaces)

    def start_countdown(self, spaces: int) -> None:
        """Begin to count for a node."""
        for m, watch in self.direct:
            self.add(f"left{m}, next{m} = first{m}, number{m}", spaces)
            if watch.kind == "bold":
                self.add(f"wait{m} = fall{m}", spaces)

    def count(self, s: int, spaces: int) -> None:
        """Which monitors fall due after step t + s, by counting."""
        for m, watch in self.direct:
            self.add(f"left{m} -= 1", spaces)
            self.add(f"volume{m}_{s} = -1", spaces)
            self.add(f"clear{m}_{s} = left{m} == 0", spaces)
            self.add(f"if clear{m}_{s}:", spaces)
            self.add(f"left{m} = every{m}", spaces + 4)
            self.add(f"if next{m} < volumes{m}:", spaces + 4)
            self.add(f"volume{m}_{s} = next{m}", spaces + 8)
            self.add(f"next{m} += 1", spaces + 4)
            if watch.kind == "bold":
                self.add(f"wait{m} -= 1", spaces)
                self.add(f"due{m}_{s} = wait{m} == 0", spaces)
                self.add(f"if due{m}_{s}:", spaces)
                self.add(f"wait{m} = sub{m}", spaces + 4)
                self.add(f"partial{m}_{s} = t + {s} + 1 < sub{m}", spaces)

    def look(self, s: int, spaces: int) -> None:
        """Monitors of one node after one step."""
        for m, watch in self.direct:
            at = f"(volume{m}_{s} % slots{m} * nodes + i) * W"
            if watch.kind == "sample":
                self.add(f"if volume{m}_{s} >= 0:", spaces)
                seen = self.observable(watch.of, spaces + 4)
                self.add(f"store(O{m}, {at}, {seen})", spaces + 4)
                continue
            seen = self.observable(watch.of, spaces)
            self.add(f"store(A{m}, i * W, load(A{m}, i * W, W) + {seen})", spaces)
            if watch.kind == "average":
                self.add(f"if volume{m}_{s} >= 0:", spaces)
                self.add(f"store(O{m}, {at}, load(A{m}, i * W, W) * portion{m})", spaces + 4)
                self.add(f"if clear{m}_{s}:", spaces)
                self.add(f"store(A{m}, i * W, nil)", spaces + 4)
            if watch.kind == "bold":
                # Loaded where they are used, every few steps: registers are scarcer than loads.
                constants = [f"load(K{m}, {n} * W, W)" for n in range(N_CONSTANTS)]
                text = BOLD_STEP.format(
                    m=m,
                    s=s,
                    dynamics=", ".join(constants[:N_DYNAMICS]),
                    signal=", ".join(constants[N_DYNAMICS:]),
                )
                self.add(f"if due{m}_{s} and partial{m}_{s}:", spaces)
                self.add(f"store(A{m}, i * W, nil)", spaces + 4)
                self.add(f"elif due{m}_{s}:", spaces)
                self.add(text, spaces)

    def finish(self, spaces: int) -> None:
        """What is done with the volumes that are complete."""
        for m, watch in enumerate(self.kernel.watches):
            if watch.derived:
                self.add(UPDATES[watch.kind].format(m=m, of=watch.of), spaces - 4)
