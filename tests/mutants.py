"""Small deliberate faults in finished stubs: every one has to be caught by the stub's own tests.

Each fault stands in a stub's mutants.toml as [[mutant]] name, find (a text that occurs once in the experiment) and
replace. `make mutants` puts each into a copy of the folder, runs the copy's tests and lists the faults that survive.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools.catalogue import stubs
from tools.running import ONE_THREAD


def mutants(stub):
    """The faults of one stub: [{"name", "find", "replace"}]."""
    path = stub.folder / "mutants.toml"
    return tomllib.loads(path.read_text("utf-8"))["mutant"] if path.exists() else []


def caught(stub, mutant=None):
    """Whether the stub's tests fail with this fault in; without one, whether they fail as it is."""
    with tempfile.TemporaryDirectory() as copy:
        folder = Path(shutil.copytree(stub.folder, Path(copy) / stub.slug, ignore=shutil.ignore_patterns("viz", ".*")))
        if mutant:
            text = stub.source.replace(mutant["find"], mutant["replace"])
            (folder / stub.script.name).write_text(text, "utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"test_{stub.name}.py"]
        try:
            tests = subprocess.run(command, cwd=folder, env=os.environ | ONE_THREAD, capture_output=True, text=True,
                                   check=False, timeout=300)
        except subprocess.TimeoutExpired:  # the fault made it run for ever
            return True
    if tests.returncode not in (0, 1, 2):  # passed, failed, cannot be imported; anything else says nothing
        raise RuntimeError(f"{stub.slug}: pytest ended with {tests.returncode}: {tests.stdout[-500:]}")
    return tests.returncode != 0


def main():
    chosen = [stub for stub in stubs() if mutants(stub) and (not sys.argv[1:] or stub.slug in sys.argv[1:])]
    survived = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for stub in chosen:
            if caught(stub):
                sys.exit(f"{stub.slug}: its tests fail without any fault; mend that first")
            faults = mutants(stub)
            verdicts = list(pool.map(lambda fault, stub=stub: caught(stub, fault), faults))
            for fault, dead in zip(faults, verdicts):
                if not dead:
                    print(f"{stub.slug}: survived: {fault['name']}")
            print(f"{stub.slug}: {sum(verdicts)} of {len(faults)} faults caught")
            survived += len(faults) - sum(verdicts)
    sys.exit(survived > 0)


if __name__ == "__main__":
    main()
