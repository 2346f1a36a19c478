# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What one net does with the raw stream, and how much noise and change a hierarchy bears.

Rows: one net on all 1203 symbols, its errors going back through all of them, from three starts;
hierarchies trained and tested on streams in which some fillers are wrong; hierarchies of 6 phrases
tested on 4 and on 8; two levels on a flat stream, the trigger and then 1 2 3 4 5 again and again.

    python3 study_chunker_very_deep_1200.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import chunker_very_deep_1200
from chunker_very_deep_1200 import (
    Nets,
    Stream,
    alphabet,
    build,
    compress,
    draw,
    leaky_start,
    open_recall,
    part,
    possible,
    random_start,
    read,
    recall,
    sequences,
    train,
)
import numpy as np


@dataclass(frozen=True)
class Config(chunker_very_deep_1200.Config):
    raw_updates: Annotated[int, "updates of the nets on the raw stream", (1, 10**6)] = 300
    raw_batch_size: Annotated[int, "sequences of each of these updates", (8, 10_000)] = 16
    raw_tests: Annotated[int, "unseen sequences that these nets read", (1, 10**5)] = 500
    flat_steps: Annotated[int, "symbols of the flat stream", (10, 10**5)] = 1200


QUICK = chunker_very_deep_1200.QUICK | {"raw_updates": 10, "raw_tests": 8, "flat_steps": 40}
NOISE = {"noise_0": 0.0, "noise_001": 0.001, "noise_003": 0.003, "noise_01": 0.01, "noise_03": 0.03}
OTHER_PHRASES = {"phrases_4": 4, "phrases_8": 8}
KNOWN = 0.99  # a net on the raw stream counts if it predicts so many of the fillers
CYCLE = 5  # symbols that the flat stream repeats
FLAT_WINDOW = 50  # it has no words, so level 1 may look further back
POINTS = 41  # distances at which gradients are reported


# ---- one net on the raw stream ----
def raw(rng, training, unseen, config, progress):
    """Train one net from each of three starts on whole sequences; returns their rows.

    Every net gets the sequences of the first hierarchy.
    """
    starts = ("random", random_start), ("leaky", leaky_start), ("identity", identity_start)
    recurrent = [start(rng, 1, config.hidden) for _, start in starts]
    nets = Nets(rng, alphabet(config)[-1], np.concatenate(recurrent))
    training, unseen = [one_for_all(stream, len(starts)) for stream in (training, unseen)]
    unseen = first_rows(unseen, config.raw_tests)
    few = first_rows(unseen, 8)
    before = gradient_norms(nets, few)  # (K, N)
    width = training.symbols.shape[2]
    settings = replace(config, batch_size=config.raw_batch_size)
    train(nets, rng, training, width, config.raw_updates, settings, progress)
    after = gradient_norms(nets, few)  # (K, N)
    p, correct = follow(nets, unseen, config)
    right, opened = recall(p, unseen), open_recall(p, unseen)  # (N,) each
    return {
        f"raw_{name}": {
            "recall": right[n],
            "recall_open": opened[n],
            "fillers": correct[n],
            "gradient_before": before[:, n].tolist(),
            "gradient_after": after[:, n].tolist(),
        }
        for n, (name, _) in enumerate(starts)
    }


def identity_start(rng, nets, hidden):
    """Begin with recurrent weights that keep the state, (N, H, H)."""
    return np.tile(np.eye(hidden), (nets, 1, 1))


def one_for_all(stream, nets):
    """Give nets the sequences of the first one."""
    arrays = [np.repeat(array[:1], nets, 0) for array in stream[:3]]
    return Stream(*arrays, stream.end)


def first_rows(stream, many):
    """Keep the first sequences of each net."""
    return Stream(*(array[:, :many] for array in stream[:3]), stream.end)


def follow(nets, stream, config):
    """Read whole sequences: the answers (N, B, S), and the share of fillers right, (N,)."""
    _, _, first, query, _ = alphabet(config)
    h = nets.rest(stream.symbols.shape[1])
    asked, right = 0, np.zeros(len(h))
    p = nets.predict(h)
    for t in range(stream.end):
        symbol = stream.symbols[:, :, t]  # (N, B)
        filler = (symbol >= first) & (symbol < query)
        right += (filler & (p.argmax(2) == symbol)).sum(1)
        asked += filler[0].sum()
        h = nets.step(h, nets.encode(symbol, np.full(symbol.shape, min(t, 1))))
        p = nets.predict(h)
    return p, right / asked


def gradient_norms(nets, stream):
    """Return log10 of the norm of d(loss of the target)/d(state) by distance, (POINTS, N).

    It is the mean over sequences; the last distance is that of the trigger.
    """
    weights = {name: weight.astype(float) for name, weight in nets.weights.items()}
    W, U, R, c = weights.values()
    symbols = stream.symbols.transpose(2, 0, 1)  # (T, N, B)
    since_last = np.ones(symbols.shape)
    since_last[0] = 0
    drive = nets.encode(symbols[:-1], since_last[:-1]) @ W  # (T - 1, N, B, H)
    h = np.zeros((len(drive) + 1, *drive.shape[1:]))
    for t in range(len(drive)):
        h[t + 1] = np.tanh(drive[t] + h[t] @ U)
    y = h[-1] @ R + c  # (N, B, S)
    p = np.exp(y - y.max(2, keepdims=True))
    p /= p.sum(2, keepdims=True)
    dy = p - (np.arange(p.shape[2]) == symbols[-1][..., None])  # (N, B, S)
    dh = dy @ R.transpose(0, 2, 1)  # (N, B, H)
    norms = []
    for t in reversed(range(len(drive))):
        norms.append(np.linalg.norm(dh, axis=2).mean(1))
        dh = (dh * (1 - h[t + 1] ** 2)) @ U.transpose(0, 2, 1)
    return np.log10(np.maximum(norms, 1e-300))[distances(stream) - 1]


def distances(stream):
    """Return the distances from the target, in symbols, at which gradients are reported."""
    return np.linspace(1, stream.end, POINTS).astype(int)


# ---- noise ----
def disturb(rng, stream, rate, config):
    """Replace every filler, with this probability, by a filler drawn from all of them."""
    _, _, first, query, _ = alphabet(config)
    symbols = stream.symbols
    wrong = (symbols >= first) & (symbols < query) & (rng.random(symbols.shape) < rate)
    drawn = rng.integers(first, query, symbols.shape)
    return stream._replace(symbols=np.where(wrong, drawn, symbols))


def noisy(seed, rate, config, progress):
    """Train hierarchies on noisy streams and test them on others: a row, and the levels."""
    task_rng, noise_rng, build_rng = map(np.random.default_rng, seed.spawn(3))
    streams = draw(task_rng, config)
    training, unseen = [disturb(noise_rng, stream, rate, config) for stream in streams]
    levels, _ = build(build_rng, training, config, progress)
    return tested(levels, unseen, config), levels


def tested(levels, unseen, config):
    """Return how well levels recall, and what reaches each."""
    p, events = read(levels, unseen, config)
    return {
        "recall": recall(p, unseen).mean(),
        "recall_open": open_recall(p, unseen).mean(),
        "events_level_2": events[1].length.mean(),
        "events_level_3": events[2].length.mean(),
    }


def slope(table, config):
    """Fit events at level 3 = events without noise + slope * wrong fillers of a sequence."""
    fillers = config.phrases * config.words * (config.word_length - 1)
    wrong = fillers * np.array(list(NOISE.values()))
    events = np.array([table[name]["events_level_3"] for name in NOISE])
    return wrong @ (events - events[0]) / (wrong @ wrong)


# ---- other streams ----
def longer_or_shorter(rng, levels, phrases, config):
    """Test levels on sequences of another number of phrases."""
    other = replace(config, phrases=phrases, train_sequences=1, test_sequences=1)
    many = min(config.test_sequences, possible(other))
    codes = [rng.choice(possible(other), many, replace=False) for _ in range(config.hierarchies)]
    return tested(levels, sequences(np.array(codes), other), other)


def flat(rng, config, progress):
    """Train two levels on the flat stream, of which only two sequences exist."""
    nets, steps = config.hierarchies, config.flat_steps
    symbols = np.empty((nets, 2, steps), np.intp)  # triggers 0 and 1, then 2 to 6
    symbols[:, :, 1:-1] = 2 + np.arange(steps - 2) % CYCLE
    symbols[:, :, 0] = symbols[:, :, -1] = np.arange(2)
    times = np.broadcast_to(np.arange(steps), symbols.shape)
    stream = Stream(symbols, times, np.full((nets, 2), steps), steps - 1)
    level_1, level_2 = [Nets(rng, 2 + CYCLE, random_start(rng, nets, config.hidden)) for _ in "12"]
    many = config.updates
    train(level_1, rng, stream, FLAT_WINDOW, many, config, part(progress, 0, 2))
    events = compress(level_1, stream, config.threshold)
    train(level_2, rng, events, events.symbols.shape[2], many, config, part(progress, 1, 2))
    p, events = read([level_1, level_2], stream, config)
    return {"recall_open": open_recall(p, stream).mean(), "events": events[1].length.mean()}


# ---- the study ----
def run(config, seed, progress):
    """Train nets on the raw stream, hierarchies on noisy streams, and two levels on a flat one."""
    *row_seeds, last_seed = np.random.SeedSequence(seed).spawn(len(NOISE) + 1)
    task_rng, raw_rng, other_rng, flat_rng = map(np.random.default_rng, last_seed.spawn(4))
    training, unseen = draw(task_rng, config)
    table = raw(raw_rng, training, unseen, config, part(progress, 0, 2))
    starts = list(table.values())
    counted = [row["recall"] for row in starts if row["fillers"] >= KNOWN]
    distance = distances(unseen).tolist()
    for k, ((name, rate), row_seed) in enumerate(zip(NOISE.items(), row_seeds)):
        watch = part(part(progress, 1, 2), k, 6)
        table[name], levels = noisy(row_seed, rate, config, watch)
        if rate == 0:
            for other, phrases in OTHER_PHRASES.items():
                table[other] = longer_or_shorter(other_rng, levels, phrases, config)
    table["flat"] = flat(flat_rng, config, part(part(progress, 1, 2), 5, 6))
    return table | {
        "raw_recall_best": max(counted, default=None),
        "raw_counted": len(counted),
        "recall_noise_001": table["noise_001"]["recall"],
        "events_per_wrong_filler": slope(table, config),
        "gradient_distances": distance,
    }


if __name__ == "__main__":
    chunker_very_deep_1200.main(sys.modules[__name__])
