"""`hpcvbi doctor` shows every finding, and fails where there is a problem."""

import pytest
from typer.testing import CliRunner

from hpcvbi.cli import app
from hpcvbi.sim import doctor
from hpcvbi.sim.doctor import Finding


@pytest.mark.parametrize(("verdict", "code"), [("ok", 0), ("note", 0), ("problem", 1)])
def test_findings_are_shown_and_problems_fail(monkeypatch, verdict, code) -> None:
    found = [Finding("processor", "ok", "fast [really] :100:"), Finding("GPU", verdict, "as it is")]
    monkeypatch.setattr(doctor, "diagnose", lambda: found)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == code
    (first, second) = done.stdout.strip().splitlines()
    assert first.split() == ["OK", "processor", "fast", "[really]", ":100:"]
    assert second.split() == [verdict.upper(), "GPU", "as", "it", "is"]
