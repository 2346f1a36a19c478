# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The study of linear attention: the paper's size, every step size, variants of the stream, costs.

Both settings of the paper at its own size (keys of 64 numbers, up to 600 of them), each rule under
each step size, the best matrix by least squares, keys that resemble one another, variants of the
stream of tokens, and memory and time by length. It has the settings of linear_transformers_fwp.py.

    python3 study_linear_transformers_fwp.py            some ten minutes
    python3 study_linear_transformers_fwp.py --quick    seconds: it proves the code
"""

import sys

import linear_transformers_fwp
from linear_transformers_fwp import QUICK, Config  # noqa: F401  (main reads both here)


def run(config, seed, progress):
    """The study of linear_transformers_fwp.py, as a table of numbers and lists."""
    return linear_transformers_fwp.study(config, seed, progress)


if __name__ == "__main__":
    linear_transformers_fwp.main(sys.modules[__name__])
