# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Three nets compress a stream level by level: a gap of 1202 steps becomes 8, and is bridged.

Paper: J. Schmidhuber, "Netzwerkarchitekturen, Zielfunktionen und Kettenregel", habilitation thesis,
TU Munich 1993, chapter 7; and "Learning complex, extended sequences using the principle of history
compression", Neural Computation 4(2):234-242, 1992.
Task: a trigger A or B, then 6 phrases of 10 words of 20 symbols, then Q, then the trigger again.
Method: level 1 learns to predict its next input and is frozen. Each input that it fails to predict
goes up, with the time it came at, to level 2, which does the same for level 3.
Claim: by 1993 such hierarchies solved problems of depth 1000, where conventional nets failed.
Rival: two levels with as many updates, and errors that go back over the whole of level 2's input.

    python3 chunker_very_deep_1200.py --seed 0      # three hierarchies and three rivals
    python3 chunker_very_deep_1200.py --help        # every setting
"""

import os
from dataclasses import dataclass
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    hierarchies: Annotated[int, "hierarchies, each with sequences of its own", (1, 100)] = 3
    phrases: Annotated[int, "phrases of a sequence", (1, 9)] = 6
    words: Annotated[int, "words of a phrase", (2, 100)] = 10
    word_length: Annotated[int, "symbols of a word, its head among them", (2, 100)] = 20
    hidden: Annotated[int, "hidden units of a level", (1, 1000)] = 24
    window_1: Annotated[int, "symbols that level 1 is trained on at a time", (2, 10_000)] = 10
    window_2: Annotated[int, "events that level 2 is trained on at a time", (2, 10_000)] = 12
    updates: Annotated[int, "updates of a level", (1, 10**6)] = 800
    batch_size: Annotated[int, "windows of an update", (8, 10_000)] = 64
    learning_rate: Annotated[float, "step size of Adam; a fifth of it at the end", (0.0, 1.0)] = (
        0.005
    )
    clip: Annotated[float, "largest norm of the gradient of a net", (1e-6, 1e6)] = 1.0
    threshold: Annotated[float, "probability below which an input surprises", (0.0, 1.0)] = 0.8
    train_sequences: Annotated[int, "sequences to train on", (1, 10**5)] = 1500
    test_sequences: Annotated[int, "other sequences to test on", (1, 10**5)] = 1000

    def __post_init__(self):
        if self.train_sequences + self.test_sequences > possible(self):
            few = f"only {possible(self)} sequences differ"
            raise ValueError(f"argument --train-sequences: with --test-sequences too many, {few}")


QUICK = {"hierarchies": 2, "phrases": 2, "words": 3, "word_length": 5, "updates": 40}
QUICK |= {"train_sequences": 16, "test_sequences": 16}
PHRASE_HEADS = 4  # a phrase begins with one of these
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
CALM = 0.3  # the last part of the updates takes smaller steps,
CALMER = 0.2  # smaller by this factor
EDGE = 8  # one window in so many is at the start of a stream, and one at its end
TIME_CODE = 0.3  # how strongly the time since the last event is shown


# ---- the task ----
class Stream(NamedTuple):
    """What a level reads: B sequences for each of N nets, the shorter ones padded at the end."""

    symbols: np.ndarray  # (N, B, K)
    times: np.ndarray  # (N, B, K) when each came; padding repeats the last one
    length: np.ndarray  # (N, B) without the padding
    end: int  # time of the target, the last symbol of a sequence


def possible(config):
    """Return how many different sequences there are."""
    return 2 * PHRASE_HEADS**config.phrases


def alphabet(config):
    """Return the first symbol of each kind, and the size: 2 triggers come before all of these."""
    sizes = 2, PHRASE_HEADS, config.words - 1, config.word_length - 1, 1
    phrase_heads, word_heads, fillers, query, size = np.cumsum(sizes).tolist()
    return phrase_heads, word_heads, fillers, query, size


def sequences(codes, config):
    """Write the sequences with these numbers, codes (N, B), as a stream.

    A word is a head and then always the same fillers. The first head of a phrase is free, the
    others are always the same. The target repeats the trigger.
    """
    phrase_heads, word_heads, fillers, query, _ = alphabet(config)
    trigger = codes[..., None] % 2  # (N, B, 1)
    free = codes[..., None] // 2 // PHRASE_HEADS ** np.arange(config.phrases) % PHRASE_HEADS
    text = np.empty((*free.shape, config.words, config.word_length), np.intp)  # (N, B, M, W, L)
    text[..., 1:] = np.arange(fillers, query)
    text[..., 1:, 0] = np.arange(word_heads, fillers)
    text[..., 0, 0] = phrase_heads + free
    text = text.reshape(*codes.shape, -1)  # (N, B, M W L)
    ask = np.full_like(trigger, query)
    symbols = np.concatenate([trigger, text, ask, trigger], 2)  # (N, B, T)
    steps = symbols.shape[2]
    times = np.broadcast_to(np.arange(steps), symbols.shape)
    return Stream(symbols, times, np.full(codes.shape, steps), steps - 1)


def draw(rng, config):
    """Draw training and test sequences for each hierarchy; none is in both."""
    wanted = config.train_sequences + config.test_sequences
    order = [rng.permutation(possible(config))[:wanted] for _ in range(config.hierarchies)]
    codes = np.split(np.array(order), [config.train_sequences], axis=1)
    return [sequences(part, config) for part in codes]


# ---- the nets ----
class Nets:
    """N recurrent nets side by side: h = tanh(W u + U h), p = softmax(R h + c).

    An input u is a unit for each symbol, the time since the last input as 0.3 log(1 + gap), and 1.
    """

    def __init__(self, rng, size, recurrent):
        nets, hidden, _ = recurrent.shape
        self.weights = {
            "W": rng.normal(0, 0.5, (nets, size + 2, hidden)),
            "U": recurrent,  # (N, H, H)
            "R": rng.normal(0, hidden**-0.5, (nets, hidden, size)),
            "c": np.zeros((nets, 1, size)),
        }
        self.weights = {name: weight.astype(np.float32) for name, weight in self.weights.items()}
        self.weights["W"][:, -1] = 0  # the bias
        self.mean = {name: np.zeros_like(weight) for name, weight in self.weights.items()}
        self.square = {name: np.zeros_like(weight) for name, weight in self.weights.items()}
        self.updates, self.size = 0, size

    def rest(self, sequences):
        """Return the state before anything was read, (N, B, H)."""
        nets, hidden, _ = self.weights["U"].shape
        return np.zeros((nets, sequences, hidden), self.weights["U"].dtype)

    def encode(self, symbols, gaps):
        """Return inputs (..., S + 2) for symbols and for the times since the last ones, (...)."""
        u = np.zeros((*symbols.shape, self.size + 2), self.weights["W"].dtype)
        np.put_along_axis(u, symbols[..., None], 1, -1)
        u[..., -2] = TIME_CODE * np.log1p(gaps)
        u[..., -1] = 1
        return u

    def step(self, h, u):
        """Return what h (N, B, H) becomes when u (N, B, S + 2) is read."""
        return np.tanh(u @ self.weights["W"] + h @ self.weights["U"])

    def predict(self, h):
        """Return the probabilities of the next input, (..., N, B, S)."""
        y = h @ self.weights["R"] + self.weights["c"]
        y = np.exp(y - y.max(-1, keepdims=True))
        return y / y.sum(-1, keepdims=True)

    def loss_and_gradient(self, u, target, counts):
        """Send errors back over all steps: u (T, N, B, S + 2), target and counts (T, N, B).

        The loss of a net, (N,), is the mean cross-entropy of the predictions that count (1, not 0).
        """
        U, R = self.weights["U"], self.weights["R"]
        drive = u @ self.weights["W"]  # (T, N, B, H)
        h = np.zeros((len(u) + 1, *drive.shape[1:]), drive.dtype)  # h[t + 1] has read u[t]
        for t in range(len(u)):
            np.tanh(drive[t] + h[t] @ U, out=h[t + 1])
        p = self.predict(h[1:])  # (T, N, B, S)
        share = counts / np.maximum(counts.sum((0, 2)), 1)[:, None]  # (T, N, B) adds up to 1 or 0
        right = np.take_along_axis(p, target[..., None], -1)[..., 0]  # (T, N, B)
        loss = -(share * np.log(np.maximum(right, np.finfo(p.dtype).tiny))).sum((0, 2))  # (N,)

        dy = p  # (T, N, B, S)
        np.put_along_axis(dy, target[..., None], right[..., None] - 1, -1)
        dy *= share[..., None]
        dh = dy @ R.transpose(0, 2, 1)  # (T, N, B, H), at first from the outputs alone
        dz = np.empty_like(drive)  # (T, N, B, H)
        back = 0.0
        for t in reversed(range(len(u))):
            dz[t] = (dh[t] + back) * (1 - h[t + 1] ** 2)
            back = dz[t] @ U.transpose(0, 2, 1)  # (N, B, H)
        return loss, {
            "W": product(u, dz),
            "U": product(h[:-1], dz),
            "R": product(h[1:], dy),
            "c": dy.sum((0, 2))[:, None],
        }

    def learn(self, gradient, learning_rate, clip):
        """Take a step of Adam against the gradient of each net, clipped to a norm."""
        self.updates += 1
        squares = [(part**2).sum((1, 2)) for part in gradient.values()]
        norm = np.sqrt(sum(squares))[:, None, None]  # (N, 1, 1)
        shrink = clip / np.maximum(norm, clip)
        for name, part in gradient.items():
            mean, square = self.mean[name], self.square[name]
            part = part * shrink
            mean += (1 - BETA_1) * (part - mean)
            square += (1 - BETA_2) * (part**2 - square)
            spread = np.sqrt(square / (1 - BETA_2**self.updates)) + EPSILON
            self.weights[name] -= learning_rate / (1 - BETA_1**self.updates) * mean / spread


def product(left, right):
    """Sum the outer products over time and batch: (T, N, B, I), (T, N, B, J) -> (N, I, J)."""
    left, right = [part.swapaxes(0, 1) for part in (left, right)]  # (N, T, B, .)
    left, right = [part.reshape(len(part), -1, part.shape[-1]) for part in (left, right)]
    return left.transpose(0, 2, 1) @ right


def random_start(rng, nets, hidden):
    """Draw recurrent weights without order, (N, H, H)."""
    return rng.normal(0, hidden**-0.5, (nets, hidden, hidden))


def leaky_start(rng, nets, hidden):
    """Draw recurrent weights that keep most of the state for a while, (N, H, H)."""
    return 0.9 * np.eye(hidden) + rng.normal(0, 0.05, (nets, hidden, hidden))


# ---- training of one level ----
def gaps(stream):
    """Return the time since the last input, (N, B, K); the first has none."""
    return np.diff(stream.times, axis=2, prepend=stream.times[:, :, :1])


def windows(rng, stream, batch_size, width):
    """Draw windows of a stream: indices into its arrays, and which are no padding, (K, N, B).

    Most are anywhere; some are at the start and some at the end, where rare symbols are.
    """
    nets, rows, longest = stream.symbols.shape
    width = min(width, longest)  # K
    net = np.arange(nets)[:, None]  # (N, 1)
    row = rng.integers(rows, size=(nets, batch_size))  # (N, B)
    room = np.maximum(stream.length[net, row] - width, 0)  # (N, B)
    start = np.floor(rng.random(row.shape) * (room + 1)).astype(np.intp)  # (N, B)
    edge = batch_size // EDGE
    start[:, :edge] = 0
    start[:, edge : 2 * edge] = room[:, edge : 2 * edge]
    place = start + np.arange(width)[:, None, None]  # (K, N, B)
    real = place < stream.length[net, row]  # (K, N, B)
    return (net, row, np.minimum(place, longest - 1)), real


def train(nets, rng, stream, width, updates, config, progress):
    """Teach nets to predict the next input, from windows of a stream; returns the nets."""
    since_last = gaps(stream)
    for update in range(updates):
        where, real = windows(rng, stream, config.batch_size, width)
        symbols = stream.symbols[where]  # (K, N, B)
        u = nets.encode(symbols, since_last[where])  # (K, N, B, S + 2)
        loss, gradient = nets.loss_and_gradient(u[:-1], symbols[1:], real[1:])
        if not np.isfinite(loss).all():
            raise FloatingPointError(f"loss is {loss} at update {update}")
        slower = CALMER if update >= (1 - CALM) * updates else 1
        nets.learn(gradient, slower * config.learning_rate, config.clip)
        progress(update / updates, f"loss {loss.mean():.3f}")
    return nets


# ---- history compression ----
def surprises(nets, stream, threshold):
    """Say which inputs frozen nets fail to predict, bool (N, B, K), each after it has come.

    The first of a sequence always is a surprise.
    """
    since_last = gaps(stream)
    h = nets.rest(stream.symbols.shape[1])
    failed = np.ones(stream.symbols.shape, bool)
    for t in range(1, stream.symbols.shape[2]):
        h = nets.step(h, nets.encode(stream.symbols[:, :, t - 1], since_last[:, :, t - 1]))
        p = nets.predict(h)  # (N, B, S)
        came = np.take_along_axis(p, stream.symbols[:, :, t, None], -1)[..., 0]  # (N, B)
        failed[:, :, t] = came < threshold
    return failed & (np.arange(failed.shape[2]) < stream.length[..., None])


def pass_up(stream, failed):
    """Return the stream of the surprises alone, with the times at which they came."""
    length = failed.sum(2)  # (N, B)
    first = np.argsort(~failed, axis=2, kind="stable")[:, :, : length.max()]  # (N, B, K)
    symbols = np.take_along_axis(stream.symbols, first, 2)
    times = np.maximum.accumulate(np.take_along_axis(stream.times, first, 2), 2)
    return Stream(symbols, times, length, stream.end)


def compress(nets, stream, threshold):
    """Return the stream that frozen nets pass up."""
    return pass_up(stream, surprises(nets, stream, threshold))


def answers(nets, stream):
    """Return the probabilities of the next input just before the target comes, (N, B, S)."""
    since_last = gaps(stream)
    places = np.arange(stream.symbols.shape[2])
    known = (places < stream.length[..., None]) & (stream.times < stream.end)  # (N, B, K)
    h = nets.rest(stream.symbols.shape[1])
    for t in places:
        after = nets.step(h, nets.encode(stream.symbols[:, :, t], since_last[:, :, t]))
        h = np.where(known[:, :, t, None], after, h)
    return nets.predict(h)


# ---- the hierarchy and its rival ----
def part(progress, k, many):
    """Return a progress for part k of so many equal ones."""
    return lambda fraction, said: progress((k + fraction) / many, said)


def build(rng, training, config, progress):
    """Train three levels, from the bottom up; returns them, and what each was trained on."""
    size, nets = alphabet(config)[-1], len(training.symbols)
    every = training.symbols.shape[2]
    plans = (config.window_1, random_start), (config.window_2, random_start), (every, leaky_start)
    levels, streams = [], [training]
    for width, start in plans:
        if levels:
            streams.append(compress(levels[-1], streams[-1], config.threshold))
        level = Nets(rng, size, start(rng, nets, config.hidden))
        watch = part(progress, len(levels), len(plans))
        levels.append(train(level, rng, streams[-1], width, config.updates, config, watch))
    return levels, streams


def build_rival(rng, events, config, progress):
    """Train one net on all that level 1 passes up, with the updates of levels 2 and 3."""
    start = leaky_start(rng, len(events.symbols), config.hidden)
    nets = Nets(rng, alphabet(config)[-1], start)
    width = events.symbols.shape[2]
    return train(nets, rng, events, width, 2 * config.updates, config, progress)


# ---- evaluation ----
def read(levels, stream, config):
    """Let frozen levels read: returns the top one's answers (N, B, S), and each one's stream."""
    streams = [stream]
    for level in levels[:-1]:
        streams.append(compress(level, streams[-1], config.threshold))
    return answers(levels[-1], streams[-1]), streams


def recall(p, stream):
    """Return for each net how often the right one of the two triggers was likelier, (N,)."""
    return (p[:, :, :2].argmax(2) == stream.symbols[:, :, 0]).mean(1)


def open_recall(p, stream):
    """Return for each net how often the trigger was the likeliest of all symbols, (N,)."""
    return (p.argmax(2) == stream.symbols[:, :, 0]).mean(1)


def fillers_passed(events, config):
    """Return the share of all fillers that were passed up."""
    _, _, fillers, query, _ = alphabet(config)
    real = np.arange(events.symbols.shape[2]) < events.length[..., None]  # (N, B, K)
    passed = (events.symbols >= fillers) & (events.symbols < query) & real
    many = config.phrases * config.words * (config.word_length - 1)
    return passed.sum(2).mean() / many


# ---- the experiment ----
def run(config, seed, progress):
    """Train hierarchies and their rivals, and ask both for the triggers of unseen sequences."""
    streams = np.random.SeedSequence(seed).spawn(3)
    task_rng, build_rng, rival_rng = map(np.random.default_rng, streams)
    training, unseen = draw(task_rng, config)
    levels, seen = build(build_rng, training, config, part(progress, 0, 2))
    top = build_rival(rival_rng, seen[1], config, part(progress, 1, 2))
    p, events = read(levels, unseen, config)
    rival_p, _ = read([levels[0], top], unseen, config)
    three, two = recall(p, unseen), recall(rival_p, unseen)  # (N,) each
    return {
        "recall_least": three.min(),
        "events_level_3": events[2].length.mean(),
        "third_level_gain": (three - two).mean(),
        "three_levels": {"recall": three.mean(), "recall_open": open_recall(p, unseen).mean()},
        "two_levels": {
            "recall": two.mean(),
            "recall_most": two.max(),
            "recall_open": open_recall(rival_p, unseen).mean(),
        },
        "events_level_1": events[0].length.mean(),
        "events_level_2": events[1].length.mean(),
        "events_level_3_most": events[2].length.max(),
        "fillers_predicted": 1 - fillers_passed(events[1], config),
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
