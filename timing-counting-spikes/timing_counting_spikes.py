# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""One LSTM cell becomes a metronome, and with gates that see its state it draws a cosine.

F. A. Gers, N. N. Schraudolph and J. Schmidhuber, "Learning Precise Timing with LSTM Recurrent
Networks", Journal of Machine Learning Research 3:115-143, 2002. Claim: with peepholes, weights
from the state of the cell to its gates, LSTM generates stable streams of timed spikes and other
periodic patterns without input, without resets and without a teacher. The net has a single cell.
It learns on-line, after every step, by the truncated gradient of the squared error with momentum;
a stream ends at its first wrong step. The rival is the same net without peepholes, from the same
weights, in the same number of steps.

    python3 timing_counting_spikes.py --seed 0      # 64 nets of each kind, spikes and cosine
    python3 timing_counting_spikes.py --quick       # proves that the code runs
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated

os.environ.update(
    OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1"
)  # small matrices
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets with peepholes, and as many without", (1, 1000)] = 64
    period: Annotated[int, "steps from spike to spike", (2, 1000)] = 10
    steps: Annotated[int, "most training steps of a net for spikes", (1, 10**8)] = 1_000_000
    learning_rate: Annotated[float, "step size for spikes", (0.0, 1.0)] = 1e-5
    momentum: Annotated[float, "share of a step that the next repeats", (0.0, 0.9999)] = 0.999
    biases: Annotated[tuple[float, ...], "initial, of i, f, o", (-9.0, 9.0)] = (0.0, 2, -2)
    wave_period: Annotated[int, "steps of a period of the cosine", (2, 1000)] = 25
    wave_steps: Annotated[int, "training steps for the cosine", (1, 10**8)] = 1_500_000
    wave_rate: Annotated[float, "first step size for the cosine", (1e-12, 1.0)] = 1e-3
    wave_final_rate: Annotated[float, "last one", (1e-12, 1.0)] = 1e-5
    wave_momentum: Annotated[float, "momentum for the cosine", (0.0, 0.9999)] = 0.99
    wave_biases: Annotated[tuple[float, ...], "initial biases", (-9.0, 9.0)] = (0.0, 2, 1)
    test_every: Annotated[int, "steps between tests", (1, 10**6)] = 2000
    test_periods: Annotated[int, "periods of a test with spikes", (2, 10**6)] = 1000
    wave_test_periods: Annotated[int, "periods of a test with cosines", (2, 10**6)] = 100

    def __post_init__(self):
        for name, biases in (("biases", self.biases), ("wave-biases", self.wave_biases)):
            if len(biases) != 3:
                raise ValueError(f"argument --{name}: needs 3 numbers, for the gates i, f and o")


QUICK = {"nets": 4, "steps": 6000, "wave_steps": 6000}
INIT_RANGE = 0.1  # initial weights are uniform in [-this, this]
STREAM_PERIODS = 100  # a training stream without an error ends after as many
CURVE_POINTS = 100


# ---- the tasks ----
def sigmoid(a):
    """Return 1 / (1 + exp(-a))."""
    y = np.tanh(0.5 * a)
    y *= 0.5
    y += 0.5
    return y


class Spikes:
    """Generate timed spikes: 1 at each multiple of the period, else 0, from a logistic output."""

    tolerance = 0.49  # an output farther from its target is wrong

    def __init__(self, period):
        self.period = period
        self.limit = STREAM_PERIODS * period  # steps of the longest stream
        self.targets = self.shape(np.arange(1, self.limit + 2))

    def shape(self, t):
        """Return the targets of steps t = 1, 2, ..."""
        return (t % self.period == 0).astype(float)

    def target(self, clock):
        """Return the targets (N,) of streams of which `clock` steps are over (N,)."""
        return self.targets.take(clock)

    def output(self, a):
        """Return outputs y and the slope dy/da."""
        y = sigmoid(a)
        return y, y * (1 - y)


class Cosine(Spikes):
    """Generate (1 - cos) / 2 of the period, from a linear output."""

    tolerance = 0.3

    def shape(self, t):
        return 0.5 - 0.5 * np.cos(2 * np.pi * t / self.period)

    def output(self, a):
        return a, 1.0


# ---- the network ----
def views(w):
    """Return views of w (P, N): W (S, 4, N) of i, f, g, o; p (3, N) of i, f, o; V (2, N).

    S sources feed the gates and the cell: its output h, a bias of 1 and, where the task has one,
    an input. The peepholes p see the state; V makes the output of h and a bias.
    """
    S = (len(w) - 5) // 4
    return w[: 4 * S].reshape(S, 4, -1), w[4 * S : 4 * S + 3], w[-2:]


def cell(W, p, z):
    """Return gates i and f (2, N), g, the new state c and o, each (N,), from z (S + 1, N).

    z holds the sources and, last, the old state.
    """
    a = np.einsum("sgn,sn->gn", W, z[:-1])  # (4, N)
    c = z[-1]
    gates = sigmoid(a[:2] + p[:2] * c)
    i, f = gates
    g = a[2]
    c = f * c + i * g
    o = sigmoid(a[3] + p[2] * c)  # this peephole sees the new state
    return gates, g, c, o


def initial(rng, nets, biases, inputs=0):
    """Draw weights w (P, 2 nets), and which gates see the state (3, 2 nets): the first half's."""
    w = rng.uniform(-INIT_RANGE, INIT_RANGE, (13 + 4 * inputs, nets))
    views(w)[0][1, [0, 1, 3]] = np.array(biases)[:, None]
    w = np.tile(w, 2)  # both kinds start from the same numbers
    sees = np.repeat([[1.0, 0.0]] * 3, nets, axis=1)
    views(w)[1][:] *= sees
    return w, sees


# ---- learning ----
class OnLine:
    """N nets in lock-step, each in a stream of its own, and the paper's rule for their weights.

    Error that reaches a gate or the cell's input goes no further back. Only the state carries it,
    c(t) = f c(t-1) + i g, so that dc/dw can be carried forward: tr(t) = f tr(t-1) + its new part.
    """

    of_nets_left = "left w sees velocity memory gain z clock longest streams".split()

    def __init__(self, task, w, sees, momentum, test_periods):
        self.task, self.momentum, self.test_periods = task, momentum, test_periods
        N, S = w.shape[1], (len(w) - 5) // 4
        self.final = w.copy()  # (P, N) a solved net's weights stay what they were in its test
        self.solved_at = np.full(N, np.nan)  # (N,) training steps; and streams, and the RMSE
        self.streams_at, self.rmse = np.full((2, N), np.nan)
        self.best = np.zeros(N, int)  # (N,) right steps of the longest stream
        self.seconds, self.net_steps = 0.0, 0
        self.left = np.arange(N)  # numbers of the nets that still learn; all below is theirs
        self.w, self.sees = w.copy(), sees
        self.velocity = np.zeros_like(w)  # it is carried from stream to stream
        self.memory = np.zeros((3 * S + 5, N))  # all that is cleared when a stream ends
        self.gain = np.empty((3, N))  # dc/da of i, f, g
        self.z = np.ones((S + 1, N))  # the sources and c
        self.clock = np.zeros(N, int)  # right steps of this stream
        self.longest = np.zeros(N, int)  # and of the longest since the last look
        self.streams = np.zeros(N, int)
        self.arrange()

    def arrange(self):
        """Lay out the gradient, and name the parts of the arrays."""
        self.gradient = np.zeros_like(self.w)
        self.views, self.slopes = views(self.w), views(self.gradient)
        self.state = self.memory[:2]  # h and c
        self.trace = self.memory[2:].reshape(len(self.z), 3, -1)  # dc/da z: i, f, g, each source

    def keep(self, left):
        """Go on with those nets only for which left (N,) says so."""
        for name in self.of_nets_left:
            setattr(self, name, np.ascontiguousarray(getattr(self, name)[..., left]))
        self.arrange()

    def forward(self):
        """Move the cells by a step, carry their traces forward; return the net inputs of y (N,)."""
        W, p, V = self.views
        z = self.z  # (S + 1, N)
        z[0], z[-1] = self.state
        gates, g, c, o = cell(W, p, z)
        slope = gates - gates * gates  # (2, N)
        np.multiply(slope[0], g, out=self.gain[0])
        np.multiply(slope[1], z[-1], out=self.gain[1])
        self.gain[2] = gates[0]
        self.trace *= gates[1]
        self.trace += self.gain * z[:, None]
        self.o = o
        self.state[0] = o * c
        self.state[1] = c
        return V[0] * self.state[0] + V[1]  # (N,)

    def differentiate(self, d_a):
        """Compute the gradient (P, N) of minus half the squared error; d_a is minus dE/da (N,)."""
        (_, _, V), (dW, dp, dV) = self.views, self.slopes
        h, c = self.state
        dV[0] = d_a * h
        dV[1] = d_a
        d_c = d_a * V[0] * self.o
        d_o = d_c * c * (1 - self.o)
        np.multiply(d_c, self.trace[:-1], out=dW[:, :3])
        np.multiply(d_o, self.z[:-1], out=dW[:, 3])
        np.multiply(d_c, self.trace[-1, :2], out=dp[:2])
        np.multiply(d_o, c, out=dp[2])
        dp *= self.sees

    def update(self):
        """Take a step along the gradient, which holds the step size, and along the steps before."""
        self.velocity *= self.momentum
        self.velocity += self.gradient
        self.w += self.velocity

    def step(self, rate):
        """Move, compare, learn. A wrong step is the last of its stream, but it is learned from."""
        y, slope = self.task.output(self.forward())
        error = self.task.target(self.clock) - y  # (N,)
        self.differentiate(rate * error * slope)
        self.update()
        right = np.abs(error) < self.task.tolerance  # (N,) a weight that is nan is wrong
        self.clock += right
        np.maximum(self.longest, self.clock, out=self.longest)
        self.restart(right & (self.clock < self.task.limit))

    def restart(self, goes_on):
        """Begin a new stream, from nothing, where the last one does not go on (N,)."""
        self.streams += ~goes_on
        self.clock *= goes_on
        self.memory *= goes_on.astype(float)

    def look(self, step):
        """Test the nets that were right for two periods; those that pass are solved, and stop."""
        np.maximum.at(self.best, self.left, self.longest)
        able = np.flatnonzero(self.longest >= 2 * self.task.period)
        right, rmse = examine(self.task, self.w[:, able], self.test_periods)
        self.final[:, self.left] = self.w
        self.longest[:] = 0
        passed, numbers = able[right], self.left[able[right]]
        self.solved_at[numbers] = step
        self.streams_at[numbers] = self.streams[passed]
        self.rmse[numbers] = rmse[right]
        if len(passed):
            self.keep(~np.isin(self.left, numbers))

    def train(self, rates, test_every, progress):
        """Take a step at each of the rates, with looks in between, until all nets are solved."""
        started, steps = process_time(), len(rates)
        with np.errstate(all="ignore"):  # a net may run away, and then it fails
            for begin in range(0, steps, test_every):
                for rate in rates[begin : begin + test_every]:
                    self.step(rate)
                end = min(begin + test_every, steps)
                self.net_steps += (end - begin) * len(self.left)
                self.look(end)
                progress(end / steps, f"{np.isfinite(self.solved_at).sum()} nets solved")
                if not len(self.left):
                    break
        self.seconds += process_time() - started
        return self


# ---- evaluation ----
def examine(task, w, periods):
    """Let frozen nets run freely: return whether no step is wrong (N,), and the RMSE (N,).

    A net without input whose state comes back, bit for bit, after a period repeats it for ever.
    """
    (W, p, V), N = views(w), w.shape[1]
    z = np.ones((len(W) + 1, N))
    z[[0, -1]] = 0
    h = np.empty((task.period, N))
    targets = task.targets[: task.period, None]
    right, squares = np.ones(N, bool), np.zeros(N)
    for k in range(periods):
        before = z.copy()
        for t in range(task.period):
            _, _, z[-1], o = cell(W, p, z)
            z[0] = h[t] = o * z[-1]
        error = task.output(V[0] * h + V[1])[0] - targets  # (F, N)
        right &= (np.abs(error) < task.tolerance).all(0)
        latest = (error * error).sum(0)
        squares += latest
        if (~right | (z == before).all(0)).all():
            squares += (periods - 1 - k) * latest
            break
    return right, np.sqrt(squares / (periods * task.period))


def train_spikes(start, config, progress):
    """Train nets that start as (w, sees) to generate timed spikes; return the training."""
    training = OnLine(Spikes(config.period), *start, config.momentum, config.test_periods)
    rates = np.full(config.steps, config.learning_rate)
    return training.train(rates, config.test_every, progress)


def train_cosine(start, config, progress):
    """Train nets that start as (w, sees) to generate a cosine, with a step size that shrinks."""
    task, periods = Cosine(config.wave_period), config.wave_test_periods
    training = OnLine(task, *start, config.wave_momentum, periods)
    rates = np.geomspace(config.wave_rate, config.wave_final_rate, config.wave_steps)
    return training.train(rates, config.test_every, progress)


def mean(values):
    """Return the mean of those that are finite; None: there is none."""
    values = values[np.isfinite(values)]
    return values.mean() if len(values) else None


def summary(spikes, cosine, kind):
    """Return what is reported of the nets of a kind, a slice of all nets."""
    return {
        "gts10": np.isfinite(spikes.solved_at[kind]).mean(),
        "gts10_streams": mean(spikes.streams_at[kind]),
        "gts10_steps": mean(spikes.solved_at[kind]),
        "cos25": np.isfinite(cosine.solved_at[kind]).mean(),
        "cos25_streams": mean(cosine.streams_at[kind]),
        "cos25_steps": mean(cosine.solved_at[kind]),
        "cos25_rmse": mean(cosine.rmse[kind]),
        "cos25_longest": cosine.best[kind].max() / cosine.task.period,  # periods, in training
    }


def run(config, seed, progress):
    """Train and test both kinds of nets on both tasks."""
    streams = np.random.SeedSequence(seed).spawn(2)
    spikes_init, cosine_init = (np.random.default_rng(stream) for stream in streams)

    def note(part, name):
        return lambda share, text: progress((part + share) / 2, f"{name}: {text}")

    start = initial(spikes_init, config.nets, config.biases)
    spikes = train_spikes(start, config, note(0, "spikes"))
    start = initial(cosine_init, config.nets, config.wave_biases)
    cosine = train_cosine(start, config, note(1, "cosine"))
    peephole = summary(spikes, cosine, slice(config.nets))
    plain = summary(spikes, cosine, slice(config.nets, None))
    x = np.linspace(0, config.wave_steps, CURVE_POINTS + 1)
    solved = cosine.solved_at[: config.nets, None] <= x  # (N, points)
    both = (spikes, cosine)
    taken = sum(np.nansum(each.streams_at) + each.streams.sum() for each in both)
    speed = sum(each.net_steps for each in both) / sum(each.seconds for each in both)
    return {
        "peephole": peephole,
        "plain": plain,
        "lead": {name: peephole[name] - plain[name] for name in ("gts10", "cos25")},
        "lstm": {"streams": taken, "steps_per_second": speed},
        "curve": {"x": x.tolist(), "y": solved.mean(0).tolist()},
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
