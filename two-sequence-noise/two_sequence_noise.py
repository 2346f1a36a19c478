# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Signal and noise share one input line, and an LSTM learns what to expect a hundred steps later.

S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8):1735-1780, 1997,
experiment 3. The first three elements (or the first one) of a sequence are +1 or -1, the others
Gaussian noise; at the end a net of 102 weights names the class. In task 3a targets are 1 and 0; in
task 3c they are 0.2 and 0.8 with noise on top, and the best answer is their mean, which the net has
to meet within 0.015. Claims: LSTM learns 3a in 27,380 sequences, and guessing weights is faster;
LSTM learns 3c, too, and guessing does not. 3a has the paper's own rule; on 3c the step is Adam's.

    python3 two_sequence_noise.py --seed 0      # ten nets on 3a, twenty on 3c, and guessing
    python3 two_sequence_noise.py --quick       # proves that the code runs
"""

import os
from dataclasses import dataclass
from typing import Annotated, NamedTuple

os.environ.update(
    OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1"
)  # small matrices
import numpy as np


@dataclass(frozen=True)
class Config:
    shortest: Annotated[int, "shortest sequence, in steps; longest: a tenth more", (10, 5000)] = 100
    nets: Annotated[int, "LSTMs of each row, and searches of each task", (1, 100)] = 10
    noise_variance: Annotated[float, "of the elements without signal", (0.0, 10.0)] = 0.2
    target_variance: Annotated[float, "of the noise on the targets of 3c", (0.0, 10.0)] = 0.1
    rate_a: Annotated[float, "3a: step size of online descent", (0.0, 100.0)] = 1.0
    max_sequences: Annotated[int, "3a: training sequences of a net at most", (1, 10**7)] = 100_000
    check_every: Annotated[int, "3a: sequences between two stop tests", (1, 10**6)] = 500
    rate_c: Annotated[float, "3c: step size at first; it falls to a twentieth", (0.0, 10.0)] = 0.003
    batch_size: Annotated[int, "3c: sequences per update of a net", (1, 4096)] = 32
    updates_c: Annotated[int, "3c: updates of a net at most", (1, 10**6)] = 4000
    init_range: Annotated[float, "initial weights are uniform in [-this, this]", (0.0, 2.0)] = 0.1
    input_bias: Annotated[tuple[float, ...], "of input gates", (-9.0, 9.0)] = (-1.0, -3.0, -5.0)
    output_bias: Annotated[tuple[float, ...], "of output gates", (-9.0, 9.0)] = (-2.0, -4.0, -6.0)
    guess_range: Annotated[float, "guesses are uniform in [-this, this]", (1e-3, 1e6)] = 100.0

    def __post_init__(self):
        if len(self.input_bias) != len(self.output_bias):
            raise ValueError("argument --output-bias: needs as many numbers as --input-bias")


QUICK = {"shortest": 10, "nets": 2, "max_sequences": 600, "check_every": 200, "updates_c": 100}
STOP_TEST, TEST, CHUNK = 256, 2560, 256  # fresh sequences of a stop test, and of the last test
STOP_TESTS = 80  # 3c: a net has as many at most
LAST_RATE = 1 / 20  # 3c: the part of the step size that is left at the end
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
HIDDEN, BLOCK = 3, 1024  # hidden units of a guess at most; guesses that are tried side by side


# ---- the task ----
class Task(NamedTuple):
    """What a net is shown and asked; it may stop once a stop test keeps within both bounds."""

    informative: int  # first elements that are +1 or -1
    tolerance: float  # an output is wrong if it is this far from the expected target, or farther
    most_wrong: int = 0  # outputs in a stop test
    mean_below: float = 1.0  # distance in a stop test
    target_1: float = 1.0  # expected target of class 1, whose signal is +1
    target_2: float = 0.0  # and of class 2, whose signal is -1
    target_variance: float = 0.0
    noisy_signal: bool = False  # 3b: the signal has noise on it, as all other elements have


def tasks_of(config):
    """Return the tasks of a run: {row: task}."""
    noisy_targets = Task(3, 0.1, 0, 0.015, 0.2, 0.8, config.target_variance)
    return {"a": Task(3, 0.2), "c3": noisy_targets, "c1": noisy_targets._replace(informative=1)}


def sequences(rng, tasks, batch_size, config):
    """Draw B right-aligned sequences for each of N tasks: x (T, 2, N, B), targets, expected ones.

    x holds the element and a bias input that is 1 from the first element on and 0 before it.
    """
    task = Task(*np.array(tasks, np.float32).T[:, :, None])  # (N, 1) each
    shape = (len(tasks), batch_size)
    longest = config.shortest + config.shortest // 10  # T
    start = longest - rng.integers(config.shortest, longest + 1, shape)  # (N, B), the first element
    x = np.empty((longest, 2, *shape), np.float32)
    element, bias = x[:, 0], x[:, 1]  # views (T, N, B)
    bias[:] = np.arange(longest)[:, None, None] >= start
    deviation = np.sqrt(np.float32(config.noise_variance))
    element[:] = deviation * bias * rng.standard_normal(bias.shape, np.float32)
    is_first = rng.integers(0, 2, shape) == 1  # (N, B), of class 1
    signal = np.where(is_first, np.float32(1), np.float32(-1))
    net, column = np.indices(shape)
    for k in range(int(task.informative.max())):
        noise = element[start + k, net, column]  # (N, B)
        shown = signal + task.noisy_signal * noise
        element[start + k, net, column] = np.where(k < task.informative, shown, noise)
    expected = np.where(is_first, task.target_1, task.target_2)
    noise = np.sqrt(task.target_variance) * rng.standard_normal(shape, np.float32)
    return x, expected + noise, expected


# ---- the net ----
class Lstm:
    """N nets in lock-step of C memory cells of 1997, each with an input and an output gate.

    A gate is sig(a), a cell is offered g(a) = 4 sig(a) - 2 and shows h(s) = 2 sig(s) - 1. As
    2 sig(a) - 1 = tanh(a / 2), one tanh serves all of them: g and the state s stand here at half
    their size, so that g = tanh(a / 2), h = tanh(s), and a gate is (1 + tanh(a / 2)) / 2.
    z is [element, bias, cells, input gates, output gates], units as of one step before.
    """

    def __init__(self, config):
        self.C = len(config.input_bias)
        self.units = 3 * self.C
        self.seen = self.C  # units that the output sees

    def initial(self, rng, nets, config):
        """Draw the weights theta (N, P), a row for each net; negative biases keep gates shut."""
        size = self.units * (2 + self.units) + self.seen  # P
        theta = rng.uniform(-config.init_range, config.init_range, (nets, size)).astype(np.float32)
        W, _ = self.weights(theta)
        W[:, self.C :, 1] = config.input_bias + config.output_bias
        return theta

    def weights(self, theta):
        """Return views of theta: W (N, G, 2 + G) of the units, v (N, C) of the output."""
        W, v = np.split(theta, [-self.seen], axis=1)
        return W.reshape(len(theta), self.units, 2 + self.units), v

    def forward(self, theta, x):
        """Return the outputs (N, B) after the last step of x (T, 2, N, B)."""
        T, _, N, B = x.shape
        self.W, self.v = self.weights(theta)
        self.z = np.zeros((T + 1, 2 + self.units, N, B), theta.dtype)  # step t fills z[t + 1]
        self.z[:-1, :2] = x
        self.unroll(self.z)
        self.y = self.z[-1, 2 : 2 + self.seen]  # (R, N, B)
        return logistic((self.v.T[:, :, None] * self.y).sum(0))

    def backward(self, d_a):
        """Return dE/dtheta (N, P), given dE/d(output's net input) (N, B)."""
        d_units = self.unroll_back(self.v.T[:, :, None] * d_a)  # (T, G, N, B)
        _, G, N, _ = d_units.shape
        left = d_units.transpose(2, 1, 0, 3).reshape(N, G, -1)  # (N, G, T B)
        right = self.z[:-1].transpose(2, 0, 3, 1).reshape(N, -1, 2 + G)  # (N, T B, 2 + G)
        dW = np.matmul(left, right)  # (N, G, 2 + G)
        dv = (d_a * self.y).sum(2).T  # (N, R)
        return np.concatenate([dW.reshape(N, -1), dv], axis=1)

    def unroll(self, z):
        """Fill in the units of z (T + 1, 2 + G, N, B)."""
        C, bias, half = self.C, z[:, 1], self.W / 2
        cells, gates = z[1:, 2 : 2 + C], z[1:, 2 + C :]  # (T, C, N, B), (T, 2C, N, B)
        u = np.empty_like(z[1:, 2:])  # (T, 3C, N, B), tanh(a / 2)
        of_gates = u[:, C:]
        a, senders = u.transpose(0, 2, 1, 3), z.transpose(0, 2, 1, 3)  # net by net, for matmul
        self.g, self.i, self.o = u[:, :C], gates[:, :C], gates[:, C:]
        self.s = np.zeros((len(z), *cells.shape[1:]), z.dtype)  # (T + 1, C, N, B)
        h = np.empty_like(self.s[0])
        for t in range(len(u)):
            np.matmul(half, senders[t], out=a[t])
            np.tanh(u[t], out=u[t])
            np.add(of_gates[t], bias[t], out=gates[t])  # the bias input is 0 before the start,
            np.multiply(gates[t], 0.5, out=gates[t])  # and so are the gates
            np.multiply(self.i[t], self.g[t], out=h)
            np.add(self.s[t], h, out=self.s[t + 1])  # the constant error carousel
            np.tanh(self.s[t + 1], out=h)
            np.multiply(self.o[t], h, out=cells[t])

    def unroll_back(self, d_y):
        """Return the paper's truncated dE/d(net inputs) (T, G, N, B), given dE/d(cells at the end).

        Error that reaches a net input goes no further back; only the carousel carries it. It comes
        in at the last step, so that d_s is the same at all steps, and time needs no loop.
        """
        C, g, i, o = self.C, self.g, self.i, self.o[-1]
        h = np.tanh(self.s[-1])  # (C, N, B)
        d_o = d_y * h
        d_s = d_y * o * (1 - h * h)
        d_units = np.zeros_like(self.z[1:, 2:])  # (T, G, N, B)
        d_units[:, :C] = d_s * i * (1 - g * g) / 2
        d_units[:, C : 2 * C] = d_s * g * i * (1 - i)
        d_units[-1, 2 * C :] = d_o * o * (1 - o)
        return d_units


def logistic(a):
    """Return 1 / (1 + exp(-a)), which overflows for no a."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


# ---- training and testing ----
class Descent:
    """The paper's rule for N nets: online descent of the squared error at a constant rate.

    A net is tested on fresh sequences now and then, and leaves when it passes its stop test.
    """

    def __init__(self, net, theta, tasks, rates, config):
        self.net, self.theta, self.config = net, theta, config
        self.tasks = np.array(tasks)  # (N, fields)
        self.rates = np.broadcast_to(rates, len(theta))[:, None]  # (N, 1)
        self.batch_size, self.budget, self.check_every = self.schedule(config)
        self.updates = 0
        most = self.budget * self.batch_size
        self.sequences = np.full(len(theta), most, np.int64)  # (N,) until they stop
        self.met = np.zeros(len(theta), bool)  # by the nets that stopped
        self.running = np.arange(len(theta))  # the nets that still train
        self.distance = np.ones(len(theta))  # mean, in the latest stop test
        self.seconds = 0.0  # of one core
        self.curve = []  # its mean over the nets, test by test

    def schedule(self, config):
        """Return the sequences of an update, the updates at most, and those between stop tests."""
        return 1, config.max_sequences, config.check_every

    def train(self, data, tests, progress):
        """Train each net until it stops or the budget ends; both streams are generators."""
        started = time.process_time()
        while len(self.running) and self.updates < self.budget:
            self.step(data)
            if self.updates % self.check_every == 0:
                self.stop_test(tests)
                note = (
                    f"{self.updates * self.batch_size:,} sequences, {len(self.running)} nets left"
                )
                progress(self.updates / self.budget, note)
        self.seconds = time.process_time() - started

    def step(self, data):
        """Let the nets that are left answer a batch each, and learn from it."""
        rows = self.running
        x, target, _ = sequences(data, self.tasks[rows], self.batch_size, self.config)
        y = self.net.forward(self.theta[rows], x)  # (N, B)
        self.updates += 1
        self.update(rows, self.net.backward(self.output_delta(y, target)))

    def output_delta(self, y, target):
        """Return dE/d(output's net input) (N, B) of the mean of half the squared errors."""
        return (y - target) * y * (1 - y) / y.shape[1]

    def update(self, rows, gradient):
        """Take a step against the gradient (N, P)."""
        self.theta[rows] -= self.rates[rows] * gradient

    def stop_test(self, rng):
        """Test the nets that are left on fresh sequences; those that pass stop for good."""
        rows = self.running
        x, _, expected = sequences(rng, self.tasks[rows], STOP_TEST, self.config)
        y = self.net.forward(self.theta[rows], x)  # (N, STOP_TEST)
        if not np.isfinite(y).all():
            raise FloatingPointError(f"output is nan after {self.updates} updates")
        wrong, self.distance[rows] = judge(np.abs(y - expected), self.tasks[rows])
        task = Task(*self.tasks[rows].T)
        self.curve.append(self.distance.mean())
        few_wrong = wrong * STOP_TEST <= task.most_wrong
        self.met[rows] = few_wrong & (self.distance[rows] < task.mean_below)
        self.sequences[rows[self.met[rows]]] = self.updates * self.batch_size
        self.running = np.flatnonzero(~self.met)


class Adam(Descent):
    """Adam on the cross-entropy of batches, at a rate that falls linearly to LAST_RATE of it."""

    def __init__(self, net, theta, tasks, rates, config):
        super().__init__(net, theta, tasks, rates, config)
        self.mean = np.zeros_like(theta)  # (N, P), of the gradient
        self.square = np.zeros_like(theta)  # and of its square

    def schedule(self, config):
        """Return the sequences of an update, the updates at most, and those between stop tests."""
        return config.batch_size, config.updates_c, -(-config.updates_c // STOP_TESTS)

    def output_delta(self, y, target):
        """Return dE/d(output's net input) (N, B) of the batch's mean cross-entropy."""
        return (y - target) / y.shape[1]

    def update(self, rows, gradient):
        """Take a step along the mean gradient over the root of the mean square, (N, P)."""
        self.mean[rows] += (1 - BETA_1) * (gradient - self.mean[rows])
        self.square[rows] += (1 - BETA_2) * (gradient**2 - self.square[rows])
        mean = self.mean[rows] / (1 - BETA_1**self.updates)
        square = self.square[rows] / (1 - BETA_2**self.updates)
        left = 1 - (1 - LAST_RATE) * self.updates / self.budget
        self.theta[rows] -= left * self.rates[rows] * mean / (np.sqrt(square) + EPSILON)


def judge(distance, tasks):
    """Return the share of wrong outputs and the mean distance (N,), given all distances (N, B)."""
    tolerance = Task(*np.transpose(tasks)).tolerance[:, None]  # (N, 1)
    return (distance >= tolerance).mean(1), distance.mean(1)


def examine(answer, tasks, rng, config):
    """Judge nets on TEST fresh sequences; answer maps x (T, 2, N, B) to outputs (N, B)."""
    distances = []
    for _ in range(TEST // CHUNK):
        x, _, expected = sequences(rng, tasks, CHUNK, config)
        distances.append(np.abs(answer(x) - expected))  # (N, CHUNK)
    return judge(np.concatenate(distances, axis=1), tasks)


def trained(rule, net, tasks, rates, stream, config, progress):
    """Train a net for each task, and test them; return the trainer, share wrong, mean distance."""
    init, data, stop_tests, last_test = map(np.random.default_rng, stream.spawn(4))
    theta = net.initial(init, len(tasks), config)
    trainer = rule(net, theta, tasks, rates, config)
    trainer.train(data, stop_tests, progress)
    return trainer, *examine(lambda x: net.forward(trainer.theta, x), tasks, last_test, config)


# ---- the rival: random weight guessing ----
def guesses(rng, count, config):
    """Draw W (U, 2 + U, G): nets of an output and 1 to HIDDEN other logistic units, all linked."""
    units = 1 + HIDDEN
    W = rng.uniform(-config.guess_range, config.guess_range, (units, 2 + units, count))
    hidden = rng.integers(1, HIDDEN + 1, count)  # (G,)
    W[:, 2:] *= np.arange(units)[:, None] <= hidden  # nobody listens to units that are not there
    return W.astype(np.float32)


def guessed_answers(W, x):
    """Return the outputs (S, G) of G guesses after S sequences x (T, 2, S)."""
    z = np.zeros((W.shape[1], x.shape[2], W.shape[2]), np.float32)  # (2 + U, S, G)
    for x_t in x:
        z[:2] = x_t[:, :, None]
        z[2:] = z[1] * logistic(np.einsum("ukg,ksg->usg", W, z))  # 0 before the start
    return z[2]


def read(W, x, expected, task):
    """Return how many sequences each guess reads up to its first mistake (G,), and who passes."""
    sequences_read = np.zeros(W.shape[2], np.int64)
    total = np.zeros(W.shape[2])  # distance
    left = np.arange(W.shape[2])  # guesses without a mistake so far
    for part in np.split(np.arange(len(expected)), (1, 2, 4, 8, 16, 32, 64, 128)):
        distance = np.abs(guessed_answers(W[:, :, left], x[:, :, part]) - expected[part, None])
        wrong = distance >= task.tolerance  # (S, G)
        fails = wrong.any(0)  # (G,)
        sequences_read[left] += np.where(fails, wrong.argmax(0) + 1, len(part))
        total[left] += distance.sum(0)
        left = left[~fails]
    passes_both = np.zeros(W.shape[2], bool)
    passes_both[left] = total[left] / len(expected) < task.mean_below
    return sequences_read, passes_both


def search(task, budget, stream, config):
    """Guess until a net passes the stop test; return the sequences read, and its weights or None.

    Guesses meet the same STOP_TEST sequences one after the other, and are told what is expected.
    """
    data, weights = map(np.random.default_rng, stream.spawn(2))
    x, _, expected = sequences(data, [task], STOP_TEST, config)
    before = 0
    while before < budget:
        W = guesses(weights, BLOCK, config)
        sequences_read, passed = read(W, x[:, :, 0], expected[0], task)
        so_far = before + sequences_read.cumsum()  # (G,)
        found = np.flatnonzero(passed & (so_far <= budget))
        if found.size:
            return so_far[found[0]], W[:, :, found[:1]]
        before = so_far[-1]
    return budget, None


def guess(task, budget, stream, config):
    """Search several times; return the sequences read (searches,), share solved, share wrong."""
    *streams, last_test = stream.spawn(config.nets + 1)
    count, found = zip(*(search(task, budget, each, config) for each in streams))
    solutions = [W for W in found if W is not None]
    if not solutions:
        return np.array(count), 0.0, None
    W = np.concatenate(solutions, axis=2)
    wrong, _ = examine(
        lambda x: guessed_answers(W, x[:, :, 0]).T, [task], np.random.default_rng(last_test), config
    )
    return np.array(count), len(solutions) / config.nets, wrong.mean()


# ---- the experiment ----
def statistics(trainer, wrong, distance, nets=slice(None)):
    """Return what became of some nets of a trainer, given their share wrong and mean distance."""
    return {
        "solved": trainer.met[nets].mean(),
        "sequences": trainer.sequences[nets].mean(),
        "misclassified": wrong[nets].mean(),
        "difference": distance[nets].mean(),
    }


def curve(trainer):
    """Return the mean distance in the stop tests; nets that stopped count as they were."""
    tests = trainer.budget // trainer.check_every
    x = trainer.check_every * trainer.batch_size * np.arange(1, tests + 1, dtype=np.int64)
    y = trainer.curve + trainer.curve[-1:] * (tests - len(trainer.curve))
    return {"x": x.tolist(), "y": y}


def run(config, seed, progress):
    """Train ten nets on 3a and twenty on 3c, and guess with as many sequences as they may have."""
    a_stream, c_stream, guess_a, guess_c = np.random.SeedSequence(seed).spawn(4)
    net, tasks, n = Lstm(config), tasks_of(config), config.nets
    a, *a_test = trained(
        *(Descent, net, [tasks["a"]] * n, config.rate_a, a_stream, config),
        lambda share, text: progress(0.7 * share, f"3a: {text}"),
    )
    c, *c_test = trained(
        *(Adam, net, [tasks["c3"]] * n + [tasks["c1"]] * n, config.rate_c, c_stream, config),
        lambda share, text: progress(0.7 + 0.2 * share, f"3c: {text}"),
    )
    progress(0.9, "guessing on 3a")
    taken, _, wrong = guess(tasks["a"], a.budget, guess_a, config)
    progress(0.95, "guessing on 3c")
    _, guess_solved, _ = guess(tasks["c3"], c.budget * c.batch_size, guess_c, config)
    progress(1.0, "guessed")
    speed = {"sequences_per_second": a.sequences.sum() / a.seconds}
    return {
        "a": statistics(a, *a_test) | speed,
        "c": {"solved": c.met.mean(), "difference": c_test[1].mean()},
        "c3": statistics(c, *c_test, slice(n)),
        "c1": statistics(c, *c_test, slice(n, None)),
        "guess": {"sequences": taken.mean(), "misclassified": wrong, "c_solved": guess_solved},
        "guess_lead": np.log10(a.sequences.mean() / taken.mean()),
        "lstm_lead": c.met.mean() - guess_solved,
        "curve": curve(c),
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
