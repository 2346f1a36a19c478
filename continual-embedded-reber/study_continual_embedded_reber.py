# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around the endless Reber strings: more training, a million symbols, no marks.

forget, standard   trained on three times as many symbols as in the experiment, and tested on
                   streams of a million: do the ones last, and do the others come to it?
bare               nets with forget gates, trained as in the experiment, whose strings come
                   without their first B and their last E

Lists hold a number for each test stream.

    python3 study_continual_embedded_reber.py --seed 0      # about three minutes
    python3 study_continual_embedded_reber.py --quick       # proves that the code runs
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import continual_embedded_reber
from continual_embedded_reber import embedded_reber, fill, run_lengths, summary, train
import numpy as np


@dataclass(frozen=True)
class Config(continual_embedded_reber.Config):
    longer: Annotated[int, "how many times as many updates", (1, 1000)] = 3
    long_symbols: Annotated[int, "length of the long test streams", (100, 10**9)] = 1_000_000


QUICK = {"nets": 2, "chunks": 20, "test_symbols": 500, "long_symbols": 1000}


def rows_of(config):
    """Return what is trained together: [(kinds, their rows, grammar, settings)]."""
    longer = replace(config, chunks=config.longer * config.chunks, test_symbols=config.long_symbols)
    return [
        (("forget", "standard"), ("forget", "standard"), embedded_reber(), longer),
        (("forget",), ("bare",), embedded_reber(marks=False), config),
    ]


def run(config, seed, progress):
    """Train and test one part after the other."""
    jobs = rows_of(config)
    streams = np.random.SeedSequence(seed).spawn(len(jobs))
    table = {}
    for k, (kinds, names, grammar, settings) in enumerate(jobs):

        def note(share, text, k=k, names=names):
            progress((k + share) / len(jobs), f"{', '.join(names)}: {text}")

        training, testing, filling = streams[k].spawn(3)
        trainer = train(settings, kinds, grammar, training, note)
        net, theta = trainer.net, trainer.theta
        length = run_lengths(net, theta, np.random.default_rng(testing), grammar, settings)
        state = fill(net, theta, np.random.default_rng(filling), grammar, settings)
        parts = zip(names, np.split(length, len(names)), np.split(state, len(names)))
        for name, part, held in parts:
            table[name] = summary(part, held, settings)
            table[name]["streams_right"] = (part == settings.test_symbols).mean()
            table[name]["lengths"] = part.ravel().tolist()
    table["forget"]["perfect_1e6"] = table["forget"].pop("perfect")
    table["standard"]["perfect_1e6"] = table["standard"].pop("perfect")
    table["lead"] = {
        "of_forget": table["forget"]["good"] - table["standard"]["good"],
        "of_bare": table["bare"]["good"] - table["standard"]["good"],
    }
    return table


if __name__ == "__main__":
    continual_embedded_reber.main(sys.modules[__name__])
