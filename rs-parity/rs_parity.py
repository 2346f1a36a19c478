# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Parity of 500 bits, learnt by throwing dice: one in some 250 random weight vectors can count.

Paper: S. Hochreiter, J. Schmidhuber, "LSTM can solve hard long time lag problems", NIPS 9, 1997;
the same, "Bridging long time lags by weight guessing and Long Short Term Memory", 1996.
Task: a sequence of 500 to 600 numbers, each +1 or -1. Is the number of +1 odd?
Method: draw all weights of a small recurrent net from U[-100, 100]. Keep the net if it is right on
all of 100 training sequences, else draw again. There is no gradient and no mutation.
Claim: 250 draws suffice for net A2 without self-connections, 2797 for A2, 2906 for A1, 41,400 for
A1 with noise on its input; and what was accepted is right on all test sequences.
Baseline: backpropagation through time on the first of these nets, at 25 to 50 steps only.

    python3 rs_parity.py --seed 0      # ten searches for each of the four nets, then descent
    python3 rs_parity.py --help        # every setting
"""

import os
from dataclasses import dataclass
from typing import Annotated, NamedTuple

# small matrices: more threads would only wait for each other
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    searches: Annotated[int, "searches for each row of the paper's table", (1, 10_000)] = 10
    max_guesses: Annotated[int, "guesses after which a search gives up", (1, 10**9)] = 2_000_000
    prior: Annotated[float, "weights are guessed from U[-prior, prior]", (1e-3, 1e6)] = 100.0
    noise: Annotated[float, "noisy row: U[-noise, noise] is added to the input", (0.0, 10.0)] = 0.2
    shortest: Annotated[int, "least length of a sequence, steps", (1, 10**6)] = 500
    longest: Annotated[int, "greatest length of a sequence, steps", (1, 10**6)] = 600
    training: Annotated[int, "training sequences, half of each class", (2, 10**5)] = 100
    tolerance: Annotated[float, "a right answer differs by less from 0 or 1", (1e-6, 0.5)] = 0.1
    long_steps: Annotated[int, "length of the long test sequences, steps", (1, 10**7)] = 10_000
    block: Annotated[int, "guesses that are tested side by side", (1, 10**6)] = 2048
    descent_sequences: Annotated[int, "descent: sequences shown to a start", (2, 10**8)] = 20_000
    batch_size: Annotated[int, "descent: sequences in a step", (1, 10**5)] = 20
    starts: Annotated[int, "descent: starts at each learning rate", (1, 1000)] = 5

    def __post_init__(self):
        if self.shortest > self.longest:
            raise ValueError("argument --shortest: must not exceed --longest")
        if self.training % self.batch_size:
            raise ValueError("argument --batch-size: must divide --training")
        if self.descent_sequences % self.training:
            raise ValueError("argument --descent-sequences: must be a multiple of --training")


QUICK = {"searches": 2, "shortest": 50, "longest": 60, "long_steps": 200, "descent_sequences": 200}


# ---- the task ------------------------------------------------------------------------------------
class Sequences(NamedTuple):
    """S sequences side by side, time first; what stands behind an end is not asked for."""

    x: np.ndarray  # (T, S, 1) inputs, +1 or -1, perhaps with noise
    length: np.ndarray  # (S,) steps
    target: np.ndarray  # (S, 1) 1 where the number of +1 is odd, else 0


def sequences(count, shortest, longest, noise, rng):
    """Draws `count` sequences of fair coins, odd and even ones in turn."""
    length = rng.integers(shortest, longest + 1, count)  # (S,)
    odd = np.arange(count) % 2 == 0  # (S,) the wanted class
    ones = rng.random((longest, count)) < 0.5  # (T, S) fair coins
    inside = np.arange(longest)[:, None] < length  # (T, S)
    wrong = (ones & inside).sum(0) % 2 != odd  # (S,)
    ones[length - 1, np.arange(count)] ^= wrong  # turns the last coin where the class is wrong
    x = np.where(ones, 1.0, -1.0) + rng.uniform(-noise, noise, ones.shape)  # (T, S)
    return Sequences(x.astype(np.float32)[:, :, None], length, odd[:, None].astype(np.float32))


def subset(data, which):
    """Returns the sequences with the indices `which`."""
    return Sequences(data.x[:, which], data.length[which], data.target[which])


# ---- the nets ------------------------------------------------------------------------------------
# In each step the hidden units come first, then the output, which sees their new values:
#     h_j(t) = s(a_j x(t) + f_j y(t-1) + r_j h_j(t-1) + b_j)          s(z) = 1 / (1 + exp(-z))
#     y(t)   = s(sum_j v_j h_j(t) + c x(t) + d y(t-1) + e)            h(0) = y(0) = 0
HIDDEN_WEIGHTS = ("a", "f", "r", "b", "v")  # each hidden unit has one of each
OUTPUT_WEIGHTS = ("c", "d", "e")


class Net(NamedTuple):
    """A row of the paper's table."""

    hidden: int
    missing: tuple[str, ...]  # the weights that this net does not have
    paper: int  # trials that the paper reports
    noisy: bool = False


NETS = {
    "no_self": Net(hidden=10, missing=("r", "d"), paper=250),  # A2 without self-connections
    "a2": Net(hidden=10, missing=("d",), paper=2797),
    "a1": Net(hidden=1, missing=("e",), paper=2906),
    "noisy": Net(hidden=1, missing=("e",), paper=41_400, noisy=True),  # A1 with noise on its input
}


def draw(net, width, count, rng):
    """Draws `count` nets with weights from U[-width, width]: a dict of (H, 1, N) and (1, N)."""
    weights = {}
    for name in HIDDEN_WEIGHTS + OUTPUT_WEIGHTS:
        shape = (net.hidden, 1, count) if name in HIDDEN_WEIGHTS else (1, count)
        weights[name] = rng.uniform(-width, width, shape).astype(np.float32)
        if name in net.missing:
            weights[name][:] = 0
    return weights


def pick(weights, which):
    """Returns the nets with the indices `which`."""
    return {name: weight[..., which] for name, weight in weights.items()}


def logistic(z):
    """Returns 1 / (1 + exp(-z)); exp of more than 88 overflows in 32 bits."""
    return 1 / (1 + np.exp(-np.maximum(z, -80)))


def step(weights, x, h, y):
    """Takes N nets one step on, with inputs x (S, 1): returns the new h (H, S, N) and y (S, N)."""
    a, f, r, b, v, c, d, e = weights.values()
    h = logistic(a * x + f * y + r * h + b)
    y = logistic((v * h).sum(0) + c * x + d * y + e)
    return h, y


def rollout(weights, x):
    """Yields h (H, S, N) and y (S, N) of N nets after each step of S sequences x (T, S, 1)."""
    h = y = 0.0
    for x_t in x:
        h, y = step(weights, x_t, h, y)
        yield h, y


def answers(weights, data):
    """Returns the outputs of N nets at the end of each of S sequences, (S, N)."""
    at_end = np.zeros((len(data.length), weights["e"].shape[-1]))
    for t, (_, y) in enumerate(rollout(weights, data.x)):
        ends = data.length == t + 1  # (S,)
        at_end[ends] = y[ends]
    return at_end


# ---- random guessing -----------------------------------------------------------------------------
LONG_SEQUENCES = 20  # of long_steps each, for every accepted net


def right_on_all(weights, data, tolerance):
    """Says which of N nets are right on all sequences, (N,): one is out with its first mistake."""
    right = np.ones(weights["e"].shape[-1], bool)  # (N,) without a mistake so far
    for stage in np.split(np.arange(len(data.length)), (1, 2, 4, 8, 16)):
        left = np.flatnonzero(right)
        if left.size:
            part = subset(data, stage)
            error = np.abs(answers(pick(weights, left), part) - part.target)  # (S, N)
            right[left] = (error < tolerance).all(0)
    return right


def search(net, data, config, rng):
    """Guesses until a net is right on all of data; returns the trials and this net (or none)."""
    for tried in range(0, config.max_guesses, config.block):
        guesses = draw(net, config.prior, min(config.block, config.max_guesses - tried), rng)
        right = right_on_all(guesses, data, config.tolerance)
        if right.any():
            first = int(right.argmax())
            return tried + first + 1, pick(guesses, [first])
    return config.max_guesses, pick(guesses, [])


def guess_row(net, config, seed):
    """Searches several times, each time on new training sequences, and tests what was accepted:
    returns trials (searches,) and which nets are right on fresh and on long sequences, (N,)."""
    train_rng, guess_rng, test_rng, long_rng = map(np.random.default_rng, seed.spawn(4))
    task = (config.shortest, config.longest, config.noise if net.noisy else 0.0)
    trials, found = [], []
    for _ in range(config.searches):
        data = sequences(config.training, *task, train_rng)
        tried, solution = search(net, data, config, guess_rng)
        trials.append(tried)
        found.append(solution)
    nets = {name: np.concatenate([weights[name] for weights in found], -1) for name in found[0]}
    fresh = sequences(config.training, *task, test_rng)
    long = sequences(LONG_SEQUENCES, config.long_steps, config.long_steps, task[2], long_rng)
    right = right_on_all(nets, fresh, config.tolerance)
    long_right = right_on_all(nets, long, config.tolerance)
    return np.array(trials), right, long_right


# ---- the baseline: gradient descent on the same net ----------------------------------------------
DESCENT_LENGTHS = (25, 50)  # steps, least and greatest
RATES = (0.001, 0.01, 0.1)  # learning rates
INIT = 10.0  # weights start in U[-INIT, INIT]; at 2 to 12 steps better than 1, 3 and 20
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
CLIP = 1.0  # greatest norm of the gradient of a net


def gradient(weights, data):
    """Backpropagates the mean cross-entropy of the answers through time: a dict as `weights`."""
    a, f, r, b, v, c, d, e = weights.values()
    h, y = (np.stack(steps) for steps in zip(*rollout(weights, data.x)))  # (T, H, S, N), (T, S, N)
    dz = np.zeros_like(h)  # errors at the net inputs of the hidden units
    do = np.zeros_like(y)  # errors at the net input of the output
    end = (data.length - 1, np.arange(len(data.length)))
    do[end] = (y[end] - data.target) / len(data.length)  # the slope cancels in the cross-entropy
    dh = dy = 0.0  # errors that come back from the step after
    for t in reversed(range(len(y))):
        do[t] += dy * y[t] * (1 - y[t])
        dz[t] = (dh + v * do[t]) * h[t] * (1 - h[t])
        dh = r * dz[t]
        dy = (f * dz[t]).sum(0) + d * do[t]
    return {  # h(0) and y(0) are 0, so that f, r and d learn nothing at the first step
        "a": np.einsum("thsn,tsi->hin", dz, data.x),
        "f": np.einsum("thsn,tsn->hn", dz[1:], y[:-1])[:, None],
        "r": np.einsum("thsn,thsn->hn", dz[1:], h[:-1])[:, None],
        "b": np.einsum("thsn->hn", dz)[:, None],
        "v": np.einsum("thsn,tsn->hn", h, do)[:, None],
        "c": np.einsum("tsn,tsi->in", do, data.x),
        "d": np.einsum("tsn,tsn->n", do[1:], y[:-1])[None],
        "e": np.einsum("tsn->n", do)[None],
    }


def adam(weights, grads, moments, rate, update):
    """Changes the weights in place, with the gradient of each net clipped to the norm CLIP."""
    squares = sum((grad**2).reshape(-1, len(rate)).sum(0) for grad in grads.values())  # (N,)
    scale = CLIP / np.maximum(np.sqrt(squares), CLIP)  # (N,)
    for name, grad in grads.items():
        mean, square = moments[name]
        mean += (1 - BETA_1) * (scale * grad - mean)
        square += (1 - BETA_2) * ((scale * grad) ** 2 - square)
        spread = np.sqrt(square / (1 - BETA_2**update)) + EPSILON
        weights[name] -= rate * mean / (1 - BETA_1**update) / spread


def descend(net, lengths, init, config, seed):
    """Trains nets from U[-init, init]; returns their errors on the training sequences, (S, N)."""
    data_rng, weight_rng, order_rng = map(np.random.default_rng, seed.spawn(3))
    rate = np.repeat(np.array(RATES, np.float32), config.starts)  # (N,)
    data = sequences(config.training, *lengths, 0.0, data_rng)
    weights = draw(net, init, len(rate), weight_rng)
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in weights.items()}
    update = 0
    for _ in range(config.descent_sequences // config.training):
        for batch in order_rng.permutation(config.training).reshape(-1, config.batch_size):
            update += 1
            grads = gradient(weights, subset(data, batch))
            grads = {name: grad for name, grad in grads.items() if name not in net.missing}
            adam(weights, grads, moments, rate, update)
    return np.abs(answers(weights, data) - data.target)


# ---- the experiment ------------------------------------------------------------------------------
def share(flags):
    """Returns the share of true flags, or None where there are none."""
    return flags.mean() if flags.size else None


def run(config, seed, progress):
    """Repeats the paper's table, tests what was accepted, and lets gradient descent try."""
    *row_seeds, descent_seed = np.random.SeedSequence(seed).spawn(len(NETS) + 1)
    table, trials, right, long_right = {}, {}, {}, {}
    for k, (name, net) in enumerate(NETS.items()):
        progress(k / (len(NETS) + 1), f"guessing {name}")
        trials[name], right[name], long_right[name] = guess_row(net, config, row_seeds[k])
        table[name] = {
            "solved": right[name].size / config.searches,
            "mean_trials": trials[name].mean(),
            "all_right": share(right[name]),
        }
    progress(len(NETS) / (len(NETS) + 1), "gradient descent")
    error = descend(NETS["no_self"], DESCENT_LENGTHS, INIT, config, descent_seed)  # (S, N)
    solved = (error < config.tolerance).all(0)  # (N,)
    x = list(range(0, 1001, 10))  # trials
    clean = [long_right[name] for name, net in NETS.items() if not net.noisy]
    return table | {
        "all_right": share(np.concatenate(list(right.values()))),
        "long_right": share(np.concatenate(clean)),
        "descent": {"solved": solved.mean(), "best_share": (error < 0.5).mean(0).max()},
        "curve": {"x": x, "y": [(trials["no_self"] <= limit).mean() for limit in x]},
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
