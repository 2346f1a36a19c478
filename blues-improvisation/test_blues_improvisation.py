"""Tests of the blues: the music, gradients, the free run, the judge, the wiring, bad settings."""

import itertools
from dataclasses import replace

import blues_improvisation as blues
import numpy as np
import pytest
import study_blues_improvisation as study
from blues_improvisation import (
    BAR,
    CHORD_AT,
    INPUTS,
    NOTES,
    QUICK,
    SEGMENTS,
    TONES,
    Config,
    Lstm,
    RecurrentNet,
    draw_songs,
    encode,
    endless,
    improvise,
    judge,
    run,
    targets,
    train,
)

SMALL = Config(nets=2, streams=3, songs=4, window=7, updates=3, chord_cells=2, melody_cells=2)
NETS = {
    "lstm": Lstm(SMALL),
    "free_links": study.FreeLinks(SMALL),
    "tanh": RecurrentNet(5, 1 + TONES, TONES),
}


def silent(done, text):
    """A progress that nobody sees."""


def rng(seed=0):
    return np.random.default_rng(seed)


def music(config=SMALL, nets=2, seed=1):
    return endless(rng(seed), draw_songs(rng(seed + 1), config.songs), nets, config)


def sample(net, steps=7, seed=3):
    """Return weights, x, keep with a new start in the middle, and a state, all in float64."""
    theta = net.initial(rng(seed), 2, SMALL).astype(float) * 1.5
    x, keep = (part.astype(float) for part in music().window(0, steps + 1))
    keep[3, :, 1] = 0
    state = [rng(seed + 1).normal(size=part.shape) for part in net.silence(2, SMALL.streams)]
    return theta, x, keep, state


# ---- slow reference: one net, one stream, plain loops ----
def sig(a):
    return 1 / (1 + np.exp(-a))


def slow_lstm(net, theta, x, keep, state):
    """Run one LSTM over x (T, INPUTS): outputs (T, 25)."""
    W, p, V, b = (net.views(theta[None])[name][0] for name in ("W", "p", "V", "b"))
    C = net.units
    (h, s), said = (part.copy() for part in state), []
    for x_t, on in zip(x, keep):
        h, s = h * on, s * on
        a = W @ np.concatenate([x_t, h])
        i, f = sig(a[C : 2 * C] + p[0] * s), sig(a[2 * C : 3 * C] + p[1] * s)
        s = f * s + i * np.tanh(a[:C])
        h = sig(a[3 * C :] + p[2] * s) * np.tanh(s)
        said.append(sig(V @ h + b))
    return np.array(said)


def slow_tanh(net, theta, x, keep, state):
    """Run one tanh net over x (T, INPUTS): outputs (T, 12)."""
    W, V, b = (net.views(theta[None])[name][0] for name in ("W", "V", "b"))
    h, said = state[0].copy(), []
    for x_t, on in zip(x, keep):
        h = np.tanh(W @ np.concatenate([x_t[: 1 + TONES], h * on]))
        said.append(sig(V @ h + b))
    return np.array(said)


@pytest.mark.parametrize("name", NETS)
def test_nets_against_plain_loops(name):
    net, slow = NETS[name], slow_tanh if name == "tanh" else slow_lstm
    theta, x, keep, state = sample(net)
    y = net.forward(theta, x, keep, state)  # (N, T, B, O)
    for n, b in np.ndindex(2, SMALL.streams):
        alone = [part[:, n, b] for part in state]
        expected = slow(net, theta[n], x[:, :, n, b], keep[:, n, b], alone)
        np.testing.assert_allclose(y[n, :, b], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NETS)
def test_gradient_of_the_cross_entropy(name):
    net = NETS[name]
    theta, x, keep, state = sample(net)
    target = targets(net, x)

    analytic = net.backward(net.forward(theta, x[:-1], keep[:-1], state) - target)
    for n in range(2):
        size, step = theta.shape[1], 1e-5
        moved = theta[n] + step * np.concatenate([np.eye(size), -np.eye(size)])  # (2 P, P)
        many = [x[:-1, :, [n]], keep[:-1, [n]]]
        many = [part.repeat(2 * size, axis=-2) for part in many]  # each a net of its own
        y = net.forward(moved, *many, [part[:, [n]].repeat(2 * size, axis=1) for part in state])
        loss = -(target[n] * np.log(y) + (1 - target[n]) * np.log(1 - y)).sum((1, 2, 3))
        numeric = (loss[:size] - loss[size:]) / (2 * step)
        assert np.abs(analytic[n] - numeric).max() <= 1e-6 * np.abs(numeric).max()
        assert (numeric != 0).mean() > 0.5


@pytest.mark.parametrize("name", NETS)
def test_a_stream_in_two_windows_is_one_stream(name):
    net = NETS[name]
    theta, x, keep, state = sample(net)
    whole = net.forward(theta, x, keep, state)
    first = net.forward(theta, x[:5], keep[:5], state)
    second = net.forward(theta, x[5:], keep[5:], net.state)
    np.testing.assert_allclose(np.concatenate([first, second], 1), whole, rtol=0, atol=1e-12)


def test_the_chord_group_hears_nothing_of_the_melody_unless_links_are_free():
    for name, deaf in (("lstm", True), ("free_links", False)):
        net = NETS[name]
        theta, x, keep, state = sample(net)
        theta *= net.mask
        y = net.forward(theta, x, keep, state)
        other = x.copy()
        other[:, 1 + TONES :] = np.roll(x[:, 1 + TONES :], 1, axis=1)
        z = net.forward(theta, other, keep, state)
        same = np.array_equal(y[..., :TONES], z[..., :TONES])
        assert same is deaf and not np.allclose(y[..., TONES:], z[..., TONES:])
        other = x.copy()
        other[:, 1 : 1 + TONES] = np.roll(x[:, 1 : 1 + TONES], 1, axis=1)
        z = net.forward(theta, other, keep, state)
        assert not np.allclose(y[..., TONES:], z[..., TONES:])  # the melody knows of the chords


def test_the_nets_that_are_compared():
    config = Config()
    net = Lstm(config)
    theta = net.initial(rng(), 3, config)
    views = net.views(np.repeat(net.mask, 1, axis=0))
    W = views["W"][0].reshape(4, 40, INPUTS + 40)
    chords = W[:, :24].sum() + views["p"][0, :, :24].sum() + views["V"][0, :TONES].sum() + TONES
    assert chords == 4 * 24 * (13 + 24) + 3 * 24 + 12 * 25 == 3924
    assert W[:, 24:].sum() == 4 * 16 * (1 + NOTES + 40)
    assert (theta[:, net.mask[0] == 0] == 0).all() and (theta[:, net.mask[0] == 1] != 0).all()
    bias = net.views(theta)["W"][:, 80:120, 0]
    np.testing.assert_allclose(bias, [[*np.linspace(1, 4, 24), *np.linspace(1, 4, 16)]] * 3)
    tanh = RecurrentNet(config.rnn_units, 1 + TONES, TONES)
    theta = tanh.initial(rng(), 3, config)
    assert theta.shape == (3, 4016)
    R = tanh.views(theta)["W"][:, :, 13:]
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), [np.eye(52)] * 3, atol=1e-5)


# ---- the music ----
def test_the_form_and_its_chords():
    assert blues.FORM == "CCCCFFCCGFCC" and CHORD_AT.shape == (96, 12)
    names = np.array("C Db D Eb E F Gb G Ab A Bb B".split())
    sounds = [" ".join(names[row]) for row in CHORD_AT[[0, 32, 64]]]
    assert sounds == ["C E G Bb", "C Eb F A", "D F G B"]
    changes = [t for t in range(1, 96) if (CHORD_AT[t] != CHORD_AT[t - 1]).any()]
    assert changes == [32, 48, 64, 72, 80]


# how the corpus was drawn, once and for all
SCALE = (0, 3, 5, 7, 10, 12)  # minor pentatonic
POOL = {"C": 6, "F": 3, "G": 2, "end": 2}  # segments for bars with this chord, and for the last


def draw_segment(rng, name):
    """Walk for a bar on the scale from a tone of the chord; the last bar ends on C or C'."""
    tones = blues.CHORDS.get(name, blues.CHORDS["C"])
    starts = [k for k, note in enumerate(SCALE) if note % 12 in tones]
    while True:
        moves = rng.choice((-1, 0, 1), BAR, p=(0.4, 0.2, 0.4))
        place = rng.choice(starts) + np.cumsum(moves) - moves[0]  # (BAR,)
        inside = place.min() >= 0 and place.max() < len(SCALE)
        if inside and (name != "end" or SCALE[place[-1]] % 12 == 0):
            return tuple(SCALE[k] for k in place)


def make_segments():
    """Return segments (12, 2, 8); the k-th bar with a chord has k and k + 1 of its pool."""
    rng = np.random.default_rng(2002)
    pools = {}
    for name, count in POOL.items():
        pools[name] = []
        while len(pools[name]) < count:
            segment = draw_segment(rng, name)
            if segment not in pools[name]:
                pools[name].append(segment)
    names = [*blues.FORM[:-1], "end"]
    turns = [names[:bar].count(name) for bar, name in enumerate(names)]
    pairs = [(k % POOL[name], (k + 1) % POOL[name]) for k, name in zip(turns, names)]
    return np.array([[pools[name][k] for k in pair] for pair, name in zip(pairs, names)])


def test_the_corpus_is_what_was_drawn():
    assert SEGMENTS.shape == (12, 2, 8) and np.array_equal(SEGMENTS, make_segments())
    assert set(SEGMENTS.ravel()) <= set(SCALE)
    for bar, pair in enumerate(SEGMENTS):
        assert CHORD_AT[bar * BAR, pair[:, 0] % 12].all()  # a chord tone on beat 1
        assert (pair[0] != pair[1]).any()
    assert (SEGMENTS[-1, :, -1] % 12 == 0).all()
    assert len(np.unique(SEGMENTS.reshape(24, 8), axis=0)) == sum(POOL.values()) == 13


def test_songs_are_different_paths_through_the_segments():
    songs = draw_songs(rng(), 4096)
    assert len(np.unique(songs, axis=0)) == 4096
    bars = songs.reshape(-1, 12, 8)
    second = (bars == SEGMENTS[:, 1]).all(2)
    assert ((bars == SEGMENTS[:, 0]).all(2) ^ second).all()
    assert (second.mean(0) == 0.5).all()
    assert blues.entropy() == pytest.approx(np.log(4096) / 96)


def test_streams_are_songs_without_a_break():
    config = replace(SMALL, window=50, updates=12, stream_choruses=3)
    stream = music(config)
    whole, keep = stream.window(0, 601)
    starts = set()
    for n, b in np.ndindex(2, 3):
        for t in range(601):
            chorus, step = divmod(int(stream.start[n, b]) + t, 96)
            song = stream.songs[stream.order[chorus, n, b]]
            assert whole[t, 0, n, b] == 1
            assert np.array_equal(whole[t, 1:13, n, b], CHORD_AT[step])
            assert np.flatnonzero(whole[t, 13:, n, b]).tolist() == [song[step]]
            assert keep[t, n, b] == (0 if step == 0 and stream.fresh[chorus, n, b] else 1)
        starts.add(int(stream.start[n, b]))
    assert len(starts) == 6 and len(np.unique(stream.order.reshape(-1, 6), axis=1).T) == 6
    assert endless(rng(1), stream.songs, 50, replace(config, updates=2000)).fresh.mean() == (
        pytest.approx(1 / 3, abs=0.01)
    )
    assert endless(rng(1), stream.songs, 2, replace(config, stream_choruses=1)).fresh.all()
    x, _ = stream.window(550, 601)
    np.testing.assert_array_equal(x, whole[550:])
    asked = targets(NETS["tanh"], whole)  # (N, T, B, 12)
    np.testing.assert_array_equal(asked[1, :, 2], whole[1:, 1:13, 1, 2])


def test_the_last_input_does_not_tell_what_comes_next():
    follows = {}
    for song in draw_songs(rng(), 64):
        state = [(*CHORD_AT[t].nonzero()[0], song[t]) for t in range(96)]
        for now, then in itertools.pairwise(state):
            follows.setdefault(now, set()).add(then[:4])
    open_ends = [chords for chords in follows.values() if len(chords) > 1]
    assert len(open_ends) >= 4  # the chord may stay or change


# ---- training, on hand-worked cases ----
class Scripted:
    """A stand-in net: its outputs are 0.5, its gradients follow a script."""

    mask, outputs = np.float32([[1, 1, 0]]), 2

    def __init__(self, slopes):
        self.slopes, self.states, self.state, self.log = iter(slopes), [], "zero", []

    def silence(self, nets, streams):
        return "silence"

    def forward(self, theta, x, keep, state):
        self.states.append(state)
        self.state = f"after {len(self.states)}"
        self.log.append(theta.copy())
        return np.full((len(theta), len(x), x.shape[3], 2), 0.5, np.float32)

    def backward(self, d_a):
        self.d_a = d_a
        return np.float32([next(self.slopes)]).repeat(len(d_a), axis=0)


def follow(slopes, rates, **settings):
    """Train two or three stand-ins from zero; return the net and the weights."""
    config = replace(SMALL, nets=1, updates=len(slopes), **settings)
    net, theta = Scripted(slopes), np.zeros((len(rates), 3), np.float32)
    train(net, theta, rates, music(config, nets=len(rates)), config, silent)
    return net, theta


def test_adam_takes_steps_of_its_rate_which_shrinks_evenly():
    net, theta = follow([[0.3, -0.2, 0.1]] * 4, [0.1, 0.2], learning_rate=0.1, final_rate=0.02)
    taken = -np.diff([*(log[0, 0] for log in net.log), theta[0, 0]])
    np.testing.assert_allclose(taken, [0.1, 0.08, 0.06, 0.04], rtol=1e-5)
    np.testing.assert_allclose(theta[:, :2], [[-0.28, 0.28], [-0.56, 0.56]], rtol=1e-5)
    assert (theta[:, 2] == 0).all()  # what the net lacks is not learned
    assert net.states == ["silence", "after 1", "after 2", "after 3"]


def test_adam_s_moments_and_the_clipped_norm():
    slopes = [[3.0, 4.0, 0.0], [0.3, -0.4, 0.0]]
    _, theta = follow(slopes, [0.1], clip=1.0, learning_rate=0.1, final_rate=0.1)
    first, second = np.array([0.6, 0.8]), np.array([0.3, -0.4])
    mean = (0.9 * 0.1 * first + 0.1 * second) / (1 - 0.9**2)
    square = (0.98 * 0.02 * first**2 + 0.02 * second**2) / (1 - 0.98**2)
    np.testing.assert_allclose(theta[0, :2], -0.1 - 0.1 * mean / np.sqrt(square), rtol=1e-4)


def test_the_error_is_that_of_the_next_step():
    net, _ = follow([[1.0, 1.0, 1.0]], [0.1])
    x, _ = music(replace(SMALL, nets=1, updates=1), nets=1).window(0, 8)
    expected = (0.5 - x[1:, 1:3].transpose(2, 0, 3, 1)) / (7 * 3)
    np.testing.assert_allclose(net.d_a, expected, rtol=1e-6)


def test_training_learns_and_diverging_is_reported():
    config = replace(SMALL, updates=60, window=20)
    net, theta = NETS["lstm"], NETS["lstm"].initial(rng(), 2, config)
    before, errors = theta.copy(), []
    train(net, theta, 0.05, music(config), config, lambda done, text: errors.append(text))
    errors = [float(text.split()[-1]) for text in errors]
    assert len(errors) == 3 and errors[-1] < 0.5 * errors[0]
    assert (theta[:, net.mask[0] == 0] == 0).all()
    assert (theta != before)[:, net.mask[0] == 1].mean() > 0.7  # some tones never sound
    with pytest.raises(FloatingPointError, match="update 0"):
        train(net, theta * np.nan, 0.1, music(config), config, silent)


# ---- the free run ----
class Player:
    """A net that knows the form and counts the steps; its notes come from a fixed distribution."""

    outputs, late = TONES + NOTES, 0

    def __init__(self):
        self.heard, self.time = [], 0

    def silence(self, nets, streams):
        self.time = 0
        return "silence"

    def forward(self, theta, x, keep, state):
        assert keep.all() and state == ("going on" if self.time else "silence")
        self.heard.append(x)
        self.time += len(x)
        steps = np.arange(self.time - len(x), self.time) + 1 - self.late
        y = np.zeros((len(theta), len(x), 1, self.outputs))
        y[:, :, 0, :TONES] = np.where(CHORD_AT[steps % 96], 0.8, 0.3)
        y[:, :, 0, TONES + 5], y[:, :, 0, TONES + 7] = 0.2, 0.6
        self.state = "going on"
        return y


def test_a_player_who_knows_the_form_keeps_it_and_one_who_is_late_does_not():
    prime = draw_songs(rng(), 2)[:, :BAR]
    player = Player()
    said, notes = improvise(player, np.zeros((2, 1)), prime, 40, rng(5))
    lasted, metrics = judge(said)
    assert said.shape == (3840, 2, 25) and lasted.tolist() == [40, 40]
    assert metrics["kept"] == 1 and metrics["lost"] == metrics["glitches"] == 0
    np.testing.assert_array_equal(notes[:BAR], prime.T)
    assert set(notes[BAR:].ravel()) == {5, 7}
    assert (notes[BAR:] == 7).mean() == pytest.approx(0.75, abs=0.02)  # 0.6 of 0.6 + 0.2
    assert (notes[BAR:, 0] != notes[BAR:, 1]).any()
    player.late = 1
    lasted, metrics = judge(improvise(player, np.zeros((2, 1)), prime, 2, rng(5))[0])
    assert lasted.tolist() == [32 / 96] * 2 and metrics["kept"] == 0 and metrics["lost"] == 1


def test_a_free_net_hears_the_first_bar_and_then_itself():
    prime = draw_songs(rng(), 2)[:, :BAR]
    player = Player()
    player.late = 5  # so that it says what is wrong
    said, notes = improvise(player, np.zeros((2, 1)), prime, 1, rng(5))
    first, *others = player.heard
    bar = encode(CHORD_AT[:BAR, :, None, None], prime.T[:, :, None])
    np.testing.assert_array_equal(first, bar)
    assert len(others) == 96 - BAR
    for t, x in enumerate(others, BAR):
        assert (x[0, 1 : 1 + TONES, :, 0].T == (said[t, :, :TONES] > 0.5)).all()
        assert x[0, 1 + TONES :, :, 0].argmax(0).tolist() == notes[t].tolist()
        assert x.sum() == 2 * (1 + 4 + 1)


def test_the_judge_on_a_hand_worked_case():
    said = np.tile(np.where(CHORD_AT, 0.95, 0.05), (3, 1))[:, None].repeat(4, axis=1)
    said[100, 1] = 0.95  # a glitch
    said[48:, 2] = 0.05  # lost for good
    said[10:12, 3, 0] = 0.7  # right, but in doubt
    lasted, metrics = judge(said)
    assert lasted.tolist() == [3, 100 / 96, 48 / 96, 3]
    assert metrics["kept"] == 0.5 and metrics["lost"] == 0.25
    assert metrics["choruses"] == pytest.approx(np.mean([3, 100 / 96, 0.5, 3]))
    assert metrics["glitches"] == pytest.approx(1 / 3)
    assert metrics["sure"] == pytest.approx(1 - 2 / (280 * 4 * 12))
    assert judge(said[:, 2:3])[1]["glitches"] is None


class Composer:
    """A net that knows the two segments of each bar, and so the odds of the next note."""

    outputs = TONES + NOTES

    def silence(self, nets, streams):
        return "silence"

    def forward(self, theta, x, keep, state):
        T, _, N, S = x.shape
        notes = x[:, 1 + TONES :].argmax(1)  # (T, N, S)
        y = np.full((N, T, S, self.outputs), 1e-12)
        for t, n, s in np.ndindex(T, N, S):
            bar, step = divmod((t + 1) % 96, 8)
            heard = notes[t + 1 - step : t + 1, n, s]
            fits = [k for k in SEGMENTS[bar] if np.array_equal(k[:step], heard)]
            for k in fits:
                y[n, t, s, TONES + k[step]] += 0.9 / len(fits)
        return y


def test_a_composer_s_loss_is_the_entropy_of_the_songs():
    songs = draw_songs(rng(2), 4)
    loss = blues.melody_loss(Composer(), np.zeros((2, 1)), songs)
    np.testing.assert_allclose(loss, blues.entropy(), rtol=1e-5)


def test_novel_choruses():
    songs = draw_songs(rng(), 5)
    notes = np.stack([songs[[0, 3, 1]].ravel(), songs[[4, 4, 2]].ravel()], axis=1)
    assert blues.novel(notes, songs) == 0
    assert blues.novel(notes, songs[:3]) == pytest.approx(3 / 6)


# ---- the wiring of run() ----
class Ledger:
    """Notes what run() trains on, lets play and tests, and how each generator starts."""

    def __init__(self, monkeypatch):
        self.trained, self.played, self.tested, self.starts = [], [], [], []

        def spy(owner, name, note):
            original = getattr(owner, name)

            def wrapped(*arguments):
                note(*arguments)
                return original(*arguments)

            monkeypatch.setattr(owner, name, wrapped)

        def start(generator):
            self.starts.append(generator.bit_generator.state["state"]["state"])

        spy(blues, "train", lambda *a: self.trained.append((a[0], a[1].copy(), *a[2:5])))
        spy(blues, "improvise", lambda *a: self.played.append((a[0], a[1].copy(), a[2])))
        spy(blues, "improvise", lambda *a: start(a[4]))
        spy(blues, "melody_loss", lambda *a: self.tested.append((a[0], a[1].copy(), a[2])))
        spy(blues, "draw_songs", lambda generator, count: start(generator))
        spy(blues, "endless", lambda generator, *rest: start(generator))
        spy(RecurrentNet, "initial", lambda net, generator, *rest: start(generator))
        spy(Lstm, "initial", lambda net, generator, *rest: start(generator))


@pytest.fixture
def ledger(monkeypatch):
    book = Ledger(monkeypatch)
    book.config = Config(**QUICK | {"nets": 4, "updates": 3})
    book.table = run(book.config, 1000, silent)
    return book


def test_no_tested_song_was_trained_on_and_no_two_streams_start_alike(ledger):
    (lstm, _, _, heard, _), (_, _, _, rnn_heard, _) = ledger.trained
    known = {song.tobytes() for song in heard.songs}
    (net, theta, held_out), (player, played_theta, prime) = ledger.tested[0], ledger.played[0]
    assert len(known) == len(held_out) == 8 and known.isdisjoint(s.tobytes() for s in held_out)
    np.testing.assert_array_equal(prime, held_out[:4, :BAR])
    np.testing.assert_array_equal(rnn_heard.songs, heard.songs)
    assert net is player is lstm
    np.testing.assert_array_equal(theta, played_theta)  # trained, and no more between
    assert not np.array_equal(theta, ledger.trained[0][1])
    assert len(ledger.starts) == len(set(ledger.starts)) == 7
    assert not np.array_equal(heard.start, rnn_heard.start[:4])


def test_the_rival_hears_as_much_and_its_best_rate_is_shown(ledger, monkeypatch):
    (_, _, rate, heard, settings), (net, theta, rates, rnn_heard, rnn_settings) = ledger.trained
    assert settings == rnn_settings == ledger.config and rate == ledger.config.learning_rate
    assert rnn_heard.order.shape == (len(heard.order), 6, ledger.config.streams)
    assert rates.tolist() == [0.0025, 0.0025, 0.005, 0.005, 0.01, 0.01]
    assert net.outputs == TONES and net.units == 52 and len(theta) == 6
    assert ledger.played[1][0] is net
    choruses = iter([3.0, 7.0, 5.0])
    spoken = lambda said: (said[0, :1, 0], {"choruses": next(choruses), "kept": 0.0})  # noqa: E731
    monkeypatch.setattr(blues, "judge", spoken)
    seeds = np.random.SeedSequence(1).spawn(3)
    _, metrics = blues.rival(ledger.config, heard.songs, seeds, silent)
    assert metrics["choruses"] == 7.0 and metrics["rate"] == 0.005


def test_the_table(ledger):
    table = ledger.table
    assert table["melody"]["excess"] == pytest.approx(table["melody"]["loss"] / (np.log(2) / 8))
    ratio = table["chords"]["choruses"] / table["rnn"]["choruses"]
    assert table["lead"] == pytest.approx(np.log10(ratio))
    x, y = table["curve"]["x"], table["curve"]["y"]
    assert len(x) == len(y) == 101 and x[0] == 0 and x[-1] == 3 and y[0] == 1
    assert y[-1] == table["chords"]["kept"] and all(a >= b for a, b in itertools.pairwise(y))
    assert table["lstm"]["steps_per_second"] > 0


def test_runs_repeat_bit_for_bit_and_depend_on_the_seed():
    config = Config(**QUICK | {"updates": 2})
    shares = []
    tables = [run(config, seed, lambda done, text: shares.append(done)) for seed in (5, 5, 6)]
    for table in tables:
        del table["lstm"]
    assert tables[0] == tables[1] != tables[2]
    assert max(shares) <= 1 and min(shares) == 0


# ---- the study ----
def test_the_study_s_rows(monkeypatch):
    seen, starts = {}, []

    def row(kind, config, songs, seeds, progress):
        starts.append(np.random.default_rng(seeds[0]).integers(2**60))
        seen[len(seen)] = (kind, config)
        return {"kept": 0.5}, draw_songs(rng(), 3).T

    monkeypatch.setattr(study, "row", row)
    monkeypatch.setattr(study, "rival", lambda *_: (np.ones(2), {"kept": 0.0}))
    config = study.Config(choruses=2)
    table = study.run(config, 1000, silent)
    assert [kind for kind, _ in seen.values()] == [Lstm, study.FreeLinks, Lstm, Lstm]
    assert seen[0][1] == seen[1][1] == config and len(set(starts)) == 4
    assert seen[2][1] == replace(config, stream_choruses=1)
    assert seen[3][1] == replace(config, chord_cells=8, melody_cells=8)
    assert table["own_links"]["segments"] == 1 and 0 < table["markov"]["segments"] < 1
    assert table["markov"]["kept"] == 0 and 1 <= table["markov"]["bars"] < 12


def test_a_row_is_judged_on_held_out_songs(monkeypatch):
    tested = []
    original = study.melody_loss
    monkeypatch.setattr(study, "melody_loss", lambda *a: (tested.append(a[2]), original(*a))[1])
    config = study.Config(**QUICK | {"updates": 2, "choruses": 1})
    songs = draw_songs(rng(), 16)
    metrics, notes = study.row(Lstm, config, songs, np.random.SeedSequence(1).spawn(3), silent)
    np.testing.assert_array_equal(tested[0], songs[8:])
    np.testing.assert_array_equal(notes[:BAR], songs[8:10, :BAR].T)
    assert len(metrics["lasted_each"]) == 2
    assert metrics["bars"] == pytest.approx(12 * metrics["choruses"])


def test_the_chain_counts_pairs_and_plays_them():
    songs = draw_songs(rng(), 3)
    slow = np.zeros((39, 39))
    number = {chord: k for k, chord in enumerate(blues.CHORDS)}
    state = [[number[blues.FORM[t // 8]] * 13 + song[t] for t in range(96)] for song in songs]
    for one in state:
        for now, then in itertools.pairwise(one):
            slow[now, then] += 1
        for other in state:
            slow[one[-1], other[0]] += 1 / 3
    np.testing.assert_allclose(study.chain(songs), slow)
    said, notes = study.play_chain(songs, songs[:, :BAR], 4, rng(1))
    np.testing.assert_array_equal(notes[:BAR], songs[:, :BAR].T)
    np.testing.assert_array_equal(said[:BAR], np.repeat(CHORD_AT[:BAR, None], 3, axis=1))
    played = [
        [
            3 * 0
            + next(
                k for k, c in enumerate(blues.CHORDS.values()) if set(c) == set(np.flatnonzero(x))
            )
            for x in column
        ]
        for column in said.transpose(1, 0, 2)
    ]
    for column, line in zip(played, notes.T):
        states = np.array(column) * 13 + line
        assert (slow[states[:-1], states[1:]] > 0).all()


def test_measures_of_a_melody():
    songs = draw_songs(rng(), 4)
    assert study.segments(songs.T) == 1
    notes = songs.T.copy()
    notes[3, 0] = 1  # one of 48 bars
    assert study.segments(notes) == pytest.approx(47 / 48)
    slow = np.mean([CHORD_AT[t, note % 12] for song in songs for t, note in enumerate(song)])
    assert study.chord_tones(songs.T) == pytest.approx(slow)
    mixed = [CHORD_AT[t, note % 12] for t in range(96) for note in songs.ravel()]
    assert study.chance_tones(songs) == pytest.approx(np.mean(mixed))


# ---- bad settings ----
def test_settings_that_do_not_fit_together():
    with pytest.raises(ValueError, match="--forget-bias: needs 2 numbers"):
        Config(forget_bias=(1.0,))


@pytest.mark.parametrize(
    "words",
    [
        ["--nets", "0"],
        ["--songs", "2049"],
        ["--window", "0"],
        ["--learning-rate", "nan"],
        ["--forget-bias", "1"],
    ],
)
def test_bad_arguments_end_in_one_line(words, capsys):
    with pytest.raises(SystemExit) as stop:
        blues.main(blues, words)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and len(said.splitlines()) == 1 and words[0] in said
