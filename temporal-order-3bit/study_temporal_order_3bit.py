# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around temporal order: is one block enough, how is order stored, what does lag cost?

one_block    nets with one block of two cells, by the rule of the experiment
cuts         these nets again, those that met the criterion, without the weights from the cells to
             the input gate (the paper's solution of type 1 lives there), and without those from
             the cells to the cells' inputs (its type 2): the share of right classes that is left
t100, t400   nets of the experiment, at its lengths and at four times these, windows and all;
             a row ends when more than half of its nets have met the criterion, and t400 at the
             latest after 2.1 times the sequences of t100, which then is what it counts with

python3 study_temporal_order_3bit.py --seed 0      # about three minutes
python3 study_temporal_order_3bit.py --quick       # proves that the code runs
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import temporal_order_3bit
from temporal_order_3bit import Lstm, Trainer, examine, summary
import numpy as np


@dataclass(frozen=True)
class Config(temporal_order_3bit.Config):
    one_bias: Annotated[float, "of the input gate of one block", (-9.0, 9.0)] = -2.0
    lag_nets: Annotated[int, "nets of the rows t100 and t400", (2, 100)] = 10
    lag_factor: Annotated[int, "times as long sequences in t400", (2, 10)] = 4
    lag_budget: Annotated[float, "times t100's sequences, at most, in t400", (1.0, 100.0)] = 2.1


QUICK = temporal_order_3bit.QUICK | {"max_sequences": 400, "lag_nets": 3}
BROKEN = 0.9  # a cut matters if a smaller share of right classes is left


class UntilHalf(Trainer):
    """A trainer that ends when more than half of its nets have met the criterion."""

    def release(self, done):
        """Let go of the nets that met the criterion, or of all."""
        super().release(done)
        if self.solved.mean() > 0.5:
            self.go_on_with(np.zeros(len(self.running), bool))


def rows_of(config):
    """Return what is trained: {row: (rule, settings)}."""
    one = replace(config, blocks=1, input_bias=(config.one_bias,))
    t100 = replace(config, nets=config.lag_nets)
    lengths = ("shortest", "longest", "window_1", "window_2")
    longer = {name: np.multiply(getattr(config, name), config.lag_factor) for name in lengths}
    t400 = replace(t100, **{name: value.tolist() for name, value in longer.items()})
    return {
        "one_block": (Trainer, one),
        "t100": (UntilHalf, t100),
        "t400": (UntilHalf, t400),
    }


def train_row(rule, config, init, data, progress):
    """Train the nets of a row."""
    net = Lstm(config)
    trainer = rule(net, net.initial(init, config.nets, config), config)
    trainer.train(data, progress)
    return trainer


def cut(net, theta, units):
    """Return the weights theta (N, P) with those from the cells to these units at 0."""
    theta = theta.copy()
    net.weights(theta)[0][:, units, : net.C] = 0
    return theta


def kept_by_cuts(trainer, rng):
    """Return the share of right classes of each net that met the criterion, after each cut."""
    net, theta = Lstm(trainer.config), trainer.theta[trainer.solved]
    C = net.C
    if not len(theta):
        return {"without_gate": [], "without_cells": []}
    parts = {"without_gate": slice(C, C + net.J), "without_cells": slice(0, C)}
    return {
        name: examine(net, cut(net, theta, units), rng, trainer.config)[1].mean(1).tolist()
        for name, units in parts.items()
    }


def types(cuts):
    """Return the shares of nets that one of the cuts breaks, that both break, and neither."""
    gate, cells = (np.array(cuts[f"without_{part}"]) < BROKEN for part in ("gate", "cells"))
    if not len(gate):
        return dict.fromkeys(("gate_alone", "cells_alone", "both", "neither"))
    return {
        "gate_alone": (gate & ~cells).mean(),
        "cells_alone": (cells & ~gate).mean(),
        "both": (gate & cells).mean(),
        "neither": (~gate & ~cells).mean(),
    }


def run(config, seed, progress):
    """Train one row after the other; lists hold a number for each net."""
    rows = rows_of(config)
    *streams, test, cut_test = np.random.SeedSequence(seed).spawn(2 * len(rows) + 2)
    streams = [np.random.default_rng(s) for s in streams]
    trainers = {}
    for k, (name, (rule, settings)) in enumerate(rows.items()):

        def note(share, text, k=k, name=name):
            progress((k + share) / len(rows), f"{name}: {text}")

        if name == "t400":
            budget = round(config.lag_budget * np.median(trainers["t100"].sequences))
            settings = replace(settings, max_sequences=budget)
        trainers[name] = train_row(rule, settings, *streams[2 * k : 2 * k + 2], note)
    one = trainers["one_block"]
    answers = examine(Lstm(one.config), one.theta, np.random.default_rng(test), one.config)
    cuts = kept_by_cuts(one, np.random.default_rng(cut_test))
    table = {"one_block": summary(one, *answers), "cuts": types(cuts) | cuts}
    table["one_block"]["sequences_each"] = one.sequences.tolist()
    for name in ("t100", "t400"):
        trainer = trainers[name]
        table[name] = {  # nets that did not get there have the largest counts of all
            "solved": trainer.solved.mean(),
            "sequences": np.median(trainer.sequences),
            "sequences_each": trainer.sequences.tolist(),
        }
    ratio = table["t400"]["sequences"] / table["t100"]["sequences"]
    table["t400"]["over_t100"] = ratio if table["t100"]["solved"] > 0.5 else None
    return table


if __name__ == "__main__":
    temporal_order_3bit.main(sys.modules[__name__])
