"""Where a study runs: its file, a site's profile, and the option --cluster, one on the other."""

import os
from pathlib import Path

import pytest
from conftest import hpcvbi
from small_study import STUDY

from hpcvbi.config import load, site_of
from hpcvbi.config.clusters import GpuJobs, Local, Mpi, Slurm
from hpcvbi.core.errors import ConfigError

LOCAL = "cluster: {kind: local, workers: null}\n"
SITE = """\
cluster:
  kind: slurm
  jobs: 4
  memory: 8GiB
  walltime: "01:00:00"
  account: brains
  setup:
    - module load python
"""


@pytest.fixture(autouse=True)
def profiles(tmp_path: Path, monkeypatch) -> Path:
    """Folder of the profiles, which holds `site`."""
    folder = tmp_path / "xdg/hpcvbi"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder.parent))
    monkeypatch.delenv("HPCVBI_PROFILE", raising=False)
    (folder / "site.yaml").write_text(SITE)
    return folder


@pytest.fixture
def study(tmp_path: Path):
    """Return a function that writes a study with this section `cluster`."""

    def written(section: str = "") -> Path:
        path = tmp_path / "study.yaml"
        path.write_text(STUDY.replace(LOCAL, section))
        return path

    return written


def cluster(path: Path, profile: str | None = None, option: str | None = None):
    return load(path, site_of(profile, option).layers).cluster


def refusal(path: Path, profile: str | None = None, option: str | None = None) -> str:
    with pytest.raises(ConfigError) as refused:
        cluster(path, profile, option)
    return str(refused.value)


def test_a_study_alone_runs_here(study) -> None:
    assert cluster(study()) == Local()
    assert cluster(study(), None, "{}") == Local()


def test_a_profile_takes_a_study_to_a_site(study) -> None:
    found = cluster(study(LOCAL), "site")
    assert isinstance(found, Slurm)
    assert (found.account, found.setup) == ("brains", ("module load python",))
    assert load(study(LOCAL), site_of("site").layers).sha256 == load(study()).sha256


def test_keys_of_the_same_kind_go_on_top(study) -> None:
    found = cluster(study("cluster: {kind: slurm, jobs: 2, cpus: 48}\n"), "site", "{jobs: 64}")
    assert isinstance(found, Slurm)
    assert (found.jobs, found.cpus, found.account) == (64, 48, "brains")
    assert cluster(study("cluster: {cpus: 48}\n"), "site") == cluster(
        study(), "site", "{kind: slurm, cpus: 48}"
    )


def test_mappings_within_are_laid_key_by_key(study, profiles: Path) -> None:
    (profiles / "gpu.yaml").write_text(SITE + "  gpu_jobs: {jobs: 1, partition: gpu}\n")
    found = cluster(study("cluster: {kind: slurm, gpu_jobs: {cpus: 3}}\n"), "gpu")
    assert isinstance(found, Slurm)
    assert found.gpu_jobs == GpuJobs(jobs=1, cpus=3, partition="gpu")


def test_another_kind_replaces_all_below(study) -> None:
    assert cluster(study("cluster: {kind: local, workers: 2}\n"), "site", "mpi") == Mpi(kind="mpi")
    assert cluster(study(), "site", "local") == Local()
    assert cluster(study(), "site", "{kind: local, workers: 1}") == Local(workers=1)
    kept = cluster(study("cluster: {kind: local, workers: 2}\n"), None, "local")
    assert kept == Local(workers=2)


def test_a_study_may_leave_the_rest_to_the_profile(study) -> None:
    path = study("cluster: {kind: slurm, jobs: 2}\n")
    assert f"{path}:27: cluster.memory: is missing" in refusal(path)
    assert isinstance(cluster(path, "site"), Slurm)
    # who starts nothing needs no profile
    assert load(path, None).cluster == Local()
    assert load(study("cluster: nonsense\n"), None).output == "results/small"


@pytest.mark.parametrize(
    ("section", "profile", "option", "said"),
    [
        ("{kind: slurm, jbs: 2}", "", "", "study.yaml:27: cluster.jbs: unknown key; did you mean"),
        ("{jobs: 0}", "", "{jobs: 1, jbs: 2}", "--cluster: cluster.jbs: unknown key; did you mean"),
        ("{cpus: 0}", "", "", "study.yaml:27: cluster.cpus: must be 1 at least"),
        ("{cpus: 0}", "", "{cpus: -1}", "--cluster: cluster.cpus: must be 1 at least, got -1"),
        ("{cpus: 2}", "  qos: a b\n", "", "p.yaml:9: cluster.qos: must be of letters"),
        ("{cpus: 2}", "  qso: a\n", "{cpus: 3}", "p.yaml:9: cluster.qso: unknown key; did you me"),
        ("{cpus: 2}", "    - 3\n", "", "p.yaml:9: cluster.setup.1: must be text"),
        ("{cpus: 2}", "    - 3\n", "{setup: [4]}", "--cluster: cluster.setup.0: must be text"),
        ("{workers: 2}", "", "", "study.yaml:27: cluster.workers: unknown key"),
        ("{cpus: 2}", "", "slurn", "--cluster: cluster.kind: must be one of 'local', 'slurm', 'sr"),
        ("{cpus: 2}", "", "{kind: mpi, jobs: 2}", "--cluster: cluster.jobs: unknown key"),
        ("{cpus: 2}", "", "{jobs: 2", "--cluster:1: not YAML"),
        ("{cpus: 2}", "", "[a]", "--cluster: '[a]' is neither a kind, such as slurm, nor a mapp"),
        ("{cpus: 2}", "", "", ""),
    ],
)
def test_an_error_names_the_layer(
    study, profiles: Path, section: str, profile: str, option: str, said: str
) -> None:
    (profiles / "p.yaml").write_text(SITE + profile)
    path = study(f"cluster: {section}\n")
    if not said:
        assert isinstance(cluster(path, "p", option or None), Slurm)
        return
    text = refusal(path, "p", option or None)
    assert said in text and len(text.splitlines()) == 1


def test_a_key_that_is_missing_is_missed_where_the_kind_stands(study, profiles: Path) -> None:
    (profiles / "p.yaml").write_text("# a site\ncluster: {kind: slurm}\n")
    path = study("cluster: {jobs: 2}\n")
    lines = refusal(path, "p").splitlines()
    assert [line.partition("p.yaml")[2] for line in lines] == [
        ":2: cluster.memory: is missing",
        ":2: cluster.walltime: is missing",
    ]
    assert refusal(path, None, "{cpus: 2}") == f"{path}:27: cluster.kind: is missing"
    assert refusal(study(), None, "{cpus: 2}") == "--cluster: cluster.kind: is missing"


def test_mistakes_of_study_and_profile_are_listed_together(study, profiles: Path) -> None:
    (profiles / "p.yaml").write_text(SITE + "  qso: a\n")
    path = study()
    path.write_text(path.read_text().replace("seed: 1", "seed: x"))
    assert [line.split(": ")[1] for line in refusal(path, "p").splitlines()] == [
        "seed",
        "cluster.qso",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: a profile is a mapping"),
        ("kind: slurm\n", ":1: kind: unknown key; valid here: cluster"),
        (SITE + "limits: {}\n", ":9: limits: unknown key; valid here: cluster"),
        ("cluster: slurm\n", ":1: cluster: must be a mapping"),
        ("{}\n", ": cluster: is missing"),
        ("cluster: &a {}\n", ":1: anchor &a: remove it"),
        ("cluster: {}\n---\n{}", ":2: a second document"),
        ("cluster: {jobs: 1, jobs: 2}\n", ":1: cluster.jobs: written twice"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(study, profiles, text: str, said: str) -> None:
    (profiles / "p.yaml").write_text(text)
    assert refusal(study(), "p").startswith(f"{profiles / 'p.yaml'}{said}")


def test_a_profile_is_read_as_strangers_files_are(study, profiles: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yaml").write_text(SITE)
    (profiles / "link.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert isinstance(cluster(study(), "link"), Slurm)
    (profiles / "gone.yaml").symlink_to(tmp_path / "nowhere.yaml")
    (profiles / "device.yaml").symlink_to("/dev/zero")
    (profiles / "folder.yaml").mkdir()
    os.mkfifo(profiles / "pipe.yaml")
    (profiles / "huge.yaml").write_bytes(b"#" * (2**20 + 1))
    for name, why in {
        "gone": "No such file",
        "device": "it is a device",
        "folder": "it is a directory",
        "pipe": "it is a named pipe",
        "huge": "more than 1048576 bytes",
    }.items():
        text = refusal(study(), name)
        assert text.startswith(f"cannot read the profile {profiles / name}.yaml: ") and why in text


def test_a_profile_that_is_not_there_is_named(study, profiles: Path, monkeypatch) -> None:
    text = refusal(study(), "sit")
    assert text == f"--profile: there is no profile {profiles / 'sit.yaml'} (known: site)"
    assert "'../site' is no profile: write the name of a file in" in refusal(study(), "../site")
    monkeypatch.setenv("HPCVBI_PROFILE", "sit")
    assert refusal(study()).startswith("HPCVBI_PROFILE: there is no profile")


def test_option_before_variable_before_default(study, profiles: Path, monkeypatch) -> None:
    for name in ("default", "other", "path"):
        (profiles / f"{name}.yaml").write_text(SITE.replace("brains", name))

    def account(profile: str | None = None) -> tuple[str | None, str | None]:
        site = site_of(profile)
        found = load(study(), site.layers).cluster
        assert isinstance(found, Slurm)
        return found.account, site.unasked

    by_default = f"profile {profiles / 'default.yaml'}, which is used where none is named"
    assert account() == ("default", by_default)
    monkeypatch.setenv("HPCVBI_PROFILE", "other")
    by_variable = f"profile {profiles / 'other.yaml'}, which HPCVBI_PROFILE names"
    assert account() == ("other", by_variable)
    assert account(str(profiles / "path.yaml")) == ("path", None)
    monkeypatch.setenv("HPCVBI_PROFILE", "")
    assert account() == ("default", by_default)


def test_profiles_of_ones_home_where_no_folder_is_set(study, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "xdg"):  # a relative one is to be ignored
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        assert str(tmp_path / ".config/hpcvbi/site.yaml") in refusal(study(), "site")


def test_a_run_says_which_profile_nobody_asked_for(finished, tmp_path: Path) -> None:
    profile = tmp_path / "site.yaml"
    profile.write_text("cluster: {kind: local, workers: 1}\n")
    given = {"env": {"HPCVBI_PROFILE": str(profile)}}
    done = hpcvbi("run", finished, **given)
    assert done.returncode == 0, done.stderr
    said = f"cluster: local; profile {profile}, which HPCVBI_PROFILE names"
    assert said in done.stdout.splitlines()
    assert said not in hpcvbi("run", "--profile", profile, finished, **given).stdout
    assert hpcvbi("status", finished, env={"HPCVBI_PROFILE": "nowhere"}).returncode == 0
    refused = hpcvbi("run", "--cluster", "{workrs: 1}", finished)
    assert refused.returncode == 2
    assert refused.stderr == "error: --cluster: cluster.kind: is missing\n"
