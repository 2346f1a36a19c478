# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""A weight matrix that reads and rewrites all of itself, and so learns functions it never met.

Paper: J. Schmidhuber, "A 'self-referential' weight matrix", ICANN 1993: a net may change every one
of its weights, those that make the changes included, and gradient descent chooses where it starts.
Modern form: K. Irie, I. Schlag, R. Csordas, J. Schmidhuber, "A modern self-referential weight
matrix that learns to modify itself", ICML 2022.
Task: an episode shows the four inputs of a boolean function of two bits with their labels, then
asks for the four labels. Each net is trained on 12 of the 16 functions and asked about the others.
Claim: the net answers functions it never trained on, although it has no memory but the matrix.
Baseline: a tanh RNN with as many weights, updates and episodes.

    python3 self_referential_weight_matrix.py --seed 0    # 8 nets of each kind, less than a minute
    python3 self_referential_weight_matrix.py --help      # every setting
"""

import os
from dataclasses import dataclass
from typing import Annotated, NamedTuple

# before numpy: these matrices are too small to share out
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "nets of each kind, each with its own split", (1, 1000)] = 8
    dimension: Annotated[int, "width of input, key and query of the matrix", (2, 256)] = 16
    hidden_size: Annotated[int, "hidden units of the memoryless input net", (1, 1024)] = 16
    updates: Annotated[int, "updates of every net", (2, 10**6)] = 3000
    batch_size: Annotated[int, "episodes in an update", (1, 10_000)] = 32
    learning_rate: Annotated[float, "Adam's step, halved after half the updates", (0.0, 1.0)] = 0.01
    clip: Annotated[float, "greatest norm of a net's gradient", (1e-6, 1e6)] = 1.0
    input_gain: Annotated[float, "initial weights of the input net's outputs", (0.0, 100.0)] = 4.0
    matrix_gain: Annotated[float, "initial entries of the matrix", (0.0, 100.0)] = 4.0
    train_functions: Annotated[int, "functions to train on, of 16", (1, 15)] = 12
    test_episodes: Annotated[int, "episodes that test a net", (1, 10**6)] = 2000
    rnn_hidden: Annotated[int, "hidden units of the tanh RNN", (1, 1024)] = 28
    plastic: Annotated[str, "row blocks that may change", ("ykqb", "ykq", "yb", "y")] = "ykqb"

    def __post_init__(self):
        if self.test_episodes % min(PORTION, self.test_episodes):
            raise ValueError(f"argument --test-episodes: above {PORTION}, a multiple of {PORTION}")


PORTION = 100  # episodes that are tested at a time
QUICK = {"nets": 3, "updates": 60, "test_episodes": 100}


# ---- the task ------------------------------------------------------------------------------------
# Shapes: T steps, N nets side by side, B episodes, F functions.
INPUTS = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], np.float32)  # (4, 2)
TABLES = 2.0 * (np.arange(16)[:, None] >> np.arange(4) & 1) - 1  # (16, 4) labels, -1 or 1


class Episodes(NamedTuple):
    """What the nets see, and what is asked of them."""

    u: np.ndarray  # (T, N, B, 4) two bits, the label or 0, and 1 where the label is told
    label: np.ndarray  # (T, N, B) -1 or 1
    asked: np.ndarray  # (T,) whether the answer of this step counts


def split(config, rng):
    """Draw for each net the functions to train on (N, F) and those held out (N, 16 - F)."""
    order = rng.permuted(np.tile(np.arange(16), (config.nets, 1)), axis=1)  # (N, 16)
    return order[:, : config.train_functions], order[:, config.train_functions :]


def present(place, label, told):
    """Turn inputs place (T, N, B), their labels and told (T,) into what the nets see."""
    u = np.zeros((*place.shape, 4), np.float32)
    u[..., :2] = INPUTS[place]
    u[..., 2] = label * told[:, None, None]
    u[..., 3] = told[:, None, None]
    return Episodes(u, label.astype(np.float32), ~told)


def episodes(functions, count, rng):
    """Draw `count` episodes a net from its functions (N, F): 4 demonstrations, 4 questions."""
    nets, size = functions.shape
    which = rng.integers(size, size=(nets, count))  # (N, B)
    tables = TABLES[np.take_along_axis(functions, which, 1)]  # (N, B, 4)
    orders = rng.permuted(np.tile(np.arange(4), (nets, count, 2, 1)), axis=3)  # (N, B, 2, 4)
    place = orders.reshape(nets, count, 8)  # each half holds all four inputs
    label = np.take_along_axis(tables, place, 2)  # (N, B, 8)
    told = np.arange(8) < 4  # (8,)
    return present(np.moveaxis(place, 2, 0), np.moveaxis(label, 2, 0), told)


# ---- the nets ------------------------------------------------------------------------------------
def softmax(z):
    """Return positive numbers along the last axis whose sum is 1."""
    power = np.exp(z - z.max(-1, keepdims=True))
    return power / power.sum(-1, keepdims=True)


def softmax_back(p, dp):
    """Return dL/dz of p = softmax(z)."""
    return p * (dp - (p * dp).sum(-1, keepdims=True))


def sigmoid(z):
    """Return 1 / (1 + exp(-z)), which cannot overflow in this form."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def times(matrix, vector):
    """Multiply matrices (N, B, R, d) by vectors (N, B, d)."""
    return (matrix @ vector[..., None])[..., 0]


def times_transposed(matrix, vector):
    """Multiply transposed matrices (N, B, R, d) by vectors (N, B, R)."""
    return (vector[..., None, :] @ matrix)[..., 0, :]


def outer(errors, inputs):
    """Sum outer products of (T, N, B, i) and (T, N, B, j) over steps and episodes, (N, i, j)."""
    return (errors.swapaxes(2, 3) @ inputs).sum(0)


class Net:
    """N nets of one kind whose weights are the rows of theta (N, P)."""

    parts = {}  # {name: (shape, standard deviation at the start)}

    def initial(self, rng, nets):
        """Draw the weights of new nets, (N, P)."""
        drawn = [sd * rng.standard_normal((nets, *shape)) for shape, sd in self.parts.values()]
        return self.flat(drawn).astype(np.float32)

    def flat(self, arrays):
        """Lay the parts (N, ...) side by side, (N, P)."""
        return np.concatenate([part.reshape(len(part), -1) for part in arrays], axis=1)

    def weights(self, theta):
        """Return the parts that theta (N, P) holds."""
        shapes = [shape for shape, _ in self.parts.values()]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        pieces = np.split(theta, ends[:-1], axis=1)
        return [piece.reshape(-1, *shape) for piece, shape in zip(pieces, shapes)]


class SelfReferential(Net):
    """A matrix W of R = 1 + 2 d + 4 rows, in blocks y, k, q and b, that rewrites itself:

    [y, k, q, b] = W_{t-1} a             a = softmax(input net)
    S            = sigmoid(b)            one rate for the rows of each block
    W_t          = W_{t-1} + S (W_{t-1} softmax(q) - W_{t-1} softmax(k)) softmax(k)^T
    """

    def __init__(self, config):
        d, hidden = config.dimension, config.hidden_size
        sizes = (1, d, d, 4)
        self.ends = np.cumsum(sizes)[:-1]
        may_change = [float(block in config.plastic) for block in "ykqb"]
        self.spread = np.repeat(np.diag(may_change), sizes, axis=1)  # (4, R) block to its rows
        self.matrices = np.empty(0)
        self.parts = {
            "E1": ((hidden, 4), 0.7),
            "c1": ((1, hidden), 0.0),
            "E2": ((d, hidden), config.input_gain / np.sqrt(hidden)),
            "c2": ((1, d), 0.0),
            "W": ((1, sum(sizes), d), config.matrix_gain / np.sqrt(d)),
        }

    def forward(self, theta, u):
        """Return the answers (T, N, B) to u (T, N, B, 4), and keep what backward needs."""
        E1, c1, E2, c2, W = self.parameters = self.weights(theta)
        self.u = u
        self.hidden = np.tanh(u @ E1.swapaxes(1, 2) + c1)  # (T, N, B, H)
        self.a = softmax(self.hidden @ E2.swapaxes(1, 2) + c2)  # (T, N, B, d)
        steps, nets, count, d = self.a.shape
        rows = W.shape[2]
        shape = (steps + 1, nets, count, rows, d)
        if self.matrices.shape != shape or self.matrices.dtype != theta.dtype:
            self.matrices = np.empty(shape, theta.dtype)  # kept, as new memory takes time
        self.matrices[0] = W
        self.spread = self.spread.astype(theta.dtype)
        self.k, self.q = np.empty((2, steps, nets, count, d), theta.dtype)
        self.s = np.empty((steps, nets, count, 4), theta.dtype)
        self.e = np.empty((steps, nets, count, rows), theta.dtype)
        y = np.empty((steps, nets, count), theta.dtype)
        for t in range(steps):
            y[t] = self.step(t)
        return y

    def step(self, t):
        """Read the matrix, write it, and return the answers y (N, B)."""
        W = self.matrices[t]  # (N, B, R, d) before this step's change
        y, k, q, b = np.split(times(W, self.a[t]), self.ends, axis=-1)
        self.k[t] = softmax(k)
        self.q[t] = softmax(q)
        self.s[t] = sigmoid(b)
        self.e[t] = times(W, self.q[t] - self.k[t])  # (N, B, R) what q finds, less what k finds
        write = self.s[t] @ self.spread * self.e[t]  # (N, B, R)
        np.einsum("nbr,nbd->nbrd", write, self.k[t], out=self.matrices[t + 1])
        self.matrices[t + 1] += W
        return y[..., 0]

    def backward(self, dy):
        """Return dL/dtheta (N, P) for dL/dy (T, N, B)."""
        G = np.zeros_like(self.matrices[0])  # (N, B, R, d) dL/dW_t
        da = np.empty_like(self.a)
        for t in reversed(range(len(dy))):
            da[t] = self.step_back(t, G, dy[t])
        _, _, E2, _, _ = self.parameters
        dx = softmax_back(self.a, da)  # (T, N, B, d)
        dz = (dx @ E2) * (1 - self.hidden**2)  # (T, N, B, H)
        dE1 = outer(dz, self.u)
        dE2 = outer(dx, self.hidden)
        return self.flat([dE1, dz.sum((0, 2)), dE2, dx.sum((0, 2)), G.sum(1)])

    def step_back(self, t, G, dy):
        """Turn G from dL/dW_t into dL/dW_{t-1}, in place, and return dL/da (N, B, d)."""
        W, a, k, q, s, e = (x[t] for x in (self.matrices, self.a, self.k, self.q, self.s, self.e))
        S = s @ self.spread  # (N, B, R)
        dwrite = times(G, k)  # (N, B, R)
        dk = times_transposed(G, S * e)  # (N, B, d)
        de = S * dwrite  # (N, B, R)
        ds = (e * dwrite) @ self.spread.T  # (N, B, 4)
        dq = times_transposed(W, de)  # (N, B, d); e sees q - k, so k gets the opposite
        dk -= dq
        parts = [dy[..., None], softmax_back(k, dk), softmax_back(q, dq), ds * s * (1 - s)]
        do = np.concatenate(parts, -1)  # (N, B, R)
        G += np.stack([de, do], -1) @ np.stack([q - k, a], -2)  # two outer products at once
        return times_transposed(W, do)


class TanhRnn(Net):
    """The baseline: h_t = tanh(U u_t + V h_{t-1} + b), answer w h_t + c."""

    def __init__(self, config):
        size = config.rnn_hidden
        self.parts = {
            "U": ((size, 4), 0.5),
            "V": ((size, size), 1 / np.sqrt(size)),
            "b": ((1, size), 0.0),
            "w": ((size, 1), 1 / np.sqrt(size)),
            "c": ((1, 1), 0.0),
        }

    def forward(self, theta, u):
        """Return the answers (T, N, B) to u (T, N, B, 4), and keep what backward needs."""
        U, V, b, w, c = self.parameters = self.weights(theta)
        self.u = u
        self.h = np.zeros((len(u) + 1, *u.shape[1:3], len(V[0])), theta.dtype)  # (T + 1, N, B, H)
        driven = u @ U.swapaxes(1, 2) + b  # (T, N, B, H)
        for t in range(len(u)):
            self.h[t + 1] = np.tanh(driven[t] + self.h[t] @ V.swapaxes(1, 2))
        return (self.h[1:] @ w + c)[..., 0]

    def backward(self, dy):
        """Return dL/dtheta (N, P) for dL/dy (T, N, B)."""
        _, V, _, w, _ = self.parameters
        h = self.h[1:]  # (T, N, B, H)
        dz = dy[..., None] * w.swapaxes(1, 2)  # (T, N, B, H), as yet dL/dh of the answers alone
        dh = 0.0  # what comes back from the step after
        for t in reversed(range(len(dy))):
            dz[t] = (dz[t] + dh) * (1 - h[t] ** 2)
            dh = dz[t] @ V
        dU = outer(dz, self.u)
        dV = outer(dz, self.h[:-1])
        dw = outer(h, dy[..., None])
        return self.flat([dU, dV, dz.sum((0, 2)), dw, dy.sum((0, 2))[:, None]])


# ---- training ------------------------------------------------------------------------------------
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam


def loss_slope(y, data):
    """Return dL/dy of the mean cross-entropy of a net's answers that count."""
    counted = data.asked.sum() * y.shape[2]
    return -data.label * sigmoid(-data.label * y) * data.asked[:, None, None] / counted


def train(net, draw, config, init_rng, data_rng, progress):
    """Train N nets on draw(count, rng); return theta (N, P) and the share right (updates, N)."""
    theta = net.initial(init_rng, config.nets)
    mean, square = np.zeros_like(theta), np.zeros_like(theta)  # Adam's
    right = np.empty((config.updates, config.nets))
    for update in range(1, config.updates + 1):
        data = draw(config.batch_size, data_rng)
        y = net.forward(theta, data.u)
        if not np.isfinite(y).all():
            raise FloatingPointError(f"an answer is not finite at update {update}")
        right[update - 1] = (y * data.label > 0)[data.asked].mean((0, 2))
        gradient = net.backward(loss_slope(y, data).astype(theta.dtype))
        norm = np.sqrt((gradient**2).sum(1, keepdims=True))  # (N, 1)
        gradient *= np.minimum(1, config.clip / (norm + EPSILON))
        mean += (1 - BETA_1) * (gradient - mean)
        square += (1 - BETA_2) * (gradient**2 - square)
        rate = config.learning_rate * (0.5 if update > config.updates / 2 else 1.0)
        spread = np.sqrt(square / (1 - BETA_2**update)) + EPSILON
        theta -= rate * mean / (1 - BETA_1**update) / spread
        progress(update / config.updates, f"right in training: {right[update - 1].mean():.3f}")
    return theta, right


# ---- evaluation ----------------------------------------------------------------------------------
def answers_right(net, theta, data):
    """Say which answers that count are right: (asked steps, N, episodes)."""
    portions = []
    for start in range(0, data.u.shape[2], PORTION):
        part = slice(start, start + PORTION)
        y = net.forward(theta, data.u[:, :, part])
        portions.append((y * data.label[:, :, part] > 0)[data.asked])
    return np.concatenate(portions, axis=2)


def scores(net, theta, data):
    """Return the share of right answers of each net, (N,)."""
    return answers_right(net, theta, data).mean((0, 2))


def habits(net):
    """Return which rates the nets chose, and how far rows moved, in the last episodes tested."""
    rates = net.s.mean((1, 2))  # (8, 4)
    moved = net.matrices[-1] - net.matrices[0]  # (N, B, R, d)
    return {
        "rates": {
            "demo_y": rates[:4, 0].mean(),
            "demo_own": rates[:4, 1:].mean(),
            "query_y": rates[4:, 0].mean(),
            "query_own": rates[4:, 1:].mean(),
        },
        "moved": {
            "y": np.sqrt((moved[:, :, 0] ** 2).mean()),
            "own": np.sqrt((moved[:, :, 1:] ** 2).mean()),
        },
    }


SOLVED = 0.97  # held-out accuracy of a net that has solved the task


def run(config, seed, progress):
    """Train both kinds of nets on the same splits, and ask them about the functions held out."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(7)]
    split_rng, init_rng, data_rng, rnn_init_rng, rnn_data_rng, test_rng, known_rng = streams
    training, held_out = split(config, split_rng)
    unseen = episodes(held_out, config.test_episodes, test_rng)
    known = episodes(training, config.test_episodes, known_rng)

    def draw(count, rng):
        return episodes(training, count, rng)

    def show(start, share, name):
        return lambda done, text: progress(start + share * done, f"{name}, {text}")

    rnn, net = TanhRnn(config), SelfReferential(config)
    shown = show(0.0, 0.1, "tanh RNN")
    rnn_theta, _ = train(rnn, draw, config, rnn_init_rng, rnn_data_rng, shown)
    shown = show(0.1, 0.9, "self-referential")
    theta, right = train(net, draw, config, init_rng, data_rng, shown)

    known_scores, rnn_known_scores = scores(net, theta, known), scores(rnn, rnn_theta, known)
    unseen_scores, rnn_unseen_scores = scores(net, theta, unseen), scores(rnn, rnn_theta, unseen)
    ends = np.linspace(0, config.updates, 51).astype(int)[1:]  # (50,)
    shares = [part.mean() for part in np.array_split(right, 50)]
    return {
        "solved_share": (unseen_scores >= SOLVED).mean(),
        "held_out_gain": (unseen_scores - rnn_unseen_scores).mean(),
        "srwm": {
            "held_out": unseen_scores.mean(),
            "worst": unseen_scores.min(),
            "training": known_scores.mean(),
            "weights": theta.shape[1],
        },
        "rnn": {
            "held_out": rnn_unseen_scores.mean(),
            "best": rnn_unseen_scores.max(),
            "training": rnn_known_scores.mean(),
            "weights": rnn_theta.shape[1],
        },
        **habits(net),
        "curve": {"x": ends.tolist(), "y": [float(share) for share in shares]},
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
