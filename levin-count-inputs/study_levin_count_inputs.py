# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The study of counting inputs: a hundred other training sets, and a machine that is harder to use.

The search is repeated with a hundred random sets of three training inputs; then twenty million
programs are guessed for a machine whose WriteWeight names the weight that it writes. It has the
settings of levin_count_inputs.py.

    python3 study_levin_count_inputs.py            some seven minutes
    python3 study_levin_count_inputs.py --quick    seconds: it proves the code
"""

import sys

import levin_count_inputs
from levin_count_inputs import QUICK, Config  # noqa: F401  (main reads both here)


def run(config, seed, progress):
    """The study of levin_count_inputs.py, as a table of numbers and lists."""
    return levin_count_inputs.study(config, seed, progress)


if __name__ == "__main__":
    levin_count_inputs.main(sys.modules[__name__])
