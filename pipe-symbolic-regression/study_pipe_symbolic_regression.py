# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The study of PIPE on formulas: many runs of every kind, genetic programming, ablations.

A thousand runs on Koza's quartic and a long search at random; harder sets of instructions, other
targets, the paper's function, genetic programming with two sizes of population on all of them, and
PIPE without one part of its rule. It has the settings of pipe_symbolic_regression.py.

    python3 study_pipe_symbolic_regression.py            more than half an hour
    python3 study_pipe_symbolic_regression.py --quick    seconds: it proves the code
"""

import sys

import pipe_symbolic_regression
from pipe_symbolic_regression import QUICK, Config  # noqa: F401  (main reads both here)


def run(config, seed, progress):
    """The study of pipe_symbolic_regression.py, as a table of numbers and lists."""
    return pipe_symbolic_regression.study(config, seed, progress)


if __name__ == "__main__":
    pipe_symbolic_regression.main(sys.modules[__name__])
