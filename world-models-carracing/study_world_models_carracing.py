# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The study of the world model: more rivals, drivers evolved in dreams, a track that tests little.

Drivers that see h alone, the last four z, or nothing evolve beside V + M with the same budget; then
drivers evolve in M's dreams, round after round; then drivers evolve on one fixed ring. It has the
settings of world_models_carracing.py.

    python3 study_world_models_carracing.py            more than half an hour
    python3 study_world_models_carracing.py --quick    seconds: it proves the code
"""

import sys

import world_models_carracing
from world_models_carracing import QUICK, Config  # noqa: F401  (main reads both here)


def run(config, seed, progress):
    """The study of world_models_carracing.py, as a table of numbers and lists."""
    return world_models_carracing.study(config, seed, progress)


if __name__ == "__main__":
    world_models_carracing.main(sys.modules[__name__])
