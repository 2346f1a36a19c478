# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around the multiplication problem: the paper's second level, and who multiplies.

lstm         tunes on until fewer than 13 of the last 2,000 are wrong
above        the same with four logistic units between the cells and the output
random_bias  input gates that start half open: what do the biases of -3 and -6 buy?
one_cell     one block of one cell
no_links     gates that see the input only, not what the net did one step before
adder        nets that learned to add, with an output that is trained again, to multiply
loud_output  as lstm, with an output that starts as strong as that of the row above
without      what becomes of the nets of the first row when they lose a means to multiply

python3 study_multiplication_problem.py --seed 0      # some minutes
python3 study_multiplication_problem.py --quick       # proves that the code runs
"""

import sys
from dataclasses import dataclass, replace
from time import process_time
from typing import Annotated

import multiplication_problem
from multiplication_problem import CHUNK, TEST, Lstm, Trainer, best_of_sum, grade, sequences
from multiplication_problem import summary
import numpy as np


@dataclass(frozen=True)
class Config(multiplication_problem.Config):
    fine_wrong: Annotated[int, "second level: below so many wrong of 2,000", (1, 2000)] = 13
    fine_sequences: Annotated[int, "training sequences up to it at most", (1, 10**8)] = 400_000
    units_above: Annotated[int, "units above the cells in the row above", (1, 64)] = 4
    side_nets: Annotated[int, "nets of each of the last four rows", (1, 100)] = 5
    side_sequences: Annotated[int, "their training sequences at most", (1, 10**8)] = 100_000


QUICK = {"T": 22, "nets": 2, "fine_sequences": 800, "side_nets": 2, "side_sequences": 800}
FINE_WRONG = 15  # of 2,560, the paper's most


class UnitsAbove(Lstm):
    """The LSTM with U logistic units between its cells and the output."""

    def __init__(self, config):
        super().__init__(config)
        self.U = config.units_above

    def initial(self, rng, nets, config):
        """Draw the weights; unit u starts out as a blurred copy of cell u, so that errors pass."""
        theta = super().initial(rng, nets, config)
        A = theta[:, self.split : -self.U - 1].reshape(nets, self.U, -1)
        A[:, :, :-1] += 2 * np.eye(self.U, self.seen, dtype=np.float32)
        theta[:, -self.U - 1 : -1] += (-1) ** np.arange(self.U)
        return theta

    def read_out_size(self):
        """Return the number of weights above the cells."""
        return self.U * (self.seen + 1) + self.U + 1

    def read_out(self, weights, y):
        """Return the output's net inputs (N, B)."""
        N, _, B = y.shape
        A = weights[:, : self.U * (self.seen + 1)].reshape(N, self.U, -1)  # (N, U, R + 1)
        self.A = A
        self.inputs = np.concatenate([y, np.ones((N, 1, B), y.dtype)], axis=1)  # (N, R + 1, B)
        self.above = 1 / (1 + np.exp(-np.matmul(A, self.inputs)))  # (N, U, B)
        return super().read_out(weights[:, self.U * (self.seen + 1) :], self.above)

    def read_out_back(self, d_a):
        """Return dE/dy (N, R, B) and the gradient of the weights above the cells."""
        self.y, y = self.above, self.y  # the output sees these units
        d_above, d_output = super().read_out_back(d_a)
        self.y = y
        d_net = d_above * self.above * (1 - self.above)  # (N, U, B)
        dA = np.matmul(d_net, self.inputs.transpose(0, 2, 1))  # (N, U, R + 1)
        d_y = np.matmul(self.A[:, :, :-1].transpose(0, 2, 1), d_net)  # (N, R, B)
        return d_y, np.concatenate([dA.reshape(len(dA), -1), d_output], axis=1)


class LoudOutput(Lstm):
    """The LSTM with an output that hears its cells as loudly at first as with units above them."""

    def initial(self, rng, nets, config):
        """Draw the weights; a unit above has a gain of 2 / 4 at first."""
        theta = super().initial(rng, nets, config)
        theta[:, self.split : -1] += 0.5 * (-1) ** np.arange(self.seen)
        return theta


class NoLinks(Lstm):
    """The LSTM with gates that have no recurrent weights."""

    def initial(self, rng, nets, config):
        """Draw the weights, without the recurrent ones of the gates."""
        theta = super().initial(rng, nets, config)
        return self.cut(theta)

    def backward(self, d_a):
        """Return the gradient (N, P), which is 0 for the missing weights."""
        return self.cut(super().backward(d_a))

    def cut(self, theta):
        """Set the recurrent weights of the gates to 0."""
        W = theta[:, : self.split].reshape(len(theta), self.units, -1)
        W[:, self.C :, 3:] = 0
        return theta


class HalfOpen(Lstm):
    """The LSTM with input gates whose biases start like all other weights."""

    def initial(self, rng, nets, config):
        """Draw the weights."""
        return self.uniform(rng, nets, config)


class Adder(Trainer):
    """Trains nets to answer half the sum."""

    def target(self, factors):
        """Return what to answer (N, B) to sequences with these factors (2, N, B)."""
        return factors.mean(0)


def jobs_of(config):
    """Return what is trained: {row: (net, rule, settings)}."""
    fine = replace(config, stop_wrong=config.fine_wrong, max_sequences=config.fine_sequences)
    side = replace(config, nets=config.side_nets, max_sequences=config.side_sequences)
    one = replace(side, blocks=1, cells=1, input_gate_bias=config.input_gate_bias[:1])
    return {
        "lstm": (Lstm, Trainer, fine),
        "above": (UnitsAbove, Trainer, fine),
        "random_bias": (HalfOpen, Trainer, side),
        "one_cell": (Lstm, Trainer, one),
        "no_links": (NoLinks, Trainer, side),
        "adder": (Lstm, Adder, replace(side, stop_wrong=config.fine_wrong)),
        "loud_output": (LoudOutput, Trainer, fine),
    }


def final_states(net, theta, x):
    """Return the output gates (N, J, 1, B) and the states (N, J, S, B) after the last step."""
    gates, states = [], []
    for portion in np.split(x, TEST // CHUNK, axis=3):
        net.forward(theta, portion)
        gates.append(net.o[-1].copy())
        states.append(net.s[-1].copy())
    return np.concatenate(gates, axis=3), np.concatenate(states, axis=3)


def show(gates, states):
    """Return what the cells show (N, C, B), out h(s)."""
    return (gates * np.tanh(states)).reshape(len(states), -1, states.shape[-1])


def refit(net, theta, test):
    """Return theta (N, P) with an output that is trained anew to multiply, by Newton's method."""
    x, factors = test
    y = show(*final_states(net, theta, x)).astype(float)  # (N, C, B)
    target = factors.prod(0)[0]  # (B,)
    theta = theta.copy()
    for n in range(len(y)):
        z = np.vstack([y[n], np.ones(TEST)])  # (C + 1, B)
        w = np.zeros(len(z))
        for _ in range(30):
            p = 1 / (1 + np.exp(-w @ z))  # (B,)
            curvature = (z * p * (1 - p)) @ z.T + 1e-3 * np.eye(len(z))  # of the cross-entropy
            w -= np.linalg.solve(curvature, z @ (p - target) + 1e-3 * w)
        theta[n, net.split :] = w
    return theta


def additive(states, factors):
    """Return the sums of a quintic of X1 and one of X2 that fit states (N, J, S, B) best."""
    powers = np.polynomial.legendre.legvander(2 * factors - 1, 5)  # (2, B, 6)
    basis = np.hstack([powers[0], powers[1, :, 1:]])  # (B, 11)
    rows = states.reshape(-1, states.shape[-1]).T  # (B, NJS)
    return (basis @ np.linalg.lstsq(basis, rows, rcond=None)[0]).T.reshape(states.shape)


def without_a_means(net, theta, test):
    """Return the medians of the squared errors of nets when they lose a means to multiply.

    It is lost by output gates that stand still at their mean, by states that are replaced by a
    function of X1 plus one of X2, or by both. Only sequences that show both numbers count.
    """
    x, factors = test
    shown = (factors < 1).all(0)[0]  # (B,)
    factors = factors[:, 0, shown]
    product = factors.prod(0)
    gates, states = (values[..., shown] for values in final_states(net, theta, x))
    still = gates.mean(3, keepdims=True)
    apart = additive(states, factors)

    def errors(gates, states):
        a = net.read_out(theta[:, net.split :], show(gates, states))  # (N, B)
        return np.mean((1 / (1 + np.exp(-a)) - product) ** 2, axis=1)

    of_sum = np.mean((best_of_sum(factors) - product) ** 2)
    return {
        "nothing": np.median(errors(gates, states)),
        "gates": np.median(errors(still, states)),
        "joint_states": np.median(errors(gates, apart)),
        "both": np.median(errors(still, apart)),
        "gates_needed": np.mean(errors(still, states) > of_sum),
        "joint_states_needed": np.mean(errors(gates, apart) > of_sum),
    }


def run(config, seed, progress):
    """Train and test one row after the other; lists hold a number for each net."""
    jobs = jobs_of(config)
    *streams, probes = np.random.SeedSequence(seed).spawn(len(jobs) + 1)
    probe, again = (np.random.default_rng(child) for child in probes.spawn(2))
    table = {}
    for k, (name, (kind, rule, settings)) in enumerate(jobs.items()):

        def note(share, text, k=k, name=name):
            progress((k + share) / len(jobs), f"{name}: {text}")

        init, data, test_data = (np.random.default_rng(child) for child in streams[k].spawn(3))
        net = kind(settings)
        theta = net.initial(init, settings.nets, settings)
        trainer = rule(net, theta, settings.learning_rate, settings)
        started = process_time()
        trainer.train(data, note)
        test = sequences(test_data, 1, TEST, settings)
        table[name] = row_of(trainer, test, process_time() - started)
        if name == "lstm":
            table["without"] = without_a_means(
                net, trainer.average, sequences(probe, 1, TEST, settings)
            )
        if name == "adder":
            theta = refit(net, trainer.average, sequences(again, 1, TEST, settings))
            table[name] = adder_row(trainer, theta, test)
    for name in ("above", "loud_output"):
        table[name]["ratio"] = table[name]["sequences"] / table["lstm"]["sequences"]
    return table


def row_of(trainer, test, seconds):
    """Return the metrics of a row, with lists that hold a number for each net."""
    wrong, mse, _ = grade(trainer, test)
    return summary(trainer, test, seconds) | {
        "met": trainer.met.mean(),
        "fine": (trainer.met & (wrong <= FINE_WRONG)).mean(),
        "sequences_each": trainer.sequences.tolist(),
        "wrong_each": wrong.tolist(),
        "mse_each": mse.tolist(),
    }


def adder_row(trainer, theta, test):
    """Return how well adding nets add, and how well they multiply with the new output of theta."""
    wrong, mse, _ = grade(trainer, test)
    multiplier = Trainer(trainer.net, theta, 0.0, trainer.config)  # its average is theta
    product_wrong, product_mse, of_sum = grade(multiplier, test)
    return {
        "added": trainer.met.mean(),
        "sum_mse": np.median(mse),
        "sum_wrong": np.median(wrong),
        "mse": np.median(product_mse),
        "wrong": np.median(product_wrong),
        "multiplies": (product_mse < of_sum).mean(),
        "mse_each": product_mse.tolist(),
    }


if __name__ == "__main__":
    multiplication_problem.main(sys.modules[__name__])
