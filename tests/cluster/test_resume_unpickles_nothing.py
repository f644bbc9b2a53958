"""A process that resumes a study loads no pickle: what is stored of an inference are arrays."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import environment, files

PROGRAM = """
import json, pathlib, pickle, sys

seen = []

def audit(event, args):
    if event not in ("pickle.find_class", "marshal.loads", "marshal.load"):
        return
    frame, callers = sys._getframe(1), []
    while frame is not None:
        callers.append(frame.f_globals.get("__name__", "?"))
        frame = frame.f_back
    # Python's own caches of compiled modules
    if not callers[0].startswith(("importlib", "_frozen_importlib")):
        seen.append([event, str(args)[:200], callers])

def main():
    from hpcvbi.store import Driver

    study, output, out = sys.argv[1:]
    sys.addaudithook(audit)
    with Driver.open(output) as store:
        for person in ("anna", "ben"):
            store._append({"kind": "void", "chain": person, "group": "evaluation"})
    from hpcvbi.cli import app

    app(["run", study], standalone_mode=False)
    pathlib.Path(out).write_text(json.dumps(seen))
    pickle.loads(pickle.dumps(pathlib.PurePosixPath("a")))  # the control
    assert "PurePosixPath" in seen[-1][1], seen[-1]

if __name__ == "__main__":  # workers import this file
    main()
"""


def test_resuming_a_study_unpickles_nothing(finished: Path, tmp_path: Path) -> None:
    study, program = tmp_path / "study.yaml", tmp_path / "resume.py"
    output, seen = tmp_path / "out", tmp_path / "seen.json"
    shutil.copytree(finished.parent / "out", output)
    study.write_text(finished.read_text().replace(str(finished.parent / "out"), str(output)))
    program.write_text(PROGRAM)
    ran = subprocess.run(
        [sys.executable, program, study, output, seen],
        capture_output=True, text=True, timeout=300, env=environment(),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "0 blocks computed" in ran.stdout
    events = json.loads(seen.read_text())
    # dask makes operators of its own when it is imported; nothing reads data that way
    foreign = [e for e in events if not e[2][0].startswith(("dask", "distributed"))]
    assert foreign == []
    kinds = ("store", "infer", "cohort", "config", "report")
    assert not any(e[2][1].startswith(tuple(f"hpcvbi.{k}" for k in kinds)) for e in events)


def test_a_finished_store_holds_json_and_chunks_only(finished: Path) -> None:
    names = {Path(name).name for name in files(finished.parent / "out/store.zarr")}
    assert {name.split(".")[0] for name in names} == {"zarr", "c"}
