# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around rs_tomita.py: what the numbers of guesses hang on, and what was found.

1. Guesses per solution with an output that is updated after the hidden units or at once with them,
   and with strings of 500 to 600 bits, the same with near misses, or strings of 10 to 15 bits.
2. Which of the nets found there are the language: all states that a net reaches in 32 bits, each
   beside the state of the language's automaton, are visited, and none may say what is wrong.
3. Gradient descent on languages 1, 2 and 4, and on language 1 with strings of 500 to 600 bits.
4. Language 4 with more guesses, at nets that are run as tables of their saturated states.

    python3 study_rs_tomita.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import rs_tomita
from rs_tomita import LANGUAGES, ROWS, a1, descend, draw, draw_string, logistic
from rs_tomita import pick, right, right_on_all, step, strings, subset
import numpy as np

SIZES = (1, 2, 3, 5)


@dataclass(frozen=True)
class Config(rs_tomita.Config):
    guesses: Annotated[int, "guesses at language 1 with long strings", (1, 10**8)] = 8000
    sets: Annotated[int, "training sets that guesses are divided among", (1, 1000)] = 8
    proofs: Annotated[int, "nets that are examined in each row", (0, 10**6)] = 40
    states: Annotated[int, "states at which an examination ends", (1, 10**6)] = 2000
    hard_strings: Annotated[int, "descent: strings of language 4", (100, 10**8)] = 200_000
    long_strings: Annotated[int, "descent: long strings of language 1", (100, 10**8)] = 5000
    table_guesses: Annotated[int, "guesses at tables for language 4", (1, 10**9)] = 1_000_000
    sizes: Annotated[tuple[int, ...], "hidden units behind a table", (1, 7)] = SIZES


QUICK = rs_tomita.QUICK | {
    "guesses": 200,
    "sets": 2,
    "proofs": 2,
    "hard_strings": 100,
    "long_strings": 100,
    "table_guesses": 1000,
    "sizes": (1, 2),
}


# ---- 1. the readings of the paper ----------------------------------------------------------------
PORTION = {"l1_a1": 1, "l1_a2": 1, "l2_a1": 3, "l2_a2": 5, "l4_a1": 5}  # of config.guesses
SHORT = 5  # times as many guesses with short strings, which cost less


def step_at_once(weights, x, h, y):
    """Takes N nets on by a step in which the output, too, sees the old h (H, S, N)."""
    _, _, _, _, v, c, d, e = weights.values()
    new_h, _ = step(weights, x, h, y)
    return new_h, logistic((v * h).sum(0) + c * x + d * y + e)


def accepts(language, x):
    """Says whether the language has the string x of -1 and +1, (T,)."""
    state = 0
    for bit in x > 0:
        state = language.next[state][int(bit)]
    return state in language.accepting


def near_misses(language, per_class, shortest, longest, rng):
    """Draws strings of which every second rejected one is an accepted one with one bit turned."""
    data = strings(language, per_class, shortest, longest, rng)
    for k in range(3, 2 * per_class, 4):
        accepted, x = False, None
        while not accepted or accepts(language, x):
            string, accepted = draw_string(language, True, rng.integers(shortest, longest + 1), rng)
            x = 2.0 * np.array(string) - 1  # (T,)
            x[rng.integers(len(x))] *= -1
        data.length[k] = len(x)
        data.x[:, k] = 0
        data.x[: len(x), k, 0] = x
    return data


def guess(row, draw_strings, move, guesses, config, seed):
    """Guesses at several training sets in turn: returns the N nets that are right on theirs."""
    draw_rng, data_rng = map(np.random.default_rng, seed.spawn(2))
    task = (LANGUAGES[row.language], config.per_class, config.shortest, config.longest)
    kept = []
    for portion in np.array_split(np.arange(guesses), config.sets):
        data = draw_strings(*task, data_rng)
        for done in range(0, len(portion), config.block):
            many = min(config.block, len(portion) - done)
            weights = draw(row.net, config.weight_range, many, draw_rng)
            kept.append(pick(weights, right_on_all(weights, data, config.tolerance, move)))
    return {name: np.concatenate([part[name] for part in kept], -1) for name in kept[0]}


REGIMES = {  # how strings are drawn, how nets are updated, whether the strings are short
    "first_uniform": (strings, step, False),
    "first_near": (near_misses, step, False),
    "first_short": (strings, step, True),
    "at_once_uniform": (strings, step_at_once, False),
    "at_once_near": (near_misses, step_at_once, False),
    "at_once_short": (strings, step_at_once, True),
}


def measure(row, draw_strings, move, guesses, config, seed):
    """Guesses at a row and examines some of what is right: returns the number of right nets, how
    many of them were examined, and how many of these were proved."""
    nets = guess(row, draw_strings, move, guesses, config, seed)
    hits = nets["e"].shape[-1]
    some = np.linspace(0, hits - 1, min(hits, config.proofs)).astype(np.intp)  # of all sets
    language = LANGUAGES[row.language]
    proofs = [is_language(pick(nets, [one]), language, config, move) for one in some]
    return hits, len(some), sum(proofs)


def measure_regime(regime, config, seed, report):
    """Guesses at the five rows: returns the guesses per solution of each, what these numbers are
    made of, and of languages 1 and 2 the share of the accepted nets that are proved right."""
    draw_strings, move, is_short = REGIMES[regime]
    if is_short:
        lengths = {"shortest": config.descent_shortest, "longest": config.descent_longest}
        config = replace(config, guesses=SHORT * config.guesses, **lengths)
    table = {"guesses": [], "hits": [], "examined": [], "proved": []}
    for (name, row), row_seed in zip(ROWS.items(), seed.spawn(len(ROWS))):
        report(f"{regime}, {name}")
        guesses = PORTION[name] * config.guesses
        hits, examined, proved = measure(row, draw_strings, move, guesses, config, row_seed)
        table[name] = guesses / hits if hits else None
        for key, number in zip(table, (guesses, hits, examined, proved)):
            table[key].append(number)
    examined, proved = (sum(table[key][:4]) for key in ("examined", "proved"))  # not language 4
    return table | {"exact_share": proved / examined if examined else None}


def readings(config, seed, progress):
    """Measures each regime; the exact_share of all is that of the experiment's own."""
    table = {}
    for k, (regime, regime_seed) in enumerate(zip(REGIMES, seed.spawn(len(REGIMES)))):
        report = lambda said, k=k: progress(k / len(REGIMES), said)  # noqa: E731
        table[regime] = measure_regime(regime, config, regime_seed, report)
    return table | {"exact_share": table["first_uniform"]["exact_share"]}


# ---- 2. proofs -----------------------------------------------------------------------------------
BITS = np.array([[-1], [1]], np.float32)  # (2, 1)


def states_of(weights, most, move):
    """Visits all states that a net reaches, in 32 bits: returns the states, (K, U), of which the
    first is the start and the last unit the output, and the numbers of those after a 0 and after a
    1, (K, 2); or None and None if there are more than `most`."""
    states = [np.zeros(len(weights["b"]) + 1, np.float32)]  # of (U,)
    numbers, after, done = {states[0].tobytes(): 0}, [], 0
    while done < len(states) <= most:
        now = np.stack(states[done:], -1)  # (U, M) those that were found last
        done = len(states)
        h, y = move(weights, BITS, now[:-1, None], now[-1:])  # (H, 2, M), (2, M)
        for both in np.concatenate([h, y[None]]).transpose(2, 1, 0):  # (2, U)
            for state in both:
                if numbers.setdefault(state.tobytes(), len(states)) == len(states):
                    states.append(state)
            after.append([numbers[state.tobytes()] for state in both])
    return (np.stack(states), np.array(after)) if len(states) <= most else (None, None)


def is_language(weights, language, config, move=step):
    """Says whether a net is right on every string of a bit or more, by all pairs of its state and
    the automaton's that strings lead to; False if it has too many states."""
    states, after = states_of(weights, config.states, move)
    if states is None:
        return False
    table = np.array(language.next)  # (Q, 2)
    accepting = np.isin(np.arange(len(table)), language.accepting)  # (Q,)
    seen = np.zeros((len(states), len(table)), bool)  # (K, Q)
    state, place = np.array([0]), np.array([0])  # (M,) each: the pairs that were found last
    while state.size:
        reached = np.zeros_like(seen)
        reached[after[state], table[place]] = True
        state, place = np.nonzero(reached & ~seen)
        seen |= reached
    wrong = np.abs(states[:, -1:] - accepting) >= config.tolerance  # (K, Q)
    return not (seen & wrong).any()


# ---- 3. gradient descent -------------------------------------------------------------------------
def strings_read(row, config, rng):
    """Returns how many short strings a random net is shown on average, up to its first mistake."""
    lengths = (config.descent_shortest, config.descent_longest)
    data = strings(LANGUAGES[row.language], config.per_class, *lengths, rng)
    good = right(draw(row.net, config.weight_range, 10_000, rng), data, config.tolerance)  # (S, N)
    return np.where(good.all(0), len(good), good.argmin(0) + 1).mean()


def descents(config, seed, progress):
    """Returns the share of starts that solve each language, the median of the strings shown to
    those at the best rate, and what guessing with short strings shows to one net in the mean."""
    longer = {"descent_shortest": config.shortest, "descent_longest": config.longest}
    ten = replace(config, starts=2 * config.starts)
    runs = {
        "l1": ("l1_a1", ten),
        "l2": ("l2_a1", ten),
        "l4": ("l4_a1", replace(ten, descent_strings=config.hard_strings)),
        "l1_long": ("l1_a1", replace(config, descent_strings=config.long_strings, **longer)),
    }
    table = {}
    *seeds, read_seed = seed.spawn(len(runs) + 1)
    for k, (name, (row, settings)) in enumerate(runs.items()):
        report = lambda done, said, k=k: progress((k + done) / len(runs), said)  # noqa: E731
        needed = descend(ROWS[row], settings, seeds[k], report).reshape(3, -1)  # (rates, starts)
        best = min(np.median(needed, 1))
        table[name] = {"solved": np.isfinite(needed).mean(1).max(), "strings": best}
        if not np.isfinite(best):
            table[name]["strings"] = None
    read_rng = np.random.default_rng(read_seed)
    for name in ("l1", "l2"):
        table[name]["read"] = strings_read(ROWS[f"{name}_a1"], config, read_rng)
    return {"descent": table}


# ---- 4. language 4 by tables ---------------------------------------------------------------------
BLOCK = 8192  # tables side by side


def table_of(weights):
    """Rounds what N nets do to 0 and 1: returns the numbers of the states after each bit and each
    of the K = 2^U states, (2, K, N); the output is the highest binary place."""
    units = len(weights["b"]) + 1
    states = np.arange(2**units)  # (K,)
    on = (states >> np.arange(units)[:, None] & 1).astype(np.float32)[:, :, None]  # (U, K, 1)
    after = []
    for bit in BITS:
        h, y = step(weights, bit, on[:-1], on[-1])  # (H, K, N), (K, N)
        fire = np.concatenate([h, y[None]]) > 0.5  # (U, K, N)
        after.append(sum(fire[k].astype(np.uint8) << k for k in range(units)))
    return np.stack(after)


def table_right_on_all(table, data):
    """Says which of N tables are right on all strings, (N,)."""
    good = np.ones(table.shape[-1], bool)  # (N,) without a mistake so far
    for stage in np.split(np.arange(len(data.length)), (1, 2, 8)):
        left = np.flatnonzero(good)
        part, some = subset(data, stage), table[:, :, left]
        state = np.zeros((stage.size, left.size), np.uint8)  # (S, N)
        end = np.zeros_like(state)
        for t, x in enumerate(part.x):
            state = some[(x > 0).astype(np.intp), state, np.arange(left.size)]
            end = np.where(part.length[:, None] == t + 1, state, end)
        good[left] = ((end >= table.shape[1] // 2) == (part.target > 0)).all(0)
    return good


def count_tables(size, config, seed, report):
    """Guesses at language 4 with nets of one size: returns how many tables are right on their
    training strings, how many of the nets behind these are, and how many of those are proved."""
    draw_rng, data_rng = map(np.random.default_rng, seed.spawn(2))
    hits = nets = proved = 0
    for done in range(0, config.table_guesses, BLOCK):
        report(f"{done:,} tables of {size} hidden units, {hits} right")
        many = min(BLOCK, config.table_guesses - done)
        data = strings(LANGUAGES[4], config.per_class, config.shortest, config.longest, data_rng)
        weights = draw(a1(size), config.weight_range, many, draw_rng)
        weights = pick(weights, table_right_on_all(table_of(weights), data))
        hits += weights["e"].size
        weights = pick(weights, right_on_all(weights, data, config.tolerance))
        nets += weights["e"].size
        each = [pick(weights, [k]) for k in range(weights["e"].size)]
        proved += sum(is_language(one, LANGUAGES[4], config) for one in each)
    return hits, nets, proved


def tables(config, seed, progress):
    """Returns what is found at language 4 with nets of each size."""
    found = {"size": list(config.sizes), "hits": [], "nets": [], "proved": []}
    seeds = seed.spawn(len(config.sizes))
    for k, size in enumerate(config.sizes):
        report = lambda said, k=k: progress(k / len(seeds), said)  # noqa: E731
        numbers = count_tables(size, config, seeds[k], report)
        for key, number in zip(("hits", "nets", "proved"), numbers):
            found[key].append(number)
    return {"tables": found}


def run(config, seed, progress):
    """Makes three parts, each from its own random numbers, none of them the experiment's."""
    guess_seed, descent_seed, table_seed = np.random.SeedSequence([seed, 1]).spawn(3)
    part = lambda k: lambda done, said: progress((k + done) / 3, said)  # noqa: E731
    table = readings(config, guess_seed, part(0))
    table |= descents(config, descent_seed, part(1))
    return table | tables(config, table_seed, part(2))


if __name__ == "__main__":
    rs_tomita.main(sys.modules[__name__])
