# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy"]
# ///
"""The adding problem: carry two marked real numbers across hundreds of distractors and output their sum.

S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8):1735-1780, 1997, experiment 4.

Claim: a 93-weight LSTM without forget gates, trained by a truncated gradient, learns it although at least T/2 steps lie
between the second number and the read-out: after 74,000 sequences of T = 100, on average, the last 2,000 are all right
and at most 3 of 2,560 fresh ones wrong. The paper argues that ordinary recurrent nets cannot, but runs none: here they
stand beside it. Task, network and gradient are the paper's; the step is Adam's on minibatches, with cross-entropy at
the output. The paper's own online descent of the squared error is part of the study.

    python3 adding_problem.py --seed 0      # the experiment and its baselines
    python3 adding_problem.py --quick       # proves that the code runs
    python3 adding_problem.py --study       # ten nets in lock-step, the paper's own rule, ablations, T = 500 and 1000
"""
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the matrices are tiny: BLAS threads would only wait for each other

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np


@dataclass(frozen=True)
class Config:
    T: Annotated[int, "shortest sequence, in steps; the longest is a tenth longer", (22, 5000)] = 100
    modern: Annotated[bool, "the later, easier task: fixed length, one mark in each half, no end markers"] = False
    blocks: Annotated[int, "memory blocks, each with one input and one output gate", (1, 16)] = 2
    cells: Annotated[int, "memory cells per block", (1, 16)] = 2
    init_range: Annotated[float, "initial weights are uniform in [-this, this]", (0.0, 2.0)] = 0.1
    input_gate_bias: Annotated[tuple[float, ...], "input gates' initial biases, by block", (-20.0, 20.0)] = (-3.0, -6.0)
    forget_gate: Annotated[bool, "add the forget gate of 2000 to each block"] = False
    forget_bias: Annotated[float, "initial forget gate bias", (-20.0, 20.0)] = 1.0
    gradient: Annotated[str, "the paper's truncated gradient or full BPTT", ("truncated", "full")] = "truncated"
    loss: Annotated[str, "what is descended at the sigmoid output", ("cross-entropy", "squared")] = "cross-entropy"
    rule: Annotated[str, "Adam or plain gradient descent", ("adam", "sgd")] = "adam"
    batch: Annotated[int, "sequences per update", (1, 4096)] = 16
    learning_rate: Annotated[float, "step size before annealing", (0.0, 100.0)] = 0.1
    anneal_below: Annotated[float, "running mean |error| under which the step size shrinks", (1e-6, 1.0)] = 0.03
    anneal_power: Annotated[float, "it shrinks as (error / anneal_below) to this power", (0.0, 4.0)] = 1.5
    momentum: Annotated[float, "Adam's beta 1", (0.0, 0.9999)] = 0.9
    scale_memory: Annotated[float, "Adam's beta 2", (0.0, 0.999999)] = 0.98
    epsilon: Annotated[float, "Adam's guard against division by zero", (1e-16, 1.0)] = 1e-8
    clip: Annotated[float, "largest gradient norm per net", (1e-6, 1e9)] = 1.0
    average: Annotated[float, "decay per update of the weight average that is tested", (0.0, 0.9999)] = 0.98
    max_sequences: Annotated[int, "budget of training sequences", (1, 10**8)] = 120_000
    window: Annotated[int, "most recent sequences that the stop criterion looks at", (1, 10**6)] = 2000
    tolerance: Annotated[float, "a sequence is right when |error| is below this", (0.0, 1.0)] = 0.04
    stop_error: Annotated[float, "the stop criterion's bound on the mean |error|", (0.0, 1.0)] = 0.01
    settle: Annotated[int, "training sequences after the stop criterion is met", (0, 10**7)] = 30_000
    test_sequences: Annotated[int, "fresh test sequences", (2, 10**6)] = 2560
    max_wrong: Annotated[int, "wrong test sequences that still count as solved", (0, 10**6)] = 3
    hidden: Annotated[int, "units of the tanh nets; 8 give 97 weights", (1, 256)] = 8
    rnn_rates: Annotated[tuple[float, ...], "step sizes tried for the tanh nets", (0.0, 100.0)] = (0.001, 0.004, 0.016)
    trials: Annotated[int, "study: nets in lock-step at T", (1, 100)] = 10
    variants: Annotated[int, "study: nets in lock-step per ablation", (1, 100)] = 5
    paper_sequences: Annotated[int, "study: budget of the paper's own online rule", (1, 10**8)] = 150_000
    long_T: Annotated[int, "study: the first longer T", (22, 5000)] = 500
    long_trials: Annotated[int, "study: nets in lock-step at the first longer T", (1, 100)] = 3
    longest_T: Annotated[int, "study: the second longer T", (22, 5000)] = 1000
    longest_trials: Annotated[int, "study: nets in lock-step at the second longer T", (1, 100)] = 1
    lag_rate: Annotated[float, "study: step size at the longer T", (0.0, 100.0)] = 0.03
    lag_batch: Annotated[int, "study: sequences per update at the longer T", (1, 4096)] = 32
    short_T: Annotated[int, "study: T at which the tanh nets are tried once more", (22, 5000)] = 22
    lag_sequences: Annotated[int, "study: budget at the longer T", (1, 10**8)] = 600_000

    def __post_init__(self):
        if len(self.input_gate_bias) != self.blocks:
            raise ValueError(f"argument --input-gate-bias: needs {self.blocks} numbers, one per block")


QUICK = {"T": 22, "max_sequences": 1600, "window": 200, "test_sequences": 256, "trials": 2, "variants": 1,
         "paper_sequences": 200, "long_T": 30, "long_trials": 1, "longest_T": 40, "lag_sequences": 800}
PAPER_RULE = {"rule": "sgd", "loss": "squared", "batch": 1, "learning_rate": 0.5, "anneal_power": 0.0, "average": 0.0,
              "clip": 1e9, "settle": 0}


# ---- the task ----

def sequences(rng, nets, batch, config):
    """Draw sequences for each net, right-aligned: all end at the last step, step `start` is their first.

    Returns x (T, N, 2, B): value and marker; start (N, B); target (N, B); addends (2, N, B).
    """
    T, shape = config.T, (nets, batch)
    if config.modern:
        longest, length = T, np.full(shape, T)
        first, second = rng.integers(0, T // 2, shape), rng.integers(T // 2, T, shape)
    else:
        longest = T + T // 10
        length, first = rng.integers(T, longest + 1, shape), rng.integers(0, 10, shape)
        second = rng.integers(0, T // 2 - 2, shape)  # one of the first T/2 - 1 pairs, skipping the marked one
        second += second >= first
    start = longest - length
    net, column = np.indices(shape)
    x = np.zeros((longest, nets, 2, batch), np.float32)
    x[:, :, 0] = rng.random((longest, nets, batch), np.float32) * 2 - 1
    x[:, :, 0] *= np.arange(longest)[:, None, None] >= start
    addends = np.stack([x[start + first, net, 0, column], x[start + second, net, 0, column]])
    x[start + first, net, 1, column] = x[start + second, net, 1, column] = 1
    if not config.modern:
        x[start, net, 1, column] = x[-1, :, 1] = -1
        addends[0][first == 0] = addends[1][second == 0] = 0  # the first pair shows -1, so its mark cannot be seen
    return x, start, 0.5 + addends.sum(0) / 4, addends


# ---- the two networks: N independent nets in lock-step, weights in the rows of theta (N, P) ----

class Net:
    """Recurrent units with weights W on z = [value, marker, 1, recurrent activations], and a sigmoid output v."""

    def __init__(self, rng, nets, units, readout, config, dtype):
        self.config, self.units, self.readout = config, units, readout  # units G; the first `readout` ones are read
        split = units * (3 + units)
        self.theta = rng.uniform(-config.init_range, config.init_range, (nets, split + readout + 1)).astype(dtype)
        self.W = self.theta[:, :split].reshape(nets, units, 3 + units)  # a view: the optimiser moves theta
        self.v = self.theta[:, split:]
        self.z = np.empty(0)

    def begin(self, x, start):
        """Place the inputs and compute, by one matmul, what they send to every unit at every step."""
        T, N, B = len(x), len(self.theta), x.shape[3]
        if self.z.shape[::3] != (T + 1, B):  # buffers are allocated once per shape
            self.z = np.zeros((T + 1, N, 3 + self.units, B), self.theta.dtype)  # z[t] feeds step t, which fills z[t+1]
            self.z[:, :, 2] = 1
            self.u = np.empty((T, N, self.units, B), self.theta.dtype)
            self.delta = np.empty_like(self.u)  # dE/d(net input)
            self.state = np.zeros((T + 1, N, self.readout, B), self.theta.dtype)
            self.flow = np.empty_like(self.state)  # dE/d(state), filled by full BPTT
        self.z[:-1, :, :2] = x
        self.start, self.padded = start, int(start.max())

    def output(self):
        """Sigmoid of the weighted last activations (N, B)."""
        y = self.z[-1, :, 3:3 + self.readout]
        self.y = 1 / (1 + np.exp(-(self.v[:, :-1, None] * y).sum(1) - self.v[:, -1:]))
        return self.y

    def output_delta(self, error):
        """dE/d(output's net input), batch mean: (N, 1, B). Squared error adds the sigmoid's slope."""
        slope = self.y * (1 - self.y) if self.config.loss == "squared" else 1
        return (error * slope / error.shape[1])[:, None]

    def gradient(self, d_output):
        """Collect dE/dtheta from the deltas of all steps: no time loop, one matmul and a sum."""
        dW = np.matmul(self.delta, self.z[:-1].transpose(0, 1, 3, 2)).sum(0)
        dv = (d_output * self.z[-1, :, 3:3 + self.readout]).sum(2)
        return np.concatenate([dW.reshape(len(dW), -1), dv, d_output.sum(2)], axis=1)


class Lstm(Net):
    """The memory cells of 1997: units = [cells (C), input gates (J), output gates (J), forget gates (J, if any)].

    All squashing is logistic in the paper: gates sig(a), g(a) = 4 sig(a) - 2, h(a) = 2 sig(a) - 1. Written with
    tanh(a/2) = 2 sig(a) - 1 one call serves all units: gates 0.5 + 0.5 tanh(a/2), g = 2 tanh(a/2), h = tanh(a/2).
    """

    def __init__(self, rng, nets, config, dtype=np.float32):
        self.C, self.J = C, J = config.blocks * config.cells, config.blocks
        super().__init__(rng, nets, C + (3 if config.forget_gate else 2) * J, C, config, dtype)
        self.W[:, C:C + J, 2] = config.input_gate_bias
        if config.forget_gate:
            self.W[:, C + 2 * J:, 2] = config.forget_bias

    def forward(self, x, start):
        self.begin(x, start)
        C, J, N, B = self.C, self.J, len(self.theta), x.shape[3]
        half, by_block = self.W * self.W.dtype.type(0.5), (N, J, -1, B)
        np.matmul(half[:, :, :3], self.z[:-1, :, :3], out=self.u)
        recurrent = half[:, :, 3:].copy()
        net, write = np.empty_like(self.u[0]), np.empty_like(self.state[0])
        for t, (u, z, z_next, s, s_next) in enumerate(zip(self.u, self.z, self.z[1:], self.state, self.state[1:])):
            np.matmul(recurrent, z[:, 3:], out=net)
            u += net
            np.tanh(u, out=u)  # (N, G, B), here and below
            y, gates = z_next[:, 3:3 + C], z_next[:, 3 + C:]
            np.multiply(u[:, C:], 0.5, out=gates)
            gates += 0.5
            if t < self.padded:  # before its start a sequence writes nothing and feeds nothing back
                gates *= (t >= start)[:, None]
            np.multiply(gates[:, :J, None], u[:, :C].reshape(by_block), out=write.reshape(by_block))
            write *= 2
            if self.config.forget_gate:
                np.multiply(gates[:, 2 * J:, None], s.reshape(by_block), out=s_next.reshape(by_block))
                s_next += write
            else:
                np.add(s, write, out=s_next)  # the constant error carousel
            np.multiply(s_next, 0.5, out=write)
            np.tanh(write, out=write)
            y[:] = (gates[:, J:2 * J, None] * write.reshape(by_block)).reshape(write.shape)
        return self.output()

    def backward(self, error):
        """dE/dtheta (N, P) for error = output - target (N, B)."""
        d_output = self.output_delta(error)
        (self.deltas_truncated if self.config.gradient == "truncated" else self.deltas_full)(d_output)
        return self.gradient(d_output)

    def deltas_truncated(self, d_output):
        """The paper's gradient: error that reaches a net input goes no further back, only the carousel carries it.

        The error arrives at the last step alone, so it is the same for all steps and nothing loops over time.
        """
        C, J, delta = self.C, self.J, self.delta
        by_block = (len(self.theta), J, -1, d_output.shape[2])
        gates, u = self.z[1:, :, 3 + C:], self.u[:, :, :C].reshape(len(self.u), *by_block)
        i, o, h = gates[:, :, :J], gates[-1, :, J:2 * J], np.tanh(self.state[-1] * 0.5)
        d_y = d_output * self.v[:, :-1, None]  # (N, C, B)
        d_s = (d_y * 0.5 * (1 - h * h)).reshape(by_block) * o[:, :, None]  # (N, J, S, B)
        if self.config.forget_gate:  # what is left of it at step t: times all later forget gates
            f = gates[:, :, 2 * J:]
            kept = np.ones_like(f)
            kept[:-1] = np.cumprod(f[:0:-1], axis=0)[::-1]
            d_s = d_s * kept[:, :, :, None]  # (T, N, J, S, B)
            delta[:, :, C + 2 * J:] = (d_s * self.state[:-1].reshape(u.shape)).sum(3) * f * (1 - f)
        delta[:, :, :C] = (d_s * i[:, :, :, None] * (1 - u * u)).reshape(len(u), *d_y.shape)
        delta[:, :, C:C + J] = (d_s * 2 * u).sum(3) * i * (1 - i)
        delta[:, :, C + J:C + 2 * J] = 0
        delta[-1, :, C + J:C + 2 * J] = (d_y * h).reshape(by_block).sum(2) * o * (1 - o)

    def deltas_full(self, d_output):
        """Back-propagation through time along every path."""
        C, J, shape = self.C, self.J, self.state[0].shape
        by_block = (shape[0], J, -1, shape[2])
        backwards = self.W[:, :, 3:].transpose(0, 2, 1)
        d_z = np.zeros_like(self.u[0])  # what step t+1 sends back to the activations of step t
        d_z[:, :C] = d_output * self.v[:, :-1, None]
        d_s = np.zeros(shape, self.theta.dtype)
        for t in reversed(range(len(self.u))):
            gates, u, h = self.z[t + 1, :, 3 + C:], self.u[t, :, :C], np.tanh(self.state[t + 1] * 0.5)
            i, o, f = (gates[:, k * J:(k + 1) * J, None] for k in range(3))
            d_y = d_z[:, :C].reshape(by_block)
            d_s = d_s + (d_y * o).reshape(shape) * 0.5 * (1 - h * h)
            self.flow[t + 1] = d_s
            d_gates = d_z[:, C:].copy()  # (N, 2J or 3J, B)
            d_gates[:, :J] += (d_s * 2 * u).reshape(by_block).sum(2)
            d_gates[:, J:2 * J] += (d_y * h.reshape(by_block)).sum(2)
            self.delta[t, :, :C] = (d_s.reshape(by_block) * i).reshape(shape) * (1 - u * u)
            if self.config.forget_gate:
                d_gates[:, 2 * J:] += (d_s * self.state[t]).reshape(by_block).sum(2)
                d_s = (d_s.reshape(by_block) * f).reshape(shape)
            self.delta[t, :, C:] = d_gates * gates * (1 - gates)
            np.matmul(backwards, self.delta[t], out=d_z)


class TanhRnn(Net):
    """The ordinary recurrent net, h = tanh(W z), trained by full BPTT. `recurrent` is the initial hidden matrix."""

    def __init__(self, rng, nets, config, recurrent=None, dtype=np.float32):
        super().__init__(rng, nets, config.hidden, config.hidden, config, dtype)
        if recurrent is not None:
            self.W[:, :, 3:] = recurrent

    def forward(self, x, start):
        self.begin(x, start)
        np.matmul(self.W[:, :, :3], self.z[:-1, :, :3], out=self.u)
        recurrent, net = self.W[:, :, 3:].copy(), np.empty_like(self.u[0])
        for t, (u, z, z_next) in enumerate(zip(self.u, self.z, self.z[1:])):
            np.matmul(recurrent, z[:, 3:], out=net)
            u += net
            np.tanh(u, out=z_next[:, 3:])
            if t < self.padded:
                z_next[:, 3:] *= (t >= start)[:, None]
        self.state = self.z[:, :, 3:]
        return self.output()

    def backward(self, error):
        d_output = self.output_delta(error)
        backwards, slope = self.W[:, :, 3:].transpose(0, 2, 1).copy(), 1 - self.state[1:] ** 2
        slope[:self.padded] *= (np.arange(self.padded)[:, None, None] >= self.start)[:, :, None]
        self.flow[-1] = d_output * self.v[:, :-1, None]
        for t in reversed(range(len(self.u))):
            np.multiply(self.flow[t + 1], slope[t], out=self.delta[t])
            np.matmul(backwards, self.delta[t], out=self.flow[t])
        return self.gradient(d_output)


# ---- training and testing ----

def train(net, draw, config, rates=None, callback=None):
    """Train all nets of `net` to the paper's stop criterion and `settle` sequences beyond it, or to the budget's end.

    `draw()` gives the next batch. `rates` (N,) replaces config.learning_rate. After each update
    `callback(net, seen, recent)` gets the number of sequences seen and the last `window` |errors| (N, window).
    Returns arrays over nets; theta holds the weight average at the end, `at_stop` the one at the criterion.
    """
    nets, theta = len(net.theta), net.theta
    rates = np.broadcast_to(np.reshape(config.learning_rate if rates is None else rates, (-1, 1)), (nets, 1))
    recent = np.full((nets, config.window), np.inf)  # a ring buffer of |error|, each made before its update
    mean, square, average, at_stop = np.zeros_like(theta), np.zeros_like(theta), theta.copy(), theta.copy()
    to_stop, total, met = np.zeros(nets, int), np.zeros(nets, int), np.zeros(nets, bool)
    seen, updates, clipped = 0, 0, np.zeros(nets, int)
    active = ~met
    while seen < config.max_sequences:
        x, start, target, _ = draw()
        error = net.forward(x, start) - target
        if not np.isfinite(error).all():
            raise FloatingPointError(f"loss is nan at sequence {seen}")
        recent[:, np.arange(seen, seen + error.shape[1]) % config.window] = np.abs(error)
        seen += error.shape[1]
        recent_mean = recent.mean(1, keepdims=True)
        to_stop[~met], total[active] = seen, seen
        at_stop[~met] = average[~met]
        met |= (recent < config.tolerance).all(1) & (recent_mean[:, 0] < config.stop_error)
        active &= ~met | (seen < to_stop + config.settle)
        if not active.any():
            break

        gradient = net.backward(error)
        norm = np.sqrt((gradient**2).sum(1, keepdims=True))
        gradient *= np.minimum(1, config.clip / (norm + config.epsilon))
        updates += 1
        clipped += (norm[:, 0] > config.clip) & active
        if config.rule == "adam":
            mean += (1 - config.momentum) * (gradient - mean)
            square += (1 - config.scale_memory) * (gradient**2 - square)
            gradient = mean / (1 - config.momentum**updates)
            gradient /= np.sqrt(square / (1 - config.scale_memory**updates)) + config.epsilon
        # a constant rate hovers above the tolerance: let the step shrink with the error itself
        step = rates * np.minimum(1, recent_mean / config.anneal_below) ** config.anneal_power
        theta -= (step * active[:, None]).astype(theta.dtype) * gradient  # nets that are done are left alone
        average += ((1 - config.average) * active[:, None]).astype(theta.dtype) * (theta - average)
        if callback:
            callback(net, seen, recent)
    theta[:] = average
    return {"to_stop": to_stop, "met": met, "total": total, "at_stop": at_stop, "recent": recent.mean(1),
            "clipped": clipped / updates}


def predict(net, x, start, chunk=256):
    """Outputs (N, B) and last states (N, C, B), a chunk of sequences at a time to bound the memory."""
    y, states = [], []
    for k in range(0, x.shape[3], chunk):
        y.append(net.forward(x[..., k:k + chunk], start[:, k:k + chunk]))
        states.append(net.state[-1].copy())
    return np.concatenate(y, axis=1), np.concatenate(states, axis=2)


def score(y, target, config):
    """Per net: wrong sequences, mean |error|, root mean square error, R^2."""
    error = np.abs(y - target)
    return {"wrong": (error >= config.tolerance).sum(1), "error": error.mean(1), "rms": np.sqrt((error**2).mean(1)),
            "r2": 1 - (error**2).mean(1) / target.var(-1)}


def decode(states, quantity):
    """RMS with which a linear read-out, fitted on one half of the sequences, finds `quantity` (B,) in the rest."""
    features, half = np.vstack([states, np.ones_like(quantity)]).T, len(quantity) // 2
    weights = np.linalg.lstsq(features[:half], quantity[:half], rcond=None)[0]
    return float(np.sqrt(np.mean((features[half:] @ weights - quantity[half:]) ** 2)))


def streams(seed):
    """Independent generators for initial weights, training sequences, test sequences."""
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)]


def lstm_trial(config, seed, nets=1, callback=None):
    """Train `nets` LSTMs, then test them, each on sequences of its own. Returns the nets and their outcome."""
    init, data, test = streams(seed)
    net = Lstm(init, nets, config)
    outcome = train(net, lambda: sequences(data, nets, config.batch, config), config, callback=callback)
    x, start, target, addends = sequences(test, nets, config.test_sequences, config)
    trained = net.theta.copy()
    net.theta[:] = outcome["at_stop"]
    outcome["wrong_at_stop"] = score(predict(net, x, start)[0], target, config)["wrong"]
    net.theta[:] = trained
    y, states = predict(net, x, start)
    outcome |= score(y, target, config) | {"y": y, "target": target, "states": states, "addends": addends}
    outcome["solved"] = outcome["met"] & (outcome["wrong"] <= config.max_wrong) & (outcome["error"] < config.stop_error)
    return net, outcome


RNN_INITS = ("small", "identity", "orthogonal")


def rnn_trial(config, seed, callback=None):
    """Tanh nets, 3 initial matrices x learning rates in lock-step, on the LSTM's sequences for the whole budget."""
    init, data, test = streams(seed)
    H, R = config.hidden, len(config.rnn_rates)
    small = init.uniform(-config.init_range, config.init_range, (R, H, H))
    orthogonal = np.linalg.qr(init.standard_normal((R, H, H)))[0]
    recurrent = np.concatenate([small, np.broadcast_to(np.eye(H), (R, H, H)), orthogonal])
    net = TanhRnn(init, len(recurrent), config, recurrent)
    rates = np.tile(config.rnn_rates, len(RNN_INITS))
    outcome = train(net, lambda: sequences(data, 1, config.batch, config), config, rates, callback)
    x, start, target, _ = sequences(test, 1, config.test_sequences, config)
    y, _ = predict(net, x, start)
    outcome |= score(y, target, config) | {"y": y, "target": target[0], "rates": rates}
    # the best rate of each initialisation is the one with the lowest training error at the end
    best = np.argmin(outcome["recent"].reshape(len(RNN_INITS), R), axis=1) + np.arange(len(RNN_INITS)) * R
    return net, outcome, dict(zip(RNN_INITS, best.tolist()))


def reporter(progress, low, high, label, budget):
    """A training callback that maps the sequences seen to the range [low, high] of the whole job."""
    def callback(net, seen, recent):
        if progress:
            progress(low + (high - low) * min(1, seen / budget), f"{label}: {seen:,} sequences")
    return callback


def run(config, seed, progress=None):
    """The experiment: one LSTM to the stop criterion, its fresh test, and what simpler means reach."""
    net, out = lstm_trial(config, seed, 1, reporter(progress, 0, 0.5, "LSTM", config.max_sequences))
    _, rnn, best = rnn_trial(config, seed, reporter(progress, 0.5, 1, "tanh nets", config.max_sequences))
    target, (x1, x2), states = out["target"][0], out["addends"][:, 0], out["states"][0]
    metrics = {
        "solved": bool(out["solved"][0]), "criterion_met": bool(out["met"][0]),
        "sequences_to_stop": int(out["to_stop"][0]), "sequences_total": int(out["total"][0]),
        "wrong_at_stop": int(out["wrong_at_stop"][0]), "test_wrong": int(out["wrong"][0]),
        "test_error": float(out["error"][0]), "test_rms": float(out["rms"][0]),
        "test_mse_raw": float(16 * out["rms"][0] ** 2),  # on the scale of X1 + X2, as later papers state it
        "weights": net.theta.shape[1], "clipped": float(out["clipped"][0]),
        "decode_sum_rms": decode(states, x1 + x2),
        "decode_x1_rms": decode(states, x1), "decode_x2_rms": decode(states, x2),
        "x1_rms_given_sum": float(np.std(x1 - x2) / 2),  # the best that knowing the sum alone allows
    }
    guesses = {"lstm": out["y"][0], "constant": np.full_like(target, 0.5), "last_mark": 0.5 + x2 / 4}
    for name, y in (guesses | {f"rnn_{init}": rnn["y"][k] for init, k in best.items()}).items():
        result = score(y[None], target, config)
        metrics |= {f"{name}_correct": 1 - int(result["wrong"][0]) / len(target), f"{name}_r2": float(result["r2"][0])}
    metrics |= {f"rnn_{init}_rate": float(rnn["rates"][k]) for init, k in best.items()}
    return metrics | {"rnn_best_correct": max(metrics[f"rnn_{init}_correct"] for init in RNN_INITS)}


ABLATIONS = {  # what changes, and how
    "no_gate_bias": {"input_gate_bias": (0.0, 0.0)},
    "forget_bias_1": {"forget_gate": True, "forget_bias": 1.0},
    "forget_bias_5": {"forget_gate": True, "forget_bias": 5.0},
    "full_bptt": {"gradient": "full"},
    "one_cell": {"blocks": 1, "cells": 1, "input_gate_bias": (-3.0,)},
    "squared_error": {"loss": "squared"},
    "modern_task": {"modern": True},
}


def study(config, seed, progress=None):
    """Nets in lock-step: the fast rule, the paper's own rule, ablations, longer lags. Lists hold one entry per net."""
    jobs = [("fast", config, config.trials)]
    jobs += [("paper_rule", replace(config, max_sequences=config.paper_sequences, **PAPER_RULE), config.trials)]
    jobs += [(name, replace(config, **change), config.variants) for name, change in ABLATIONS.items()]
    longer = {"max_sequences": config.lag_sequences, "learning_rate": config.lag_rate, "batch": config.lag_batch}
    jobs += [("long", replace(config, T=config.long_T, **longer), config.long_trials),
             ("longest", replace(config, T=config.longest_T, **longer), config.longest_trials)]
    metrics = {}
    for k, (name, variant, nets) in enumerate(jobs):
        note = reporter(progress, k / len(jobs), (k + 1) / len(jobs), name.replace("_", " "), variant.max_sequences)
        net, out = lstm_trial(variant, seed, nets, note)
        by_block = np.abs(net.v[:, :-1]).reshape(nets, variant.blocks, -1).max(2)
        summary = {"solved": out["solved"].mean(), "met": out["met"].mean(), "mean_to_stop": out["to_stop"].mean(),
                   "median_to_stop": np.median(out["to_stop"]), "max_to_stop": out["to_stop"].max(),
                   "median_wrong": np.median(out["wrong"]), "median_rms": np.median(out["rms"]),
                   "smallest_block_readout": np.median(by_block.min(1))}  # near 0: a block that the output ignores
        metrics |= {f"{name}_{key}": float(value) for key, value in summary.items()}
        metrics |= {f"{name}_{key}": out[key].tolist() for key in ("to_stop", "total", "wrong", "error")}
    # the same tanh nets where the lag is short, to show that it is the lag that stops them
    _, rnn, _ = rnn_trial(replace(config, T=config.short_T), seed)
    return metrics | {"rnn_short_best_correct": float(1 - rnn["wrong"].min() / config.test_sequences),
                      "rnn_short_best_r2": float(rnn["r2"].max())}


# ---- tail: the command line, byte-identical in every stub; its text stands in SPEC.md ----
import argparse, json, pathlib, shutil, sys, time, tomllib, typing  # noqa: E401, E402


def main(argv=None):
    """Run, report, judge. Exit code 0: it ran; 1: it diverged or could not write; 2: bad arguments; 130: Ctrl-C."""
    here, started, shown = pathlib.Path(__file__), time.monotonic(), [0]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message} (see --help)\n")
    parser.add_argument("--quick", action="store_true", help="a run of seconds: it proves the code, not the claim")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the record of this run to FILE")
    if "study" in globals():
        parser.add_argument("--study", action="store_true", help="instead of the run, the longer study of study.json")
    seed_field = {"seed": typing.Annotated[int, "seed of every random number", (0, 2**32 - 1)]}
    for name, hint in (seed_field | typing.get_type_hints(Config, include_extras=True)).items():
        kind, *many = typing.get_args(hint.__origin__) or [hint.__origin__]  # a tuple field is tuple[kind, ...]
        (text, *legal), how = hint.__metadata__, {"action": argparse.BooleanOptionalAction}
        if kind is not bool:
            def value(word, kind=kind, legal=legal[0]):
                if kind(word) in legal if kind is str else legal[0] <= kind(word) <= legal[1]:
                    return kind(word)
                raise ValueError  # argparse says: argument FLAG: invalid NAME value: 'WORD', with the name set below
            value.__name__ = " or ".join(legal[0]) if kind is str else f"{kind.__name__} in {list(legal[0])}"
            how = {"type": value, "nargs": "+" if many else None, "metavar": kind.__name__.upper()}
            text += f", {value.__name__}"
        text = f"{text}; default {getattr(Config, name, 0)}".replace("%", "%%")
        parser.add_argument(f"--{name.replace('_', '-')}", help=text, default=argparse.SUPPRESS, **how)
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in vars(parser.parse_args(argv)).items()}
    seed, quick, path, longer = (given.pop(name, 0) for name in ("seed", "quick", "json", "study"))
    try:
        config, card = Config(**((QUICK if quick else {}) | given)), here.with_name("card.toml")
        claims = tomllib.loads(card.read_text("utf-8"))["claims"] if card.exists() else []
        if path:
            path.open("a").close()
    except (OSError, ValueError) as error:
        parser.error(f"argument --json: {error}" if isinstance(error, OSError) else str(error))

    def progress(fraction, message):
        """Show on stderr how far the run is: one live line on a terminal, elsewhere a line each 10 s."""
        now, live = time.monotonic(), sys.stderr.isatty()
        if now - shown[0] >= (0.1 if live else 10):
            shown[0] = now
            line = f"{fraction:4.0%} {now - started:4.0f} s  {message}"[:shutil.get_terminal_size().columns - 1]
            print(f"\r\033[K{line}" if live else line, end="" if live else "\n", file=sys.stderr, flush=True)
    try:
        metrics = (globals()["study"] if longer else run)(config, seed, progress)
        record = {"slug": here.stem.replace("_", "-"), "seed": seed, "quick": quick, "config": vars(config),
                  "seconds": round(time.monotonic() - started, 3), "metrics": metrics}
        print(f"\n{record['slug']}, seed {seed}, {record['seconds']:.1f} s{', a quick run proves no claim' * quick}")
        for name, v in metrics.items():
            if v is not None and not np.all(np.isfinite(v)):
                raise FloatingPointError(f"metric {name} is {v}")
            if not isinstance(v, list):
                print(f"  {name:<{max(map(len, metrics))}}  {format(v, '.5g') if isinstance(v, float) else v}")
        for c in (c for c in claims if c.get("from", "runs") == ("study" if longer else "runs")):
            v, bar = np.nan if metrics[c["metric"]] is None else metrics[c["metric"]], c["threshold"]
            holds = {">=": v >= bar, "<=": v <= bar, ">": v > bar, "<": v < bar, "==": v == bar}[c["op"]]
            print(f"{'holds' if holds else 'fails'}  {c['says']}: {v:.5g}, needed {c['op']} {bar}; paper: {c['paper']}")
        if path:
            part = path.with_name(path.name + ".part")
            part.write_text(json.dumps(record, default=lambda number: number.item()) + "\n", "utf-8")
            part.replace(path)
    except KeyboardInterrupt:
        sys.exit(130)
    except (FloatingPointError, MemoryError, OSError) as error:
        sys.exit(f"{parser.prog} stopped: {error}")


if __name__ == "__main__":
    main()
