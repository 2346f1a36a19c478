# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around the counting languages: longer training strings, and what the net needs.

abc        a^n b^n c^n as in the experiment: what the other rows are compared with
blind      without peepholes: no gate sees its cell's state
squashed   h = o tanh(c) in place of the paper's h = o c
logistic   logistic outputs and the cross-entropy in place of outputs in [-2, 2]
open       gates that start at biases 0, 2, 0
abc40      trained on n = 1..40 from these biases, with a smaller step

python3 study_anbn_anbncn.py --seed 0      # about three minutes
python3 study_anbn_anbncn.py --quick       # proves that the code runs
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import anbn_anbncn
from anbn_anbncn import Lstm, OnLine, examine, lead, sigmoid, summary, train_lstm
import numpy as np


@dataclass(frozen=True)
class Config(anbn_anbncn.Config):
    open_biases: Annotated[tuple[float, ...], "biases of open and abc40", (-9.0, 9.0)] = (0.0, 2, 0)
    long_nets: Annotated[int, "nets of abc40", (1, 1000)] = 10
    long_longest: Annotated[int, "largest n of its training strings", (1, 200)] = 40
    long_band: Annotated[int, "largest n that its choice of weights looks at", (2, 400)] = 60
    long_rate: Annotated[float, "its step size", (0.0, 1.0)] = 1e-5
    long_strings: Annotated[int, "its training strings of a net", (60, 10**6)] = 20_000


QUICK = anbn_anbncn.QUICK | {"long_nets": 2, "long_strings": 60, "test_longest": 70}


class Blind(Lstm):
    """An LSTM without peepholes."""

    def views(self, w):
        """Return the views of w; those of the peepholes are of zeros that stay zeros."""
        W, p, V = super().views(w)
        return W, np.zeros_like(p), V


class Squashed(Lstm):
    """An LSTM whose output gate lets tanh(c) out."""

    def shown(self, c):
        """Return tanh(c) and its slope."""
        shown = np.tanh(c)
        return shown, 1 - shown * shown


class CrossEntropy(OnLine):
    """The paper's rule for logistic outputs; a positive net input is an output above one half."""

    def output_delta(self, net, target):
        """Return minus dE/dnet of the cross-entropy."""
        return 0.5 * (target + 1) - sigmoid(net)


def rows_of(config):
    """Return what is trained: {row: (net, rule, strings, settings)}."""
    lstm, blind, squashed = (
        kind(3, config.cells_abc, config.biases) for kind in (Lstm, Blind, Squashed)
    )
    half_open = Lstm(3, config.cells_abc, config.open_biases)
    longer = replace(
        config,
        nets=config.long_nets,
        longest=config.long_longest,
        band=config.long_band,
        learning_rate=config.long_rate,
    )
    return {
        "abc": (lstm, OnLine, config.strings_abc, config),
        "blind": (blind, OnLine, config.strings_abc, config),
        "squashed": (squashed, OnLine, config.strings_abc, config),
        "logistic": (lstm, CrossEntropy, config.strings_abc, config),
        "open": (half_open, OnLine, config.strings_abc, config),
        "abc40": (half_open, OnLine, config.long_strings, longer),
    }


def run(config, seed, progress):
    """Train and test one row after the other; lists hold a number for each net."""
    jobs = rows_of(config)
    streams = np.random.SeedSequence(seed).spawn(len(jobs))
    table, n1 = {}, {}
    for k, (name, (net, rule, strings, settings)) in enumerate(jobs.items()):

        def note(share, text, k=k, name=name):
            progress((k + share) / len(jobs), f"{name}: {text}")

        init, text = (np.random.default_rng(child) for child in streams[k].spawn(2))
        training, _ = train_lstm(net, rule, init, text, strings, settings, note)
        n1[name] = examine(net, training.kept, config.test_longest)
        table[name] = summary(n1[name], training.learned * strings)
        table[name]["solved"] = (n1[name] >= settings.longest).mean()
        table[name]["n1_each"] = n1[name].tolist()
    table["lead"] = {
        "over_blind": lead(n1["abc"], n1["blind"]),
        "over_squashed": lead(n1["abc"], n1["squashed"]),
    }
    return table


if __name__ == "__main__":
    anbn_anbncn.main(sys.modules[__name__])
