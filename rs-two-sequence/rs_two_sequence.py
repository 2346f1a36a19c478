# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Two sequences: the long-time-lag benchmark of its day falls to weights drawn at random.

Paper: S. Hochreiter, J. Schmidhuber, "LSTM can solve hard long time lag problems", NIPS 9, 1997;
J. Schmidhuber, S. Hochreiter, Y. Bengio, "Evaluating benchmark problems by random guessing", 2001.
Task: the first of 500 to 600 numbers is +1 or -1, the others are noise. Which one was it?
Method: draw all weights of a small recurrent net from U[-100, 100]. Keep the net if it is right on
all of 100 training sequences, else draw again. There is no gradient and no mutation.
Claim: 718 draws suffice for net A2, 1247 for A1, 22 and 6 for two latches of a single unit; what
was accepted is right on all test sequences. So the task is no test of a long-lag learner.
Baseline: backpropagation through time on A1, at 100 steps only.

    python3 rs_two_sequence.py --seed 0      # searches for each of the four nets, then descent
    python3 rs_two_sequence.py --help        # every setting
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated, Any, NamedTuple

# small matrices: more threads would only wait for each other
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    searches: Annotated[int, "searches for A2, A1 and latch II each", (1, 10_000)] = 10
    latch_searches: Annotated[int, "searches for latch I", (1, 10_000)] = 40
    max_guesses: Annotated[int, "guesses after which a search gives up", (1, 10**9)] = 1_000_000
    prior: Annotated[float, "weights are guessed from U[-prior, prior]", (1e-3, 1e6)] = 100.0
    noise: Annotated[float, "standard deviation of all inputs but the first", (0.0, 10.0)] = 0.2
    shortest: Annotated[int, "least length of a sequence, steps", (2, 10**6)] = 500
    longest: Annotated[int, "greatest length of a sequence, steps", (2, 10**6)] = 600
    training: Annotated[int, "training sequences, half of each class", (20, 10**5)] = 100
    tolerance: Annotated[float, "a right answer differs by less; latch I: twice", (1e-6, 0.5)] = 0.1
    block: Annotated[int, "guesses that are tested side by side", (1, 10**6)] = 1024
    descent_length: Annotated[int, "descent: least length; greatest: 1.2 times", (2, 10**6)] = 100
    descent_sequences: Annotated[int, "descent: sequences shown to a start", (20, 10**8)] = 20_000
    starts: Annotated[int, "descent: starts at each learning rate", (1, 1000)] = 5

    def __post_init__(self):
        if self.shortest > self.longest:
            raise ValueError("argument --shortest: must not exceed --longest")
        if self.training % BATCH:
            raise ValueError(f"argument --training: must be a multiple of {BATCH}")
        if self.descent_sequences % self.training:
            raise ValueError("argument --descent-sequences: must be a multiple of --training")


QUICK = {"searches": 2, "shortest": 50, "longest": 60, "descent_sequences": 200}


# ---- the task ------------------------------------------------------------------------------------
class Sequences(NamedTuple):
    """S sequences side by side, time first; what stands behind an end is not asked for."""

    x: np.ndarray  # (T, S, 1) inputs: at first the sign, then noise
    length: np.ndarray  # (S,) steps
    sign: np.ndarray  # (S, 1) +1 for class 1, -1 for class 2


def sequences(count, shortest, longest, noise, rng):
    """Draws `count` sequences, those of class 1 and of class 2 in turn."""
    length = rng.integers(shortest, longest + 1, count)  # (S,)
    sign = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)  # (S,)
    x = rng.normal(0.0, noise, (longest, count))  # (T, S)
    x[0] = sign
    x = x.astype(np.float32)[:, :, None]  # (T, S, 1)
    return Sequences(x, length, sign.astype(np.float32)[:, None])


def subset(data, which):
    """Returns the sequences with the indices `which`."""
    return Sequences(data.x[:, which], data.length[which], data.sign[which])


# ---- the nets ------------------------------------------------------------------------------------
# In each step the hidden units come first, then the output, which sees their new values:
#     h_j(t) = s(a_j x(t) + f_j y(t-1) + r_j h_j(t-1) + b_j)          s(z) = 1 / (1 + exp(-z))
#     y(t)   = s(sum_j v_j h_j(t) + c x(t) + d y(t-1) + e)            h(0) = y(0) = 0
# A latch is the output alone, with tanh for s. A sequence of class 1 begins with the weight `one`,
# one of class 2 with the weight `two`: they are the task's +1 and -1 where they are not guessed.
HIDDEN_WEIGHTS = ("a", "f", "r", "b", "v")  # each hidden unit has one of each
OUTPUT_WEIGHTS = ("c", "d", "e", "one", "two")
SIGNS = {"one": 1.0, "two": -1.0}


def logistic(z):
    """Returns 1 / (1 + exp(-z)); exp of more than 88 overflows in 32 bits."""
    return 1 / (1 + np.exp(-np.maximum(z, -80)))


class Net(NamedTuple):
    """A row of the paper's table."""

    hidden: int
    fixed: dict[str, float]  # the weights that are not guessed
    paper: int  # trials that the paper reports
    squash: Any = logistic  # s
    low: float = 0.0  # target of class 2; that of class 1 is 1
    slack: float = 1.0  # an answer may differ by so many tolerances


NETS = {
    "a2": Net(hidden=10, fixed=SIGNS | {"d": 0.0}, paper=718),
    "a1": Net(hidden=1, fixed=SIGNS | {"e": 0.0}, paper=1247),
    "latch2": Net(hidden=0, fixed=SIGNS, paper=22, squash=np.tanh, low=-1.0),
    # latch I has to reach +0.8 or -0.8, which is twice the tolerance off from 1 or -1
    "latch1": Net(0, {"c": 1.0, "e": 0.0}, paper=6, squash=np.tanh, low=-1.0, slack=2.0),
}


def draw(net, width, count, rng):
    """Draws `count` nets with weights from U[-width, width]: a dict of (H, 1, N) and (1, N)."""
    weights = {}
    for name in HIDDEN_WEIGHTS + OUTPUT_WEIGHTS:
        shape = (net.hidden, 1, count) if name in HIDDEN_WEIGHTS else (1, count)
        weights[name] = rng.uniform(-width, width, shape).astype(np.float32)
        if name in net.fixed:
            weights[name][:] = net.fixed[name]
    return weights


def pick(weights, which):
    """Returns the nets with the indices `which`."""
    return {name: weight[..., which] for name, weight in weights.items()}


def step(net, weights, x, h, y):
    """Takes N nets on by a step with inputs x, (S, 1) or (S, N): returns h (H, S, N), y (S, N)."""
    a, f, r, b, v, c, d, e, _, _ = weights.values()
    h = net.squash(a * x + f * y + r * h + b)
    y = net.squash((v * h).sum(0) + c * x + d * y + e)
    return h, y


def rollout(net, weights, data):
    """Yields h (H, S, N) and y (S, N) of N nets after each step of S sequences."""
    first = np.where(data.sign > 0, weights["one"], weights["two"])  # (S, N)
    h = y = 0.0
    for t, x in enumerate(data.x):
        h, y = step(net, weights, x if t else first, h, y)
        yield h, y


def answers(net, weights, data):
    """Returns the outputs of N nets at the end of each of S sequences, (S, N)."""
    at_end = np.zeros((len(data.length), weights["e"].shape[-1]))
    for t, (_, y) in enumerate(rollout(net, weights, data)):
        ends = data.length == t + 1  # (S,)
        at_end[ends] = y[ends]
    return at_end


def right(net, weights, data, tolerance):
    """Says which answers of N nets are right, (S, N)."""
    target = np.where(data.sign > 0, 1.0, net.low)  # (S, 1)
    return np.abs(answers(net, weights, data) - target) < net.slack * tolerance


# ---- random guessing -----------------------------------------------------------------------------
def screen(net, weights, data, tolerance):
    """Says which of N nets are right on all sequences, (N,), and how many each was shown, (N,): one
    is out after the first stage with a mistake, and few are left for the later, larger stages."""
    good = np.ones(weights["e"].shape[-1], bool)  # (N,) without a mistake so far
    shown = np.zeros(len(good), np.int64)  # (N,)
    for stage in np.split(np.arange(len(data.length)), (1, 2, 4, 8, 16)):
        left = np.flatnonzero(good)
        if left.size:
            shown[left] += stage.size
            good[left] = right(net, pick(weights, left), subset(data, stage), tolerance).all(0)
    return good, shown


def search(net, data, config, rng, report):
    """Guesses until a net is right on all of data: returns the trials, the sequences that they were
    shown, and this net (or none)."""
    total = 0
    for tried in range(0, config.max_guesses, config.block):
        report(f"{tried:,} guesses")
        guesses = draw(net, config.prior, min(config.block, config.max_guesses - tried), rng)
        good, shown = screen(net, guesses, data, config.tolerance)
        if good.any():
            first = int(good.argmax())
            total += shown[: first + 1].sum()
            return tried + first + 1, total, pick(guesses, [first])
        total += shown.sum()
    return config.max_guesses, total, pick(guesses, [])


def guess_row(net, count, config, seed, progress):
    """Searches `count` times, each time on new training sequences, and tests what was accepted:
    returns trials and sequences shown, (count,), then which fresh sequences the N accepted nets
    answer right, (S, N), and which of them solve their training set in 64 bits, too, (N,)."""
    train_rng, guess_rng, test_rng = map(np.random.default_rng, seed.spawn(3))
    task = (config.training, config.shortest, config.longest, config.noise)
    results = []  # of each search
    for k in range(count):
        report = lambda said, k=k: progress(k / count, f"search {k + 1}, {said}")  # noqa: E731
        data = sequences(*task, train_rng)
        trials, shown, found = search(net, data, config, guess_rng, report)
        fresh_right = right(net, found, sequences(*task, test_rng), config.tolerance)  # (S, N)
        exact = {name: weight.astype(float) for name, weight in found.items()}
        exact_data = data._replace(x=data.x.astype(float))
        agree, _ = screen(net, exact, exact_data, config.tolerance)  # (N,)
        results.append((trials, shown, fresh_right, agree))
    trials, shown, fresh_right, agree = zip(*results)
    return np.array(trials), np.array(shown), np.hstack(fresh_right), np.hstack(agree)


# ---- the baseline: gradient descent on the same net ----------------------------------------------
BATCH = 20  # sequences in a step
RATES = (0.03, 0.1, 0.3)  # learning rates; at 5 to 50 steps 0.1 is better than 0.01 and 1
INIT = 10.0  # weights start in U[-INIT, INIT]; in the same trials better than 0.1 and 1
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
CLIP = 1.0  # greatest norm of the gradient of a net


def gradient(net, weights, data):
    """Backpropagates the mean cross-entropy of the answers through time, for logistic units."""
    a, f, r, b, v, c, d, e, _, _ = weights.values()
    h, y = (np.stack(steps) for steps in zip(*rollout(net, weights, data)))
    dz = np.zeros_like(h)  # (T, H, S, N) errors at the net inputs of the hidden units
    do = np.zeros_like(y)  # (T, S, N) errors at the net input of the output
    end = (data.length - 1, np.arange(len(data.length)))
    do[end] = (y[end] - (data.sign > 0)) / len(data.length)  # its slope cancels in the loss
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


def descend(net, least, config, seed, progress):
    """Trains nets on `least` to 1.2 `least` steps: says which answers to the training sequences are
    within the tolerance at the end, and which are on the right side of 1/2, (S, N) each."""
    data_rng, weight_rng, order_rng = map(np.random.default_rng, seed.spawn(3))
    rate = np.repeat(np.array(RATES, np.float32), config.starts)  # (N,)
    data = sequences(config.training, least, least * 6 // 5, config.noise, data_rng)
    weights = draw(net, INIT, len(rate), weight_rng)
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in weights.items()}
    epochs = config.descent_sequences // config.training
    update = 0
    for epoch in range(epochs):
        progress(epoch / epochs, f"descent, {epoch * config.training:,} sequences")
        for batch in order_rng.permutation(config.training).reshape(-1, BATCH):
            update += 1
            grads = gradient(net, weights, subset(data, batch))
            grads = {name: grad for name, grad in grads.items() if name not in net.fixed}
            adam(weights, grads, moments, rate, update)
    return right(net, weights, data, config.tolerance), right(net, weights, data, 0.5)


# ---- the experiment ------------------------------------------------------------------------------
def share(flags):
    """Returns the share of true flags, or None where there are none."""
    return flags.mean() if flags.size else None


def run(config, seed, progress):
    """Repeats the paper's table, tests what was accepted, and lets gradient descent try."""
    *row_seeds, descent_seed = np.random.SeedSequence(seed).spawn(len(NETS) + 1)
    part = lambda k: lambda done, said: progress((k + done) / 5, said)  # noqa: E731
    table, trials, good, agree = {}, {}, {}, {}  # of each row
    began = process_time()
    for k, (name, net) in enumerate(NETS.items()):
        count = config.latch_searches if name == "latch1" else config.searches
        row = guess_row(net, count, config, row_seeds[k], part(k))
        trials[name], shown, fresh_right, agree[name] = row
        good[name] = fresh_right.all(0)  # (N,) right on all fresh sequences
        table[name] = {"mean_trials": trials[name].mean(), "right": share(fresh_right)}
        table[name]["sequences_shown"] = shown.mean()
    rate = np.hstack(list(trials.values())).sum() / max(process_time() - began, 1e-9)
    within, on_side = descend(NETS["a1"], config.descent_length, config, descent_seed, part(4))
    x = list(range(0, 10_001, 100))  # trials
    return table | {
        "guessing": {"trials_per_second": rate},
        "all_right": share(np.hstack([good["a2"], good["a1"]])),
        "float64_agree": share(np.hstack(list(agree.values()))),
        "descent": {"solved": within.all(0).mean(), "best_share": on_side.mean(0).max()},
        "curve": {"x": x, "y": [(trials["a2"] <= limit).mean() for limit in x]},
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
