# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Tomita's languages by dice: weights are guessed until a small recurrent net is right on every
training string.

Paper: S. Hochreiter, J. Schmidhuber, "LSTM can solve hard long time lag problems", NIPS 9, 1997,
section 1; J. Schmidhuber, S. Hochreiter, Y. Bengio, "Evaluating benchmark problems by random
guessing", IEEE Press, 2001.
Task: tell the strings of a regular language from others, 50 of each for training. Languages 1, 2
and 4 of Tomita: only ones; (10)*; no 000. Strings of 10 to 15 symbols, of 500 to 600, or the
handful that Tomita himself used.
Method: draw all weights of a net of 2 to 4 logistic units from [-100, 100]; run the strings; if all
answers are within 0.1, stop; else forget everything. No gradient, no memory of past guesses.
Claim: that takes few hundred to some ten thousand guesses, so the languages say little about the
learning algorithms that were praised for them. Each net found is examined on strings it never saw,
and on all strings of any length: its float32 states are few enough to visit them all beside the
language's automaton.

    python3 rs_tomita.py --seed 0
    python3 study_rs_tomita.py     many searches; all seven languages; Adam on the same nets
"""

import os

# before numpy: nothing here is a large matrix product
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Annotated

import numpy as np


@dataclass(frozen=True)
class Config:
    """Every hyperparameter; the defaults are the experiment."""

    weight_range: Annotated[float, "weights are uniform in [-this, this]", (0.01, 10_000.0)] = 100.0
    tolerance: Annotated[float, "an answer is right within this of 0 or 1", (0.001, 0.5)] = 0.1
    per_class: Annotated[
        int, "training strings of each class; as many fresh ones for the test", (2, 5000)
    ] = 50
    medium: Annotated[
        tuple[int, ...], "shortest and longest string of the medium regime", (1, 5000)
    ] = (10, 15)
    long: Annotated[
        tuple[int, ...], "shortest and longest string of the long regime", (1, 5000)
    ] = (500, 600)
    trials: Annotated[int, "guesses after which a search is given up", (1, 10**9)] = 1_000_000
    block: Annotated[int, "most nets side by side; nothing depends on it but speed", (1, 10**6)] = (
        8192
    )
    states: Annotated[
        int, "pairs of states visited before a net counts as not certified", (1, 10**7)
    ] = 4096
    study_sets: Annotated[int, "study: training sets per density", (1, 10**4)] = 20
    study_medium: Annotated[
        int, "study: guesses per density, medium and short strings", (1, 10**9)
    ] = 1_000_000
    study_long: Annotated[int, "study: guesses per density, long strings", (1, 10**9)] = 200_000
    study_no000: Annotated[int, "study: guesses on language 4 with medium strings", (1, 10**9)] = (
        10_000_000
    )
    study_a2_long: Annotated[int, "study: guesses per density, A2 and long strings", (1, 10**9)] = (
        60_000
    )
    study_sizes: Annotated[
        tuple[int, ...], "study: hidden units of A1, on all languages", (1, 20)
    ] = (1, 2, 3, 5)
    study_ranges: Annotated[tuple[float, ...], "study: other weight ranges", (0.01, 10_000.0)] = (
        2.0,
        10.0,
    )
    descent_runs: Annotated[
        int, "study: runs of gradient descent per language and step size", (1, 1000)
    ] = 10
    descent_strings: Annotated[int, "study: strings shown to each run", (1, 10**9)] = 200_000
    descent_batch: Annotated[int, "study: strings per update", (1, 10_000)] = 20
    descent_rates: Annotated[tuple[float, ...], "study: step sizes of Adam", (0.0, 10.0)] = (
        0.003,
        0.01,
        0.03,
    )
    descent_range: Annotated[
        float, "study: first weights are uniform in [-this, this]", (0.0, 100.0)
    ] = 0.5

    def __post_init__(self):
        for name in ("medium", "long"):
            if len(getattr(self, name)) != 2 or getattr(self, name)[0] > getattr(self, name)[1]:
                raise ValueError(f"--{name} takes two lengths, the shorter one first")
            if getattr(self, name)[1] - getattr(self, name)[0] < 5:
                raise ValueError(
                    f"--{name} has to span 6 lengths: short ones of some languages come in steps"
                )


QUICK = {
    "trials": 3000,
    "long": (40, 50),
    "study_sets": 2,
    "study_medium": 3000,
    "study_long": 500,
    "study_no000": 3000,
    "study_a2_long": 500,
    "descent_runs": 2,
    "descent_strings": 200,
}

# ---- the task: seven languages, each as its smallest automaton -----------------------------------
# Symbols are 0 and 1; a net sees -1 and +1. next[q][symbol] is the state after q; a string begins
# in state 0.


@dataclass(frozen=True)
class Language:
    says: str
    next: tuple  # of (state after 0, state after 1)
    accepting: tuple

    def table(self):
        """next as an array (Q, 2), and whether each state accepts (Q,)."""
        return np.array(self.next), np.isin(np.arange(len(self.next)), self.accepting)


LANGUAGES = {
    1: Language("only ones", ((1, 0), (1, 1)), (0,)),
    2: Language("(10)*", ((2, 1), (0, 2), (2, 2)), (0,)),
    3: Language(
        "no odd run of 0s after an odd run of 1s",
        ((0, 1), (2, 0), (3, 4), (2, 3), (4, 4)),
        (0, 1, 3),
    ),
    4: Language("no 000", ((1, 0), (2, 0), (3, 0), (3, 3)), (0, 1, 2)),
    5: Language("even numbers of 0s and of 1s", ((1, 2), (0, 3), (3, 0), (2, 1)), (0,)),
    6: Language("ones less zeros divisible by 3", ((2, 1), (0, 2), (1, 0)), (0,)),
    7: Language("0*1*0*1*", ((0, 1), (2, 1), (2, 3), (4, 3), (4, 4)), (0, 1, 2, 3)),
}
TOMITA = {  # Tomita's own training strings, accepted | rejected (as listed by Pollack, 1991)
    1: "1 11 111 1111 11111 111111 1111111 11111111 | 0 10 01 00 011 110 11111110 10111111",
    2: "10 1010 101010 10101010 10101010101010 | 1 0 11 00 01 101 100 1001010 10110 110101010",
    3: "1 0 01 11 00 100 110 111 000 100100 110000011100001 111101100010011100 | "
    "10 101 010 1010 1110 1011 10001 111010 1001000 11111000 0111001101 11011100110",
    4: "1 0 10 01 00 100100 001111110100 0100100100 11100 010 | "
    "000 11000 0001 000000000 00000 0000 11111000011 1101010000010111 1010010001",
    5: "11 00 1001 0101 1010 1000111101 1001100001111010 111111 0000 | "
    "0 111 011 000000000 1000 01 10 1110010100 010111111110 0001",
    6: "10 01 1100 101010 111 000000 10111 0111101111 100100100 | "
    "1 0 11 00 101 011 11001 1111 00000000 010111 10111101111 1001001001",
    7: "1 0 10 01 11111 000 00110011 0101 0000100001111 00100 011111011111 00 | "
    "1010 00110011000 0101010101 1011010 10101 010100 101001 100100110101",
}


def accepts(language, string):
    """Whether a sequence of symbols belongs to the language."""
    state = 0
    for symbol in string:
        state = language.next[state][symbol]
    return state in language.accepting


def random_string(language, wanted, length, rng):
    """A string drawn uniformly from all of this length that are accepted (wanted) or not, or None
    if there is none.

    Counts, backwards, in how many ways each state can still end well; each symbol is drawn in
    proportion.
    """
    table, accepting = language.table()
    ways = [(accepting == wanted).astype(float)]
    for _ in range(length):
        now = ways[-1][table].sum(1)
        ways.append(
            now / max(now.sum(), 1e-300)
        )  # ratios are all that matters; counts would overflow
    if not ways[-1][0]:
        return None
    state, string = 0, []
    for left in ways[-2::-1]:
        zero, one = left[table[state]]
        string.append(int(rng.random() * (zero + one) >= zero))
        state = table[state, string[-1]]
    return string


@dataclass(frozen=True)
class Strings:
    """symbols (T, S) of 0 and 1, padded at the end, lengths (S,), answers (S,) of 0.0 and 1.0."""

    symbols: np.ndarray
    lengths: np.ndarray
    answers: np.ndarray

    def pick(self, some):
        return Strings(
            self.symbols[: self.lengths[some].max(), some], self.lengths[some], self.answers[some]
        )


def strings_of(strings, answers):
    lengths = np.array([len(string) for string in strings])
    symbols = np.zeros((lengths.max(), len(strings)), np.int8)
    for column, string in enumerate(strings):
        symbols[: len(string), column] = string
    return Strings(symbols, lengths, np.array(answers, np.float32))


def draw_strings(language, config, lengths, rng, near=False):
    """per_class accepted and as many rejected strings, taking turns; lengths uniform where the
    class has any.

    near: every second rejected string is an accepted one with one symbol flipped.
    """
    strings, answers = [], []
    while len(strings) < 2 * config.per_class:
        wanted, flip = len(strings) % 2 == 0, near and len(strings) % 4 == 3
        string = random_string(
            language, wanted or flip, int(rng.integers(lengths[0], lengths[1] + 1)), rng
        )
        if flip and string:
            string[rng.integers(len(string))] ^= 1
        if string and accepts(language, string) == wanted:
            strings.append(string)
            answers.append(float(wanted))
    return strings_of(strings, answers)


def tomita_strings(number):
    """Tomita's own strings, the classes taking turns as far as they go."""
    classes = [
        [[int(symbol) for symbol in word] for word in half.split()]
        for half in TOMITA[number].split("|")
    ]
    found = sorted(
        (k, -answer, word)
        for answer, half in zip((1.0, 0.0), classes)
        for k, word in enumerate(half)
    )
    return strings_of([word for _, _, word in found], [-answer for _, answer, _ in found])


# ---- the nets ------------------------------------------------------------------------------------
# Shapes: B nets, S strings, U units, n of them hidden, the last one the output. The logistic units'
# activations y = (v + 1) / 2 are kept as v = tanh(net input / 2), which saves two operations a
# unit; a string begins with y = 0. A1: y(t) = s(W y(t-1) + w x(t) + b), fully connected, no bias on
# the output. A2: 10 hidden units that see the input, themselves and the output; the output sees the
# input and all hidden units. All units of a net move at once.


@dataclass(frozen=True)
class Shape:
    """An architecture: A1 with n hidden units, or A2 with 10."""

    hidden: int
    full: bool = True

    def weights(self):
        n = self.hidden
        return n + 1 + (n + 1) ** 2 + n if self.full else 5 * n + 2


A2 = Shape(10, full=False)


class Nets:
    """B nets of one shape from weights (B, W), in float32.

    A1: W = input (U), recurrent (U, U) from j to i at [i, j], hidden biases (n). A2: input (U),
    self (n), from the output (n), to the output (n), biases (U).
    """

    def __init__(self, shape, theta):
        self.shape, self.theta, n, U = shape, theta, shape.hidden, shape.hidden + 1
        w, recurrent = theta.T, np.zeros((U, U, len(theta)), np.float32)
        bias = np.zeros((U, len(theta)), np.float32)
        if shape.full:
            recurrent[:], bias[:n] = w[U : U + U * U].reshape(U, U, -1), w[U + U * U :]
        else:
            unit = np.arange(n)
            recurrent[unit, unit], recurrent[:n, n], recurrent[n, :n] = (
                w[U:].reshape(-1, w.shape[1])[: 3 * n].reshape(3, n, -1)
            )
            bias[:] = w[U + 3 * n :]
        self.recurrent = recurrent / 4  # half for v = tanh(net input / 2), half for y = (v + 1) / 2
        rest = bias / 2 + self.recurrent.sum(1)
        self.drive = np.stack(
            [rest - w[:U] / 2, rest + w[:U] / 2], 1
        )  # (U, 2, B): what an input of 0 or 1 adds

    def step(self, v, symbols, out, scratch):
        """States (U, S, B) after v, when string s reads symbols[s]; into out."""
        n = self.shape.hidden
        np.take(self.drive, symbols, 1, out=out)
        if self.shape.full:
            for j in range(n + 1):
                np.multiply(self.recurrent[:, j, None], v[j], out=scratch)
                out += scratch
        else:
            unit = np.arange(n)
            np.multiply(self.recurrent[unit, unit, None], v[:n], out=scratch[:n])
            out[:n] += scratch[:n]
            np.multiply(self.recurrent[:n, n, None], v[n], out=scratch[:n])
            out[:n] += scratch[:n]
            for j in range(n):
                np.multiply(self.recurrent[n, j], v[j], out=scratch[n])
                out[n] += scratch[n]
        return np.tanh(out, out=out)

    def answers(self, strings):
        """The output (S, B) in [0, 1] at the end of each string."""
        T, S = strings.symbols.shape
        v = np.full((self.shape.hidden + 1, S, len(self.theta)), -1, np.float32)
        other, scratch, found = (
            np.empty_like(v),
            np.empty_like(v),
            np.empty(v.shape[1:], np.float32),
        )
        ends = np.bincount(strings.lengths, minlength=T + 1)
        for t in range(T):
            v, other = self.step(v, strings.symbols[t], other, scratch), v
            if ends[t + 1]:
                done = strings.lengths == t + 1
                found[done] = v[-1, done]
        return (found + 1) / 2


def guesses(shape, count, config, rng):
    """Weights (count, W), uniform; row after row, so that it does not matter how many are drawn at
    a time."""
    return (2 * rng.random((count, shape.weights()), np.float32) - 1) * np.float32(
        config.weight_range
    )


# ---- the method: guess until all is right --------------------------------------------------------


def survivors(shape, theta, strings, config):
    """Which of the nets (B, W) are right on all strings, and how many strings that takes with each
    net, (B,): those up to the first that it gets wrong. A few strings sieve the nets before the
    rest are run, which changes neither."""
    alive, shown = np.arange(len(theta)), np.zeros(len(theta), int)
    count = len(strings.lengths)
    edges = [0, *(k for k in (2, 10) if k < count), count]
    for first, last in zip(edges, edges[1:]):
        part = strings.pick(slice(first, last))
        right = (
            np.abs(Nets(shape, theta[alive]).answers(part) - part.answers[:, None])
            < config.tolerance
        )
        passed = right.all(0)
        shown[alive] += np.where(passed, len(right), right.argmin(0) + 1)
        alive = alive[passed]
        if not len(alive):
            break
    return alive, shown


def search(shape, strings, config, rng):
    """Guess until a net is right on all strings. Returns its weights, or None, the guesses and the
    strings shown."""
    tried, shown, block = 0, 0, 64
    while tried < config.trials:
        block = min(2 * block, config.block, config.trials - tried)
        theta = guesses(shape, block, config, rng)
        alive, used = survivors(shape, theta, strings, config)
        if len(alive):
            last = alive[0]
            return theta[last], tried + int(last) + 1, shown + int(used[: last + 1].sum())
        tried, shown = tried + block, shown + int(used.sum())
    return None, tried, shown


# ---- the examination -----------------------------------------------------------------------------


def accuracy(shape, theta, strings, config):
    """Share of the strings that each net (B, W) is right on, the same criterion as in training:
    (B,)."""
    right = (
        np.abs(Nets(shape, theta).answers(strings) - strings.answers[:, None]) < config.tolerance
    )
    return right.mean(0)


def all_strings(shape, theta, language, config, shortest, longest):
    """Accuracy of one net on every string of these lengths, the mean of that on the accepted and on
    the rejected ones.

    All strings of a length are read at once, those with a common beginning sharing its state.
    """
    net, (table, accepting) = Nets(shape, theta[None]), language.table()
    v, q, right = (
        np.full((shape.hidden + 1, 1, 1), -1, np.float32),
        np.zeros(1, int),
        {True: [], False: []},
    )
    for length in range(1, longest + 1):
        v, q = np.repeat(v, 2, 1), np.repeat(q, 2)
        symbols = np.arange(len(q)) % 2
        v, q = net.step(v, symbols, np.empty_like(v), np.empty_like(v)), table[q, symbols]
        if length >= shortest:
            good = np.abs((v[-1, :, 0] + 1) / 2 - accepting[q]) < config.tolerance
            for answer in right:
                right[answer].append(good[accepting[q] == answer])
    return float(
        np.mean([np.concatenate(part).mean() for part in right.values() if sum(map(len, part))])
    )


class Walk:
    """All float32 states that a net (W,) can reach, found as they are needed: states[k] (U, 1, 1),
    and moves."""

    def __init__(self, shape, theta):
        self.net, self.moves = Nets(shape, theta[None]), {}
        self.states = [np.full((shape.hidden + 1, 1, 1), -1, np.float32)]
        self.numbers = {self.states[0].tobytes(): 0}

    def move(self, state, symbol):
        """The number of the state after this one."""
        if (state, symbol) not in self.moves:
            before = self.states[state]
            v = self.net.step(
                before, np.array([symbol]), np.empty_like(before), np.empty_like(before)
            )
            self.moves[state, symbol] = self.numbers.setdefault(v.tobytes(), len(self.states))
            if self.moves[state, symbol] == len(self.states):
                self.states.append(v)
        return self.moves[state, symbol]

    def says(self, state):
        return (float(self.states[state][-1, 0, 0]) + 1) / 2


def exact(walk, language, shortest, config):
    """Is the net right on every string of at least so many symbols? True, False, or None where that
    stays open.

    Saturated units make the states of a net few, in float32. All pairs (state of the net, state of
    the automaton) that such a string leads to are visited; if none of them has a wrong answer and
    no new one turns up, no string is wrong.
    """
    table, accepting = language.table()
    layer, seen, length = {(0, 0)}, set(), 0
    while layer:
        layer = {
            (walk.move(state, symbol), int(table[q, symbol]))
            for state, q in layer
            for symbol in (0, 1)
        }
        length += 1
        if len(seen) + len(layer) > config.states or len(walk.states) > config.states:
            return None
        if length >= shortest:
            layer -= seen
            seen |= layer
            if any(abs(walk.says(state) - accepting[q]) >= config.tolerance for state, q in layer):
                return False
    return True


def right_from(walk, language, shortest, config):
    """The least length from which on the net is right on every string, at most shortest; None where
    there is none."""
    if not exact(walk, language, shortest, config):
        return None
    low, high = 1, shortest
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if exact(walk, language, middle, config) else (middle + 1, high)
    return low


# ---- many guesses: how rare are solutions? -------------------------------------------------------


def interval(hits, trials):
    """Guesses per solution and a 95 % interval, from so many hits; None where there is no such
    number.

    The interval of a Poisson count in Wilson and Hilferty's approximation; what was never seen in n
    guesses takes more than n / 3 (the rule of three).
    """
    if not hits:
        return None, trials / 3, None
    few = hits * (1 - 1 / (9 * hits) - 1.96 / (3 * hits**0.5)) ** 3
    many = (hits + 1) * (1 - 1 / (9 * (hits + 1)) + 1.96 / (3 * (hits + 1) ** 0.5)) ** 3
    return trials / hits, trials / many, trials / few if few > 0 else None


def strings_for(number, regime, config, rng):
    """Training strings of a language: short (Tomita's own), medium, near (medium, with near misses)
    or long."""
    if regime == "short":
        return tomita_strings(number)
    if regime == "near":
        return draw_strings(LANGUAGES[number], config, config.medium, rng, near=True)
    return draw_strings(LANGUAGES[number], config, getattr(config, regime), rng)


def density(number, shape, regime, trials, config, rng):
    """Guess so many nets, on several training sets, and examine all that pass: free of the luck of
    a first hit.

    Returns metrics; among them the largest distance of the waiting times' distribution from an
    exponential one (Kolmogorov's D, times the root of their number: above 1.36 in one case of
    twenty), and what the hits are worth.
    """
    begun, waits, right, proofs, hits, tried = perf_counter(), [], [], [], 0, 0
    sets = 1 if regime == "short" else config.study_sets
    for _ in range(sets):
        strings, places = strings_for(number, regime, config, rng), []
        quota = -(-trials // sets)
        for first in range(0, quota, config.block):
            theta = guesses(shape, min(config.block, quota - first), config, rng)
            alive, _ = survivors(shape, theta, strings, config)
            places += (first + alive).tolist()
            if len(alive) and regime != "short":
                right += accuracy(
                    shape, theta[alive], strings_for(number, regime, config, rng), config
                ).tolist()
            for index in alive[: max(0, 100 - len(proofs))]:
                walk, shortest = Walk(shape, theta[index]), int(strings.lengths.min())
                proofs.append(exact(walk, LANGUAGES[number], shortest, config))
        waits.append(np.diff(places) * (len(places) / quota))
        hits, tried = hits + len(places), tried + quota
    mean, low, high = interval(hits, tried)
    out = {"trials": tried, "hits": hits, "mean": mean, "low": low, "high": high, "per_second": 0.0}
    waits = np.sort(np.concatenate(waits))
    if len(waits) >= 20:
        law, share = 1 - np.exp(-waits), np.arange(1, len(waits) + 1) / len(waits)
        out["distance"] = float(
            np.sqrt(len(waits)) * np.maximum(share - law, law - share + 1 / len(waits)).max()
        )
    if right:
        out["test"] = float(np.mean(right))
    if proofs:
        out |= {
            "examined": len(proofs),
            "exact": float(np.mean([p is True for p in proofs])),
            "open": float(np.mean([p is None for p in proofs])),
        }
    return out | {"per_second": tried / (perf_counter() - begun)}


# ---- the rival: gradient descent on the same nets, from small weights ----------------------------
# Shapes: R runs side by side on the last axis; W weights, U units, T time, S strings of a batch.


def descent_gradient(hidden, theta, symbols, lengths, answers):
    """Half the squared error at the ends of the strings, (R,), and its gradient (W, R), by BPTT,
    for A1.

    theta (W, R), ordered as in Nets; symbols (T, S, R) of -1.0 and 1.0; lengths and answers (S, R).
    """
    (T, S, R), U = symbols.shape, hidden + 1
    w_in, w, bias = theta[:U], theta[U : U + U * U].reshape(U, U, R), theta[U + U * U :]
    y = np.zeros((T + 1, U, S, R), theta.dtype)
    for t in range(T):
        net = w_in[:, None] * symbols[t] + (w[:, :, None] * y[t]).sum(1)
        net[:hidden] += bias[:, None]
        y[t + 1] = 1 / (1 + np.exp(-net))
    last = np.take_along_axis(y[:, -1], lengths[None], 0)[0]  # (S, R)
    error = last - answers
    grad, back = np.zeros_like(theta), np.zeros((U, S, R), theta.dtype)
    for t in range(T, 0, -1):
        back[-1] += np.where(lengths == t, error, 0)
        delta = back * y[t] * (1 - y[t])
        grad[:U] += (delta * symbols[t - 1]).sum(1)
        grad[U : U + U * U] += (delta[:, None] * y[t - 1]).sum(2).reshape(-1, R)
        grad[U + U * U :] += delta[:hidden].sum(1)
        back = (w[:, :, None] * delta[:, None]).sum(0)
    return (0.5 * error**2).sum(0), grad, error


def descend(number, hidden, config, rng):
    """Adam on A1 from small weights: so many runs for each step size, each run with its own strings
    (medium).

    Returns how many strings each run was shown until all its training strings were right, (rates,
    runs), inf where they never were, and how the nets then did on fresh strings, nan where there is
    none. Looking for a solution is free.
    """
    rate = np.repeat(config.descent_rates, config.descent_runs)
    runs = len(rate)
    sets = [strings_for(number, "medium", config, rng) for _ in range(runs)]
    length, count = config.medium[1], 2 * config.per_class
    symbols = np.zeros((length, count, runs))
    for r, strings in enumerate(sets):
        symbols[: len(strings.symbols), :, r] = 2.0 * strings.symbols - 1
    lengths, answers = (
        np.stack([getattr(s, name) for s in sets], 1) for name in ("lengths", "answers")
    )
    shape, columns = Shape(hidden), np.arange(runs)
    theta = rng.uniform(-config.descent_range, config.descent_range, (shape.weights(), runs))
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    needed, best = np.full(runs, np.inf), theta.copy()
    updates = max(1, config.descent_strings // config.descent_batch)
    for update in range(1, updates + 1):
        rows = rng.integers(count, size=(config.descent_batch, runs))
        _, grad, _ = descent_gradient(
            hidden, theta, symbols[:, rows, columns], lengths[rows, columns], answers[rows, columns]
        )
        m += 0.1 * (grad - m)
        v += 0.001 * (grad**2 - v)
        theta -= rate * (m / (1 - 0.9**update)) / (np.sqrt(v / (1 - 0.999**update)) + 1e-8)
        if update % 100 == 0 or update == updates:
            _, _, error = descent_gradient(hidden, theta, symbols, lengths, answers)
            fresh = (np.abs(error) < config.tolerance).all(0) & np.isinf(needed)
            needed[fresh], best[:, fresh] = update * config.descent_batch, theta[:, fresh]
    fresh = strings_for(number, "medium", config, rng)
    test = np.where(
        np.isfinite(needed), accuracy(shape, best.T.astype(np.float32), fresh, config), np.nan
    )
    return needed.reshape(-1, config.descent_runs), test.reshape(-1, config.descent_runs)


# ---- the experiment ------------------------------------------------------------------------------

PAPER_NETS = {
    1: Shape(1),
    2: Shape(3),
    4: Shape(2),
}  # A1, with as many hidden units as the paper gave each language
ROWS = ((1, "short"), (1, "medium"), (1, "long"), (2, "medium"), (2, "long"), (4, "long"))


def run(config, seed, progress=None):
    """Six searches of the paper's, each with strings of its own, and what the nets they found are
    worth."""
    tell, out = progress or (lambda fraction, message: None), {}
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(len(ROWS))]
    guessed, spent = (
        {"medium": 0, "long": 0, "short": 0},
        {"medium": 0.0, "long": 0.0, "short": 0.0},
    )
    for k, ((number, regime), rng) in enumerate(zip(ROWS, rngs)):
        language, shape = LANGUAGES[number], PAPER_NETS[number]
        strings, fresh = (strings_for(number, regime, config, rng) for _ in range(2))
        begun = perf_counter()
        theta, trials, shown = search(shape, strings, config, rng)
        spent[regime], guessed[regime] = (
            spent[regime] + perf_counter() - begun,
            guessed[regime] + trials,
        )
        row = {
            "solved": float(theta is not None),
            "trials": trials,
            "strings": shown,
            "test": 0.5,
            "exact": 0.0,
            "states": None,
            "right_from": None,
        }
        if theta is not None:
            walk, shortest = Walk(shape, theta), int(strings.lengths.min())
            row["test"] = (
                all_strings(shape, theta, language, config, 11, 15)
                if regime == "short"
                else float(accuracy(shape, theta[None], fresh, config)[0])
            )
            row["exact"] = float(exact(walk, language, shortest, config) is True)
            row |= {
                "states": len(walk.states),
                "right_from": right_from(walk, language, shortest, config),
            }
        out |= {f"t{number}_{regime}_{name}": value for name, value in row.items()}
        tell(
            (k + 1) / len(ROWS), f"language {number} ({language.says}), {regime}: {trials} guesses"
        )
    out["always_no_test"] = float(np.mean(fresh.answers == 0))
    return out | {
        f"{regime}_guesses_per_second": guessed[regime] / spent[regime] for regime in guessed
    }


def study(config, seed, progress=None):
    """Densities of solutions for the paper's table, for all seven languages, for other sizes and
    weights; and Adam."""
    tell, out = progress or (lambda fraction, message: None), {}
    jobs = [
        (
            f"t{number}_{regime}",
            number,
            shape,
            regime,
            config,
            config.study_long if regime == "long" else config.study_medium,
        )
        for number, shape in PAPER_NETS.items()
        for regime in ("short", "medium", "near", "long")
    ]
    jobs = [
        (
            *job[:5],
            config.study_no000
            if job[0] == "t4_medium"
            else 5 * job[5]
            if job[0] == "t4_long"
            else job[5],
        )
        for job in jobs
    ]
    jobs += [
        (
            f"a2_t{number}_{regime}",
            number,
            A2,
            regime,
            config,
            config.study_a2_long if regime == "long" else config.study_medium // 4,
        )
        for number in PAPER_NETS
        for regime in ("medium", "long")
    ]
    jobs += [
        (
            f"a1_{hidden}_t{number}_medium",
            number,
            Shape(hidden),
            "medium",
            config,
            config.study_medium // 4,
        )
        for number in LANGUAGES
        for hidden in config.study_sizes
    ]
    jobs += [
        (
            f"range_{wide:g}_t{number}_medium",
            number,
            shape,
            "medium",
            replace(config, weight_range=wide),
            config.study_medium // 4,
        )
        for wide in config.study_ranges
        for number, shape in PAPER_NETS.items()
    ]
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(len(jobs) + 1)]
    for k, ((name, number, shape, regime, settings, trials), rng) in enumerate(zip(jobs, rngs)):
        found = density(number, shape, regime, trials, settings, rng)
        out |= {f"{name}_{key}": value for key, value in found.items()}
        tell(0.8 * k / len(jobs), f"{name}: {found['hits']} of {found['trials']}")
    for number, shape in PAPER_NETS.items():
        for rate, needed, test in zip(
            config.descent_rates, *descend(number, shape.hidden, config, rngs[-1])
        ):
            solved = np.isfinite(needed)
            out |= {
                f"descent_t{number}_{rate:g}_solved": float(solved.mean()),
                f"descent_t{number}_{rate:g}_strings": float(np.median(needed[solved]))
                if solved.any()
                else None,
                f"descent_t{number}_{rate:g}_test": float(test[solved].mean())
                if solved.any()
                else None,
            }
        tell(
            0.8 + 0.2 * number / 4,
            f"descent on language {number}: {100 * solved.mean():.0f} % solved",
        )
    return out


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
