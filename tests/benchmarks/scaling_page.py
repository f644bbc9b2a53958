"""Text and figure of a scaling result: build/bench/scaling.md and scaling.png."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

INK, FAINT = "#1f2933", "#8a94a0"
PARTS = {
    "scheduler_and_client": ("scheduler and client", "#0b6e6e"),
    "loop_and_executor": ("campaign and executor", "#d9a441"),
    "callbacks": ("other threads", "#b8bfc7"),
}


def _grid(head: list[str], lines: list[list[str]]) -> str:
    rule = ["---:"] * len(head)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines)) + "\n"


def _name(row: dict) -> str:
    workers = row["hosts"] * row["workers"]
    marks = ", marks" if row["marks"] else ""
    return f"{row['slots']} slots in {workers} workers, window {row['window']}{marks}"


def _driver(rows: list[dict]) -> str:
    head = ["case", "driver", "scheduler, client", "campaign, executor", "blocks/s"]
    head += ["slots used", "driver busy", "KiB per block in flight", "load"]
    lines = []
    for row in rows:
        if "reason" in row:
            lines.append([_name(row), f"**not measured**: {row['reason']}", *[""] * 7])
            continue
        cpu = row["cpu_us_per_block"]
        named = [f"{cpu[k]:.0f}" for k in ("driver", "scheduler_and_client", "loop_and_executor")]
        used = [f"{row['share_of_slots_used']:.0%}", f"{row['driver_cpu_share']:.0%}"]
        size = f"{row['driver_bytes_per_block_in_flight'] / 1024:.1f}"
        rate = f"{row['blocks_per_second']:.0f}"
        lines.append([_name(row), *named, rate, *used, size, f"{row['load']:.1f}"])
    return _grid(head, lines)


def _workers(rows: list[dict]) -> str:
    head = ["processes", "threads of each", "blocks/s", "draws/s", "parallel efficiency"]
    head += ["worker CPU s per block", "ratio", "ready after s", "load"]
    lines = []
    for row in rows:
        who = [str(row["processes"]), str(row["threads"])]
        if "reason" in row:
            lines.append([*who, f"**not measured**: {row['reason']}", *[""] * 6])
            continue
        lines.append(
            [
                *who,
                f"{row['blocks_per_second']:.2f}",
                f"{row['draws_per_second']:.1f}",
                f"{row.get('parallel_efficiency', float('nan')):.2f}",
                f"{row['worker_cpu_seconds_per_block']:.3f}",
                f"{row.get('cpu_ratio_to_one_worker', float('nan')):.2f}",
                f"{row['seconds_until_workers_were_ready']:.1f}",
                f"{row['load']:.1f}",
            ]
        )
    return _grid(head, lines)


def _slurm(found: dict) -> str:
    if "reason" in found:
        return f"Not measured: {found['reason']}.\n"
    lines = [
        [
            str(row["jobs"]),
            str(row["slots"]),
            f"{row['blocks_per_second']:.1f}",
            f"{row['share_of_slots_used']:.0%}",
            f"{row['seconds_until_workers_were_ready']:.1f}",
            f"{row['load']:.1f}",
        ]
        for row in found["rows"]
    ]
    return _grid(["jobs", "slots", "blocks/s", "slots used", "ready after s", "load"], lines)


def _interpreter(row: dict) -> str:
    if "reason" in row:
        return f"Not measured: {row['reason']}.\n"
    alone = row["cpu_seconds_outside_the_kernel"]
    many = row["cpu_seconds_outside_the_kernel_with_all_threads"]
    return (
        f"A block of {row['draws']} draws of {row['regions']} regions takes "
        f"{row['cpu_seconds_per_block']:.2f} CPU s, of which {1e3 * alone:.0f} ms "
        f"({row['share_outside_the_kernel']:.1%}) outside the compiled kernel: at most so long it "
        f"holds the interpreter of its worker. With {row['threads']} threads in one process these "
        f"are {1e3 * many:.0f} ms, so that {row['threads']} blocks at once of 1 s ask for at most "
        f"{row['threads'] * many:.0%} of one interpreter, of 10 s for "
        f"{row['threads'] * many / 10:.0%}.\n"
    )


def _constants(found: dict) -> str:
    if not found:
        return "Not known: nothing was measured.\n"
    said = []
    for workers, slots in found["slots_fed_at_half_load_by_workers_and_block_seconds"].items():
        fed = ", ".join(f"{n} slots with blocks of {s} s" for s, n in slots.items())
        said.append(f"At half of a core the driver of {workers} workers feeds {fed}.\n")
    return "\n".join(said)


def page(found: dict) -> str:
    """Text of the whole result."""
    sizes = found["message_bytes"]
    return "\n".join(
        [
            "# Scaling\n",
            f"{found['machine']}. Load while measuring: {found['load']}.\n",
            _constants(found["constants"]),
            "## What a block costs the driver [CPU us]\n",
            "Blocks sleep 200 ms. The driver is one process: scheduler and client in one thread, "
            "campaign and executor in another; TLS on.\n",
            _driver(found["driver"]),
            f"A task is {sizes['task']} bytes, a report {sizes['report']}, pickled.\n",
            "## A real study on this machine\n",
            _workers(found["workers"]),
            _interpreter(found["interpreter"]),
            "## Jobs of a real SLURM on this machine, blocks that sleep 500 ms\n",
            _slurm(found["slurm"]),
        ]
    )


def draw(found: dict, path: Path) -> None:
    """Draw what a block costs the driver, part by part."""
    rows = [row for row in found["driver"] if "cpu_us_per_block" in row]
    if not rows:
        return
    figure, axes = plt.subplots(figsize=(8.0, 1.4 + 0.42 * len(rows)))
    places = [-k for k in range(len(rows))]
    left = [0.0] * len(rows)
    for part, (label, colour) in PARTS.items():
        wide = [row["cpu_us_per_block"][part] for row in rows]
        axes.barh(places, wide, left=left, color=colour, label=label, height=0.7)
        left = [a + b for a, b in zip(left, wide, strict=True)]
    for y, end in zip(places, left, strict=True):
        axes.text(end, y, f"  {end:.0f}", va="center", fontsize=9, color=INK)
    axes.set_yticks(places, [_name(row) for row in rows], fontsize=9, color=INK)
    axes.set_xlim(0, 1.15 * max(left))
    axes.set_title("CPU of the driver per block [us]", loc="left", color=INK, weight="bold")
    figure.legend(frameon=False, fontsize=8.5, loc="lower right", ncols=3)
    axes.tick_params(length=0, colors=FAINT)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.text(0.01, 0.01, found["machine"], fontsize=7, color=FAINT)
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(path, dpi=150, facecolor="white")
    plt.close(figure)
