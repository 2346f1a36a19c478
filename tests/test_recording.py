"""tools record: what is recorded stays recorded, whatever happens in between."""
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

# Runs of the toy take a second each, so that they can be interrupted; seed 3 fails on request.
SLOW = """
    import time
    for tenth in range(10):
        time.sleep(0.1)
        if progress:
            progress(tenth / 10, "waiting")
"""


def edit(catalogue, old, new):
    script = catalogue.toy / "toy.py"
    text = script.read_text()
    assert text.count(old) == 1
    script.write_text(text.replace(old, new))


def slow_down(catalogue):
    edit(catalogue, "    return {\"test_mse\"", SLOW + "    return {\"test_mse\"")


def recorded(catalogue):
    path = catalogue.toy / "results.json"
    return json.loads(path.read_text()) if path.exists() else {"records": []}


def seeds(catalogue):
    return [record["seed"] for record in recorded(catalogue)["records"]]


def test_records_hold_what_the_spec_says_and_a_second_call_has_nothing_to_do(catalogue):
    assert catalogue("record", "toy", "--seeds", "3").returncode == 0
    first = recorded(catalogue)
    assert seeds(catalogue) == [0, 1, 2]
    for record in first["records"]:
        assert set(record) == {"seed", "config", "metrics", "seconds", "peak_memory_mb", "machine", "versions"}
        assert record["config"]["steps"] == 400
        assert record["peak_memory_mb"] > 10
        assert set(record["versions"]) == {"python", "numpy"}
    again = catalogue("record", "toy", "--seeds", "3")
    assert again.returncode == 0
    assert "nothing to do" in again.stderr
    assert recorded(catalogue) == first
    assert catalogue("record", "toy", "--seeds", "5").returncode == 0
    assert seeds(catalogue) == [0, 1, 2, 3, 4]
    assert recorded(catalogue)["records"][:3] == first["records"]


def test_killed_and_started_again_it_goes_on_with_the_missing_seeds(catalogue):
    slow_down(catalogue)
    command = [sys.executable, "-m", "tools", "record", "toy", "--seeds", "4", "--jobs", "1"]
    child = subprocess.Popen(command, cwd=catalogue.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(seeds(catalogue)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    kept = recorded(catalogue)["records"]
    assert 2 <= len(kept) < 4
    done = catalogue("record", "toy", "--seeds", "4", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert seeds(catalogue) == [0, 1, 2, 3]
    assert recorded(catalogue)["records"][:len(kept)] == kept, "records from before the kill were made again"


def test_ctrl_c_ends_with_130_keeps_records_and_leaves_no_process(catalogue):
    slow_down(catalogue)
    command = [sys.executable, "-m", "tools", "record", "toy", "--seeds", "9", "--jobs", "1"]
    child = subprocess.Popen(command, cwd=catalogue.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not seeds(catalogue) and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in err
    assert seeds(catalogue)
    running = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert not [words for words in running if str(catalogue.toy / "toy.py") in (words or [])]


def test_records_of_different_code_do_not_mix(catalogue):
    assert catalogue("record", "toy", "--seeds", "2").returncode == 0
    before = recorded(catalogue)
    edit(catalogue, "0.05\n", "0.04\n")
    refused = catalogue("record", "toy", "--seeds", "3")
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "--fresh" in refused.stderr
    assert recorded(catalogue) == before
    assert catalogue("record", "toy", "--seeds", "1", "--fresh").returncode == 0
    assert seeds(catalogue) == [0]
    assert recorded(catalogue)["code"] != before["code"]


def test_a_failing_seed_is_left_out_with_its_reason(catalogue):
    edit(catalogue, "    return {\"test_mse\"",
         "    if seed == 1:\n        raise FloatingPointError('loss is nan at step 7')\n    return {\"test_mse\"")
    done = catalogue("record", "toy", "--seeds", "3")
    assert done.returncode == 1
    assert "seed 1: left out, exit code 1: toy.py stopped: loss is nan at step 7" in done.stderr
    assert seeds(catalogue) == [0, 2]
    assert recorded(catalogue)["failed"] == [{"seed": 1, "why": "exit code 1: toy.py stopped: loss is nan at step 7"}]


def test_metrics_that_are_no_numbers_are_left_out_with_the_reason(catalogue):
    edit(catalogue, "    return {\"test_mse\"", "    return {'nested': {'a': 1}, \"test_mse\"")
    done = catalogue("record", "toy", "--seeds", "1")
    assert done.returncode == 1
    assert "seed 0: left out" in done.stderr
    assert "Traceback" not in done.stderr
    assert seeds(catalogue) == []


def test_an_unreadable_record_is_named_and_fresh_replaces_it(catalogue):
    path = catalogue.toy / "results.json"
    path.write_text('{"slug": "toy", "records": [')
    refused = catalogue("record", "toy", "--seeds", "1")
    assert refused.returncode == 1
    assert "toy/results.json is unusable" in refused.stderr
    assert "--fresh" in refused.stderr
    assert path.read_text() == '{"slug": "toy", "records": ['
    assert catalogue("record", "toy", "--seeds", "1", "--fresh").returncode == 0
    assert seeds(catalogue) == [0]


def test_a_stub_without_a_study_is_refused(catalogue):
    refused = catalogue("record", "toy", "--study")
    assert refused.returncode == 1
    assert "none of these stubs has a study" in refused.stderr


def test_a_killed_run_leaves_no_record(catalogue):
    edit(catalogue, "    return {\"test_mse\"", "    os.kill(os.getpid(), 9)\n    return {\"test_mse\"")
    done = catalogue("record", "toy", "--seeds", "1")
    assert done.returncode == 1
    assert "ended by signal SIGKILL" in done.stderr
    assert seeds(catalogue) == []


def test_two_recorders_of_one_stub_are_refused(catalogue):
    slow_down(catalogue)
    command = [sys.executable, "-m", "tools", "record", "toy", "--seeds", "3", "--jobs", "1"]
    first = subprocess.Popen(command, cwd=catalogue.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not seeds(catalogue) and time.monotonic() < deadline:
        time.sleep(0.05)
    second = catalogue("record", "toy", "--seeds", "3")
    assert second.returncode == 1
    assert "being recorded by another process" in second.stderr
    assert first.wait(timeout=60) == 0
    assert seeds(catalogue) == [0, 1, 2]


def test_the_study_is_recorded_in_a_file_of_its_own(catalogue):
    study = "def study(config, seed, progress=None):\n    return {'values': [1, 2.5]}\n\n\n"
    edit(catalogue, "# ---- tail: ", study + "# ---- tail: ")
    assert catalogue("record", "toy", "--study").returncode == 0
    assert json.loads((catalogue.toy / "study.json").read_text())["metrics"] == {"values": [1, 2.5]}
    assert seeds(catalogue) == []


def test_a_dask_cluster_of_two_workers_records_the_same_numbers(catalogue):
    distributed = pytest.importorskip("distributed")
    assert catalogue("record", "toy", "--seeds", "4").returncode == 0
    here = [record["metrics"] for record in recorded(catalogue)["records"]]
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
                                  host="127.0.0.1") as cluster:
        with distributed.Client(cluster) as client, distributed.get_task_stream(client) as tasks:
            done = catalogue("record", "toy", "--seeds", "4", "--fresh", "--scheduler", cluster.scheduler_address)
        assert done.returncode == 0, done.stderr
    assert [record["metrics"] for record in recorded(catalogue)["records"]] == here
    assert seeds(catalogue) == [0, 1, 2, 3]
    assert len({task["worker"] for task in tasks.data if task["key"].startswith("run_bundle")}) == 2


def test_no_scheduler_is_one_line(catalogue):
    done = catalogue("record", "toy", "--seeds", "1", "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 1
    assert "no Dask scheduler at tcp://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
