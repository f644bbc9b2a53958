"""Speed of the engine beside its peers, in one run: a table, a figure and the numbers.

    python tests/benchmarks/engine.py [--quick] [--peers all|none|NAME,NAME] [--workloads NAME ...]
        [--variants "SCHEME DTYPE" ...] [--extras NAME ...] [--add]

Every row is measured in a process of its own (`measure`). A peer is installed into an environment
of its own under build/bench/venvs when `--peers` asks for it; what cannot be installed or run stays
in the table with its reason. Writes build/bench/engine.json, engine.md and engine.png.
"""

import argparse
import json
import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from table import OWN, PLAIN, add_ratios, best_peer, page
from venvs import Unavailable, environment, measured, own_row, peer_row
from workloads import PEERS, WORKLOADS, Peer

SCHEMES = ("euler", "heun", "Euler", "Heun")
EXTRAS = ("worker", "memory", "threads", "alone", "features", "edges", "hour", "ledger")
VARIANTS = ("euler float32", "heun float32", "euler float64", "heun float64")
PLAIN_LOOPS = ("reduced_wong_wang", "wong_wang_ei", "stuart_landau", "stuart_landau_delays")
TARGET = Path("build/bench")


def machine() -> str:
    """Processor, its number, and versions of Python and numba."""
    import numba

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        cpu = next((x.split(":")[1].strip() for x in lines if "model name" in x), cpu)
    python = platform.python_version()
    return f"{os.cpu_count()} x {cpu}, Python {python}, numba {numba.__version__}"


def tell(row: dict) -> dict:
    """Print a row as it is found."""
    who = f"{row['implementation']} {row.get('scheme', '')} {row.get('dtype', '')}"
    said = f"{row['rate'] / 1e6:10.2f}" if "rate" in row else f"not measured: {row['reason']}"
    print(f"{row['workload']:32}{who:34}{said}", flush=True)
    return row


def own_rows(name: str, variants: list[str], divisor: int) -> list[dict]:
    """Rows of hpcvbi, and of the plain loop where there is one."""
    from hpcvbi import __version__

    rows = []
    for variant in variants:
        plain = variant == PLAIN
        label = {"workload": name, "implementation": PLAIN if plain else OWN}
        label.update(version="" if plain else __version__, variant=variant)
        try:
            found = own_row(name, "plain loop" if plain else variant, divisor)
        except Unavailable as reason:
            found = {"reason": f"{variant}: {reason}"}
        rows.append(tell({**label, **found}))
    return rows


def ready(peer: Peer) -> tuple[Path | None, str]:
    """Python of the peer's environment, or why there is none."""
    try:
        return environment(peer, TARGET / "venvs"), ""
    except Unavailable as reason:
        return None, f"not installed: {reason}"


def peer_rows(peer: Peer, home: tuple[Path | None, str], name: str, divisor: int) -> list[dict]:
    """Rows of a peer in one workload."""
    rows = []
    for variant in peer.cases.get(name, ()):
        who = " ".join([peer.name, *(w for w in variant.split() if w not in SCHEMES)])
        label = {"workload": name, "implementation": who, "variant": variant}
        label["version"] = peer.version
        python, missing = home
        try:
            if python is None:
                raise Unavailable(missing)
            found = peer_row(peer, python, name, variant, divisor)
        except Unavailable as reason:
            found = {"reason": f"{variant}: {reason}"}
        rows.append(tell({**label, **found}))
    return rows


def compile_first(names: list[str], variants: list[str]) -> None:
    """Compile all kernels into the disk cache, two at a time."""
    jobs = [(name, variant, 100, False) for name in names for variant in variants]

    def job(case: tuple[str, str, int, bool]) -> None:
        try:
            own_row(*case)
        except Unavailable as reason:
            print(f"{case[0]}, {case[1]}: {reason}", flush=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(job, jobs))


def extra(name: str, divisor: int) -> dict:
    """One of the measurements of `extras`; empty, with a message, where it fails."""
    try:
        command = [sys.executable, str(HERE / "extras.py"), name, str(divisor)]
        found = measured(command, one_core=name != "threads")
    except Unavailable as reason:
        print(f"{name}: not measured: {reason}", flush=True)
        return {}
    print(f"{name}: {json.dumps(found)[:200]}", flush=True)
    return found


def shares(rows: list[dict], roof: dict[str, float]) -> dict[str, dict[str, float]]:
    """Shares of the multiply-add peak and, with delays, of the second cache's bandwidth that
    coupling uses, by workload.
    """
    from brains import brain_of, network
    from roof import share_of_peak, share_of_reads

    connectome = network()
    per_node = (connectome.weights != 0).sum() / connectome.n_regions
    found = {}
    for row in rows:
        fits = (row.get("scheme"), row.get("dtype")) == ("euler", "float32")
        workload = WORKLOADS[row["workload"]]
        if row["implementation"] != OWN or not fits or workload.held:
            continue
        brain = brain_of(workload)
        channels = brain.coupling.n_channels(sum(name is not None for name in brain.sends))
        # Without delays the product is dense: it multiplies the zeros too.
        edges = per_node if workload.delays else connectome.n_regions
        used = {"multiply-adds": share_of_peak(row["rate"], edges, channels, roof["fma_gflops"])}
        if workload.delays:
            l2 = roof["l2_gb_per_second"]
            used["L2 reads"] = share_of_reads(row["rate"], edges, channels, l2)
        found[workload.title] = used
    return found


def chosen(text: str) -> list[Peer]:
    """Peers that the option names."""
    if text in ("all", "none"):
        return list(PEERS.values()) if text == "all" else []
    if unknown := set(text.split(",")) - set(PEERS):
        sys.exit(f"--peers: {sorted(unknown)} are none of {', '.join(PEERS)}, all, none")
    return [PEERS[name] for name in text.split(",")]


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description="speed of hpcvbi beside its peers")
    parser.add_argument("--quick", action="store_true", help="float32, a tenth of the steps")
    parser.add_argument("--peers", default="none", help="all, none, or names with commas")
    parser.add_argument("--workloads", nargs="*", choices=list(WORKLOADS), metavar="NAME")
    parser.add_argument("--variants", nargs="*", default=None, help="of hpcvbi, none if empty")
    parser.add_argument("--extras", nargs="*", default=None, help="names in extras.py")
    parser.add_argument("--add", action="store_true", help="keep what engine.json has besides")
    asked = parser.parse_args()
    if not asked.workloads:
        asked.workloads = [n for n, w in WORKLOADS.items() if not (asked.quick and w.sweep)]
    if asked.variants is None:
        asked.variants = ["euler float32"] if asked.quick else [*VARIANTS, PLAIN]
    if asked.extras is None:
        asked.extras = ["worker", "memory"] if asked.quick else list(EXTRAS)
    return asked


def main() -> None:
    """Measure, print, write after every part."""
    asked = options()
    divisor = 10 if asked.quick else 1
    peers, names = chosen(asked.peers), list(asked.workloads)
    found = {"machine": machine(), "load": "", "roof": {}, "rows": [], "extras": {}}
    if asked.add and (TARGET / "engine.json").exists():
        found = json.loads((TARGET / "engine.json").read_text())
    before = os.getloadavg()[0]
    print(f"{found['machine']}\nmillion node-steps per CPU second and core\n", flush=True)
    compile_first(names, [v for v in asked.variants if v != PLAIN])
    for name in names:
        fits = [v for v in asked.variants if v != PLAIN or name in PLAIN_LOOPS]
        renew(found, own_rows(name, fits, divisor))
    for peer in peers:
        home = ready(peer)
        for name in names:
            renew(found, peer_rows(peer, home, name, divisor))
    roof = measured([sys.executable, str(HERE / "roof.py")])
    found["roof"] = {**roof, "share": shares(found["rows"], roof)}
    for name in asked.extras:
        found["extras"][name] = extra(name, divisor)
    found["load"] = f"{before:.1f} before, {os.getloadavg()[0]:.1f} after"
    write(found)
    for name in names:
        if best := best_peer(found["rows"], name):
            ratio = best.get("ratio_to_fastest", float("nan"))
            print(f"{name:32}fastest peer {best['implementation']:22}{ratio:8.1f} times")


def renew(found: dict, rows: list[dict]) -> None:
    """Put rows into a result, in the place of those of the same name, and write it."""
    made = {_name(row) for row in rows}
    kept = [row for row in found["rows"] if _name(row) not in made]
    order = {name: k for k, name in enumerate(WORKLOADS)}
    found["rows"] = sorted(
        [*kept, *rows],
        key=lambda r: (order[r["workload"]], r["implementation"] != OWN, -r.get("rate", 0.0)),
    )
    add_ratios(found["rows"])
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "engine.json").write_text(json.dumps(found, indent=1))


def _name(row: dict) -> tuple[str, str, str]:
    return row["workload"], row["implementation"], row["variant"]


def write(found: dict) -> None:
    """Write numbers, table and figure of a result."""
    from figure import draw

    (TARGET / "engine.json").write_text(json.dumps(found, indent=1))
    (TARGET / "engine.md").write_text(page(found))
    draw(found, TARGET / "engine.png")
    print(f"written to {TARGET}: engine.json, engine.md, engine.png")


if __name__ == "__main__":
    main()
