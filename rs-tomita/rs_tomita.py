# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Tomita's languages by dice: draw all weights of a small net until it is right on 100 strings.

Paper: S. Hochreiter, J. Schmidhuber, "LSTM can solve hard long time lag problems", NIPS 9, 1997;
J. Schmidhuber, S. Hochreiter, Y. Bengio, "Evaluating benchmark problems by random guessing", 2001.
Task: does a string of 500 to 600 bits belong to a language? 1: only ones; 2: (10)*; 4: no 000.
Method: draw all weights of a small recurrent net from U[-100, 100]. Keep the net if it is right on
50 strings of the language and 50 others, else draw again. There is no gradient and no mutation.
Claim: language 1 takes 182 draws, 2 takes 1511 (17,953 with the larger net A2), 4 takes 13,833. So
the languages say little about the learning algorithms that they were used to praise.
Baseline: backpropagation through time on the same nets, with strings of 10 to 15 bits.

    python3 rs_tomita.py --seed 0      # ten searches for each of five rows, then descent
    python3 rs_tomita.py --help        # every setting
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated, NamedTuple

# small matrices: more threads would only wait for each other
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    searches: Annotated[int, "searches for each row of the paper's table", (1, 10_000)] = 10
    max_guesses: Annotated[int, "guesses after which a row gives up", (1, 10**9)] = 200_000
    weight_range: Annotated[float, "weights are drawn from U[-this, this]", (1e-3, 1e6)] = 100.0
    per_class: Annotated[int, "training strings of each class", (10, 10_000)] = 50
    shortest: Annotated[int, "least length of a string", (5, 100_000)] = 500
    longest: Annotated[int, "greatest length of a string", (5, 100_000)] = 600
    tolerance: Annotated[float, "a right answer differs by less from 0 or 1", (1e-6, 0.5)] = 0.1
    block: Annotated[int, "most guesses that are tested side by side", (1, 10**6)] = 4096
    descent_strings: Annotated[int, "descent: strings shown to a start", (20, 10**8)] = 20_000
    descent_shortest: Annotated[int, "descent: least length", (5, 10_000)] = 10
    descent_longest: Annotated[int, "descent: greatest length", (5, 10_000)] = 15
    starts: Annotated[int, "descent: starts at each learning rate", (1, 1000)] = 5

    def __post_init__(self):
        if self.shortest >= self.longest:  # language 2 has strings of even lengths only
            raise ValueError("argument --shortest: must be below --longest")
        if self.descent_shortest >= self.descent_longest:
            raise ValueError("argument --descent-shortest: must be below --descent-longest")
        if 2 * self.per_class % BATCH:
            raise ValueError(f"argument --per-class: must be a multiple of {BATCH // 2}")
        if self.descent_strings % (2 * self.per_class):
            raise ValueError("argument --descent-strings: must be a multiple of two --per-class")


QUICK = {"searches": 2, "max_guesses": 3000, "shortest": 50, "longest": 60, "descent_strings": 200}


# ---- the task: three languages, each as its smallest automaton -----------------------------------
class Language(NamedTuple):
    """A string begins in state 0; from the last state no string is accepted any more."""

    says: str
    next: tuple[tuple[int, int], ...]  # of each state: the state after a 0 and after a 1
    accepting: tuple[int, ...]


LANGUAGES = {
    1: Language("only ones", ((1, 0), (1, 1)), (0,)),
    2: Language("(10)*", ((2, 1), (0, 2), (2, 2)), (0,)),
    4: Language("no 000", ((1, 0), (2, 0), (3, 0), (3, 3)), (0, 1, 2)),
}


class Strings(NamedTuple):
    """S strings side by side, time first; what stands behind an end is not asked for."""

    x: np.ndarray  # (T, S, 1) bits as -1 and +1
    length: np.ndarray  # (S,) symbols
    target: np.ndarray  # (S, 1) 1 where the string is of the language, else 0


def draw_string(language, wanted, length, rng):
    """Draws fair bits and says whether the language has them; where it is wanted to, a bit after
    which nothing would be accepted is turned over."""
    state, string = 0, []
    for bit in rng.integers(0, 2, length).tolist():
        if wanted and language.next[state][bit] == len(language.next) - 1:
            bit = 1 - bit
        string.append(bit)
        state = language.next[state][bit]
    return string, state in language.accepting


def strings(language, per_class, shortest, longest, rng):
    """Draws per_class strings of the language and as many others, in turn. The automaton says what
    a string is; one of the wrong class is drawn again."""
    length = np.zeros(2 * per_class, np.intp)  # (S,)
    x = np.zeros((longest, len(length), 1), np.float32)  # (T, S, 1)
    target = 1 - np.arange(len(length)) % 2  # (S,) accepted, rejected, ...
    for k, wanted in enumerate(target):
        accepted = None
        while accepted != wanted:
            length[k] = rng.integers(shortest, longest + 1)
            string, accepted = draw_string(language, wanted, length[k], rng)
        x[: length[k], k, 0] = 2.0 * np.array(string) - 1
    return Strings(x, length, target.astype(np.float32)[:, None])


def subset(data, which):
    """Returns the strings with the indices `which`."""
    length = data.length[which]  # (S,)
    return Strings(data.x[: length.max(), which], length, data.target[which])


# ---- the nets ------------------------------------------------------------------------------------
# In each step the hidden units come first, then the output, which sees their new values:
#     h_j(t) = s(a_j x(t) + f_j y(t-1) + sum_i r_ij h_i(t-1) + b_j)    s(z) = 1 / (1 + exp(-z))
#     y(t)   = s(sum_j v_j h_j(t) + c x(t) + d y(t-1) + e)             h(0) = y(0) = 0
# The weights among hidden units are kept by distance: r[k] has that of unit i = j - k for each j.
class Net(NamedTuple):
    """An architecture of the paper."""

    hidden: int
    links: int  # hidden units that each hidden unit sees: all, or itself alone
    missing: str  # the weight that this net does not have


def a1(hidden):
    """Returns A1: everything sees everything; the output has no bias."""
    return Net(hidden, links=hidden, missing="e")


A2 = Net(hidden=10, links=1, missing="d")  # hidden units see input, output and themselves


class Row(NamedTuple):
    """A row of the paper's table."""

    language: int
    net: Net
    paper: int  # guesses that the paper reports


ROWS = {
    "l1_a1": Row(1, a1(1), 182),
    "l1_a2": Row(1, A2, 288),
    "l2_a1": Row(2, a1(3), 1511),
    "l2_a2": Row(2, A2, 17_953),
    "l4_a1": Row(4, a1(2), 13_833),
}


def draw(net, width, count, rng):
    """Draws `count` nets with weights from U[-width, width]: a dict of (..., H, 1, N) and (1, N).

    Net after net, so that it does not matter how many are drawn at a time.
    """
    column = (net.hidden, 1)
    shapes = {"a": column, "f": column, "r": (net.links, *column), "b": column, "v": column}
    shapes |= {"c": (1,), "d": (1,), "e": (1,)}
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    flat = rng.uniform(-width, width, (count, sum(sizes))).astype(np.float32)  # (N, W)
    parts = np.split(np.ascontiguousarray(flat.T), np.cumsum(sizes)[:-1])
    weights = {name: part.reshape(*shapes[name], count) for name, part in zip(shapes, parts)}
    weights[net.missing][:] = 0
    return weights


def pick(weights, which):
    """Returns the nets with the indices `which`."""
    return {name: weight[..., which] for name, weight in weights.items()}


def logistic(z):
    """Returns 1 / (1 + exp(-z)); exp of more than 88 overflows in 32 bits."""
    return 1 / (1 + np.exp(-np.maximum(z, -80)))


def step(weights, x, h, y):
    """Takes N nets on by a step with inputs x (S, 1): returns the new h (H, S, N) and y (S, N)."""
    a, f, r, b, v, c, d, e = weights.values()
    z = a * x + f * y + b  # (H, S, N)
    for k, r_k in enumerate(r):
        z += r_k * np.roll(h, k, 0)
    h = logistic(z)
    y = logistic((v * h).sum(0) + c * x + d * y + e)
    return h, y


def rollout(weights, x, move=step):
    """Yields h (H, S, N) and y (S, N) of N nets after each step of S strings x (T, S, 1)."""
    h = np.zeros_like(weights["b"])  # (H, 1, N)
    y = np.zeros_like(weights["e"])  # (1, N)
    for x_t in x:
        h, y = move(weights, x_t, h, y)
        yield h, y


def answers(weights, data, move=step):
    """Returns the outputs of N nets at the end of each of S strings, (S, N)."""
    at_end = np.zeros((len(data.length), weights["e"].shape[-1]))
    for t, (_, y) in enumerate(rollout(weights, data.x, move)):
        ends = data.length == t + 1  # (S,)
        at_end[ends] = y[ends]
    return at_end


def right(weights, data, tolerance, move=step):
    """Says which answers of N nets are right, (S, N)."""
    return np.abs(answers(weights, data, move) - data.target) < tolerance


# ---- random guessing -----------------------------------------------------------------------------
def right_on_all(weights, data, tolerance, move=step):
    """Says which of N nets are right on all strings, (N,): one is out with its first mistake."""
    good = np.ones(weights["e"].shape[-1], bool)  # (N,) without a mistake so far
    for stage in np.split(np.arange(len(data.length)), (1, 2, 8)):
        left = np.flatnonzero(good)
        if left.size:
            part = subset(data, stage)
            good[left] = right(pick(weights, left), part, tolerance, move).all(0)
    return good


def search(net, data, limit, config, rng, report):
    """Guesses until a net is right on all of data, in blocks that grow: returns the guesses and
    this net (or none)."""
    tried, block = 0, 128
    while tried < limit:
        report(tried)
        block = min(2 * block, config.block, limit - tried)
        guesses = draw(net, config.weight_range, block, rng)
        good = right_on_all(guesses, data, config.tolerance)
        if good.any():
            first = int(good.argmax())
            return tried + first + 1, pick(guesses, [first])
        tried += block
    return limit, pick(guesses, [])


def guess_row(row, config, seed, progress):
    """Searches, each time on new training strings, until max_guesses are made, and tests what was
    accepted on fresh strings: returns guesses and nets found of each search, (searches,), which
    fresh strings the N nets found are right on, (S, N), and how many a constant is right on."""
    task = (LANGUAGES[row.language], config.per_class, config.shortest, config.longest)
    left, results = config.max_guesses, []  # of each search
    for k, search_seed in enumerate(seed.spawn(config.searches)):
        train_rng, guess_rng, test_rng = map(np.random.default_rng, search_seed.spawn(3))
        said = f"language {row.language}, search {k + 1}, guess"
        report = lambda n, k=k, said=said: progress(k / config.searches, f"{said} {n:,}")  # noqa: E731
        data = strings(*task, train_rng)
        guesses, net = search(row.net, data, left, config, guess_rng, report)
        fresh = strings(*task, test_rng)
        fresh_right = right(net, fresh, config.tolerance)  # (S, 1) or (S, 0)
        results.append((guesses, fresh_right.shape[1], fresh_right))
        left -= guesses
        if left == 0:
            break
    guesses, found, fresh_right = zip(*results)
    constant_right = max(fresh.target.mean(), 1 - fresh.target.mean())
    return np.array(guesses), np.array(found), np.hstack(fresh_right), constant_right


# ---- the baseline: gradient descent on the same nets ---------------------------------------------
BATCH = 20  # strings in a step
RATES = (0.003, 0.01, 0.03)  # learning rates
INIT = 0.5  # weights start in U[-INIT, INIT]
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
        dh = sum(np.roll(r_k * dz[t], -k, 0) for k, r_k in enumerate(r))
        dy = (f * dz[t]).sum(0) + d * do[t]
    dr = [np.einsum("thsn,thsn->hn", dz[1:], np.roll(h[:-1], k, 1)) for k in range(len(r))]
    return {  # h(0) and y(0) are 0, so that f, r and d learn nothing at the first step
        "a": np.einsum("thsn,tsi->hin", dz, data.x),
        "f": np.einsum("thsn,tsn->hn", dz[1:], y[:-1])[:, None],
        "r": np.stack(dr)[:, :, None],
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


def descend(row, config, seed, progress):
    """Trains nets on one training set of short strings: returns how many strings each start was
    shown until it was right on all, looked at after each passage, or inf, (rates * starts,)."""
    data_rng, weight_rng, order_rng = map(np.random.default_rng, seed.spawn(3))
    rate = np.repeat(np.array(RATES, np.float32), config.starts)  # (N,)
    lengths = (config.descent_shortest, config.descent_longest)
    data = strings(LANGUAGES[row.language], config.per_class, *lengths, data_rng)
    weights = draw(row.net, INIT, len(rate), weight_rng)
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in weights.items()}
    needed = np.full(len(rate), np.inf)  # (N,)
    update = 0
    while update * BATCH < config.descent_strings:
        for batch in order_rng.permutation(2 * config.per_class).reshape(-1, BATCH):
            update += 1
            grads = gradient(weights, subset(data, batch))
            grads[row.net.missing][:] = 0
            adam(weights, grads, moments, rate, update)
        good = right(weights, data, config.tolerance).all(0)  # (N,)
        needed[good] = np.minimum(needed[good], update * BATCH)
        said = f"descent on language {row.language}: {good.sum()} of {good.size} are right"
        progress(update * BATCH / config.descent_strings, said)
    return needed


# ---- the experiment ------------------------------------------------------------------------------
def share(flags):
    """Returns the share of true flags, or None where there are none."""
    return flags.mean() if flags.size else None


def run(config, seed, progress):
    """Repeats the paper's table, tests what was accepted, and lets gradient descent try."""
    *row_seeds, first_seed, second_seed = np.random.SeedSequence(seed).spawn(len(ROWS) + 2)
    part = lambda k: lambda done, said: progress((k + done) / 7, said)  # noqa: E731
    table, guesses, found = {}, {}, {}  # of each row
    began = process_time()
    for k, (name, row) in enumerate(ROWS.items()):
        results = guess_row(row, config, row_seeds[k], part(k))
        guesses[name], found[name], fresh_right, constant_right = results
        mean = guesses[name].sum() / max(found[name].sum(), 1)
        table[name] = {"mean_guesses": mean, "test_right": share(fresh_right)}
    made = np.hstack(list(guesses.values())).sum()
    rate = made / max(process_time() - began, 1e-9)
    table["l4_a1"]["solved"] = found["l4_a1"].sum() / config.searches
    ratio = table["l2_a2"]["mean_guesses"] / table["l2_a1"]["mean_guesses"]
    first = descend(ROWS["l1_a1"], config, first_seed, part(5))  # (N,)
    second = descend(ROWS["l2_a1"], config, second_seed, part(6))  # (N,)
    x = list(range(0, 1001, 10))  # guesses
    ended = guesses["l1_a1"][found["l1_a1"] == 1]  # (searches that found a net,)
    return table | {
        "guessing": {"guesses_per_second": rate},
        "l2_log_ratio": np.log(ratio),
        "descent": {
            "solved_l1": np.isfinite(first).mean(),
            "solved_l2": np.isfinite(second).mean(),
        },
        "constant_right": constant_right,
        "curve": {"x": x, "y": [(ended <= limit).sum() / config.searches for limit in x]},
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
