# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Flip-flop: a controller that only ever feels pain learns to latch an event, through a model.

Paper: J. Schmidhuber, "Making the world differentiable", TR FKI-126-90, TU Munich, 1990; the same
experiment in "Reinforcement learning in Markovian and non-Markovian environments", NIPS 3, 1991.
Task: on an endless stream of events A, B, X, output 1 exactly when B comes for the first time
after an A, however long the gap. Nobody says what is right. A pain unit goes on after each error.
Method: a recurrent model M learns to predict the pain. The predicted pain p costs the recurrent
controller C p^2 / 2; its gradient goes through M into C's noisy output unit and through C's past.
Claim: 20 of 30 runs solve it within 10^6 ticks when C and M learn at once.
Baseline: REINFORCE, the same controller with the same noise and budget, but without a model.

    python3 flip_flop.py --seed 0      # 30 nets by pain through M, and 20 by REINFORCE
    python3 flip_flop.py --help        # every setting

Shapes: S nets side by side, T ticks, N streams of a net (in an exam many), H units, P weights.
"""

import os
from dataclasses import dataclass
from typing import Annotated, NamedTuple

# small matrices: more threads would only wait for each other
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets that learn by pain through M", (1, 1000)] = 30
    max_ticks: Annotated[int, "ticks after which a net has failed", (1, 10**8)] = 1_000_000
    p_a: Annotated[float, "probability of event A", (0.0, 1.0)] = 0.15
    p_b: Annotated[float, "probability of event B; the rest is X", (0.0, 1.0)] = 0.15
    window: Annotated[int, "ticks per update and of backpropagation in time", (1, 1024)] = 16
    hidden_c: Annotated[int, "hidden units of C", (1, 1024)] = 12
    hidden_m: Annotated[int, "hidden units of M", (1, 1024)] = 16
    lr_c: Annotated[float, "Adam step size of C", (0.0, 1.0)] = 0.003
    lr_m: Annotated[float, "Adam step size of M", (0.0, 1.0)] = 0.005
    clip: Annotated[float, "largest gradient norm of C, and of M", (1e-6, 1e6)] = 1.0
    sigma_min: Annotated[float, "least standard deviation of the output", (1e-6, 10.0)] = 0.05
    sigma_max: Annotated[float, "greatest standard deviation of the output", (1e-6, 10.0)] = 0.5
    clean_checks: Annotated[int, "exams without error in a row that end training", (1, 100)] = 10
    lags: Annotated[tuple[int, ...], "numbers of X in the long-lag probes", (0, 10**5)] = (50, 100)
    reinforce_nets: Annotated[int, "nets of REINFORCE at each step size", (1, 1000)] = 10

    def __post_init__(self):
        if self.p_a + self.p_b > 1:
            raise ValueError("argument --p-a: with --p-b it must not exceed 1")
        if self.sigma_min > self.sigma_max:
            raise ValueError("argument --sigma-min: must not exceed --sigma-max")
        if self.window > self.max_ticks:
            raise ValueError("argument --max-ticks: must not be less than --window")


QUICK = {"nets": 3, "max_ticks": 8000, "lags": (5, 10), "reinforce_nets": 1}

# ---- the task ------------------------------------------------------------------------------------
A, B, X = range(3)
ONE_HOT = np.eye(3)


def draw_events(config, rngs, T, N):
    """Draw independent events (T, S, N), for each net by a generator of its own."""
    uniform = np.stack([rng.random((T, N)) for rng in rngs], 1)  # (T, S, N)
    return np.searchsorted([config.p_a, config.p_a + config.p_b], uniform, side="right")


def targets(events, armed):
    """Return what is right at each tick (T, S, N), and whether the world is armed after the last.

    The world is one bit: A arms it, B disarms it, and a B that finds it armed wants a 1.
    """
    tick = np.arange(len(events))[:, None, None]  # (T, 1, 1)
    latest = np.maximum.accumulate(np.where(events == X, -1, tick))  # (T, S, N) of A or B
    arms = np.take_along_axis(events, np.maximum(latest, 0), 0) == A  # (T, S, N)
    after = np.where(latest < 0, armed, arms)  # (T, S, N) armed after each event
    before = np.concatenate([armed[None], after[:-1]])  # (T, S, N)
    return before & (events == B), after[-1]


# ---- the two networks ----------------------------------------------------------------------------
# C and M are recurrent tanh nets: h(t) = tanh(W [h(t-1), 1, A B X, pain(t-1)]), and M also reads
# C's output y(t). C's two outputs, read from [h(t), 1] by V, are a mean and a spread; M's is p. A
# tape (T + 1, S, N, columns) holds all that a net reads; h(t) lands in row t + 1.
LEAK = 0.9  # initial weight of a hidden unit to itself
INIT = 0.5  # other weights start at this / sqrt(fan-in) times N(0, 1),
INIT_RECURRENT = 0.2  # and recurrent ones at this part of it


def shapes(config):
    """Return the shapes of W and V of C, then of M."""
    c, m = config.hidden_c, config.hidden_m
    return [(c + 5, c), (c + 1, 2), (m + 6, m), (m + 1, 1)]


def weights(config, theta):
    """Return views of the flat parameters theta (S, P): W, V of C and W, V of M."""
    views, start = [], 0
    for rows, columns in shapes(config):
        views.append(theta[:, start : start + rows * columns].reshape(-1, rows, columns))
        start += rows * columns
    return views


def halves(config, array):
    """Return views of an array (S, P): the columns of C, and those of M."""
    return np.split(array, [sum(rows * columns for rows, columns in shapes(config)[:2])], axis=1)


def initial_weights(config, rng):
    """Draw one net's theta (P,); a hidden unit forgets slowly until it learns otherwise."""
    theta = rng.standard_normal((1, sum(rows * columns for rows, columns in shapes(config))))
    wc, vc, wm, vm = weights(config, theta)
    for w, v in (wc, vc), (wm, vm):
        hidden = w.shape[2]
        w *= INIT / np.sqrt(w.shape[1])
        w[:, :hidden] = INIT_RECURRENT * w[:, :hidden] + LEAK * np.eye(hidden)
        v *= INIT / np.sqrt(hidden)
        v[:, hidden] = 0
    return theta[0].astype(np.float32)


class Life(NamedTuple):
    """What S nets did and felt in T ticks of N streams each."""

    target: np.ndarray  # (T, S, N) what was right, which no net sees
    armed: np.ndarray  # (S, N) state of the world after it
    z: np.ndarray  # (T, S, N) noise of the output unit
    tape: np.ndarray  # (T + 1, S, N, H + 5) what C read
    out: np.ndarray  # (T, S, N, 2) the mean, and where sigma is in its range
    y: np.ndarray  # (T, S, N) output
    pain: np.ndarray  # (T, S, N) whether it was wrong


def act(config, theta, start, events, z):
    """Let C meet events (T, S, N): the closed loop of event, output, pain, next event."""
    w, v, _, _ = weights(config, theta)
    (T, S, N), H = events.shape, config.hidden_c
    target, armed = targets(events, start["armed"])
    tape = np.zeros((T + 1, S, N, H + 5), theta.dtype)
    tape[..., H] = 1
    tape[:-1, ..., H + 1 : H + 4] = ONE_HOT[events]
    tape[0, ..., :H] = start["h_c"]
    tape[0, ..., H + 4] = start["pain"]
    out = np.empty((T, S, N, 2), theta.dtype)
    y = np.empty((T, S, N), theta.dtype)
    pain = np.empty((T, S, N), bool)
    half = v / 2  # sigmoid(x) = (1 + tanh(x / 2)) / 2
    for t in range(T):
        np.tanh(tape[t] @ w, out=tape[t + 1, ..., :H])
        out[t] = 0.5 + 0.5 * np.tanh(tape[t + 1, ..., : H + 1] @ half)
        y[t] = out[t, ..., 0] + sigma(config, out[t, ..., 1]) * z[t]
        np.not_equal(y[t] > 0.5, target[t], out=pain[t])
        tape[t + 1, ..., H + 4] = pain[t]
    return Life(target, armed, z, tape, out, y, pain)


def sigma(config, share):
    """Return the standard deviation of the output unit."""
    return config.sigma_min + (config.sigma_max - config.sigma_min) * share


def predict(config, theta, h_m, life):
    """Return M's tape (T + 1, S, N, H + 6), and the pain p (T, S, N) that it expects."""
    _, _, w, v = weights(config, theta)
    H, C = config.hidden_m, config.hidden_c
    tape = np.empty((*life.tape.shape[:3], H + 6), theta.dtype)
    tape[..., H : H + 5] = life.tape[..., C:]
    tape[:-1, ..., H + 5] = 2 * life.y - 1  # centred like a tanh unit
    tape[0, ..., :H] = h_m
    for t in range(len(life.y)):
        np.tanh(tape[t] @ w, out=tape[t + 1, ..., :H])
    logit = (tape[1:, ..., : H + 1] @ v)[..., 0]  # (T, S, N)
    return tape, 0.5 + 0.5 * np.tanh(logit / 2)


# ---- the learning rule ---------------------------------------------------------------------------
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam


def backward(tape, w, v, d_out):
    """Return dE/dW and dE/dV by backpropagation through time, given dE/d(outputs' net inputs)."""
    H = w.shape[2]
    slope = 1 - tape[1:, ..., :H] ** 2  # (T, S, N, H)
    delta = slope * (d_out @ v[:, :H].swapaxes(1, 2))  # (T, S, N, H) at the hidden net inputs
    back = w[:, :H].swapaxes(1, 2)  # (S, H, H)
    for t in reversed(range(len(delta) - 1)):
        delta[t] += slope[t] * (delta[t + 1] @ back)
    into_w = in_rows(tape[:-1]).swapaxes(1, 2) @ in_rows(delta)  # (S, columns, H)
    into_v = in_rows(tape[1:, ..., : H + 1]).swapaxes(1, 2) @ in_rows(d_out)  # (S, H + 1, outputs)
    return into_w, into_v


def in_rows(x):
    """Turn (T, S, N, K) into (S, T N, K)."""
    return x.swapaxes(0, 1).reshape(x.shape[1], -1, x.shape[-1])


def pick(nets, which):
    """Return these nets, of a dict of arrays with a row for each."""
    return {name: values[which] for name, values in nets.items()}


class PainLearner:
    """S nets, each a C and an M with a world of its own, that learn at once (parallel version)."""

    def __init__(self, config, seeds, lr_c):
        """Begin a life for each seed, with step sizes lr_c (S,) of C."""
        rngs = [[np.random.default_rng(s) for s in seed.spawn(4)] for seed in seeds]
        init_rngs, self.life_rngs, self.check_rngs, self.test_rngs = np.array(rngs, object).T
        theta = np.stack([initial_weights(config, rng) for rng in init_rngs])  # (S, P)
        S = len(theta)
        self.config = config
        self.ids = np.arange(S)  # of the nets that still learn; the arrays below are theirs
        self.nets = {
            "theta": theta,
            "mean": np.zeros_like(theta),  # of Adam, as the next one
            "square": np.zeros_like(theta),
            "rate": np.full_like(theta, config.lr_m),
            "armed": np.zeros((S, 1), bool),
            "pain": np.zeros((S, 1), bool),
            "h_c": np.zeros((S, 1, config.hidden_c), np.float32),
            "h_m": np.zeros((S, 1, config.hidden_m), np.float32),
            "clean": np.zeros(S, np.intp),  # exams without error in a row
        }
        halves(config, self.nets["rate"])[0][:] = np.reshape(lr_c, (-1, 1))
        self.graduates = {name: values.copy() for name, values in self.nets.items()}
        self.solved = np.zeros(S, bool)
        self.ticks = np.full(S, config.max_ticks, np.int64)  # until solved; else the budget
        self.errors = np.zeros(S)  # in the final test, per 1000 ticks
        self.right = np.zeros(S)  # share of the probes in it
        self.updates = 0  # of those that still learn
        self.lived = 0  # ticks of all nets together

    def step(self):
        """Live through a window, and learn from it."""
        config, nets = self.config, self.nets
        events, z = self.draw()
        life = act(config, nets["theta"], nets, events, z)
        self.update(self.gradient(life))
        self.lived += life.y.size
        nets["armed"] = life.armed
        nets["pain"] = life.pain[-1]
        nets["h_c"] = life.tape[-1, ..., : config.hidden_c]

    def draw(self):
        """Roll the dice of a window: events and noise of the output unit, (T, S, 1) each."""
        rngs, T = self.life_rngs[self.ids], self.config.window
        events = draw_events(self.config, rngs, T, 1)
        z = np.stack([rng.standard_normal((T, 1), np.float32) for rng in rngs], 1)
        return events, z

    def gradient(self, life):
        """Return dE/dtheta (S, P): for M of (p - pain)^2 / 2, for C of p^2 / 2, window means."""
        theta = self.nets["theta"]
        tape, p = predict(self.config, theta, self.nets["h_m"], life)
        self.nets["h_m"] = tape[-1, ..., : self.config.hidden_m]
        d_logit = self.model_slope(p, life.pain)[..., None] / len(p)  # (T, S, 1, 1)
        d_y = self.through_model(tape, self.pain_slope(p) / len(p))  # (T, S, 1)
        grad = self.through_c(life, d_mean=d_y, d_sigma=d_y * life.z)  # as y = mean + sigma z
        _, _, into_wm, into_vm = weights(self.config, grad)
        into_wm[:], into_vm[:] = backward(tape, *weights(self.config, theta)[2:], d_logit)
        return grad

    def model_slope(self, p, pain):
        """Return the slope of (p - pain)^2 / 2 in M's net output."""
        return (p - pain) * p * (1 - p)

    def pain_slope(self, p):
        """Return the slope of p^2 / 2 in M's net output: what C minimises."""
        return p * p * (1 - p)

    def through_model(self, tape, d_logit):
        """Return dE/dy (T, S, 1) through M, whose weights stay as they are.

        Only the path within a tick counts: pain depends on the output of its own tick alone.
        """
        _, _, w, v = weights(self.config, self.nets["theta"])
        H = self.config.hidden_m
        slope = 1 - tape[1:, ..., :H] ** 2  # (T, S, 1, H)
        delta = slope * (d_logit[..., None] @ v[:, :H].swapaxes(1, 2))  # (T, S, 1, H)
        return 2 * (delta @ w[:, H + 5, :, None])[..., 0]  # 2: M reads 2 y - 1

    def through_c(self, life, d_mean, d_sigma):
        """Return dE/dtheta (S, P) from the errors of C's mean and sigma (T, S, 1); 0 for M."""
        config, theta = self.config, self.nets["theta"]
        mean, share = life.out[..., 0], life.out[..., 1]  # (T, S, 1)
        d_out = np.empty_like(life.out)  # (T, S, 1, 2) at the net inputs
        d_out[..., 0] = d_mean * mean * (1 - mean)
        d_out[..., 1] = d_sigma * (config.sigma_max - config.sigma_min) * share * (1 - share)
        grad = np.zeros_like(theta)
        into_wc, into_vc, _, _ = weights(config, grad)
        into_wc[:], into_vc[:] = backward(life.tape, *weights(config, theta)[:2], d_out)
        return grad

    def update(self, grad):
        """Take a step by Adam, with the gradients of C and of M clipped each by itself."""
        config, nets = self.config, self.nets
        for part in halves(config, grad):
            norm = np.linalg.norm(part, axis=1, keepdims=True)  # (S, 1)
            part *= np.minimum(1, config.clip / (norm + EPSILON))
        self.updates += 1
        nets["mean"] += (1 - BETA_1) * (grad - nets["mean"])
        nets["square"] += (1 - BETA_2) * (grad * grad - nets["square"])
        spread = np.sqrt(nets["square"] / (1 - BETA_2**self.updates)) + EPSILON
        nets["theta"] -= nets["rate"] / (1 - BETA_1**self.updates) * nets["mean"] / spread

    def train(self, progress):
        """Live and learn; a net that has passed its exams, or has spent its ticks, leaves."""
        most = self.config.max_ticks // self.config.window  # updates
        while self.ids.size:
            self.step()
            spent = self.updates == most
            if spent or self.updates % CHECK_EVERY == 0:
                self.check()
                left = f"{self.ids.size} of {self.solved.size} nets still learn"
                progress(self.updates / most, f"tick {self.updates * self.config.window:,}, {left}")
                self.graduate((self.nets["clean"] >= self.config.clean_checks) | spent)
        return self

    def check(self):
        """Let each net sit an exam, and count the exams without error in a row."""
        if not np.isfinite(self.nets["theta"]).all():
            raise FloatingPointError(f"loss is nan at tick {self.updates * self.config.window}")
        rngs = self.check_rngs[self.ids]
        passed = stream_errors(self.config, self.nets, rngs, CHECK_TICKS, CHECK_STREAMS) == 0
        if passed.any():  # only these are worth probing
            right = probes_right(self.config, pick(self.nets, passed), rngs[passed])
            passed[passed] = right == 1
        self.nets["clean"] = np.where(passed, self.nets["clean"] + 1, 0)

    def graduate(self, leave):
        """Put nets to the final test, on what they never met, and let them go."""
        if not leave.any():
            return
        ids = self.ids[leave]
        rngs = self.test_rngs[ids]
        gone = pick(self.nets, leave)
        self.errors[ids] = stream_errors(self.config, gone, rngs, TEST_TICKS, 1)
        self.right[ids] = probes_right(self.config, gone, rngs)
        proved = gone["clean"] >= self.config.clean_checks  # at the end of the ticks it may not be
        self.solved[ids] = proved & (self.errors[ids] == 0) & (self.right[ids] == 1)
        self.ticks[ids[self.solved[ids]]] = self.updates * self.config.window
        for name, values in gone.items():
            self.graduates[name][ids] = values
        self.ids = self.ids[~leave]
        self.nets = pick(self.nets, ~leave)


# ---- the exam ------------------------------------------------------------------------------------
CHECK_EVERY = 128  # updates between two exams: 2048 ticks
CHECK_TICKS, CHECK_STREAMS = 10_000, 40  # of an exam, together; streams that share them
TEST_TICKS = 2000  # of the final test, on one stream
COPIES, LEAD_IN = 50, 20  # probes of each lag; random events before each of them


def stream_errors(config, nets, rngs, ticks, streams):
    """Return the errors per 1000 ticks of nets on fresh streams, (S,)."""
    events = draw_events(config, rngs, ticks // streams, streams)
    return 1000 * sit(config, nets, events).mean((0, 2))


def probes_right(config, nets, rngs):
    """Return the share of long-lag probes (random events, A, X ..., B, B) that are right, (S,)."""
    right = []  # (S,) for each lag
    for lag in config.lags:
        events = draw_events(config, rngs, LEAD_IN + lag + 3, COPIES)  # (T, S, N)
        events[LEAD_IN:] = np.array([A] + [X] * lag + [B, B])[:, None, None]
        wrong = sit(config, nets, events)[LEAD_IN:].any(0)  # (S, N)
        right.append(1 - wrong.mean(1))
    return np.mean(right, 0)


def sit(config, nets, events):
    """Return where the means of the outputs are wrong (T, S, N), with all weights frozen.

    The stream has no beginning: an exam goes on from the present state of world and net.
    """
    N = events.shape[2]
    start = {name: np.repeat(nets[name], N, 1) for name in ("armed", "pain", "h_c")}
    return act(config, nets["theta"], start, events, np.zeros(events.shape)).pain


# ---- the baseline --------------------------------------------------------------------------------
BASELINE_RATE = 0.01  # per window, of the running mean of the pain
REINFORCE_RATES = (0.002, 0.003)  # step sizes; the better one counts


class Reinforce(PainLearner):
    """The same nets without M: y ~ N(mean, sigma^2), and a tick's pain is due to its output."""

    def __init__(self, config, seeds, lr_c):
        super().__init__(config, seeds, lr_c)
        self.baseline = np.zeros(len(seeds))  # running mean of the pain of each net

    def gradient(self, life):
        """Return the score function's estimate of the slope of the mean pain in theta, (S, P)."""
        baseline = self.baseline[self.ids]  # (S,)
        spread = sigma(self.config, life.out[..., 1])  # (T, S, 1)
        advantage = (life.pain - baseline[:, None]) / len(life.y)  # (T, S, 1)
        d_mean = advantage * life.z / spread
        d_sigma = advantage * (life.z**2 - 1) / spread
        self.baseline[self.ids] += BASELINE_RATE * (life.pain.mean((0, 2)) - baseline)
        return self.through_c(life, d_mean, d_sigma)


def best_reinforce(config, seed, progress):
    """Train REINFORCE at each step size; return the nets' solved and ticks at the best one."""
    seeds = seed.spawn(len(REINFORCE_RATES) * config.reinforce_nets)
    rates = np.repeat(REINFORCE_RATES, config.reinforce_nets)
    nets = Reinforce(config, seeds, rates).train(progress)
    solved = nets.solved.reshape(len(REINFORCE_RATES), -1)  # (rates, nets)
    ticks = nets.ticks.reshape(solved.shape)
    best = solved.mean(1).argmax()
    return solved[best], ticks[best]


# ---- the experiment ------------------------------------------------------------------------------
def run(config, seed, progress):
    """Train nets by pain through M, then the baseline; each net has a seed of its own."""
    pain_seed, reinforce_seed = np.random.SeedSequence(seed).spawn(2)
    began = time.process_time()
    nets = PainLearner(config, pain_seed.spawn(config.nets), [config.lr_c] * config.nets)
    nets.train(lambda f, said: progress(0.6 * f, said))
    seconds = max(time.process_time() - began, 1e-9)
    solved, ticks = best_reinforce(
        config, reinforce_seed, lambda f, said: progress(0.6 + 0.4 * f, f"REINFORCE: {said}")
    )
    x = np.linspace(0, config.max_ticks, 101)
    return {
        "parallel": {
            "solved": nets.solved.mean(),
            "median_ticks": np.median(nets.ticks),
            "lower_quartile": np.quantile(nets.ticks, 0.25),
            "upper_quartile": np.quantile(nets.ticks, 0.75),
            "long_lag_right": nets.right.mean(),
            "errors_per_1000": nets.errors.mean(),
            "ticks_per_second": nets.lived / seconds,
        },
        "reinforce": {"solved": solved.mean(), "median_ticks": np.median(ticks)},
        "lead": nets.solved.mean() - solved.mean(),
        "curve": {"x": x.tolist(), "y": [(nets.solved & (nets.ticks <= t)).mean() for t in x]},
    }


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
