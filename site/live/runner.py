"""Runs an experiment's own file inside Pyodide, as its command line does; worker.js calls it."""

import contextlib
import gc
import importlib.util
import io
import json
import pathlib
import shutil
import sys
import time
import traceback

import numpy as np


class Posted(io.TextIOBase):
    """A stream that passes on what is written to it."""

    def __init__(self, post):
        self.post = post

    def write(self, text):
        self.post(text)
        return len(text)


def run_file(folder, script, arguments, output, progress):
    """Run folder/script and delete the folder. Returns {code, record, error, traceback} as JSON.

    output(text) gets what it prints, progress(fraction, message) how far it is.
    """
    folder, began = pathlib.Path(folder), time.perf_counter()
    script, kept = folder / script, folder / "record.json"
    time.process_time = lambda: time.perf_counter() - began  # a browser's own stands still
    ended = {"code": 0, "record": None, "error": "", "traceback": ""}
    stream = Posted(output)
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = sys.modules[script.stem] = importlib.util.module_from_spec(spec)
    try:
        with np.errstate(), contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
            spec.loader.exec_module(module)
            module.progress_on_stderr = lambda started: sparing(progress)
            module.main(module, [*arguments, "--json", str(kept)])
    except SystemExit as error:
        ended["code"] = 1 if isinstance(error.code, str) else error.code or 0
        if isinstance(error.code, str):
            output(f"{error.code}\n")
    except BaseException as error:
        ended["code"] = 1
        ended["error"] = traceback.format_exception_only(error)[-1].strip()
        ended["traceback"] = traceback.format_exc()
    finally:
        if kept.exists():
            ended["record"] = json.loads(kept.read_text("utf-8"))
        del sys.modules[script.stem], module
        shutil.rmtree(folder)
        gc.collect()
    return json.dumps(ended)


def sparing(progress):
    """Pass on at most ten messages a second."""
    shown = -1.0

    def some(fraction, message):
        nonlocal shown
        if time.monotonic() - shown >= 0.1:
            shown = time.monotonic()
            progress(float(fraction), str(message)[:300])

    return some
