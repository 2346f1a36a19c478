# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around the adding problem: the paper's own rule, ten times the lag, no gate biases.

t100         more nets of the experiment: a control for the others, and dots for the picture
paper_rule   descends the squared error online at rate 0.5, as Hochreiter and Schmidhuber (1997)
             did; its error at four points of the budget tells whether it is slow or stuck
t1000        T = 1000, with larger batches and the same step size
zero_bias    input gates that start half open: what do the biases of -3 and -6 buy?

python3 study_adding_problem.py --seed 0      # about 15 minutes
python3 study_adding_problem.py --quick       # proves that the code runs
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import adding_problem
from adding_problem import POINTS, Lstm, Trainer, summary
import numpy as np


@dataclass(frozen=True)
class Config(adding_problem.Config):
    paper_rate: Annotated[float, "step size of the paper's rule", (0.0, 100.0)] = 0.5
    long_T: Annotated[int, "T of the row t1000, in steps", (22, 5000)] = 1000
    long_nets: Annotated[int, "its nets in lock-step", (1, 100)] = 5
    long_batch_size: Annotated[int, "its sequences per update of a net", (1, 4096)] = 32
    long_sequences: Annotated[int, "its training sequences at most", (1, 10**8)] = 600_000


QUICK = {"T": 22, "nets": 2, "max_sequences": 800, "long_T": 30, "long_sequences": 800}


class PaperRule(Trainer):
    """Plain descent of the squared error at a constant rate; the weights themselves are tested."""

    def output_delta(self, y, target):
        """Return dE/d(output's net input) (N, B) of half the squared error."""
        return super().output_delta(y, target) * y * (1 - y)

    def update(self, rows, gradient):
        """Take a step against the gradient (N, P)."""
        self.theta[rows] -= self.rates[rows] * gradient
        self.average[rows] = self.theta[rows]


def rows_of(config):
    """Return what is trained: {row: (rule, settings)}."""
    online = replace(config, batch_size=1, learning_rate=config.paper_rate)
    longer = replace(
        config,
        T=config.long_T,
        nets=config.long_nets,
        batch_size=config.long_batch_size,
        max_sequences=config.long_sequences,
    )
    half_open = replace(config, input_gate_bias=(0.0,) * config.blocks)
    return {
        "t100": (Trainer, config),
        "paper_rule": (PaperRule, online),
        "t1000": (Trainer, longer),
        "zero_bias": (Trainer, half_open),
    }


def train_and_test(rule, config, stream, progress):
    """Train the nets of a row; return the trainer, and what their test gave."""
    init, data, test = (np.random.default_rng(child) for child in stream.spawn(3))
    net = Lstm(config)
    theta = net.initial(init, config.nets, config)
    trainer = rule(net, theta, config.learning_rate, config)
    trainer.train(data, progress)
    return trainer, summary(trainer, test)


def run(config, seed, progress):
    """Train and test one row after the other; lists hold a number for each net."""
    jobs = rows_of(config)
    streams = np.random.SeedSequence(seed).spawn(len(jobs))
    table = {}
    for k, (name, (rule, settings)) in enumerate(jobs.items()):

        def note(share, text, k=k, name=name):
            progress((k + share) / len(jobs), f"{name}: {text}")

        trainer, table[name] = train_and_test(rule, settings, streams[k], note)
        table[name]["sequences_each"] = trainer.sequences.tolist()
        table[name]["error_each"] = trainer.error.tolist()  # mean |error| when training ended
        if rule is PaperRule:
            course = trainer.curve.mean(0)  # (POINTS,), after each hundredth of the budget
            table[name]["error_at_quarter"] = course[POINTS // 4 - 1]
            table[name]["error_at_half"] = course[POINTS // 2 - 1]
            table[name]["error_at_three_quarters"] = course[3 * POINTS // 4 - 1]
            table[name]["error_at_end"] = course[POINTS - 1]
    return table


if __name__ == "__main__":
    adding_problem.main(sys.modules[__name__])
