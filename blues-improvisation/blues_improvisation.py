# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Blues improvisation: an LSTM hears 12-bar blues, and then goes on playing it by itself.

Paper: D. Eck and J. Schmidhuber, "Finding Temporal Structure in Music: Blues Improvisation with
LSTM Recurrent Networks", NNSP 2002, pp. 747-756.
Task: predict chord and note of the next eighth. Twelve bars of eight steps make a chorus, chorus
follows chorus, and each bar has two melodies to choose from, which makes 4096 songs.
Net: forget gates and peepholes; a group of cells for the chords, which hears nothing else, and a
group for the melody, which also listens to the first.
Claim: fed with its own output, it "does not drift" from the form while it improvises, where the
music of "standard RNNs" lacks global coherence. It has to keep its place for 100 choruses.
Rival: tanh nets with as many weights as the chord group; they play the chords alone.

    python3 blues_improvisation.py --seed 0      # ten LSTMs, then five tanh nets at each rate
    python3 blues_improvisation.py --quick       # proves that the code runs
"""

import os
from dataclasses import dataclass
from time import process_time
from typing import Annotated, NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "LSTMs in lock-step; half as many tanh nets a rate", (1, 100)] = 10
    streams: Annotated[int, "streams of music that a net hears at a time", (1, 256)] = 4
    songs: Annotated[int, "songs to train on; as many others are held out", (1, 2048)] = 64
    stream_choruses: Annotated[int, "choruses of a stream, in the mean", (1, 10_000)] = 12
    chord_cells: Annotated[int, "memory cells that hear the chords", (1, 256)] = 24
    melody_cells: Annotated[int, "memory cells that hear the melody", (1, 256)] = 16
    updates: Annotated[int, "training updates of a net", (1, 10**6)] = 1800
    window: Annotated[int, "steps that an update looks back, at most", (1, 5000)] = 100
    learning_rate: Annotated[float, "step size at the start", (1e-6, 1.0)] = 0.02
    final_rate: Annotated[float, "step size at the end", (0.0, 1.0)] = 0.001
    clip: Annotated[float, "largest gradient norm of a net", (1e-6, 1e9)] = 2.0
    forget_bias: Annotated[tuple[float, ...], "of first and last cell", (-9.0, 9.0)] = (1.0, 4.0)
    rnn_units: Annotated[int, "tanh units; 52 have 4016 weights", (1, 256)] = 52
    rnn_rates: Annotated[tuple[float, ...], "tanh step sizes", (0.0, 1.0)] = (0.0025, 0.005, 0.01)
    choruses: Annotated[int, "length of a free run", (1, 10_000)] = 100

    def __post_init__(self):
        if len(self.forget_bias) != 2:
            raise ValueError("argument --forget-bias: needs 2 numbers")


QUICK = {"nets": 2, "streams": 2, "songs": 8, "updates": 12, "choruses": 3}

# ---- the task: the form, its chords, and two melodies for each bar ----
FORM = "CCCCFFCCGFCC"  # the chord of each bar
BARS, BAR, CHORUS = 12, 8, 96  # bars of a chorus; steps of a bar and of a chorus
CHORDS = {"C": (0, 4, 7, 10), "F": (0, 3, 5, 9), "G": (2, 5, 7, 11)}  # semitones above C
TONES, NOTES = 12, 13  # units of a chord; of the melody, from C to the C above
INPUTS = 1 + TONES + NOTES  # a bias comes first
CHORD_AT = np.array([[k in CHORDS[chord] for k in range(TONES)] for chord in FORM])
CHORD_AT = CHORD_AT.repeat(BAR, axis=0)  # (CHORUS, TONES)
SEMITONES = {"C": 0, "e": 3, "F": 5, "G": 7, "b": 10, "c": 12}  # E and B are flat, c is C above
CORPUS = """
    ccbGFFGF ccbGFeCe  ccbGFeCe Gbbbbcbc  Gbbbbcbc bbGFeFeC  bbGFeFeC GGbbcbGb
    FGGFGbGG cbGFFFeC  cbGFFFeC eCeFeFGb  GGbbcbGb bcbGbGbG  bcbGbGbG ccbGFFGF
    FeCeCCeF GGGFGbGb  eCeFeFGb FGGFGbGG  ccbGFFGF ccbGFeCe  bGFeCCeC CeeeCCeC
"""  # four bars a line, two melodies a bar, a letter a step
SEGMENTS = np.array([SEMITONES[letter] for letter in "".join(CORPUS.split())])
SEGMENTS = SEGMENTS.reshape(BARS, 2, BAR)


def draw_songs(rng, count):
    """Draw different ones of the 4096 songs: notes (count, CHORUS)."""
    number = rng.choice(2**BARS, count, replace=False)
    choice = number[:, None] >> np.arange(BARS) & 1  # (count, BARS)
    return SEGMENTS[np.arange(BARS), choice].reshape(count, CHORUS)


def encode(chords, notes):
    """Return x (T, INPUTS, N, B) from chords (T, TONES, 1 or N, 1 or B) and notes (T, N, B)."""
    T, N, B = notes.shape
    x = np.ones((T, INPUTS, N, B), np.float32)
    x[:, 1 : 1 + TONES] = chords
    x[:, 1 + TONES :] = notes[:, None] == np.arange(NOTES)[:, None, None]
    return x


class Music(NamedTuple):
    """Endless streams, B for each of N nets: song after song, each stream at its own place."""

    songs: np.ndarray  # (S, CHORUS) notes
    order: np.ndarray  # (choruses, N, B) which song comes when
    start: np.ndarray  # (N, B) step at which a stream begins
    fresh: np.ndarray  # (choruses, N, B) whether the net forgets all and starts anew with it

    def window(self, begin, end):
        """Return some steps: x (T, INPUTS, N, B), and keep (T, N, B), 0 where a net starts anew."""
        time = np.arange(begin, end)[:, None, None] + self.start  # (T, N, B)
        chorus, step = np.divmod(time, CHORUS)
        net, stream = np.indices(self.start.shape)
        notes = self.songs[self.order[chorus, net, stream], step]  # (T, N, B)
        keep = (step > 0) | ~self.fresh[chorus, net, stream]
        return encode(CHORD_AT[step].transpose(0, 3, 1, 2), notes), keep.astype(np.float32)


def endless(rng, songs, nets, config):
    """Draw the streams of a training; some are short and some long, so that no net counts on it."""
    shape = (nets, config.streams)
    choruses = config.updates * config.window // CHORUS + 2
    order = rng.integers(len(songs), size=(choruses, *shape))
    fresh = rng.random(order.shape) < 1 / config.stream_choruses
    return Music(songs, order, rng.integers(CHORUS, size=shape), fresh)


# ---- the two networks ----
class RecurrentNet:
    """N recurrent nets in lock-step: H units h = tanh(W z), and O logistic outputs of V h + b.

    z is [the bias and what the net hears of the music, h one step before].
    """

    spread, mask = 0.2, np.float32(1)  # of initial weights; 0 for weights that a net lacks

    def __init__(self, units, inputs, outputs):
        self.units, self.inputs, self.outputs = units, inputs, outputs  # H, I, O
        self.shapes = {"W": (units, inputs + units), "V": (outputs, units), "b": (outputs,)}

    def views(self, theta):
        """Return views of the weights (N, P) by name."""
        ends = np.cumsum([np.prod(shape) for shape in self.shapes.values()])
        parts = np.split(theta, ends[:-1], axis=1)
        return {k: part.reshape(-1, *s) for (k, s), part in zip(self.shapes.items(), parts)}

    def initial(self, rng, nets, config):
        """Draw the weights (N, P): orthogonal recurrent ones, and small others."""
        size = sum(np.prod(shape) for shape in self.shapes.values())  # P
        theta = rng.normal(0, self.spread, (nets, size)).astype(np.float32)
        square = rng.standard_normal((nets, self.units, self.units))
        self.views(theta)["W"][:, :, self.inputs :] = np.linalg.qr(square)[0]
        return theta

    def silence(self, nets, streams):
        """Return the state of a net that has heard nothing."""
        return [np.zeros((self.units, nets, streams), np.float32)]

    def forward(self, theta, x, keep, state):
        """Return the outputs (N, T, B, O) for x (T, INPUTS, N, B); self.state is the last state."""
        T, _, N, B = x.shape
        self.w, self.keep = self.views(theta), keep
        self.z = np.empty((T, self.inputs + self.units, N, B), theta.dtype)
        self.z[:, : self.inputs] = x[:, : self.inputs]
        self.h = np.empty((T, self.units, N, B), theta.dtype)
        self.unroll(self.z, keep, state)
        self.seen = self.rows(self.h)  # (N, T B, H)
        a = np.matmul(self.seen, self.w["V"].transpose(0, 2, 1)) + self.w["b"][:, None]
        return (1 / (1 + np.exp(-a))).reshape(N, T, B, -1)

    def backward(self, d_a):
        """Return dE/dtheta (N, P), given dE/d(net inputs of the outputs) (N, T, B, O)."""
        N, T, B, _ = d_a.shape
        d_a = d_a.reshape(N, T * B, -1)
        grads = {"V": np.matmul(d_a.transpose(0, 2, 1), self.seen), "b": d_a.sum(1)}
        d_h = np.matmul(d_a, self.w["V"]).reshape(N, T, B, -1)
        d_units = self.unroll_back(np.ascontiguousarray(d_h.transpose(1, 3, 0, 2)), grads)
        grads["W"] = np.matmul(self.rows(d_units).transpose(0, 2, 1), self.rows(self.z))
        return np.concatenate([grads[name].reshape(N, -1) for name in self.shapes], axis=1)

    @staticmethod
    def rows(units):
        """Lay out (T, G, N, B) as (N, T B, G)."""
        T, G, N, B = units.shape
        return units.transpose(2, 0, 3, 1).reshape(N, T * B, G)

    def unroll(self, z, keep, state):
        """Fill in h, and the recurrent part of z (T, I + H, N, B)."""
        z_of, h_of = z.transpose(0, 2, 1, 3), self.h.transpose(0, 2, 1, 3)  # (T, N, ..., B)
        (h,) = state
        for t in range(len(z)):
            np.multiply(h, keep[t], out=z[t, self.inputs :])
            np.matmul(self.w["W"], z_of[t], out=h_of[t])
            h = np.tanh(self.h[t], out=self.h[t])
        self.state = [h]

    def unroll_back(self, d_h, grads):
        """Return dE/d(net inputs) (T, H, N, B), given the outputs' part of dE/dh (T, H, N, B)."""
        recurrent = self.w["W"][:, :, self.inputs :].transpose(0, 2, 1)  # (N, H, H)
        d_units = 1 - self.h**2  # (T, H, N, B), at first the slopes alone
        d_units_of = d_units.transpose(0, 2, 1, 3)  # (T, N, H, B)
        later = np.zeros_like(d_h[0])  # dE/dh by way of the steps after
        for t in reversed(range(len(d_h))):
            later += d_h[t]
            d_units[t] *= later
            np.matmul(recurrent, d_units_of[t], out=later.transpose(1, 0, 2))
            later *= self.keep[t]
        return d_units


class Lstm(RecurrentNet):
    """N LSTMs in lock-step, with forget gates and peepholes; C cells, those for the chords first.

    The rows of W are the candidates g and the gates i, f and o, each C. As a gate is
    sig(a) = (1 + tanh(a / 2)) / 2, tanh serves all of them:

        s = f s_before + i g    h = o tanh(s)    i and f see s_before, o sees s: the peepholes p
    """

    spread = 0.4

    def __init__(self, config):
        C = config.chord_cells + config.melody_cells
        super().__init__(C, INPUTS, TONES + NOTES)
        self.chord_cells = config.chord_cells
        self.shapes = {"W": (4 * C, INPUTS + C), "p": (3, C), "V": (TONES + NOTES, C)}
        self.shapes["b"] = (TONES + NOTES,)
        parts = {name: np.ones((1, *shape), np.float32) for name, shape in self.shapes.items()}
        self.cut(parts["W"].reshape(4, C, -1), parts["V"][0])
        self.mask = np.concatenate([part.reshape(1, -1) for part in parts.values()], axis=1)

    def cut(self, W, V):
        """Mark with 0 what a net lacks in W (4, C, INPUTS + C) and V (TONES + NOTES, C)."""
        chords = self.chord_cells
        W[:, :chords, 1 + TONES : INPUTS] = 0  # chord cells do not hear the melody,
        W[:, :chords, INPUTS + chords :] = 0  # not even by way of the melody cells;
        W[:, chords:, 1 : 1 + TONES] = 0  # melody cells know the chords from the chord cells
        V[:TONES, chords:] = 0

    def initial(self, rng, nets, config):
        """Draw the weights (N, P); in each group, the forget gates start more and more open."""
        size = sum(np.prod(shape) for shape in self.shapes.values())  # P
        theta = rng.normal(0, self.spread, (nets, size)).astype(np.float32) * self.mask
        groups = (config.chord_cells, config.melody_cells)
        bias = np.concatenate([np.linspace(*config.forget_bias, count) for count in groups])
        self.views(theta)["W"][:, 2 * self.units : 3 * self.units, 0] = bias
        return theta

    def silence(self, nets, streams):
        """Return h and s of a net that has heard nothing."""
        return 2 * super().silence(nets, streams)

    def peepholes(self, B):
        """Return the peepholes of i and f, (2, C, N, B), and of o, (C, N, B)."""
        p = self.w["p"].transpose(1, 2, 0)[..., None].repeat(B, axis=3)  # (3, C, N, B)
        return p[:2], p[2]

    def unroll(self, z, keep, state):
        """Fill in h, and the recurrent part of z (T, INPUTS + C, N, B)."""
        T, _, N, B = z.shape
        C = self.units
        self.u = np.empty((T, 4, C, N, B), z.dtype)  # g, i, f, o
        self.s_before, self.s, self.tanh_s = np.empty((3, T, C, N, B), z.dtype)
        a_of = self.u.reshape(T, 4 * C, N, B).transpose(0, 2, 1, 3)  # (T, N, 4 C, B)
        z_of = z.transpose(0, 2, 1, 3)  # (T, N, INPUTS + C, B)
        half = self.w["W"] * np.repeat(np.float32((1, 0.5)), (C, 3 * C))[:, None]
        p_if, p_o = (p / 2 for p in self.peepholes(B))
        part_if, part = np.empty_like(p_if), np.empty_like(p_o)
        h, s = state
        for t in range(T):
            u, before = self.u[t], self.s_before[t]
            gates, o = u[1:3], u[3]
            np.multiply(s, keep[t], out=before)
            np.multiply(h, keep[t], out=z[t, INPUTS:])
            np.matmul(half, z_of[t], out=a_of[t])
            gates += np.multiply(p_if, before, out=part_if)
            np.tanh(u[:3], out=u[:3])
            gates *= 0.5
            gates += 0.5
            s = np.multiply(u[1], u[0], out=self.s[t])
            s += np.multiply(u[2], before, out=part)
            o += np.multiply(p_o, s, out=part)
            np.tanh(o, out=o)
            o *= 0.5
            o += 0.5
            h = np.multiply(o, np.tanh(s, out=self.tanh_s[t]), out=self.h[t])
        self.state = [h, s]

    def unroll_back(self, d_h, grads):
        """Return dE/d(net inputs) (T, 4 C, N, B), given the outputs' part of dE/dh (T, C, N, B)."""
        T, C, N, B = d_h.shape
        recurrent = self.w["W"][:, :, INPUTS:].transpose(0, 2, 1)  # (N, C, 4 C)
        p_if, p_o = self.peepholes(B)
        d_u, to_s = self.slopes()  # (T, 4, C, N, B) and (T, C, N, B)
        d_units = d_u.reshape(T, 4 * C, N, B)
        d_units_of = d_units.transpose(0, 2, 1, 3)  # (T, N, 4 C, B)
        later, d_s = np.zeros((2, C, N, B), d_h.dtype)  # dE/dh and dE/ds by way of the steps after
        part_if, part = np.empty_like(p_if), np.empty_like(p_o)
        for t in reversed(range(T)):
            later += d_h[t]
            d_o = np.multiply(d_u[t, 3], later, out=d_u[t, 3])
            d_s += np.multiply(later, to_s[t], out=part)
            d_s += np.multiply(p_o, d_o, out=part)
            d_u[t, :3] *= d_s
            d_s *= self.u[t, 2]
            np.multiply(p_if, d_u[t, 1:3], out=part_if)
            d_s += part_if[0]
            d_s += part_if[1]
            d_s *= self.keep[t]
            np.matmul(recurrent, d_units_of[t], out=later.transpose(1, 0, 2))
            later *= self.keep[t]
        sees = (self.s_before, self.s_before, self.s)
        d_p = [(d_u[:, k + 1] * s).sum(0).sum(2) for k, s in enumerate(sees)]  # (C, N) each
        grads["p"] = np.stack(d_p).transpose(2, 0, 1)  # (N, 3, C)
        return d_units

    def slopes(self):
        """Return the slopes of s (for g, i, f) and of h (for o) by the net inputs, and dh/ds."""
        g, i, f, o = self.u.transpose(1, 0, 2, 3, 4)  # (T, C, N, B) each
        d_u = np.empty_like(self.u)
        d_u[:, 0] = i * (1 - g * g)
        d_u[:, 1] = g * i * (1 - i)
        d_u[:, 2] = self.s_before * f * (1 - f)
        d_u[:, 3] = self.tanh_s * o * (1 - o)
        return d_u, o * (1 - self.tanh_s**2)


# ---- training ----
BETA_1, BETA_2, EPSILON = 0.9, 0.98, 1e-8  # of Adam


def targets(net, x):
    """Return (N, T, B, O), what the net should say when it has heard all but the last step of x."""
    return x[1:, 1 : 1 + net.outputs].transpose(2, 0, 3, 1)


def train(net, theta, rates, music, config, progress):
    """Let N nets predict each next step; Adam follows the clipped gradient of the cross-entropy."""
    mean, square = np.zeros_like(theta), np.zeros_like(theta)  # (N, P)
    rates = np.broadcast_to(rates, len(theta))[:, None].astype(np.float32)  # (N, 1)
    state = net.silence(len(theta), config.streams)
    for update in range(config.updates):
        done = update / config.updates
        begin = update * config.window
        x, keep = music.window(begin, begin + config.window + 1)
        error = net.forward(theta, x[:-1], keep[:-1], state) - targets(net, x)  # (N, T, B, O)
        state = net.state
        if not np.isfinite(error).all():
            raise FloatingPointError(f"loss is nan at update {update}")
        gradient = net.mask * net.backward(error / (config.window * config.streams))  # (N, P)
        norm = np.linalg.norm(gradient, axis=1, keepdims=True)  # (N, 1)
        gradient *= np.minimum(1, config.clip / (norm + EPSILON))
        mean += (1 - BETA_1) * (gradient - mean)
        square += (1 - BETA_2) * (gradient**2 - square)
        step = mean / (1 - BETA_1 ** (update + 1))
        step /= np.sqrt(square / (1 - BETA_2 ** (update + 1))) + EPSILON
        theta -= rates * (1 - done + done * config.final_rate / config.learning_rate) * step
        if update % 20 == 0:
            progress(done, f"mean |error| {np.abs(error).mean():.4f}")


# ---- the free run, and what is said about it ----
def improvise(net, theta, prime, choruses, rng):
    """Let N nets hear a bar, notes prime (N, BAR), and go on alone.

    Returns what they said (steps, N, O) and the notes that they played (steps, N). A chord unit
    sounds above 0.5; the note is drawn in proportion to the outputs, and each step has one.
    """
    N, steps = len(theta), choruses * CHORUS
    said, notes = np.zeros((steps, N, net.outputs)), np.zeros((steps, N), np.intp)
    said[:BAR, :, :TONES] = CHORD_AT[:BAR, None]
    notes[:BAR] = prime.T
    chance = rng.random((steps, N, 1))
    x = encode(CHORD_AT[:BAR, :, None, None], notes[:BAR, :, None])
    keep = np.ones((BAR, N, 1), np.float32)
    y = net.forward(theta, x, keep, net.silence(N, 1))  # (N, T, 1, O)
    for t in range(BAR, steps):
        said[t] = y[:, -1, 0]
        if net.outputs > TONES:
            level = said[t, :, TONES:].cumsum(1)  # (N, NOTES)
            notes[t] = (level[:, :-1] <= chance[t] * level[:, -1:]).sum(1)
        chords = said[t, :, :TONES].T[None, :, :, None] > 0.5
        x = encode(chords, notes[t][None, :, None])
        y = net.forward(theta, x, keep[:1], net.state)
    return said, notes


def judge(said):
    """Return the choruses that each of N nets plays before its first wrong chord, and metrics."""
    step = np.arange(len(said)) % CHORUS
    wrong = ((said[:, :, :TONES] > 0.5) != CHORD_AT[step, None]).any(2)  # (steps, N)
    lasted = np.where(wrong.any(0), wrong.argmax(0), len(said)) / CHORUS  # (N,)
    lost = wrong[-CHORUS:].any(0)  # (N,) is not back in time by the last chorus
    doubt = np.abs(said[BAR:, :, :TONES] - 0.5) < 0.4
    return lasted, {
        "kept": (~wrong.any(0)).mean(),
        "choruses": lasted.mean(),
        "lost": lost.mean(),
        "glitches": wrong[:, ~lost].sum(0).mean() if not lost.all() else None,  # wrong steps
        "sure": 1 - doubt.mean(),
    }


def melody_loss(net, theta, songs):
    """Return the mean loss, in nats a step, of each net's next note in songs (S, CHORUS): (N,)."""
    two = np.concatenate([np.roll(songs, 1, 0), songs], axis=1)  # (S, 2 CHORUS); one to begin with
    notes = np.broadcast_to(two.T[:, None], (2 * CHORUS, len(theta), len(songs)))
    x = encode(np.tile(CHORD_AT, (2, 1))[:, :, None, None], notes)
    keep = np.ones((2 * CHORUS, 1, 1), np.float32)
    y = net.forward(theta, x[:-1], keep, net.silence(len(theta), len(songs)))
    y, target = (v[:, -CHORUS:, :, TONES:] for v in (y, targets(net, x)))  # (N, CHORUS, S, NOTES)
    y = np.maximum(y, EPSILON)
    return -np.log((y * target).sum(3) / y.sum(3)).mean((1, 2))


def entropy():
    """Return the entropy of the songs in nats a step: a fair coin for each bar."""
    return np.log(2) * (SEGMENTS[:, 0] != SEGMENTS[:, 1]).any(1).sum() / CHORUS


def novel(notes, songs):
    """Return the share of choruses in notes (steps, N) that are none of the songs (S, CHORUS)."""
    known = {song.tobytes() for song in songs.astype(np.intp)}
    played = notes.T.reshape(-1, CHORUS).astype(np.intp)  # (N choruses, CHORUS)
    return np.mean([chorus.tobytes() not in known for chorus in played])


# ---- the experiment ----
def learn(net, nets, rates, songs, config, seeds, progress):
    """Train nets on the songs, from random weights and with streams of their own: (N, P)."""
    init, music = map(np.random.default_rng, seeds)
    theta = net.initial(init, nets, config)
    train(net, theta, rates, endless(music, songs, nets, config), config, progress)
    return theta


def play(net, theta, songs, config, seed):
    """Let each net hear the first bar of a song and go on alone, as improvise() says."""
    prime = songs[np.arange(len(theta)) % len(songs), :BAR]
    return improvise(net, theta, prime, config.choruses, np.random.default_rng(seed))


def rival(config, songs, seeds, progress):
    """Train tanh nets at several rates, and return what judge() says about those of the best.

    The best rate is the one whose nets keep the form longest in these very runs.
    """
    net = RecurrentNet(config.rnn_units, 1 + TONES, TONES)
    rates = np.repeat(config.rnn_rates, (config.nets + 1) // 2)
    theta = learn(net, len(rates), rates, songs, config, seeds[:2], progress)
    said, _ = play(net, theta, songs, config, seeds[2])
    found = [judge(part) for part in np.split(said, len(config.rnn_rates), axis=1)]
    best = int(np.argmax([metrics["choruses"] for _, metrics in found]))
    lasted, metrics = found[best]
    return lasted, metrics | {"rate": config.rnn_rates[best]}


def run(config, seed, progress):
    """Train LSTMs and their rivals, and let all of them play on alone."""
    seeds = np.random.SeedSequence(seed).spawn(7)
    songs = draw_songs(np.random.default_rng(seeds[0]), 2 * config.songs)
    known, held_out = np.split(songs, 2)
    net, began, rate = Lstm(config), process_time(), config.learning_rate

    def note(done, text):
        progress(0.7 * done, f"LSTM: {text}")

    theta = learn(net, config.nets, rate, known, config, seeds[1:3], note)
    seconds = process_time() - began
    said, notes = play(net, theta, held_out, config, seeds[3])
    lasted, chords = judge(said)
    loss = melody_loss(net, theta, held_out).mean()
    _, rnn = rival(config, known, seeds[4:], lambda done, text: progress(0.7 + 0.3 * done, text))
    x = np.linspace(0, config.choruses, 101)  # choruses
    steps = config.nets * config.updates * config.window * config.streams
    return {
        "chords": chords,
        "rnn": rnn,
        "lead": np.log10(chords["choruses"]) - np.log10(rnn["choruses"]),
        "melody": {"loss": loss, "excess": loss / entropy(), "novel": novel(notes, known)},
        "lstm": {"steps_per_second": steps / seconds},
        "curve": {"x": x.tolist(), "y": [(lasted >= limit).mean() for limit in x]},
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
