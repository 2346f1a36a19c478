# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around the blues: links by which the melody could disturb it, and simpler players.

own_links    the experiment's nets once more: a control, and the melody that is looked at
free_links   the chord cells listen to the melody cells, too
one_chorus   training starts anew with each chorus: what comes after the first one is never heard
small        8 and 8 cells, the paper's number, with the same training
rnn          the experiment's tanh nets once more, for the picture
markov       no net: first-order chains on (chord, note), counted in the training songs
corpus       the training songs; "chance" plays their notes without regard to the chord

python3 study_blues_improvisation.py --seed 0
python3 study_blues_improvisation.py --quick      # proves that the code runs
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import blues_improvisation
from blues_improvisation import BAR, BARS, CHORD_AT, CHORDS, CHORUS, FORM, INPUTS, NOTES, SEGMENTS
from blues_improvisation import Lstm, draw_songs, entropy, judge, learn, melody_loss, play, rival
import numpy as np


@dataclass(frozen=True)
class Config(blues_improvisation.Config):
    small_cells: Annotated[int, "cells of each group in the row small", (1, 256)] = 8


QUICK = blues_improvisation.QUICK


# ---- the controls ----
class FreeLinks(Lstm):
    """LSTMs whose chord cells also listen to the melody cells, which hear sampled notes."""

    def cut(self, W, V):
        super().cut(W, V)
        W[:, : self.chord_cells, INPUTS + self.chord_cells :] = 1


CHORD_NUMBER = np.repeat([list(CHORDS).index(chord) for chord in FORM], BAR)  # (CHORUS,)


def chain(songs):
    """Count how often a (chord, note) follows another in songs (S, CHORUS) in any order."""
    state = CHORD_NUMBER * NOTES + songs  # (S, CHORUS)
    count = np.zeros((len(CHORDS) * NOTES,) * 2)
    np.add.at(count, (state[:, :-1], state[:, 1:]), 1)
    np.add.at(count, (state[:, -1:], state[:, 0]), 1 / len(songs))
    return count


def play_chain(songs, prime, choruses, rng):
    """Let N chains go on from a bar (N, BAR), as improvise() does: what they say, and notes."""
    level = chain(songs).cumsum(1)  # (states, states)
    steps = choruses * CHORUS
    state = np.zeros((steps, len(prime)), np.intp)
    state[:BAR] = CHORD_NUMBER[:BAR, None] * NOTES + prime.T
    chance = rng.random((steps, len(prime), 1))
    for t in range(BAR, steps):
        row = level[state[t - 1]]  # (N, states)
        state[t] = (row[:, :-1] <= chance[t] * row[:, -1:]).sum(1)
    first = np.array([FORM.index(chord) * BAR for chord in CHORDS])  # a step with each chord
    return CHORD_AT[first[state // NOTES]].astype(float), state % NOTES


# ---- the melody ----
def chord_tones(notes):
    """Return the share of notes (steps, N) that are tones of the chord that the form has there."""
    step = np.arange(len(notes)) % CHORUS
    return CHORD_AT[step[:, None], notes % 12].mean()


def chance_tones(songs):
    """Return what chord_tones() gives for the notes of songs (S, CHORUS) in random order."""
    share = np.bincount(songs.ravel() % 12, minlength=12) / songs.size  # (12,)
    return (CHORD_AT * share).sum(1).mean()


def segments(notes):
    """Return the share of bars in notes (steps, N) that are one of the two segments there."""
    bars = notes.T.reshape(-1, BARS, 1, BAR)  # (N choruses, BARS, 1, BAR)
    return (bars == SEGMENTS).all(3).any(2).mean()


# ---- the study ----
def row(kind, config, songs, seeds, progress):
    """Train the LSTMs of a row and let them play: metrics, and the notes (steps, N)."""
    known, held_out = np.split(songs, 2)
    net = kind(config)
    theta = learn(net, config.nets, config.learning_rate, known, config, seeds[:2], progress)
    said, notes = play(net, theta, held_out, config, seeds[2])
    lasted, metrics = judge(said)
    excess = melody_loss(net, theta, held_out).mean() / entropy()
    bars = lasted.mean() * BARS
    return metrics | {"excess": excess, "bars": bars, "lasted_each": lasted.tolist()}, notes


def run(config, seed, progress):
    """Train one row after the other; "bars" is how many bars go by before the first wrong one."""
    small = replace(config, chord_cells=config.small_cells, melody_cells=config.small_cells)
    rows = {
        "own_links": (Lstm, config),
        "free_links": (FreeLinks, config),
        "one_chorus": (Lstm, replace(config, stream_choruses=1)),
        "small": (Lstm, small),
    }
    song_seed, rnn_seed, chain_seed, *row_seeds = np.random.SeedSequence(seed).spawn(3 + len(rows))
    songs = draw_songs(np.random.default_rng(song_seed), 2 * config.songs)
    known = songs[: config.songs]
    table, notes = {}, {}
    for k, (name, (kind, settings)) in enumerate(rows.items()):

        def note(done, text, k=k, name=name):
            progress((k + done) / (len(rows) + 1), f"{name}: {text}")

        table[name], notes[name] = row(kind, settings, songs, row_seeds[k].spawn(3), note)
    lasted, table["rnn"] = rival(config, known, rnn_seed.spawn(3), lambda *_: None)
    table["rnn"]["lasted_each"] = lasted.tolist()

    prime = songs[config.songs + np.arange(config.nets) % config.songs, :BAR]
    rng = np.random.default_rng(chain_seed)
    said, played = play_chain(known, prime, config.choruses, rng)
    lasted, metrics = judge(said)
    table["markov"] = {"kept": metrics["kept"], "bars": lasted.mean() * BARS}
    for name in ("own_links", "free_links"):
        table[name] |= {"chord_tones": chord_tones(notes[name]), "segments": segments(notes[name])}
    table["markov"] |= {"chord_tones": chord_tones(played), "segments": segments(played)}
    table["corpus"] = {"chord_tones": chord_tones(known.T), "chance": chance_tones(known)}
    return table


if __name__ == "__main__":
    blues_improvisation.main(sys.modules[__name__])
