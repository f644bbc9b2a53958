"""Puts the rows side by side: ratios, and the text of build/bench/engine.md."""

from workloads import WORKLOADS

OWN = "hpcvbi"
PLAIN = "plain numba loop"


def add_ratios(rows: list[dict]) -> None:
    """Give each row of others two ratios: hpcvbi with its scheme and precision over it, and
    hpcvbi's fastest row of the workload over it.
    """
    for row in rows:
        if "rate" not in row or row["implementation"] == OWN:
            continue
        own = [r for r in rows if r["implementation"] == OWN and r["workload"] == row["workload"]]
        rates = {(r["scheme"], r["dtype"]): r["rate"] for r in own if "rate" in r}
        precision = "float64" if row["dtype"] == "complex128" else row["dtype"]
        if same := rates.get((row["scheme"], precision)):
            row["ratio"] = same / row["rate"]
        if rates:
            row["ratio_to_fastest"] = max(rates.values()) / row["rate"]


def best_peer(rows: list[dict], workload: str) -> dict | None:
    """Fastest finite row of the peers in a workload."""
    found = [
        r
        for r in rows
        if r["workload"] == workload and r["implementation"] not in (OWN, PLAIN)
        if r.get("finite")
    ]
    return max(found, key=lambda r: r["rate"], default=None)


def _grid(head: list[str], lines: list[list[str]], numbers: int) -> str:
    rule = ["---"] * (len(head) - numbers) + ["---:"] * numbers
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines)) + "\n"


def _rate(rows: list[dict], **wanted: object) -> str:
    for row in rows:
        if all(row.get(k) == v for k, v in wanted.items()) and "rate" in row:
            return f"{row['rate'] / 1e6:.0f}"
    return ""


def _times(row: dict, key: str) -> str:
    return f"{row[key]:.1f}" if key in row else ""


def summary(rows: list[dict]) -> str:
    """One line per workload: hpcvbi, its target, the fastest peer, the ratios."""
    lines = []
    for name in dict.fromkeys(r["workload"] for r in rows):
        workload, best = WORKLOADS[name], best_peer(rows, name)
        own = [
            _rate(rows, workload=name, implementation=OWN, scheme=scheme, dtype=dtype)
            for scheme, dtype in (
                ("euler", "float32"),
                ("heun", "float32"),
                ("euler", "float64"),
                ("heun", "float64"),
            )
        ]
        targets = [f"{t:.0f}" for t in (workload.target, workload.heun) if t]
        peer = [""] * 4
        if best:
            who = f"{best['implementation']} ({best['scheme']}, {best['dtype']})"
            rates = [_times(best, "ratio"), _times(best, "ratio_to_fastest")]
            peer = [who, f"{best['rate'] / 1e6:.2f}", *rates]
        lines.append([workload.title, peer[0], *own, " / ".join(targets), *peer[1:]])
    head = ["workload", "fastest peer", "Euler f32", "Heun f32", "Euler f64", "Heun f64"]
    head += ["target Euler / Heun f32", "peer", "ratio, like for like", "ratio, fastest"]
    return _grid(head, lines, 8)


def every_row(rows: list[dict]) -> str:
    """All rows, those that could not be measured with their reason."""
    lines = []
    for row in rows:
        cells = [WORKLOADS[row["workload"]].title, row["implementation"], row["version"]]
        if "rate" not in row:
            lines.append([*cells, f"**not measured**: {row['reason']}", *[""] * 9])
            continue
        notes = [n for n in (row["note"], "" if row["finite"] else "**values not finite**") if n]
        lines.append(
            [
                *cells,
                "; ".join(notes),
                row["scheme"],
                row["dtype"],
                str(row["draws"]),
                str(row["steps"]),
                f"{row['rate'] / 1e6:.2f}",
                _times(row, "ratio"),
                _times(row, "ratio_to_fastest"),
                f"{row['first_cpu_seconds']:.1f}",
                f"{row['peak_mb']:.0f}",
            ]
        )
    head = ["workload", "implementation", "version", "note", "scheme", "dtype", "draws", "steps"]
    head += ["M node-steps / CPU s", "ratio", "ratio, fastest", "first call CPU s", "peak MB"]
    return _grid(head, lines, 7)


def _extras(extras: dict) -> list[str]:
    said = []
    if e := extras.get("hour"):
        said.append(
            f"- An hour of brain activity (reduced Wong-Wang, 1 ms, BOLD, {e['draws']} draws): "
            f"{e['seconds_per_draw_and_hour']:.2f} s of one core per draw, "
            f"measured over {e['brain_minutes']:.0f} minutes (target 0.5)."
        )
    if e := extras.get("threads"):
        said.append(
            f"- Two threads: {e['ratio']:.2f} times as fast as one by the wall clock, with a load "
            f"of {e['load']:.1f} on the machine (target 1.9)."
        )
    if e := extras.get("memory"):
        said.append(
            f"- Peak memory of 32 draws with BOLD: {e['mb_1x']:.0f} MB, and {e['mb_10x']:.0f} MB "
            f"for ten times the duration."
        )
    if e := extras.get("worker"):
        said.append(
            f"- A fresh process has its first result {e['cached_wall']:.2f} s after the call of "
            f"simulate when the kernel is on disk ({e['cached_cpu']:.2f} CPU s; target 1), "
            f"{e['cached_wall_with_imports']:.1f} s with all imports; the first compile takes "
            f"{e['compile_wall']:.1f} s, {e['compile_cpu']:.1f} CPU s (target 10)."
        )
    if e := extras.get("alone"):
        said.append(
            f"- One draw by itself: {e['rate_1']:.1f} million node-steps per CPU second; 32 draws "
            f"side by side: {e['rate_32']:.0f}."
        )
    if e := extras.get("features"):
        parts = ", ".join(f"{name} {seconds * 1e3:.1f} ms" for name, seconds in e.items())
        said.append(f"- Features of a recording of 84 regions and 1200 frames: {parts}.")
    if e := extras.get("ledger"):
        said.append(
            f"- Digests, fsyncs and the mark of a block that takes {e['simulating']:.1f} CPU s to "
            f"simulate: {e['features']['share']:.1%} of it, {e['signals']['share']:.1%} where the "
            f"signals are kept (target 2 %)."
        )
    return said


def _edges(extras: dict) -> str:
    if "edges" not in extras:
        return ""
    lines = [
        [
            r["workload"],
            str(r["regions"]),
            str(r["edges"]),
            f"{r['node_steps']:.1f}",
            f"{r['edge_steps'] / 1e3:.2f}",
        ]
        for r in extras["edges"]["rows"]
    ]
    head = ["workload", "regions", "connections", "M node-steps / CPU s", "G edge-steps / CPU s"]
    return "\n## Cost against connections\n\n" + _grid(head, lines, 4)


def _roof(roof: dict) -> str:
    if not roof:
        return ""
    shares = "; ".join(
        f"{title} " + ", ".join(f"{share:.0%} of {what}" for what, share in used.items())
        for title, used in roof["share"].items()
    )
    return (
        f"One core: {roof['fma_gflops']:.0f} GFLOP/s of packed float32 multiply-adds, reads of "
        f"{roof['l1_gb_per_second']:.0f} GB/s from L1 and {roof['l2_gb_per_second']:.0f} GB/s "
        f"from L2. What coupling uses of them (Euler, float32): {shares}.\n"
    )


def page(found: dict) -> str:
    """Text of the whole result."""
    parts = [
        "# Speed of hpcvbi and its peers\n",
        f"{found['machine']}. Load while measuring: {found['load']}.\n",
        "Million node-steps per CPU second and core. Network of 84 regions, half of the pairs "
        "connected, log-normal weights, tract lengths of 10 to 180 mm, 5 m/s where there are "
        "delays. Noise is on. Each row is the median of three runs after one warm-up, in a process "
        "of its own kept on one core; CPU seconds count the process and its children. *Like for "
        "like* compares equal scheme and precision, *fastest* takes hpcvbi's fastest row.\n",
        summary(found["rows"]),
        _roof(found["roof"]),
        "\n".join(_extras(found["extras"])),
        _edges(found["extras"]),
        "\n## Every row\n",
        every_row(found["rows"]),
    ]
    return "\n".join(part for part in parts if part)
