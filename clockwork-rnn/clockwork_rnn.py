# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""A clockwork RNN memorises 320 samples of sound: its modules of units tick at nine rates.

Paper: J. Koutnik, K. Greff, F. Gomez, J. Schmidhuber, "A Clockwork RNN", ICML 2014.
Task: without any input, emit a waveform of 7 ms at 44.1 kHz; what is trained is what is judged.
Method: module i ticks at every 2^i-th step and keeps its state in between; it hears itself and the
slower modules. All else is a plain recurrent net with exact backpropagation through time.
Claim: with about 1,000 parameters the normalised squared error (NMSE) is 0.007, that of an LSTM
0.04, that of a plain net (SRN) 0.46 (figures from memory).
Baselines: both rivals with as many parameters, epochs and learning rates to choose from.

    python3 clockwork_rnn.py --seed 0      # 30 nets of each kind, side by side
    python3 clockwork_rnn.py --help        # every setting

In the shapes R is the number of nets, T of steps, N of units in a net.
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    budget: Annotated[int, "parameters that a net may have", (10, 10**5)] = 1000
    modules: Annotated[int, "modules of the clockwork; periods 1, 2, 4, ...", (1, 16)] = 9
    nets: Annotated[int, "nets for each target and rate", (1, 1000)] = 2
    steps: Annotated[int, "samples of a waveform", (16, 100_000)] = 320
    epochs: Annotated[int, "passes over the waveform", (1, 10**6)] = 1000
    rates_cw: Annotated[tuple[float, ...], "clockwork", (1e-6, 1.0)] = (0.003, 0.01, 0.03)
    rates_srn: Annotated[tuple[float, ...], "plain net", (1e-6, 1.0)] = (0.0001, 0.0003, 0.001)
    rates_lstm: Annotated[tuple[float, ...], "LSTM", (1e-6, 1.0)] = (0.001, 0.003, 0.01)
    weight_scale: Annotated[float, "standard deviation of weights, times sqrt N", (0.0, 10.0)] = 1.0
    forget_bias: Annotated[float, "first bias of the LSTM's forget gates", (-10.0, 10.0)] = 5.0
    clip: Annotated[float, "largest gradient norm of a net", (1e-6, 1e6)] = 1.0
    notes: Annotated[int, "notes of the chord", (1, 7)] = 3
    resonance: Annotated[float, "share of the damped resonance", (0.0, 10.0)] = 0.3

    def __post_init__(self):
        if Clockwork(self.modules, self.modules).parameters() > self.budget:
            raise ValueError("argument --budget: too small for a unit in each of --modules")
        if not len(self.rates_cw) == len(self.rates_srn) == len(self.rates_lstm):
            raise ValueError("argument --rates-cw: each kind of net needs as many rates")


QUICK = {"budget": 150, "modules": 6, "nets": 1, "steps": 64, "epochs": 20}

# ---- the task: a chord and a resonance -----------------------------------------------------------
SAMPLES_PER_SECOND = 44_100
TARGETS = 5  # waveforms of a run, as in the paper
PITCHES = (110, 165, 220, 330, 440, 550, 660)  # Hz
HARMONIC = np.arange(1, 9)
BRIGHTNESS = 1.2  # harmonic h has a mean amplitude of h to the power of minus this
DECAY = 0.004, 0.020  # seconds until a note has fallen to 1/e, from and to
FORMANT = 1500, 3000  # Hz of the resonance, from and to
RING = 0.001  # seconds until it has fallen to 1/e


def note(rng, pitch, seconds):
    """Draw a note (T,): eight harmonics with random phases that decay together."""
    amplitude = HARMONIC**-BRIGHTNESS * rng.uniform(0.5, 1.5, 8)  # (8,)
    phase = rng.uniform(0, 2 * np.pi, 8)  # (8,)
    angle = 2 * np.pi * pitch * HARMONIC * seconds[:, None] + phase  # (T, 8)
    return np.exp(-seconds / rng.uniform(*DECAY)) * (amplitude * np.sin(angle)).sum(1)


def ring(rng, pitch, seconds):
    """Draw a damped resonance (T,) with a peak of 1, hit anew in each period of a pitch."""
    frequency = rng.uniform(*FORMANT)
    hits = np.arange(0, seconds[-1], 1 / pitch)  # (K,)
    since = np.maximum(seconds[:, None] - hits, 0)  # (T, K)
    y = (np.exp(-since / RING) * np.sin(2 * np.pi * frequency * since)).sum(1)  # (T,)
    return y / np.abs(y).max()


def waveform(rng, config):
    """Draw a target (T,) with a peak of 1: the chord with a peak of 1, the resonance on top."""
    seconds = np.arange(config.steps) / SAMPLES_PER_SECOND  # (T,)
    pitches = rng.choice(PITCHES, config.notes, replace=False)  # (notes,)
    chord = sum(note(rng, pitch, seconds) for pitch in pitches)  # (T,)
    y = chord / np.abs(chord).max() + config.resonance * ring(rng, pitches.min(), seconds)  # (T,)
    return (y / np.abs(y).max()).astype(np.float32)


def nmse(y, targets):
    """Return mean (y - target)^2 / var(target) of each net (R,); the best constant has 1."""
    return ((y - targets) ** 2).mean(1) / targets.var(1)


# ---- the nets: each holds shapes and states, their weights are the rows of theta (R, P) ----------
BIAS_SCALE = 0.1  # standard deviation of first biases: were all 0, a net without input would stay 0


class Srn:
    """The plain net: h(t) = tanh(W h(t-1) + b) from h = 0; its output is y(t) = v h(t) + c.

    A last unit is always 1, so that its column of W is b and its entry of v is c.
    """

    kinds = 1  # net inputs of a unit: 1, of an LSTM's cell 4

    def __init__(self, units):
        self.units = units

    def parameters(self):
        """Count the weights and biases that are trained."""
        return self.mask().size + self.units + 1

    def mask(self):
        """Return the mask of W, (kinds N, N + 1) or what broadcasts to it."""
        return np.ones((self.kinds * self.units, self.units + 1))

    def draw(self, rng, count, config):
        """Draw `count` nets, (R, P)."""
        N, rows = self.units, self.kinds * self.units
        theta = rng.standard_normal((count, (rows + 1) * (N + 1))).astype(np.float32)
        W, v = self.weights(theta)
        for part in (W.swapaxes(1, 2), v):
            part[:, :N] *= config.weight_scale * N**-0.5
            part[:, N] *= BIAS_SCALE
        return theta

    def weights(self, theta):
        """Return views of theta: W (R, kinds N, N + 1) and v (R, N + 1, 1)."""
        shape = len(theta), -1, self.units + 1
        both = theta.reshape(shape)
        return both[:, :-1], both[:, -1, :, None]

    def forward(self, theta, steps):
        """Return the outputs (R, T)."""
        self.W, self.v = self.weights(theta)
        self.h = np.zeros(
            (steps + 1, len(theta), self.units + 1, 1), theta.dtype
        )  # h[t + 1] = h(t)
        self.h[:, :, -1] = 1
        self.unroll(self.h)
        return (self.states() @ self.v)[:, :, 0]

    def states(self):
        """Return the states after each step, (R, T, N + 1)."""
        return self.h[1:, :, :, 0].swapaxes(0, 1)

    def backward(self, dy):
        """Return the gradient (R, P), given dy (R, T); self.dh then has that of each h(t)."""
        dv = dy[:, None] @ self.states()  # (R, 1, N + 1)
        self.dh = dy.T[:, :, None, None] * self.v[:, :-1]  # (T, R, N, 1) as yet of y(t) alone
        dz = self.unroll_back(self.dh)  # (T, R, kinds N, 1) of the net inputs
        dW = dz[..., 0].transpose(1, 2, 0) @ self.h[:-1, :, :, 0].swapaxes(0, 1)
        return np.concatenate([dW, dv], 1).reshape(len(dy), -1)

    def unroll(self, h):
        """Fill in the states h (T + 1, R, N + 1, 1)."""
        for t in range(len(h) - 1):
            h[t + 1, :, :-1] = np.tanh(self.W @ h[t])

    def unroll_back(self, dh):
        """Complete dh (T, R, N, 1) and return dz, of the same shape."""
        back = self.W[:, :, :-1].swapaxes(1, 2)  # (R, N, N)
        dz = 1 - self.h[1:, :, :-1] ** 2  # (T, R, N, 1) as yet the slopes alone
        for t in reversed(range(len(dh))):
            dz[t] *= dh[t]
            if t:
                dh[t - 1] += back @ dz[t]
        return dz


class Clockwork(Srn):
    """The paper's net: g modules of n units, fast ones first, with periods 1, 2, 4, ...

    A unit of module i changes at steps t that its period divides, by what it hears of the modules
    j >= i, none of them faster: h_i(t) = tanh(sum_j W_ij h_j(t-1) + b_i). Else h_i(t) = h_i(t-1).
    """

    def __init__(self, units, modules):
        super().__init__(units)
        self.module = np.arange(units) // (units // modules)  # (N,) of each unit
        self.periods = 2**self.module  # (N,)

    def parameters(self):
        """Count the weights and biases that are trained."""
        return int(self.mask().sum()) + self.units + 1

    def mask(self):
        """Return 1 where W has a weight, else 0, (N, N + 1): in rows those who hear."""
        heard = self.module >= self.module[:, None]  # (N, N)
        return np.column_stack([heard, np.ones(self.units)]).astype(np.float32)

    def clock(self, t):
        """Return which units tick at step t, and which sleep: the fast ones tick."""
        ticking = np.count_nonzero(t % self.periods == 0)
        return slice(0, ticking), slice(ticking, self.units)

    def draw(self, rng, count, config):
        """Draw `count` nets, (R, P), with zeros where there is no weight."""
        theta = super().draw(rng, count, config)
        self.weights(theta)[0][:] *= self.mask()
        return theta

    def backward(self, dy):
        """Return the gradient (R, P), with zeros where there is no weight."""
        gradient = super().backward(dy)
        self.weights(gradient)[0][:] *= self.mask()
        return gradient

    def unroll(self, h):
        """Fill in the states h (T + 1, R, N + 1, 1)."""
        for t in range(len(h) - 1):
            ticks, sleeps = self.clock(t)
            h[t + 1][:, ticks] = np.tanh(self.W[:, ticks] @ h[t])
            h[t + 1][:, sleeps] = h[t][:, sleeps]

    def unroll_back(self, dh):
        """Complete dh (T, R, N, 1) and return dz, which is 0 where a unit sleeps."""
        back = self.W[:, :, :-1].swapaxes(1, 2)  # (R, N, N)
        slope = 1 - self.h[1:, :, :-1] ** 2  # (T, R, N, 1)
        dz = np.zeros_like(dh)
        for t in reversed(range(len(dh))):
            ticks, sleeps = self.clock(t)
            dz[t][:, ticks] = dh[t][:, ticks] * slope[t][:, ticks]
            if t:
                dh[t - 1][:, sleeps] += dh[t][:, sleeps]
                dh[t - 1] += back[:, :, ticks] @ dz[t][:, ticks]
        return dz


class Lstm(Srn):
    """An LSTM with forget gates and without peepholes: c(t) = f c(t-1) + i g, h(t) = o tanh(c(t)).

    The gates o, i, f are logistic, s(z) = (1 + tanh(z / 2)) / 2, and g is a tanh.
    """

    kinds = 4

    def draw(self, rng, count, config):
        """Draw `count` nets, (R, P), with a bias that holds the forget gates open."""
        theta = super().draw(rng, count, config)
        self.weights(theta)[0][:, 2 * self.units : 3 * self.units, -1] += config.forget_bias
        return theta

    def unroll(self, h):
        """Fill in the states h (T + 1, R, N + 1, 1)."""
        T, R, N = len(h) - 1, h.shape[1], self.units
        self.gates = np.empty((T, 3, R, N, 1), h.dtype)  # o, i, f
        self.g = np.empty((T, R, N, 1), h.dtype)
        self.c = np.zeros((T + 1, R, N, 1), h.dtype)  # c[t + 1] = c(t)
        for t in range(T):
            z = (self.W @ h[t]).reshape(R, 4, N, 1).swapaxes(0, 1)  # (4, R, N, 1)
            self.gates[t] = 0.5 + 0.5 * np.tanh(0.5 * z[:3])
            self.g[t] = np.tanh(z[3])
            o, i, f = self.gates[t]
            self.c[t + 1] = f * self.c[t] + i * self.g[t]
            h[t + 1, :, :-1] = o * np.tanh(self.c[t + 1])

    def unroll_back(self, dh):
        """Complete dh (T, R, N, 1) and return dz (T, R, 4 N, 1); self.dc has what c(t) gets."""
        T, R, N, _ = dh.shape
        back = self.W[:, :, :-1].swapaxes(1, 2)  # (R, N, 4 N)
        o, i, f = self.gates.swapaxes(0, 1)  # (T, R, N, 1) each
        g, c = self.g, self.c[:-1]  # (T, R, N, 1) each
        shown = np.tanh(self.c[1:])  # (T, R, N, 1)
        dz_dh = shown * o * (1 - o)  # (T, R, N, 1) of o
        dc_dh = o * (1 - shown**2)  # (T, R, N, 1)
        dz_dc = np.stack([g * i * (1 - i), c * f * (1 - f), i * (1 - g**2)], 2)  # of i, f, g
        dz = np.empty((T, R, 4, N, 1), dh.dtype)
        self.dc = np.zeros_like(dh)
        for t in reversed(range(T)):
            self.dc[t] += dh[t] * dc_dh[t]
            dz[t, :, 0] = dh[t] * dz_dh[t]
            dz[t, :, 1:] = self.dc[t][:, None] * dz_dc[t]
            if t:
                self.dc[t - 1] = self.dc[t] * f[t]
                dh[t - 1] += back @ dz[t].reshape(R, 4 * N, 1)
        return dz.reshape(T, R, 4 * N, 1)


def largest(make, budget, step=1):
    """Return the largest net within a budget of parameters whose units are a multiple of `step`."""
    units = step
    while make(units + step).parameters() <= budget:
        units += step
    return make(units)


# ---- training ------------------------------------------------------------------------------------
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
FLOOR = 1 / 30  # the rate falls to this part of itself, along a half cosine
POINTS = 100  # of the learning curve


def train(net, theta, targets, rates, config, watch):
    """Train R nets, each on its target (R, T) with its rate (R,), by Adam on half the mean square.

    Returns the outputs after the last update, (R, T); theta (R, P) is changed in place.
    """
    mean = np.zeros_like(theta)  # (R, P)
    square = np.zeros_like(theta)  # (R, P)
    for epoch in range(config.epochs):
        y = net.forward(theta, config.steps)  # (R, T)
        watch(epoch, y)
        gradient = net.backward((y - targets) / config.steps)  # (R, P)
        norm = np.sqrt((gradient**2).sum(1, keepdims=True))  # (R, 1)
        gradient *= config.clip / np.maximum(norm, config.clip)
        mean += (1 - BETA_1) * (gradient - mean)
        square += (1 - BETA_2) * (gradient**2 - square)
        share = FLOOR + (1 - FLOOR) * 0.5 * (1 + np.cos(np.pi * epoch / config.epochs))
        step = share / (1 - BETA_1 ** (epoch + 1)) * rates[:, None]  # (R, 1)
        width = np.sqrt(square / (1 - BETA_2 ** (epoch + 1))) + EPSILON  # (R, P)
        theta -= step.astype(theta.dtype) * mean / width
    y = net.forward(theta, config.steps)
    watch(config.epochs, y)
    return y


class Result(NamedTuple):
    """What became of the nets of one kind at the best of its rates."""

    rate: float
    nmse: np.ndarray  # (targets, nets)
    curve: np.ndarray  # (points,) the mean NMSE of these nets, in the course of the epochs
    start: np.ndarray  # (targets * nets, P) before training
    theta: np.ndarray  # (targets * nets, P) after it
    speed: float  # samples of all nets per second of processor time


def compete(net, rates, targets, config, rng, report):
    """Train the same starts at each rate, all side by side, and keep the rate with the least error.

    The task has no other data than the waveform (targets, T), so the error of training chooses.
    """
    start = net.draw(rng, len(targets) * config.nets, config)  # (K, P)
    theta = np.tile(start, (len(rates), 1))  # (R, P) with R = rates * K
    wanted = np.tile(np.repeat(targets, config.nets, 0), (len(rates), 1))  # (R, T)
    course = []  # of (R,)

    def watch(epoch, y):
        if epoch in marks(config):
            course.append(nmse(y, wanted))
        report(epoch / config.epochs, f"epoch {epoch}")

    started = process_time()
    each_rate = np.repeat(rates, len(start))  # (R,)
    y = train(net, theta, wanted, each_rate, config, watch)
    speed = config.epochs * wanted.size / max(process_time() - started, 1e-9)
    error = nmse(y, wanted).reshape(len(rates), len(targets), config.nets)
    best = int(np.nan_to_num(error, nan=np.inf).mean((1, 2)).argmin())
    curve = np.reshape(course, (-1, len(rates), len(start)))[:, best].mean(1)  # (points,)
    theta = theta.reshape(len(rates), len(start), -1)[best]
    return Result(rates[best], error[best], curve, start, theta, speed)


def marks(config):
    """Return the epochs of the learning curve, at most 101."""
    points = min(config.epochs, POINTS)
    return [config.epochs * k // points for k in range(points + 1)]


# ---- evaluation ----------------------------------------------------------------------------------
def readout_nmse(net, theta, targets, config):
    """Return the NMSE (R,) with the best readout that the states of the nets theta (R, P) allow."""
    net.forward(theta, config.steps)
    states = net.states().astype(np.float64)  # (R, T, N + 1)
    pairs = zip(states, targets, strict=True)
    y = np.stack([h @ np.linalg.lstsq(h, target, rcond=None)[0] for h, target in pairs])  # (R, T)
    return nmse(y, targets)


def log_gap(rival, ours):
    """Return log10 of the rival's NMSE minus ours, paired by target, the mean over targets."""
    return np.mean(np.log10(rival.nmse.mean(1)) - np.log10(ours.nmse.mean(1)))


def kinds(config):
    """Return the largest net of each kind that is within the budget, with the rates it may try."""
    clockwork = largest(lambda n: Clockwork(n, config.modules), config.budget, config.modules)
    return {
        "cw": (clockwork, config.rates_cw),
        "srn": (largest(Srn, config.budget), config.rates_srn),
        "lstm": (largest(Lstm, config.budget), config.rates_lstm),
    }


def run(config, seed, progress):
    """Train clockwork nets, plain nets and LSTMs on the same waveforms; compare their errors."""
    *streams, sounds = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(4))
    targets = np.stack([waveform(sounds, config) for _ in range(TARGETS)])  # (targets, T)
    results = {}
    for (name, (net, rates)), rng in zip(kinds(config).items(), streams, strict=True):

        def report(done, said, name=name):
            progress((len(results) + done) / 3, f"{name}, {said}")

        results[name] = compete(net, rates, targets, config, rng, report)
    table = {
        name: {"nmse": r.nmse.mean(), "rate": r.rate, "patterns_per_second": r.speed}
        for name, r in results.items()
    }
    cw = results["cw"]
    wanted = np.repeat(targets, config.nets, 0)  # (K, T)
    untrained = readout_nmse(kinds(config)["cw"][0], cw.start, wanted, config).mean()
    table["cw"] |= {"untrained_nmse": untrained, "untrained_ratio": untrained / cw.nmse.mean()}
    table["lstm"]["log_gap"] = log_gap(results["lstm"], cw)
    table["srn"]["log_gap"] = log_gap(results["srn"], cw)
    return table | {"curve": {"x": marks(config), "y": cw.curve.tolist()}}


# ---- tail: the command line, byte-identical in every stub; its text stands in SPEC.md ----
import argparse, json, os, pathlib, shutil, sys, time, tomllib, typing  # noqa: E401, E402


def add_setting(parser, name, hint, default):
    """Add a field of Config as a flag that refuses words of another kind or out of its range."""
    kind, *many = typing.get_args(hint.__origin__) or [hint.__origin__]  # tuple[kind, ...] or kind
    text, *legal = hint.__metadata__
    how = {"action": argparse.BooleanOptionalAction}
    if kind is not bool:

        def value(word):
            if (word in legal[0]) if kind is str else legal[0][0] <= kind(word) <= legal[0][1]:
                return kind(word)
            raise ValueError  # argparse then says: argument FLAG: invalid NAME value: 'WORD'

        span = " or ".join(legal[0]) if kind is str else f"{kind.__name__} in {list(legal[0])}"
        value.__name__ = span
        text = f"{text}, {span}"
        how = {"type": value, "nargs": "+" if many else None, "metavar": kind.__name__.upper()}
    text = f"{text}; default {default}".replace("%", "%%")
    parser.add_argument(f"--{name.replace('_', '-')}", help=text, default=argparse.SUPPRESS, **how)


def plain(said):
    """A message as one line of bounded length, with control characters as escapes."""
    return repr(str(said))[1:-1][:300]


def command_line(this):
    """The parser of a program's flags: a few of every program, and one for each field of Config."""
    name, form = pathlib.Path(this.__file__).name, argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(name, description=this.__doc__, formatter_class=form)
    parser.error = lambda said: parser.exit(2, f"{name}: {plain(said)} (see --help)\n")
    parser.add_argument("--quick", action="store_true", help="seconds: it proves the code alone")
    parser.add_argument("--all", action="store_true", help="print every metric, not only claims")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="keep the record there")
    seed = typing.Annotated[int, "seed of every random number", (0, 2**32 - 1)]
    add_setting(parser, "seed", seed, 0)
    for setting, hint in typing.get_type_hints(this.Config, include_extras=True).items():
        add_setting(parser, setting, hint, getattr(this.Config, setting))
    return parser


def passes(claim, value):
    """Whether the value of a claim's metric passes the claim's test."""
    value = float("nan") if value is None else value  # which passes no test
    if "within" in claim:
        low, high = claim["within"]
        return low <= value <= high
    bar = claim["threshold"]
    tests = {">=": value >= bar, "<=": value <= bar, ">": value > bar, "<": value < bar}
    return (tests | {"==": value == bar})[claim["op"]]


def claims_of(here):
    """The card's claims about the program at `here`, each tried for what the report needs of it."""
    card, source = here.with_name("card.toml"), "study" if here.stem[:6] == "study_" else "run"
    claims = tomllib.loads(card.read_text("utf-8"))["claims"] if card.exists() else []
    claims = [claim for claim in claims if claim.get("from", "run") == source]
    for claim in claims:
        passes(claim, 0.0), claim["metric"], claim["says"], claim["paper"], claim["level"]
    return claims


def flatten(table, prefix=""):
    """{row: {column: number}} as {"row.column": number}. FloatingPointError: one is nan or inf."""
    flat = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        elif value is not None and not np.all(np.isfinite(value)):
            raise FloatingPointError(f"metric {prefix}{name} is {value}")
        else:
            flat[prefix + name] = value
    return flat


def print_report(numbers, claims, everything):
    """Print each claim with its test, the headline first, then the verdict; or all metrics too."""
    text = {name: "none" if v is None else f"{v:.5g}" for name, v in numbers.items()}
    for name in text if everything or not claims else ():
        print(f"  {name:<{max(map(len, text))}}  {text[name]}")
    failed = [claim for claim in claims if not passes(claim, numbers[claim["metric"]])]
    for claim in claims:
        needed = f"{claim.get('op', 'within')} {claim.get('threshold', claim.get('within'))}"
        paper = "an extra, not judged" if claim["level"] == "extra" else f"paper: {claim['paper']}"
        print(f"{'fails' if claim in failed else 'holds'}  {claim['says']}")
        print(f"       {claim['metric']} {text[claim['metric']]}, needed {needed}; {paper}")
    levels = {claim["level"] for claim in failed}
    verdict = "partial" if "paper" in levels else "reproduces"
    verdict = "does not reproduce" if "trend" in levels else verdict
    if claims:
        print(f"this run: {verdict}; {len(claims) - len(failed)} of {len(claims)} claims hold")


def progress_on_stderr(started):
    """A progress(fraction, message): one live line on a terminal, elsewhere a line each 10 s."""
    live, shown = sys.stderr.isatty(), [0.0]

    def progress(fraction, message):
        now = time.monotonic()
        if now - shown[0] >= (0.1 if live else 10):
            shown[0] = now
            line = f"{fraction:4.0%} {now - started:4.0f} s  {plain(message)}"
            line = line[: shutil.get_terminal_size().columns - 1]
            begin, end = ("\r\033[K", "") if live else ("", "\n")
            print(f"{begin}{line}", end=end, file=sys.stderr, flush=True)

    return progress


def write_record(path, record):
    """Write or replace the file in one step: a full disk or Ctrl-C leaves what was there."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(json.dumps(record, default=lambda number: number.item()) + "\n", "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(this, argv=None):
    """Run a module. Exit code 0: it ran; 1: it diverged; 2: unusable arguments; 130: Ctrl-C."""
    here, started, parser = pathlib.Path(this.__file__), time.monotonic(), command_line(this)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # what a terminal cannot show costs no record
    given = vars(parser.parse_args(argv))
    if odd := [name for name, value in given.items() if value == []]:  # argparse on FLAG=--
        parser.error(f"argument --{odd[0].replace('_', '-')}: expected a value")
    seed, path = given.pop("seed", 0), given.pop("json")
    quick, everything = given.pop("quick"), given.pop("all")
    try:
        taken = path and path.exists() and not path.is_file()
        if taken or path and not os.access(f"{path.parent}/", os.W_OK):
            parser.error(f"argument --json: no file can be written at {path}")
        given = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
        config = this.Config(**((this.QUICK if quick else {}) | given))
    except (OSError, ValueError) as error:
        parser.error(error)
    try:
        claims = claims_of(here)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        parser.error(f"card.toml beside it cannot be used: {type(error).__name__} {error}")
    try:
        metrics = flatten(this.run(config, seed, progress_on_stderr(started)))
        record = {"seed": seed, "quick": quick, "config": vars(config), "metrics": metrics}
        record["seconds"] = time.monotonic() - started
        record["processor_seconds"] = time.process_time()
        if path:
            write_record(path, record)
    except KeyboardInterrupt:
        sys.exit(130)
    except (FloatingPointError, MemoryError, OSError) as error:
        sys.exit(f"{parser.prog} stopped: {plain(error)}")
    numbers = {name: v for name, v in metrics.items() if not isinstance(v, list)}
    if lost := [claim["metric"] for claim in claims if claim["metric"] not in numbers]:
        sys.exit(f"{parser.prog}: card.toml names {lost[0]}, which run() returns no number for")
    try:
        cost = f"{record['processor_seconds']:.1f} s of one core"
        print(f"\n{here.stem}, seed {seed}, {cost}{', a quick run: no claim is proved' * quick}")
        print_report(numbers, claims, everything)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads, head for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main(sys.modules[__name__])
