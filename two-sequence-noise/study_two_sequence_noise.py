# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around the two sequences with noise: more of the paper's table, and a tanh net.

a3 a1 b3 b1   tasks 3a and 3b with three informative elements or one: LSTMs by the paper's own rule,
              until stop 2, which bounds the mean distance too; all rows train in lock-step
tanh          task 3c with three informative elements: nets of nine tanh units with orthogonal
              recurrence, by full back-propagation through time, with the experiment's Adam, a
              clipped gradient, and the best of three step sizes

python3 study_two_sequence_noise.py --seed 0      # three minutes
python3 study_two_sequence_noise.py --quick       # proves that the code runs
"""

import sys
from dataclasses import dataclass
from typing import Annotated

import two_sequence_noise
from two_sequence_noise import Adam, Descent, Lstm, Task, tasks_of, trained
import numpy as np


@dataclass(frozen=True)
class Config(two_sequence_noise.Config):
    tanh_nets: Annotated[int, "tanh nets at each step size", (1, 100)] = 5
    tanh_units: Annotated[int, "units of a tanh net; 9 give 108 weights", (1, 256)] = 9
    tanh_rates: Annotated[tuple[float, ...], "step sizes", (0.0, 9.0)] = (0.001, 0.003, 0.01)
    clip: Annotated[float, "largest gradient norm of a tanh net", (1e-6, 1e9)] = 1.0


QUICK = two_sequence_noise.QUICK | {"tanh_nets": 1}


def paper_tasks():
    """Return what the paper's rule is tried on, with both bounds of stop 2: {row: task}."""
    a, b = Task(3, 0.2, 0, 0.01), Task(3, 0.2, 5, 0.04, noisy_signal=True)
    alone = {"informative": 1}
    return {"a3": a, "a1": a._replace(**alone), "b3": b, "b1": b._replace(**alone)}


class TanhNet(Lstm):
    """N ordinary recurrent nets h = tanh(W z) whose output sees all units."""

    def __init__(self, config):
        self.units = self.seen = config.tanh_units

    def initial(self, rng, nets, config):
        """Draw the weights theta (N, P), with an orthogonal recurrent matrix for each net."""
        size = self.units * (2 + self.units) + self.seen  # P
        theta = rng.uniform(-config.init_range, config.init_range, (nets, size)).astype(np.float32)
        Q, _ = np.linalg.qr(rng.standard_normal((nets, self.units, self.units)))
        self.weights(theta)[0][:, :, 2:] = Q
        return theta

    def unroll(self, z):
        """Fill in the units of z (T + 1, 2 + G, N, B)."""
        senders = z.transpose(0, 2, 1, 3)  # (T + 1, N, 2 + G, B)
        for t in range(len(z) - 1):
            np.tanh(np.matmul(self.W, senders[t]), out=senders[t + 1, :, 2:])

    def unroll_back(self, d_y):
        """Return dE/d(net inputs) (T, G, N, B) by full back-propagation through time."""
        h = self.z[1:, 2:]  # (T, G, N, B)
        recurrent = self.W[:, :, 2:].transpose(0, 2, 1)  # (N, G, G)
        d_units = 1 - h * h  # (T, G, N, B), at first the slopes alone
        for t in reversed(range(len(h))):
            d_units[t] *= d_y
            d_y = np.matmul(recurrent, d_units[t].transpose(1, 0, 2)).transpose(1, 0, 2)
        return d_units


class ClippedAdam(Adam):
    """Adam on gradients whose norm is cut at config.clip, net by net."""

    def update(self, rows, gradient):
        """Cut the gradient (N, P) to its greatest norm, and take Adam's step."""
        norm = np.sqrt((gradient**2).sum(1, keepdims=True))  # (N, 1)
        super().update(rows, gradient * np.minimum(1, self.config.clip / np.maximum(norm, 1e-30)))


def paper_rows(config, stream, progress):
    """Train and test the nets of the paper's rule: {row: {column: number}}."""
    tasks, n = paper_tasks(), config.nets
    each = [task for task in tasks.values() for _ in range(n)]
    trainer, wrong, distance = trained(
        Descent, Lstm(config), each, config.rate_a, stream, config, progress
    )
    table = {}
    for k, name in enumerate(tasks):
        nets = slice(k * n, k * n + n)
        met = trainer.met[nets]
        table[name] = {
            "solved": met.mean(),
            "sequences": trainer.sequences[nets].mean(),
            "misclassified": wrong[nets][met].mean() if met.any() else None,
            "distance": distance[nets][met].mean() if met.any() else None,
            "sequences_each": trainer.sequences[nets].tolist(),
        }
    return table


def tanh_row(config, stream, progress):
    """Train and test tanh nets, and return what those of the best step size did."""
    n, rates = config.tanh_nets, config.tanh_rates
    task = tasks_of(config)["c3"]
    trainer, wrong, distance = trained(
        ClippedAdam,
        TanhNet(config),
        [task] * (n * len(rates)),
        np.repeat(rates, n),
        stream,
        config,
        progress,
    )
    solved = trainer.met.reshape(-1, n).mean(1)  # (rates,)
    in_training = trainer.distance.reshape(-1, n).mean(1)  # in the latest stop test
    best = np.lexsort((in_training, -solved))[0]
    return {
        "solved": solved[best],
        "sequences": trainer.sequences.reshape(-1, n)[best].mean(),
        "misclassified": wrong.reshape(-1, n)[best].mean(),
        "difference": distance.reshape(-1, n)[best].mean(),
        "rate": rates[best],
        "solved_each_rate": solved.tolist(),
    }


def run(config, seed, progress):
    """Train the rows of the paper's rule in lock-step, then the tanh nets."""
    paper_stream, tanh_stream = np.random.SeedSequence(seed).spawn(2)
    table = paper_rows(config, paper_stream, lambda share, text: progress(0.8 * share, text))
    table["tanh"] = tanh_row(
        config, tanh_stream, lambda share, text: progress(0.8 + 0.2 * share, text)
    )
    return table


if __name__ == "__main__":
    two_sequence_noise.main(sys.modules[__name__])
