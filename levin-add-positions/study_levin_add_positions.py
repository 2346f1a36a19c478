# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The study of adding positions: as many programs as in the paper, and other ways to limit time.

It guesses the paper's 55,000,000 programs, then spends equal numbers of steps on guessed and on
fixed time limits, and tries a machine whose WriteWeight names the weight that it writes. It has
the settings of levin_add_positions.py.

    python3 study_levin_add_positions.py            some four minutes
    python3 study_levin_add_positions.py --quick    seconds: it proves the code
"""

import sys

import levin_add_positions
from levin_add_positions import QUICK, Config  # noqa: F401  (main reads both here)


def run(config, seed, progress):
    """The study of levin_add_positions.py, as a table of numbers and lists."""
    return levin_add_positions.study(config, seed, progress)


if __name__ == "__main__":
    levin_add_positions.main(sys.modules[__name__])
