"""tools record and verify: what is recorded stays recorded, whatever happens in between."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from importlib.metadata import PackageNotFoundError

import made
import psutil
import pytest

from tools import recording, running
from tools.catalogue import ROOT, Stub
from tools.schema import CatalogueError

pytestmark = pytest.mark.xdist_group("recording")  # they share a Dask cluster

# An experiment whose runs take no time: it needs no numpy, and its command line is as short.
FAKE = '''"""Made up."""
import json, os, pathlib, subprocess, sys, time

here = pathlib.Path(__file__)


def change():
    here.write_text(here.read_text().replace("/ 10", "/ 11"))


def run(seed):
    BODY
    return {"net.error": seed / 10, "net.wall_seconds": time.time()}


# ---- tail: of its own
metrics = run(int(sys.argv[2]))
record = {"config": {"steps": 4}, "metrics": metrics, "seconds": 0.5, "processor_seconds": 0.25}
pathlib.Path(sys.argv[4]).write_text(json.dumps(record))
'''
WAIT = "time.sleep(0.3 if seed < 2 else 60)"


def write(stub, body="pass", script=None):
    """Give the stub's experiment another body. Returns the stub as it is then."""
    (script or stub.script).write_text(FAKE.replace("BODY", body))
    return Stub(stub.folder)


@pytest.fixture
def toy(tmp_path):
    return write(made.stub(tmp_path))


@pytest.fixture
def five(toy):
    """The stub with five records."""
    assert recording.record([toy.run], range(5), jobs=1) == []
    return Stub(toy.folder)


def content(program):
    return json.loads(program.file.read_text()) if program.file.exists() else {"records": []}


def seeds(program):
    return [record["seed"] for record in content(program)["records"]]


# ---- what is recorded ----
def test_a_record_holds_what_the_spec_says(five):
    found = content(five.run)
    assert set(found) == {"slug", "program", "code", "verified", "records", "failed"}
    assert (found["slug"], found["program"], found["verified"]) == ("toy", "run", [])
    for seed, record in enumerate(found["records"]):
        assert set(record) == {
            "seed",
            "code",
            "config",
            "metrics",
            "seconds",
            "processor_seconds",
            "peak_memory_mb",
            "machine",
            "versions",
        }
        assert record["code"] == found["code"] == five.run.code_hash
        assert record["config"] == {"steps": 4}
        assert record["metrics"]["net.error"] == seed / 10
        assert (record["seconds"], record["processor_seconds"]) == (0.5, 0.25)
        assert record["peak_memory_mb"] > 5
        assert set(record["versions"]) == {"python", "numpy"}


def test_recorded_seeds_are_not_run_again_and_others_are_added_in_order(five, capsys):
    before = content(five.run)["records"]
    assert recording.record([five.run], range(5)) == []
    assert "nothing to do: toy/results.json complete" in capsys.readouterr().err
    assert recording.record([five.run], range(20, 22)) == []
    assert recording.record([five.run], range(4, 7)) == []
    assert seeds(five.run) == [0, 1, 2, 3, 4, 5, 6, 20, 21]
    assert content(five.run)["records"][:5] == before


def test_a_study_is_recorded_over_seeds_in_a_file_of_its_own(toy):
    write(toy, script=toy.folder / "study_toy.py")
    toy = Stub(toy.folder)
    assert recording.record(toy.programs, range(2)) == []
    assert seeds(toy.run) == seeds(toy.study) == [0, 1]
    assert content(toy.study)["program"] == "study"
    assert content(toy.study)["code"] == toy.study.code_hash != toy.run.code_hash


def test_records_of_different_code_do_not_mix(five):
    before = five.run.file.read_bytes()
    other = write(five, "seed += 0")
    with pytest.raises(CatalogueError, match="other code than today's; .* verify .*--fresh"):
        recording.record([other.run], range(6))
    assert five.run.file.read_bytes() == before
    assert recording.record([other.run], range(1), fresh=True) == []
    assert seeds(other.run) == [0]
    assert content(other.run)["code"] == other.run.code_hash


def test_an_unreadable_file_is_named_and_fresh_replaces_it(toy):
    toy.run.file.write_text('{"slug": "toy", "records": [')
    with pytest.raises(CatalogueError, match="toy/results.json is unusable"):
        recording.record([toy.run], range(1))
    assert toy.run.file.read_text() == '{"slug": "toy", "records": ['
    assert recording.record([toy.run], range(1), fresh=True) == []
    assert seeds(toy.run) == [0]


def test_two_recorders_of_one_stub_are_refused(toy):
    with recording.locked(toy), pytest.raises(CatalogueError, match="recorded by another process"):
        recording.record([toy.run], range(1))


def test_a_stub_whose_card_is_wrong_is_refused_before_any_run(toy):
    (toy.folder / "card.toml").write_text("title = ")
    with pytest.raises(CatalogueError, match="toy/card.toml is unusable"):
        recording.record([Stub(toy.folder).run], range(1))


# ---- seeds that fail ----
@pytest.mark.parametrize(
    "body, why",
    [
        ("sys.exit('toy.py stopped: loss is nan')", "exit code 1: toy.py stopped: loss is nan"),
        ("sys.exit('[bold]x[/] [/red] [link]')", "exit code 1: [bold]x[/] [/red] [link]"),
        ("sys.stderr.buffer.write(b'\\xff!\\n'); sys.exit(3)", "exit code 3: \ufffd!"),
        ("sys.exit('x' * 5000)", f"exit code 1: {'x' * 300}"),
        ("os.kill(os.getpid(), 9)", "ended by signal SIGKILL"),
        ("sys.exit(0)", "exit code 0 without a usable record: FileNotFoundError"),
        ("here = 1; return float('nan')", "its record is unusable: metrics"),
        ("return {'a': float('nan')}", "its record is unusable: metrics.a"),
        ("return {'a': 10**400}", "its record is unusable: metrics.a"),
        ("return {'a': {'b': 1}}", "its record is unusable: metrics.a"),
        ("return {'curve.x': [1.0] * 102}", "its curve has 102 points; at most 101"),
    ],
)
def test_a_seed_that_fails_is_kept_with_the_reason_and_the_others_run(toy, capsys, body, why):
    toy = write(toy, f"if seed == 1: {body}")
    failures = recording.record([toy.run], range(3), jobs=1)
    assert seeds(toy.run) == [0, 2]
    [(job, reason)] = failures
    assert job.seed == 1
    assert reason.startswith(why)
    assert content(toy.run)["failed"] == [{"seed": 1, "why": reason}]
    said = capsys.readouterr().err
    assert why[:60] in said
    assert "Traceback" not in said


def test_a_curve_of_a_hundred_and_one_points_is_kept(toy):
    toy = write(toy, "return {'curve.x': [1.0] * 101, 'curve.y': [2] * 101, 'curve.end': 3}")
    assert recording.record([toy.run], range(1)) == []
    assert len(content(toy.run)["records"][0]["metrics"]["curve.y"]) == 101


def test_a_seed_that_failed_is_tried_again(toy):
    toy = write(toy, "if not (here.parent / 'viz' / 'mended').exists(): sys.exit('not yet')")
    assert len(recording.record([toy.run], range(2))) == 2
    (toy.folder / "viz" / "mended").touch()
    assert recording.record([toy.run], range(2)) == []
    assert content(toy.run)["failed"] == []
    assert seeds(toy.run) == [0, 1]


def test_a_run_that_never_ends_is_ended_with_what_it_started(toy):
    body = "if seed == 1: subprocess.Popen(['sleep', '61.4']); time.sleep(60)"
    toy = write(toy, body)
    started = time.monotonic()
    [(_, why)] = recording.record([toy.run], range(3), timeout=1.0)
    assert why == "ended after 1 s, its --timeout"
    assert time.monotonic() - started < 20
    assert seeds(toy.run) == [0, 2]
    assert not processes("61.4")


def processes(word):
    """The processes that have a word in their command line."""
    running_now = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    return [words for words in running_now if word in (words or [])]


def test_code_that_changes_while_it_runs_stops_the_recorder_and_its_runs(toy):
    body = "(here.parent / 'viz' / str(seed)).touch(); seed or change()"
    toy = write(toy, body)
    with pytest.raises(CatalogueError, match="toy.py changed while it ran; start again"):
        recording.record([toy.run], range(50), jobs=1)
    time.sleep(0.3)
    assert len(list((toy.folder / "viz").iterdir())) < 10
    assert not toy.run.file.exists()
    assert not processes(str(toy.script))


def test_fresh_replaces_nothing_before_a_run_has_ended(five, monkeypatch):
    before = five.run.file.read_bytes()

    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running, "run_program", broken)
    with pytest.raises(OSError, match="No space left"):
        recording.record([five.run], range(2), fresh=True)
    assert five.run.file.read_bytes() == before


# ---- verify ----
def test_records_count_again_when_other_code_gives_the_same(five):
    before = content(five.run)["records"]
    old, other = five.run.code_hash, write(five, "seed += 0")
    assert other.run.current is None
    assert recording.verify(other.run, 3) == []
    found = content(other.run)
    assert found["code"] == other.run.code_hash != old
    assert found["verified"] == [{"code": other.run.code_hash, "seeds": [0, 2, 4]}]
    assert found["records"] == before
    assert {record["code"] for record in found["records"]} == {old}
    assert Stub(five.folder).run.current
    assert recording.record([Stub(five.folder).run], range(6)) == []
    assert [record["code"] for record in content(other.run)["records"]][4:] == [old, found["code"]]


def test_code_that_gives_other_numbers_is_refused(five):
    before = five.run.file.read_bytes()
    other = write(five, "seed = max(seed, 1)")
    assert recording.verify(other.run, 2) == [
        "toy seed 0: metric net.error was 0.0 and is 0.1",
    ]
    assert five.run.file.read_bytes() == before


def test_metrics_that_come_or_go_settings_and_failures_are_differences(five):
    before = five.run.file.read_bytes()
    other = write(five, "if seed == 4: sys.exit('no more')\n    return {'net.err': 0}")
    other.script.write_text(other.script.read_text().replace('"steps": 4', '"steps": 5'))
    assert sorted(recording.verify(Stub(five.folder).run, 2)) == [
        "toy seed 0: metric net.err was missing and is 0",
        "toy seed 0: metric net.error was 0.0 and is missing",
        "toy seed 0: setting steps was 4 and is 5",
        "toy seed 4: exit code 1: no more",
    ]
    assert five.run.file.read_bytes() == before


def test_a_file_that_was_edited_by_hand_is_shown(five):
    text = five.run.file.read_text()
    five.run.file.write_text(text.replace('"net.error": 0.4', '"net.error": 0.04'))
    assert recording.verify(Stub(five.folder).run, 1) == []
    assert recording.verify(Stub(five.folder).run, 5) == [
        "toy seed 4: metric net.error was 0.04 and is 0.4"
    ]


def test_code_that_changes_while_it_is_verified_is_not_marked(five):
    before = five.run.file.read_bytes()
    other = write(five, "change()")
    with pytest.raises(CatalogueError, match="changed while it ran"):
        recording.verify(other.run, 1)
    assert five.run.file.read_bytes() == before


def test_without_records_there_is_nothing_to_verify(toy):
    with pytest.raises(CatalogueError, match="toy/results.json holds no records to verify"):
        recording.verify(toy.run, 3)


# ---- signals ----
@pytest.fixture
def tree(toy, tmp_path):
    """The stub in a tree with the tools; a verb is started there by tree(verb, ...)."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__*"))
    for file in ("__init__.py", "__main__.py"):
        shutil.copy(ROOT / "tools" / file, tmp_path / "tools")
    (tmp_path / "temp").mkdir()

    def heed():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)  # whoever tests in the background ignores some

    def tools(*words, preexec_fn=heed):
        return subprocess.Popen(
            [sys.executable, "-m", "tools", *words],
            cwd=tmp_path,
            env=os.environ | {"TMPDIR": str(tmp_path / "temp")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=preexec_fn,  # noqa: PLW1509
        )

    tools.toy = write(toy, WAIT)
    tools.temp = tmp_path / "temp"
    return tools


def until(true):
    """Wait for something to become true."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_recorder_and_its_runs_and_keeps_the_records(tree, number):
    recorder = tree("record", "toy", "--seeds", "9", "--jobs", "2")
    until(lambda: len(seeds(tree.toy.run)) == 2 and len(processes(str(tree.toy.script))) == 2)
    recorder.send_signal(number)
    _, said = recorder.communicate(timeout=30)
    assert recorder.returncode == 128 + number
    assert "Traceback" not in said
    assert seeds(tree.toy.run) == [0, 1]
    assert content(tree.toy.run)["failed"] == []
    assert not processes(str(tree.toy.script))
    assert list(tree.temp.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_what_run_has_started(tree, number):
    write(tree.toy, "(here.parent / 'viz' / 'on').touch(); time.sleep(60)")
    starter = tree("run", "toy", "--seed", "0", "--json", "out")
    until((tree.toy.folder / "viz" / "on").exists)
    starter.send_signal(number)
    starter.communicate(timeout=30)
    assert starter.returncode == 128 + number
    assert not processes(str(tree.toy.script))


def test_under_nohup_it_goes_on(tree):
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    recorder = tree("record", "toy", "--seeds", "2", "--jobs", "1", preexec_fn=ignore)
    until(lambda: len(seeds(tree.toy.run)) == 1)
    recorder.send_signal(signal.SIGHUP)
    recorder.communicate(timeout=30)
    assert recorder.returncode == 0
    assert seeds(tree.toy.run) == [0, 1]


def test_killed_and_started_again_it_goes_on_with_the_missing_seeds(tree):
    recorder = tree("record", "toy", "--first-seed", "1", "--seeds", "3", "--jobs", "1")
    until(lambda: seeds(tree.toy.run))
    recorder.kill()
    recorder.communicate(timeout=30)
    for process in psutil.process_iter(["cmdline"]):  # the orphan of kill -9
        if str(tree.toy.script) in (process.info["cmdline"] or []):
            process.kill()
    [kept] = content(tree.toy.run)["records"]
    assert kept["seed"] == 1
    recording.record([tree.toy.run], range(2))
    assert seeds(tree.toy.run) == [0, 1]
    assert content(tree.toy.run)["records"][1] == kept, "a finished run was made again"


# ---- cores ----
def test_cores_that_an_affinity_leaves(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert running.usable_cores(tmp_path) == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert running.usable_cores(tmp_path) == 8


@pytest.mark.parametrize(
    "files, cores",
    [
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "1600000 100000\n"}, 8),
        ({"cpu.max": "nonsense"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    ],
)
def test_cores_that_a_control_group_leaves(monkeypatch, tmp_path, files, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert running.usable_cores(tmp_path) == cores


# ---- other machines ----
def test_what_travels_to_a_worker(toy, tmp_path):
    write(toy, "pass  # reads data/mnist")
    for name in ("data/mnist/images.gz", "data/other/x.gz", "toy/data/own.csv", "toy/viz/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    os.utime(toy.script, (0, 0))  # as in a Nix store
    (toy.folder / "study_toy.py").write_text("import toy\n")
    for script in (toy.script, toy.folder / "study_toy.py"):
        names = zipfile.ZipFile(io.BytesIO(running.bundle(script))).namelist()
        assert sorted(names) == [
            "data/mnist/images.gz",
            "toy/card.toml",
            "toy/data/own.csv",
            "toy/study_toy.py",
            "toy/toy.py",
        ]


def test_a_machine_without_numpy_is_no_failure_of_the_seed(toy, monkeypatch):
    def without():
        raise PackageNotFoundError("numpy")

    monkeypatch.setattr(running, "versions", without)
    with pytest.raises(PackageNotFoundError):
        running.run_bundle(running.bundle(toy.script), "toy/toy.py", 0)


CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    flags = dict(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1")
    with LocalCluster(**flags) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a Dask cluster of two workers that know nothing of this tree."""
    pytest.importorskip("distributed")
    script = tmp_path_factory.mktemp("cluster") / "cluster.py"
    script.write_text(CLUSTER)
    cluster = subprocess.Popen(
        [sys.executable, script],
        cwd="/",
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield cluster.stdout.readline().strip()
    cluster.communicate(timeout=60)


def test_a_cluster_records_the_same_and_a_killed_worker_costs_nothing(toy, scheduler, tmp_path):
    """Seed 3 kills the worker that runs it, once; the shared data has to be there for all."""
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    (tmp_path / "data" / "mnist" / "labels").write_text("10")
    body = f"""assert (here.parent.parent / "data/mnist/labels").read_text() == "10"
    if seed == 3 and not pathlib.Path("{tmp_path}/once").exists():
        pathlib.Path("{tmp_path}/once").touch()
        os.kill(os.getppid(), 9)
    if seed == 4:
        sys.exit("diverged")"""
    toy = write(toy, body)
    write(toy, script=toy.folder / "study_toy.py")
    toy = Stub(toy.folder)
    failures = recording.record(toy.programs, range(5), scheduler=scheduler)
    assert [(job.label, why) for job, why in failures] == [("toy seed 4", "exit code 1: diverged")]
    assert [r["metrics"]["net.error"] for r in content(toy.run)["records"]] == [0, 0.1, 0.2, 0.3]
    assert seeds(toy.study) == [0, 1, 2, 3, 4]
    assert content(toy.run)["failed"] == [{"seed": 4, "why": "exit code 1: diverged"}]
    assert (tmp_path / "once").exists()


def test_a_fault_of_the_cluster_is_no_failed_seed_and_replaces_nothing(
    five, scheduler, monkeypatch
):
    before = five.run.file.read_bytes()
    monkeypatch.setattr(running, "bundle", lambda script: b"no archive")
    with pytest.raises(CatalogueError) as caught:
        recording.record([five.run], range(8), scheduler=scheduler, fresh=True)
    assert "could not run 8 of 8 seeds (toy seed" in str(caught.value)
    assert "BadZipFile" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert five.run.file.read_bytes() == before


@pytest.mark.parametrize("address", ["here", "tcp://", "fax://x:1", ""])
def test_an_address_that_is_none_is_one_line(toy, address):
    pytest.importorskip("distributed")
    with pytest.raises(CatalogueError, match=f"no Dask scheduler at {address}: ") as caught:
        recording.record([toy.run], range(1), scheduler=address)
    assert "\n" not in str(caught.value)
