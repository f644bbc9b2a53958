"""What benchmarks have in common that measure one cell after the other, and none twice."""

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpcvbi.core.errors import HpcvbiError

Options = Mapping[str, Any]


def asked_for(
    parser: argparse.ArgumentParser, words: Sequence[str] | None, quick: Options, full: Options
) -> argparse.Namespace:
    """Return what the command line asks for, filled up from `quick` or `full`; it may name a
    folder and the minutes to spend.
    """
    parser.add_argument(
        "--quick", action="store_true", help="a few minutes; in a folder of its own"
    )
    parser.add_argument("--minutes", type=float, help="then nothing further is begun")
    parser.add_argument("--target", type=Path, help="folder of the results")
    asked = parser.parse_args(words)
    for name, value in (quick if asked.quick else full).items():
        if getattr(asked, name) is None:
            setattr(asked, name, value)
    return asked


def each(
    cells: Iterable[Any],
    known: Callable[[Any], bool],
    measure: Callable[[Any], None],
    end: float,
) -> int:
    """Measure what is not known yet, until `time.monotonic()` passes `end`; return how many cells
    failed, each with its reason on stderr. `measure` may raise TimeoutError as well.
    """
    warnings.filterwarnings("ignore", category=UserWarning)
    failed = 0
    for cell in cells:
        if known(cell):
            continue
        try:
            if time.monotonic() > end:
                raise TimeoutError(f"before {cell}")
            measure(cell)
        except TimeoutError as reason:
            print(f"the time is up, {reason}; the same command goes on there", flush=True)
            break
        except HpcvbiError as reason:
            failed += 1
            print(f"{cell}\n  not measured: {reason}", file=sys.stderr, flush=True)
    return failed
