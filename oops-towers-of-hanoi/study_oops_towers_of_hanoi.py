# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The study of OOPS: languages of 9 to 73 instructions, with experience and without.

For each size of language the search runs until its program is universal, once after the problems
1^n 2^n and once without them. It has the settings of oops_towers_of_hanoi.py.

    python3 study_oops_towers_of_hanoi.py            some minutes
    python3 study_oops_towers_of_hanoi.py --quick    seconds: it proves the code
"""

import sys

import oops_towers_of_hanoi
from oops_towers_of_hanoi import QUICK, Config  # noqa: F401  (main reads both here)


def run(config, seed, progress):
    """The study of oops_towers_of_hanoi.py, as a table of numbers and lists."""
    return oops_towers_of_hanoi.study(config, seed, progress)


if __name__ == "__main__":
    oops_towers_of_hanoi.main(sys.modules[__name__])
