"""Every experiment's quick run where integers have 32 bits: the same metrics, but for rounding.

Pyodide's numpy adds up and multiplies in another order than the native one, and has no BLAS. What
that may do to a metric is measured: natively, with other instructions and with float64 for float32.
"""

import fnmatch
import hashlib
import json

import pytest
import wasm
from conftest import python
from numpy._core._multiarray_umath import __cpu_dispatch__
from test_site import CHROMIUM, FLAGS

from tools import live
from tools.catalogue import stubs

PLAIN = {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__)}
OTHER_ROUNDING = (
    f"os.environ.update({PLAIN})",
    f"os.environ.update({PLAIN}); import numpy; numpy.float32 = numpy.float64",
)
# What is left to rounding all the same. resu-pong: its filters are eigenvectors, whose signs are
# LAPACK's choice, of float32 sums of thousands of terms; with them the few right answers change.
# predictability-min-binary-factors: a quick run stops twenty float32 games at their wildest, and
# counts how many codes are right just then.
ROUNDED = {
    "resu-pong": ("*accuracy*", "*gain_over*"),
    "predictability-min-binary-factors": ("uniform_1", "*.uniform_1"),
}
NATIVE = """
import os, runpy, sys
sys.modules["ale_py"] = None  # which Pyodide does not have
{before}
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium brings it"
)


@pytest.fixture(scope="module")
def files():
    try:
        return live.contents(live.package())
    except live.NoPyodideError as error:
        pytest.skip(f"no 32-bit numpy: {error}")


@pytest.fixture(scope="module")
def machine(files):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield wasm.Machine(chromium, files)
        chromium.close()


@pytest.fixture
def native(tmp_path):
    """Call as native(stub) for the metrics of a native quick run, {} when that fails."""
    record = tmp_path / "record.json"

    def native(stub, before=""):
        record.unlink(missing_ok=True)
        program = NATIVE.format(before=before)
        python("-c", program, stub.script, "--quick", "--seed", "0", "--json", record)
        return json.loads(record.read_text())["metrics"] if record.exists() else {}

    return native


def numbers(metrics):
    """Every number of a run but the timing, those of a list as NAME[0], NAME[1] and so on."""
    flat = {}
    for name, value in metrics.items():
        if isinstance(value, list):
            flat |= {f"{name}[{i}]": part for i, part in enumerate(value)}
        elif not name.endswith(("_seconds", "_per_second")):
            flat[name] = value
    return flat


def close(value, native, others=()):
    """Equal, to 1e-6, or to a hundred times what other rounding makes of the native value."""
    if value == native or value is None or native is None:
        return value == native
    spread = max((abs(other - native) for other in others if other is not None), default=0)
    return abs(value - native) <= 1e-6 * max(1, abs(native)) + 100 * spread


@pytest.mark.parametrize("stub", stubs(), ids=lambda stub: stub.slug)
def test_a_quick_run_gives_the_native_metrics(stub, machine, native):
    wanted = numbers(native(stub))
    found = numbers(machine.quick_run(stub))
    assert found.keys() == wanted.keys()
    odd = {name for name in wanted if not close(found[name], wanted[name])}
    odd -= {name for pattern in ROUNDED.get(stub.slug, ()) for name in fnmatch.filter(odd, pattern)}
    others = [numbers(native(stub, before)) for before in OTHER_ROUNDING if odd]
    spread = {name: [other.get(name) for other in others] for name in odd}
    odd = {name for name in odd if not close(found[name], wanted[name], spread[name])}
    assert {name: (found[name], wanted[name]) for name in odd} == {}


def test_integers_have_32_bits_there(machine):
    assert machine.python("np.arange(1).dtype.itemsize") == 4


def test_the_numpy_of_the_site_is_the_one_that_pyodide_names(files):
    named = json.loads(files["pyodide-lock.json"])["packages"]["numpy"]
    assert named["file_name"] == live.WHEEL.name
    assert named["sha256"] == hashlib.sha256(live.WHEEL.read_bytes()).hexdigest()
    assert named["sha256"] in (live.WHEEL.parent / "README.md").read_text("utf-8")
