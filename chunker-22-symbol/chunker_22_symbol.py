# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Two nets compress a symbol stream: a 20-step gap shrinks to one step, then one net bridges it.

Paper: J. Schmidhuber, "Learning complex, extended sequences using the principle of history
compression", Neural Computation 4(2):234-242, 1992; first as TR FKI-148-91, TU Munich, 1991.
Task: strings a b1 ... b20 and x b1 ... b20 follow each other at random, with no mark between them.
Predict each symbol, and at b20 say by which symbol the string began.
Method: a recurrent net, the automatizer A, predicts its next input. What it fails to predict is
passed to a second net, the chunker C, which learns to predict that shorter sequence. A also learns
to predict C's state. No error goes back more than 3 steps, in A or in C.
Claim: in the end A alone answers, within 5000 strings in 13 of 17 runs, within 35,000 in all.
Baseline: the same nets on the same strings, without the term for C's state.

    python3 chunker_22_symbol.py --seed 0      # 17 nets with the term and 17 without
    python3 chunker_22_symbol.py --help        # every setting
"""

import os
from dataclasses import dataclass
from typing import Annotated

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "pairs of nets; the paper has 17 runs", (1, 1000)] = 17
    lag: Annotated[int, "symbols b between the first one and the answer", (2, 1000)] = 20
    hidden_a: Annotated[int, "hidden units of the automatizer", (1, 1000)] = 25
    hidden_c: Annotated[int, "hidden units of the chunker", (1, 1000)] = 8
    learning_rate: Annotated[float, "step size of gradient descent", (1e-6, 10.0)] = 0.1
    clip: Annotated[float, "largest norm of the gradient of a net", (1e-6, 1e6)] = 1.0
    state_weight: Annotated[float, "weight of the term for the chunker's state", (0.0, 100.0)] = 1.0
    threshold: Annotated[float, "error above which a prediction fails", (-1.0, 1.0)] = 0.2
    depth: Annotated[int, "steps that an error goes back", (1, 1000)] = 3
    init: Annotated[float, "spread of the initial weights", (0.0, 10.0)] = 0.3
    most_sequences: Annotated[int, "strings after which a net gives up", (1, 10**7)] = 35_000
    test_blocks: Annotated[int, "strings in a row that a solution gets right", (1, 10**5)] = 100
    test_every: Annotated[int, "training strings between two tests", (1, 10**5)] = 100

    def __post_init__(self):
        if self.most_sequences % self.test_every:
            raise ValueError("argument --most-sequences: must be a multiple of --test-every")


QUICK = {"nets": 2, "most_sequences": 100, "test_every": 50, "test_blocks": 10}
SOON = 5000  # strings that 13 of the paper's 17 runs did not need; the baseline gets as many
TOLERANCE = 0.2  # a label is right if it is nearer than this


# ---- the task ----
# An event is what a net reads in a step: lag + 2 units for the symbol (a, x, b1, b2, ...) and 2
# for the label (it was a, it was x). No label unit is on where no label is given.
def stream(begins_with_x, lag):
    """Write strings, one after the other: bool (B, N) -> events (B * (lag + 1), N, lag + 4)."""
    strings, nets = begins_with_x.shape
    events = np.zeros((strings, lag + 1, nets, lag + 4))
    first = begins_with_x.astype(np.intp)  # (B, N) unit 0 is a, unit 1 is x
    string, net = np.indices(first.shape)
    events[string, 0, net, first] = 1
    for k in range(1, lag + 1):
        events[:, k, :, k + 1] = 1
    events[string, lag, net, lag + 2 + first] = 1
    return events.reshape(strings * (lag + 1), nets, lag + 4)


def predicted_event(y):
    """Turn outputs into an event: probabilities of the symbols, and of either label by itself."""
    z = np.exp(y[..., :-2] - y[..., :-2].max(-1, keepdims=True))  # (..., lag + 2)
    label = 1 / (1 + np.exp(-y[..., -2:]))  # (..., 2)
    return np.concatenate([z / z.sum(-1, keepdims=True), label], -1)


def event_error(y, event):
    """Return prediction - event (N, E): also the slope of the cross-entropy by the outputs y."""
    error = predicted_event(y) - event  # (N, E)
    error[:, -2:] *= event[:, -2:].any(1, keepdims=True)  # no label is given: none is asked for
    return error


# ---- the nets ----
ALL = slice(None)


class Net:
    """N recurrent nets side by side: h = tanh(W [input, 1, last h]), y = V [h, 1].

    Rows, in what follows, are the indices of the nets that take part: the others stay as they are.
    """

    def __init__(self, rng, inputs, hidden, outputs, config):
        recurrent_spread = config.init / np.sqrt(hidden)
        self.W = np.zeros((config.nets, hidden, inputs + 1 + hidden))  # (N, H, U); biases are 0
        self.V = np.zeros((config.nets, outputs, hidden + 1))  # (N, O, H + 1)
        self.W[:, :, :inputs] = rng.normal(0, config.init, self.W[:, :, :inputs].shape)
        self.W[:, :, -hidden:] = rng.normal(0, recurrent_spread, self.W[:, :, -hidden:].shape)
        self.V[:, :, :-1] = rng.normal(0, recurrent_spread, self.V[:, :, :-1].shape)
        self.h = np.zeros((config.nets, hidden))  # (N, H) hidden units now
        self.u = np.zeros((config.nets, config.depth, self.W.shape[2]))  # (N, D, U) newest first
        self.learning_rate = np.full(config.nets, config.learning_rate)  # (N,)
        self.hidden, self.clip = hidden, config.clip

    def pick(self, rows):
        """Go on with these nets alone."""
        self.W, self.V, self.h, self.u = self.W[rows], self.V[rows], self.h[rows], self.u[rows]
        self.learning_rate = self.learning_rate[rows]

    def step(self, h, x, rows=ALL):
        """Return what h (R, H) becomes when x (R, I) is read, and all that was read, u (R, U)."""
        u = np.concatenate([x, np.ones((len(x), 1)), h], 1)  # (R, U)
        return np.tanh(np.matmul(self.W[rows], u[:, :, None])[:, :, 0]), u

    def outputs(self, h, rows=ALL):
        """Return y (R, O) for hidden units h (R, H)."""
        V = self.V[rows]  # (R, O, H + 1)
        return np.matmul(V[:, :, :-1], h[:, :, None])[:, :, 0] + V[:, :, -1]

    def read(self, rows, x):
        """Read x (R, I)."""
        h, u = self.step(self.h[rows], x, rows)
        self.u[rows, 1:] = self.u[rows, :-1]
        self.u[rows, 0] = u
        self.h[rows] = h

    def gradients(self, rows, dy):
        """Send errors dy (R, O) at the outputs back through the last D steps: dW, dV."""
        u, V, H = self.u[rows], self.V[rows], self.hidden
        h = np.concatenate([self.h[rows][:, None], u[:, :-1, -H:]], 1)  # (R, D, H) newest first
        slope = 1 - h * h  # (R, D, H)
        recurrent = self.W[rows][:, :, -H:]  # (R, H, H)
        dz = np.empty_like(h)  # (R, D, H) errors at the net inputs of the hidden units
        dh = np.matmul(dy[:, None], V[:, :, :-1])  # (R, 1, H)
        for k in range(h.shape[1]):
            dz[:, k] = dh[:, 0] * slope[:, k]
            dh = np.matmul(dz[:, k : k + 1], recurrent)
        dW = np.matmul(dz.transpose(0, 2, 1), u)  # (R, H, U)
        seen = np.concatenate([h[:, :1], np.ones((len(h), 1, 1))], 2)  # (R, 1, H + 1)
        dV = dy[:, :, None] * seen  # (R, O, H + 1)
        return dW, dV

    def learn(self, rows, dy):
        """Take a step against the gradient of each net, clipped to a norm."""
        dW, dV = self.gradients(rows, dy)
        square = np.einsum("nij,nij->n", dW, dW) + np.einsum("nij,nij->n", dV, dV)  # (R,)
        shrink = self.clip / np.maximum(np.sqrt(square), self.clip)  # (R,)
        step = self.learning_rate[rows] * shrink  # (R,)
        dW *= step[:, None, None]  # in place: new arrays of this size would cost as much again
        dV *= step[:, None, None]
        self.W[rows] -= dW
        self.V[rows] -= dV


class Pair:
    """N automatizers A, each with its chunker C, which has h_C and predicts the next surprise."""

    def __init__(self, rng, config):
        self.event_size = config.lag + 4
        state_size = config.hidden_c + self.event_size
        self.A = Net(rng, self.event_size, config.hidden_a, self.event_size + state_size, config)
        self.C = Net(rng, self.event_size, config.hidden_c, self.event_size, config)
        self.threshold = config.threshold
        self.state_weight = np.full((config.nets, 1), config.state_weight)  # (N, 1)

    def pick(self, rows):
        """Go on with these pairs alone."""
        self.A.pick(rows)
        self.C.pick(rows)
        self.state_weight = self.state_weight[rows]

    def tick(self, event):
        """Learn from the next event (N, E); says which automatizers failed to predict it, (N,)."""
        y = self.A.outputs(self.A.h)  # (N, E + state)
        error = event_error(y[:, : self.event_size], event)  # (N, E)
        failed = np.abs(error).max(1) > self.threshold  # (N,)
        rows = np.flatnonzero(failed)
        if rows.size:
            self.pass_up(rows, event)
        state_error = y[:, self.event_size :] - self.chunker_state()  # (N, state)
        slope = 2 * self.state_weight * state_error  # of the squared distance
        self.A.learn(ALL, np.concatenate([error, slope], 1))
        self.A.read(ALL, event)
        return failed

    def pass_up(self, rows, event):
        """Train the chunkers on a surprise that they should have predicted; then they read it."""
        y = self.C.outputs(self.C.h[rows], rows)  # (R, E)
        self.C.learn(rows, event_error(y, event[rows]))
        self.C.read(rows, event[rows])

    def chunker_state(self):
        """Return hidden units and predictions of the chunkers (N, state): what A is to predict."""
        return np.concatenate([self.C.h, predicted_event(self.C.outputs(self.C.h))], 1)


# ---- evaluation ----
def examine(net, events, lag):
    """Let frozen nets go on alone with other strings: the state they stay in does not change.

    Returns how far their labels were off, (B, N), and how probable they held an a to come next
    where a string began, (B - 1, N).
    """
    h, states = net.h, []
    for event in events:
        states.append(h)  # before the event, which it has to predict
        h, _ = net.step(h, event)
    predictions = [predicted_event(net.outputs(h)[:, : lag + 4]) for h in states[lag :: lag + 1]]
    off = np.abs(np.array(predictions) - events[lag :: lag + 1])[:, :, -2:].max(2)  # (B, N)
    starts = [predicted_event(net.outputs(h)[:, : lag + 4]) for h in states[lag + 1 :: lag + 1]]
    return off, np.array(starts)[:, :, 0]


def largest_self_weights(net):
    """Return the strongest self-connection of each net, (N,)."""
    return np.diagonal(net.W[:, :, -net.hidden :], axis1=1, axis2=2).max(1)


# ---- training ----
def train(pair, config, seed, limit, progress):
    """Train each net until it solves the task alone or has seen limit (N,) strings.

    Nets k and k + config.nets see the same strings. Returns what became of each as arrays (N,),
    and failures (B, N), how often a string surprised it (nan once it stopped).
    """
    train_rng, test_rng = map(np.random.default_rng, seed.spawn(2))
    running, size = np.arange(len(limit)), (config.test_every, config.nets)
    end = {name: np.zeros(len(limit)) for name in ("solved", "sequences", "right", "a", "weight")}
    failures = np.full((limit.max(), len(limit)), np.nan)  # (B, N)
    for seen in range(config.test_every, limit.max() + 1, config.test_every):
        twin = running % config.nets
        events = stream((train_rng.random(size) < 0.5)[:, twin], config.lag)
        failed = np.array([pair.tick(event) for event in events])  # (T, N)
        failed = failed.reshape(config.test_every, -1, running.size).sum(1)  # (B, N)
        failures[seen - config.test_every : seen, running] = failed
        tests = test_rng.random((config.test_blocks, config.nets)) < 0.5  # (B, N)
        off, probability = examine(pair.A, stream(tests[:, twin], config.lag), config.lag)
        right = off < TOLERANCE  # (B, N)
        end["solved"][running] = right.all(0)
        end["sequences"][running] = seen
        end["right"][running] = (off < 0.5).mean(0)
        end["a"][running] = probability.mean(0)
        end["weight"][running] = largest_self_weights(pair.A)
        stays = ~right.all(0) & (seen < limit[running])  # (N,)
        running = running[stays]
        pair.pick(stays)
        progress(seen / limit.max(), f"{seen} strings, {running.size} nets left")
        if not running.size:
            break
    return end, failures


# ---- the experiment ----
def run(config, seed, progress):
    """Train the same nets with and without the term for the chunker's state."""
    init_seed, train_seed = np.random.SeedSequence(seed).spawn(2)
    pair = Pair(np.random.default_rng(init_seed), config)
    pair.pick(np.tile(np.arange(config.nets), 2))
    pair.state_weight[config.nets :] = 0.0
    soon = min(SOON, config.most_sequences)
    limit = np.repeat([config.most_sequences, soon], config.nets)  # (2N,)
    end, failures = train(pair, config, train_seed, limit, progress)
    return report(config, end, failures)


def report(config, end, failures):
    """Sum up the nets with the term, which come first, and those without."""
    solved, sequences = end["solved"] == 1, end["sequences"]  # (2N,)
    soon = solved & (sequences <= SOON)
    having, lacking = slice(0, config.nets), slice(config.nets, None)
    last = [column[~np.isnan(column)][-100:] for column in failures.T]  # (2N,) of (100,)
    return {
        "share_5000": soon[having].mean(),
        "share_35000": solved[having].mean(),
        "share_gain": soon[having].mean() - soon[lacking].mean(),
        "with": {
            "median": np.median(sequences[having]),
            "slowest": sequences[having].max(),
            "first_surprises": failures[0, having].mean(),
            "surprises_500": known_mean(failures[400:500, having]),
            "last_surprises": np.concatenate(last[having]).mean(),
            "boundary_a": end["a"][having].mean(),
            "self_weight": end["weight"][having].mean(),
        },
        "without": {
            "share_5000": soon[lacking].mean(),
            "right": end["right"][lacking].mean(),
            "last_surprises": np.concatenate(last[lacking]).mean(),
            "self_weight": end["weight"][lacking].mean(),
        },
        "curve": curve(solved[having], sequences[having]),
    }


def known_mean(values):
    """Return the mean of what is not nan, or None."""
    known = values[~np.isnan(values)]
    return known.mean() if known.size else None


def curve(solved, sequences):
    """Return the share of nets that are through (y) after so many strings (x)."""
    x = range(0, SOON + 1, 50)
    return {"x": list(x), "y": [(solved & (sequences <= limit)).mean() for limit in x]}


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
