# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The study of the flip-flop: the paper's numbers of runs in both regimes, and every ablation.

Thirty nets learn with C and M at once and ten with M first; ten nets of each further variant learn
beside them: with a teacher, by REINFORCE, with other objectives, without memory, and more. The
nets of one variant train side by side. It has the settings of flip_flop.py.

    python3 study_flip_flop.py            some six minutes
    python3 study_flip_flop.py --quick    seconds: it proves the code
"""

import sys

import flip_flop
from flip_flop import QUICK, Config  # noqa: F401  (main reads both here)


def run(config, seed, progress):
    """The study of flip_flop.py, as a table of numbers and lists."""
    return flip_flop.study(config, seed, progress)


if __name__ == "__main__":
    flip_flop.main(sys.modules[__name__])
