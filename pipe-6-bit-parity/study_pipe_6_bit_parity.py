# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2"]
# ///
"""The study of PIPE on parity: many runs of the paper's single tree, rivals and changes.

Twenty runs of one tree with 500,000 programs each, the same with restarts, five runs of each rival
(genetic programming, hill climbing, random programs), ten runs of each changed learning rule, and
parities of three to five inputs. It has the settings of pipe_6_bit_parity.py.

    python3 study_pipe_6_bit_parity.py            some eight minutes
    python3 study_pipe_6_bit_parity.py --quick    seconds: it proves the code
"""

import sys

import pipe_6_bit_parity
from pipe_6_bit_parity import QUICK, Config  # noqa: F401  (main reads both here)


def run(config, seed, progress):
    """The study of pipe_6_bit_parity.py, as a table of numbers and lists."""
    return pipe_6_bit_parity.study(config, seed, progress)


if __name__ == "__main__":
    pipe_6_bit_parity.main(sys.modules[__name__])
