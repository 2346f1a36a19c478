# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26", "ale-py==0.12.1"]
# ///
"""The study of ReSU on Pong: other games' filters, streaming, actions, layer 2, and a mini-Pong.

Over five sets of data, Pong is cloned through filters that were found in it, in other games or at
random; covariances are gathered from a stream; a second layer and the actions are added. All this
needs the emulator (ale-py); its last part, the mini-Pong, does not. It has the settings of
resu_pong.py.

    python3 study_resu_pong.py               some six minutes
    python3 study_resu_pong.py --env mini    the part that runs without the emulator
    python3 study_resu_pong.py --quick       seconds: the mini-Pong alone, it proves the code
"""

import sys

import resu_pong
from resu_pong import QUICK, Config  # noqa: F401  (main reads both here)

import numpy as np


def run(config, seed, progress):
    """The study of resu_pong.py, as a table of numbers and lists."""
    if config.env == "mini":
        return resu_pong.mini_checks(config, np.random.SeedSequence((seed, 1)), progress)
    return resu_pong.study(config, seed, progress)


if __name__ == "__main__":
    resu_pong.main(sys.modules[__name__])
