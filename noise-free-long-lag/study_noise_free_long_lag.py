# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around the noise-free long lag: random distractors, and no short sequence at all.

b        task 2b: the net and rule of the experiment, on middles drawn anew for each sequence
b_end    the same with an error at the end alone, where 2b's criterion looks
c50      task 2c: at least 50 random distractors, until a trigger that comes at a random moment asks
c200     for the key. Two memory blocks with input and output gates, an error at the end alone

S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997, tasks 2b and 2c, tables 2 and 3.

    python3 study_noise_free_long_lag.py --seed 0      # some minutes
    python3 study_noise_free_long_lag.py --quick       # proves that the code runs
"""

import copy
import sys
from dataclasses import dataclass, replace
from typing import Annotated

import noise_free_long_lag
from noise_free_long_lag import Lstm, Trainer, logistic
import numpy as np


@dataclass(frozen=True)
class Config(noise_free_long_lag.Config):
    b_sequences: Annotated[int, "row b: training sequences at most", (1, 10**8)] = 30_000
    b_end_sequences: Annotated[int, "row b_end: training sequences at most", (1, 10**8)] = 60_000
    c_nets: Annotated[int, "task 2c: nets at each lag", (1, 1000)] = 20
    c_rate: Annotated[float, "task 2c: step size", (0.0, 10.0)] = 0.01
    c_tolerance: Annotated[float, "task 2c: largest error of a success", (0.0, 1.0)] = 0.2
    c_check_every: Annotated[int, "task 2c: sequences between tests", (1, 10**6)] = 250
    c_sequences: Annotated[int, "task 2c: training sequences at most", (1, 10**8)] = 66_000


QUICK = {"delay": 8, "nets": 2, "plateau_window": 20, "b_sequences": 100, "b_end_sequences": 200}
QUICK |= {"c_nets": 2, "c_sequences": 200, "c_check_every": 100}
LAGS = {"c50": 50, "c200": 200}  # q = p of the rows of task 2c
TEST = 10_000  # sequences that a net must answer in a row
MOST = 0.95  # share of right answers between two tests from which on a net is called latched
FIRST, CHUNK = 20, 500  # as many at a time: few nets get past the first few


# ---- task 2b: what the experiment takes for granted no longer holds, symbols recur ----
class Recurring(Lstm):
    """The net of the experiment for sequences in which a symbol may come more than once."""

    def subtract(self, table, symbols, change):
        """Take change (N, T, ...) from the rows of symbols (N, T), once for each occurrence."""
        shown = symbols[:, None] == np.arange(table.shape[1])[:, None]  # (N, K, T)
        change = change.reshape(*symbols.shape, -1)  # (N, T, M)
        table -= np.matmul(shown.astype(table.dtype), change).reshape(table.shape)


class EndOnly(Recurring):
    """The same with an error at the last step alone."""

    def forward(self, symbols):
        """Return the prediction y (N, 1, K) after the last of symbols (N, T)."""
        self.s = self.hidden(symbols)  # (N, T)
        return self.read_out(symbols[:, -1:], self.s[:, -1:])

    def descend(self, symbols, wanted, y):
        """Learn what came last; return the squared errors (N,)."""
        d_s = np.zeros_like(self.s)  # (N, T)
        last = self.s[:, -1:]
        d_s[:, -1:], loss = self.learn_read_out(symbols[:, -1:], wanted[:, -1:], last, y)
        self.learn_hidden(symbols, d_s)
        return loss


def random_middles(rng, shape, delay):
    """Draw sequences (*shape, p + 1): a key, p - 1 random symbols from 2 on, and the key again."""
    symbols = rng.integers(2, delay + 1, (*shape, delay + 1))
    symbols[..., 0] = rng.integers(2, size=shape)
    symbols[..., -1] = symbols[..., 0]
    return symbols


class TrainerB(Trainer):
    """Trains on random middles, and tests the ends of sequences from a stream of their own."""

    def __init__(self, net, rng, test_rng, config):
        super().__init__(net, rng, config)
        self.test_rng = test_rng

    def draw(self):
        """Draw a sequence for each net that still trains, (N, p + 1)."""
        return random_middles(self.rng, (len(self.running),), self.config.delay)

    def test(self):
        """Return the largest error (N,) at the ends of fresh sequences, twice; a miss ends it."""
        net = self.net
        entered = logistic(net.gate.copy()) * logistic(net.cell.copy())  # (N, K)
        entered *= (net.joined > 0)[:, None]
        error = np.zeros(len(net.v))  # (N,)
        shown = 0
        while shown < TEST and (error < self.config.tolerance).any():
            count = FIRST if shown == 0 else min(CHUNK, TEST - shown)
            symbols = random_middles(self.test_rng, (len(net.v), count), self.config.delay)
            row = np.arange(len(net.v))[:, None]  # (N, 1)
            s = entered[row[:, None], symbols[..., :-1]].sum(2)  # (N, B)
            y = logistic(net.W[row, symbols[..., -2]] + s[..., None] * net.v[:, None])  # (N, B, K)
            y[row, np.arange(count), symbols[..., -1]] -= 1
            error = np.maximum(error, np.abs(y).max((1, 2)))
            shown += count
        return error, error


# ---- task 2c ----
KEYS, TRIGGER, START, DISTRACTOR = 2, 2, 3, 4  # symbols 0 and 1 are x and y, 4 and up distractors
STOP = 0.1  # probability of the trigger at each step after the first q distractors


def triggered(rng, shape, lag):
    """Draw sequences (T, *shape) without the answer, and their keys: one length for all of them.

    They hold b, the key, q + k distractors and the trigger e, with geometric k of mean 9.
    """
    k = rng.geometric(STOP) - 1
    symbols = rng.integers(DISTRACTOR, DISTRACTOR + lag, (lag + k + 3, *shape))
    symbols[0] = START
    symbols[1] = rng.integers(KEYS, size=shape)
    symbols[-1] = TRIGGER
    return symbols, symbols[1]


class Blocks:
    """N nets of two memory blocks of one cell, with input and output gates and no biases.

    Units are 0-1 cells, 2-3 input gates, 4-5 output gates; all see the symbol, and all units one
    step before. A gate is sig(a) = (1 + tanh(a / 2)) / 2, a cell is offered g = 4 sig(a) - 2 =
    2 tanh(a / 2) and shows h(s) = 2 sig(s) - 1 = tanh(s / 2): one tanh serves all.
    """

    arrays = ("U", "R", "V")  # to units from symbols; from units to units; from cells to outputs

    def __init__(self, rng, config, lag):
        limit, N = config.weight_range, config.c_nets
        self.rate = np.float32(config.c_rate)
        for name, shape in {"U": (6, lag + 4), "R": (6, 6), "V": (2, 2)}.items():
            weights = rng.uniform(-limit, limit, (*shape, N)).astype(np.float32)
            setattr(self, name, weights)

    def keep(self, rows):
        """Let go of all other nets."""
        for name in self.arrays:
            setattr(self, name, getattr(self, name)[..., rows])

    def forward(self, symbols):
        """Return the outputs (2, N, B) after the last of symbols (T, N, B)."""
        T, N, B = symbols.shape
        received = self.U[:, symbols, np.arange(N)[:, None]]  # (6, T, N, B)
        u = np.ascontiguousarray(received.transpose(1, 0, 2, 3)) / 2  # (T, 6, N, B)
        half = self.R[..., None] / 2  # (6, 6, N, 1)
        z = np.zeros((T + 1, 6, N, B), u.dtype)  # the units; step t fills z[t + 1]
        s = np.zeros((T + 1, 2, N, B), u.dtype)  # the states of the cells, halved
        product = np.empty((6, 6, N, B), u.dtype)
        total, h = np.empty_like(u[0]), np.empty_like(s[0])
        gates = z[1:, 2:]
        steps = (z[:-1, :, None], u, u[:, :2], u[:, 2:], gates, gates[:, :2], gates[:, 2:])
        for seen, a, g, a_gates, both, i, o, before, after, y in zip(*steps, s, s[1:], z[1:, :2]):
            np.multiply(half, seen, out=product)
            np.add.reduce(product, axis=0, out=total)
            np.add(a, total, out=a)
            np.tanh(a, out=a)  # g is a view of it
            np.add(a_gates, 1, out=both)
            np.multiply(both, 0.5, out=both)  # i and o are views of it
            np.multiply(i, g, out=h)
            np.add(before, h, out=after)  # the constant error carousel
            np.tanh(after, out=h)
            np.multiply(o, h, out=y)
        self.u, self.z, self.s = u, z, s
        return logistic((self.V[..., None] * z[-1, :2, None]).sum(0))

    def learn(self, symbols, keys, y):
        """Descend half the squared error of y (2, N, 1) by the paper's truncated gradient.

        Error that reaches a net input goes no further back; only the carousel carries it, and
        unchanged, so that time needs no loop here.
        """
        N = symbols.shape[1]
        column = np.arange(N)
        u, z, y = self.u[..., 0], self.z[..., 0], y[..., 0]  # (T, 6, N), (T + 1, 6, N), (2, N)
        error = y.copy()
        error[keys[:, 0], column] -= 1
        d_out = error * y * (1 - y)  # (2, N)
        d_y = (self.V * d_out).sum(1)  # (2, N), of the cells
        g, i, o = u[:, :2], z[1:, 2:4], z[-1, 4:]  # (T, 2, N), (T, 2, N), (2, N)
        h = np.tanh(self.s[-1, ..., 0])  # (2, N)
        d_s = d_y * o * (1 - h * h)  # (2, N)
        d_a = np.zeros_like(u)  # (T, 6, N)
        d_a[:, :2] = d_s * i * (1 - g * g) / 2
        d_a[:, 2:4] = d_s * g * i * (1 - i)
        d_a[-1, 4:] = d_y * h * o * (1 - o)
        d_R = np.matmul(z[:-1].transpose(2, 1, 0), d_a.transpose(2, 0, 1))  # (N, 6, 6)
        self.V -= self.rate * z[-1, :2, None] * d_out
        self.R -= self.rate * d_R.transpose(1, 2, 0)
        where = (slice(None), symbols[..., 0], column)
        np.subtract.at(self.U, where, self.rate * d_a.transpose(1, 0, 2))
        return np.abs(error).max(0)


def succeed(net, rng, config, lag):
    """Say which nets (N,) are right on all of the test sequences; they stop at a mistake."""
    right = np.ones(net.V.shape[-1], bool)  # (N,)
    left = copy.copy(net)
    shown = 0
    while shown < TEST and right.any():
        count = FIRST if shown == 0 else min(CHUNK, TEST - shown)
        symbols, keys = triggered(rng, (right.sum(), count), lag)
        error = left.forward(symbols)  # (2, N, B)
        error -= np.arange(KEYS)[:, None, None] == keys
        good = (np.abs(error) < config.c_tolerance).all((0, 2))
        left.keep(good)
        right[right] = good
        shown += count
    return right


class TrainerC:
    """Trains nets on task 2c until they succeed; arrays have a row for each net."""

    def __init__(self, config, lag, stream):
        self.config, self.lag = config, lag
        init, self.data, self.test = (np.random.default_rng(child) for child in stream.spawn(3))
        self.net = Blocks(init, config, lag)
        self.sequences = np.full(config.c_nets, config.c_sequences)
        self.latched = self.sequences.copy()  # sequences until most answers were right
        self.solved = np.zeros(config.c_nets, bool)
        self.running = np.arange(config.c_nets)

    def train(self, progress):
        """Show sequences to the nets that are left, and test them now and then."""
        limit, every = self.config.c_sequences, self.config.c_check_every
        right = 0  # answers of each net since the last test
        for seen in range(1, limit + 1):
            symbols, keys = triggered(self.data, (len(self.running), 1), self.lag)
            error = self.net.learn(symbols, keys, self.net.forward(symbols))  # (N,)
            if not np.isfinite(error).all():
                raise FloatingPointError(f"error is nan at sequence {seen}")
            right = right + (error < self.config.c_tolerance)
            if seen % every == 0:
                self.check(seen, right / every)
                right = 0
                progress(seen / limit, f"{seen:,} sequences, nets left: {len(self.running)}")
            if not len(self.running):
                break

    def check(self, seen, share):
        """Let go of the nets that succeed; share (N,) of their latest answers were right."""
        rows = self.running
        mostly = rows[share >= MOST]
        self.latched[mostly] = np.minimum(self.latched[mostly], seen)
        good = succeed(self.net, self.test, self.config, self.lag)
        self.sequences[rows[good]] = seen
        self.solved[rows[good]] = True
        self.running = rows[~good]
        self.net.keep(~good)


def train_b(kind, config, limit, stream, progress):
    """Train nets of a kind on task 2b; return the trainer."""
    init, data, test = (np.random.default_rng(child) for child in stream.spawn(3))
    settings = replace(config, max_sequences=limit)
    net = kind(init, [config.learning_rate] * config.nets, settings)
    trainer = TrainerB(net, data, test, settings)
    trainer.train(progress)
    return trainer


def row(sequences, solved):
    """Return the metrics of nets; one without success counts with all that it was shown."""
    return {
        "solved": solved.mean(),
        "sequences": sequences.mean(),
        "sequences_each": sequences.tolist(),
    }


def run(config, seed, progress):
    """Train one row after the other; lists hold a number for each net."""
    b_stream, b_end_stream, *c_streams = np.random.SeedSequence(seed).spawn(2 + len(LAGS))
    rows = {"b": (Recurring, config.b_sequences, b_stream)}
    rows["b_end"] = (EndOnly, config.b_end_sequences, b_end_stream)
    table, done = {}, 0

    def note(share, text):
        progress((done + share) / (len(rows) + len(LAGS)), text)

    for name, (kind, limit, stream) in rows.items():
        trainer = train_b(kind, config, limit, stream, note)
        table[name] = row(trainer.sequences, trainer.solved)
        table[name]["at_end"] = trainer.at_end.mean()
        done += 1
    for (name, lag), stream in zip(LAGS.items(), c_streams):
        trainer = TrainerC(config, lag, stream)
        trainer.train(note)
        table[name] = row(trainer.sequences, trainer.solved)
        table[name]["latched"] = trainer.latched.mean()
        table[name]["latched_each"] = trainer.latched.tolist()
        done += 1
    measured = min(table[name]["solved"] for name in LAGS) >= 0.5  # else it is a ratio of limits
    factor = table["c200"]["sequences"] / table["c50"]["sequences"]
    table["lag_factor"] = factor if measured else None
    table["latched_factor"] = table["c200"]["latched"] / table["c50"]["latched"]
    return table


if __name__ == "__main__":
    noise_free_long_lag.main(sys.modules[__name__])
