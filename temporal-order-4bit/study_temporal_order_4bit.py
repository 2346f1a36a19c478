# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around temporal order: the paper's own rule, fewer marks, and what the cells hold.

The paper takes a step after each sequence, and shortens none. Five nets do so at its rate for
three marks, 0.1, and five at its rate for two, 0.5, and stop by the same criterion. Then nets with
one block learn one mark by the experiment's rule. Last, linear readings of the cells of nets that
met the criterion tell when each of the three marks is known.

    python3 study_temporal_order_4bit.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import temporal_order_4bit
from temporal_order_4bit import Lstm, Trainer, sequences, train_lstms
import numpy as np


@dataclass(frozen=True)
class Config(temporal_order_4bit.Config):
    window_1: Annotated[tuple[int, ...], "first and last step of a lone mark", (1, 4998)] = (10, 20)
    online_nets: Annotated[int, "nets at each rate of the paper's rule", (1, 100)] = 5
    online_sequences: Annotated[int, "sequences of each of these at most", (1, 10**8)] = 600_000
    online_rates: Annotated[tuple[float, ...], "step sizes", (0.0, 9.0)] = (0.1, 0.5)
    decoded_nets: Annotated[int, "nets whose cells are read", (1, 100)] = 4


QUICK = temporal_order_4bit.QUICK | {"online_nets": 1, "online_sequences": 60, "decoded_nets": 2}
READ = 1280  # sequences to fit a reading of the cells to, and as many to test it on


class OnlineTrainer(Trainer):
    """The paper's own step: against the gradient of each sequence, however long."""

    def update(self, rows, gradient):
        """Take a step against the whole gradient (N, P)."""
        self.theta[rows] -= self.rates[rows] * gradient


def online(streams, config, progress):
    """Train nets by the paper's rule and return how many sequences they need at each rate."""
    config = replace(config, batch_size=1, max_sequences=config.online_sequences)
    net = Lstm(len(config.windows) // 2, config)
    rates = np.repeat(np.float32(config.online_rates), config.online_nets)
    theta = net.initial(streams[0], len(rates), config)
    trainer = OnlineTrainer(net, theta, rates, config.windows, config)
    trainer.train(streams[1], progress)
    table = {"solved": trainer.met.mean(), "sequences": trainer.sequences.mean()}
    table["sequences_each"] = trainer.sequences.tolist()
    table["error_each"] = trainer.error.tolist()
    by_rate = trainer.met.reshape(-1, config.online_nets).mean(1)
    table |= {f"solved_at_{rate:g}": share for rate, share in zip(config.online_rates, by_rate)}
    return table


def readings(net, theta, windows, rng, config):
    """Return how often linear readings of the cells tell each mark right, (M, T), at each step.

    They are fit by least squares to sequences of one length, and tested on as many others.
    """
    one_length = replace(config, shortest=config.longest)
    x, _, marks = sequences(rng, windows, len(theta), 2 * READ, one_length)
    net.forward(theta, x)
    T, N = x.shape[:2]
    cells = 2 * net.s[1:].reshape(T, N, net.C, -1)  # (T, N, C, B)
    cells = np.concatenate([cells, np.ones_like(cells[:, :, :1])], axis=2)
    sign = 2 * marks.transpose(1, 2, 0) - 1  # (N, B, M)
    right = np.empty((T, N, len(marks)))
    for t, n in np.ndindex(T, N):
        fit = np.linalg.lstsq(cells[t, n, :, :READ].T, sign[n, :READ], rcond=None)[0]
        told = cells[t, n, :, READ:].T @ fit  # (B, M)
        right[t, n] = (told * sign[n, READ:] > 0).mean(0)
    return right.mean(1).T


def run(config, seed, progress):
    """Learn online, then one mark alone, then read the cells of nets that tell three."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(9)]
    table = {"online": online(streams[:2], config, lambda s, text: progress(0.7 * s, text))}
    one, lone = train_lstms(
        config.window_1, streams[2:5], config, lambda s, text: progress(0.7 + 0.05 * s, text)
    )
    table["one"] = {name: lone[name] for name in ("solved", "sequences", "slowest")}
    few = replace(config, nets=config.decoded_nets)
    three, row = train_lstms(
        config.windows, streams[5:8], few, lambda s, text: progress(0.75 + 0.25 * s, text)
    )
    right = readings(three.net, three.theta, config.windows, streams[8], config)
    names = ("first", "second", "third")
    table["decoded"] = {"solved": row["solved"]}
    table["decoded"] |= {name: r.tolist() for name, r in zip(names, right)}
    table["decoded"] |= {f"{name}_at_end": r[-1] for name, r in zip(names, right)}
    return table


if __name__ == "__main__":
    temporal_order_4bit.main(sys.modules[__name__])
