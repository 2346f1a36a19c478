# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The study of Tomita's languages: densities of solutions, all seven languages, and Adam.

It measures how many guessed nets solve a language, for the rows of the paper's table, for other
lengths of strings, other sizes of net and other ranges of weights, and lets Adam train the same
nets. It has the settings of rs_tomita.py.

    python3 study_rs_tomita.py            some ten minutes
    python3 study_rs_tomita.py --quick    seconds: it proves the code
"""

import sys

import rs_tomita
from rs_tomita import QUICK, Config  # noqa: F401  (main reads both here)


def run(config, seed, progress):
    """The study of rs_tomita.py, as a table of numbers and lists."""
    return rs_tomita.study(config, seed, progress)


if __name__ == "__main__":
    rs_tomita.main(sys.modules[__name__])
