# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The study of two sequences: the law of the trials, sweeps, and gradient descent.

Three hundred searches for each net of the paper's table show how the trials are distributed;
densities of solutions are measured for other weight ranges, noises and lags; gradient descent gets
20,000 sequences at each lag. It has the settings of rs_two_sequence.py.

    python3 study_rs_two_sequence.py            a quarter of an hour or more
    python3 study_rs_two_sequence.py --quick    seconds: it proves the code
"""

import sys

import rs_two_sequence
from rs_two_sequence import QUICK, Config  # noqa: F401  (main reads both here)


def run(config, seed, progress):
    """The study of rs_two_sequence.py, as a table of numbers and lists."""
    return rs_two_sequence.study(config, seed, progress)


if __name__ == "__main__":
    rs_two_sequence.main(sys.modules[__name__])
