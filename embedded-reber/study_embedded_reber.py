# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around embedded Reber strings: table 1, and what the parts of the net are good for.

blocks3_rate05 _rate02 _rate01  three blocks of two cells, at the paper's three rates
no_output_gates                 the first of these with output gates that stay open
blocks4_rate05 _rate01          four blocks of one cell
as_printed                      net, error and rate as the paper of 1997 prints them
recurrent                       fully recurrent nets with as many weights, and full gradients

All rows share the sets of strings, the budget and the criterion. A rate of 0.5 is 0.125 here.

    python3 study_embedded_reber.py --seed 0      # some minutes
    python3 study_embedded_reber.py --quick       # proves that the code runs
"""

import copy
import sys
from dataclasses import dataclass, replace
from typing import Annotated

import embedded_reber
from embedded_reber import BIAS, Elman, Lstm, Trainer, draw_data, flat, logistic, summary
import numpy as np


@dataclass(frozen=True)
class Config(embedded_reber.Config):
    recurrent_units: Annotated[int, "units of the recurrent nets beside the outputs", (1, 99)] = 6
    recurrent_rates: Annotated[tuple[float, ...], "their step sizes", (0.0, 9.0)] = (0.03, 0.1, 0.3)
    recurrent_range: Annotated[float, "their first weights: [-this, this]", (0.0, 2.0)] = 0.2

    def __post_init__(self):
        super().__post_init__()
        if self.nets % len(self.recurrent_rates):
            raise ValueError("argument --nets: has to be a multiple of the number of their rates")


QUICK = embedded_reber.QUICK
OPEN = 100  # a bias with which a gate is 1, and learns nothing, to the last of 32 bits


class Recurrent(Elman):
    """N fully recurrent nets: logistic units, each of which sees the symbol and all units.

    The last seven units are the outputs. No unit needs a bias, as one symbol is always on.
    """

    def __init__(self, units):
        super().__init__(units + BIAS, units + BIAS)  # G

    def initial(self, rng, nets, config):
        """Draw the weights theta (N, P), a row for each net."""
        reach, size = config.recurrent_range, self.units * (BIAS + self.units)
        return rng.uniform(-reach, reach, (nets, size)).astype(np.float32)

    def weights(self, theta):
        """Return a view of theta: W (N, G, 7 + G)."""
        return theta.reshape(len(theta), self.units, -1)

    def forward(self, theta, x):
        """Return the outputs (T, N, 7, B) at all steps of x (T, N, 8, B)."""
        T, N, _, B = x.shape
        self.W = self.weights(theta)
        self.z = np.zeros((T + 1, N, BIAS + self.units, B), theta.dtype)
        self.z[:-1, :, :BIAS] = x[:, :, :BIAS]
        for t in range(T):
            self.z[t + 1, :, BIAS:] = logistic(np.matmul(self.W, self.z[t]))
        return self.z[1:, :, -BIAS:]

    def backward(self, d_a):
        """Return dE/dtheta (N, P) by full back-propagation through time, as RTRL has it, too."""
        h = self.z[1:, :, BIAS:]  # (T, N, G, B)
        recurrent = self.W[:, :, BIAS:].transpose(0, 2, 1).copy()  # (N, G, G)
        d_net = h * (1 - h)  # (T, N, G, B), at first the slopes alone
        d_units = np.zeros_like(h[0])  # (N, G, B)
        for t in reversed(range(len(h))):
            d_net[t] *= d_units
            d_net[t, :, -BIAS:] += d_a[t]
            d_units = np.matmul(recurrent, d_net[t])
        return np.matmul(flat(d_net), flat(self.z[:-1]).transpose(0, 2, 1)).reshape(len(h[0]), -1)


class AsPrinted(Lstm):
    """The net of 1997: cells and gates see all cells and gates; outputs see the cells alone.

    z is [symbol, bias, cell outputs, gates]. Weights that the net does not have stay 0.
    """

    first = BIAS

    def __init__(self, config):
        super().__init__(config)
        self.seen = self.C + 2 * self.J

    def initial(self, rng, nets, config):
        """Draw the weights theta (N, P), a row for each net."""
        return self.without_absent(super().initial(rng, nets, config))

    def backward(self, d_a):
        """Return dE/dtheta (N, P)."""
        return self.without_absent(super().backward(d_a))

    def without_absent(self, theta):
        """Clear what would be the outputs' biases, and their weights from the gates."""
        V = self.weights(theta)[1]  # (N, 7, 1 + C + 2J)
        V[:, :, 0] = 0
        V[:, :, 1 + self.C :] = 0
        return theta

    def unroll(self, z):
        """Fill in the cell outputs and gates of z (T + 1, N, 8 + C + 2J, B)."""
        C, J, half = self.C, self.J, self.W / 2
        T, N, B = len(z) - 1, z.shape[1], z.shape[3]
        y, gates = z[1:, :, BIAS + 1 : BIAS + 1 + C], z[1:, :, BIAS + 1 + C :]
        self.u = np.empty((T, N, self.units, B), z.dtype)  # tanh(a / 2)
        self.gates = gates.reshape(T, N, 2, J, 1, B)  # a view of z
        y = y.reshape(T, N, J, -1, B)  # another one
        self.g = self.u[:, :, :C].reshape(y.shape)
        self.h = np.empty_like(y)
        s = np.zeros_like(y[0])  # (N, J, S, B)
        for t in range(T):
            np.tanh(np.matmul(half, z[t]), out=self.u[t])
            gates[t] = 0.5 + 0.5 * self.u[t, :, C:]
            s += self.gates[t, :, 0] * self.g[t]
            np.tanh(s, out=self.h[t])
            np.multiply(self.gates[t, :, 1], self.h[t], out=y[t])

    def unroll_back(self, d_units):
        """Return the truncated dE/d(net inputs) (T, N, G, B)."""
        return super().unroll_back(d_units[:, :, : self.C])


class SquaredError(Trainer):
    """The paper's step: half the squared error of logistic outputs."""

    def output_delta(self, y, target):
        """Return dE/d(net inputs of the outputs) (T, N, 7)."""
        return super().output_delta(y, target) * y * (1 - y)


def jobs_of(config):
    """List what trains together: names of rows, net, step sizes of the rows, rule."""
    rate, nets = config.learning_rate, config.nets
    shares = [rate, rate * 0.4, rate * 0.2]  # the paper's 0.5, 0.2 and 0.1
    names = ["blocks3_rate05", "blocks3_rate02", "blocks3_rate01", "no_output_gates"]
    small = replace(config, blocks=4, block_size=1)
    groups = len(config.recurrent_rates)
    recurrent = np.repeat(config.recurrent_rates, nets // groups)
    return [
        (names, Lstm(config), np.repeat([*shares, rate], nets), Trainer),
        (["blocks4_rate05", "blocks4_rate01"], Lstm(small), np.repeat(shares[::2], nets), Trainer),
        (["as_printed"], AsPrinted(config), np.full(nets, 4 * rate), SquaredError),
        (["recurrent"], Recurrent(config.recurrent_units), recurrent, Trainer),
    ]


def open_output_gates(net, theta):
    """Give the output gates of theta (N, P) biases from which they never come back."""
    net.weights(theta)[0][:, -net.J :, BIAS] = OPEN


def part(trainer, rows):
    """Return a trainer of some of the nets, for the report."""
    some = copy.copy(trainer)
    some.theta = trainer.theta[rows]
    some.sequences, some.solved = trainer.sequences[rows], trainer.solved[rows]
    return some


def run(config, seed, progress):
    """Train one batch of rows after the other; lists hold a number for each net."""
    jobs = jobs_of(config)
    data, *streams = np.random.SeedSequence(seed).spawn(1 + 2 * len(jobs))
    pairs, fresh = draw_data(np.random.default_rng(data), config)
    table = {}
    for k, (names, net, rates, rule) in enumerate(jobs):
        init, order = (np.random.default_rng(stream) for stream in streams[2 * k : 2 * k + 2])
        theta = net.initial(init, len(rates), config)
        if "no_output_gates" in names:
            open_output_gates(net, theta[-config.nets :])
        trainer = rule(net, theta, rates, pairs, config)

        def note(share, text, k=k, name=names[0]):
            progress((k + share) / len(jobs), f"{name}: {text}")

        trainer.train(order, note)
        for j, name in enumerate(names):
            row = part(trainer, slice(j * config.nets, (j + 1) * config.nets))
            groups = len(config.recurrent_rates) if name == "recurrent" else 1
            table[name] = summary(row, fresh, groups)
            table[name]["sequences_each"] = row.sequences.tolist()
            table[name]["solved_each"] = row.solved.tolist()
    lstm, still_open = table["blocks3_rate05"], table["no_output_gates"]
    table["lead_over_recurrent"] = lstm["solved"] - table["recurrent"]["solved"]
    table["slowdown_without_output_gates"] = still_open["to_budget"] / lstm["to_budget"]
    return table


if __name__ == "__main__":
    embedded_reber.main(sys.modules[__name__])
