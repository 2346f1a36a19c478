"""Tests of flip_flop.py and its study: the task against a slow oracle, every gradient against
central differences of a plain version, exams on nets made by hand, and the wiring of both runs."""

from dataclasses import replace

import flip_flop as ff
import numpy as np
import pytest
import study_flip_flop as study
from flip_flop import A, B, Config, PainLearner, Reinforce, X
from hypothesis import given, settings
from hypothesis import strategies as st

SMALL = Config(hidden_c=3, hidden_m=4, window=6, sigma_min=0.1, sigma_max=0.7)
KINDS = [PainLearner, Reinforce, study.Teacher, study.EntropyModel, study.LogPain, study.PlainPain]


def silent(fraction, message):
    """Take a report of progress."""


def seeds(count, root=1000):
    return np.random.SeedSequence(root).spawn(count)


# ---- the task ------------------------------------------------------------------------------------
def oracle(history):
    """The right answer to the last event, in the words of the task: the first B after an A."""
    last_a = max((t for t, e in enumerate(history[:-1]) if e == A), default=-1)
    last_b = max((t for t, e in enumerate(history[:-1]) if e == B), default=-1)
    return history[-1] == B and last_a > last_b


@settings(deadline=None)
@given(st.lists(st.sampled_from([A, B, X]), min_size=2, max_size=60), st.integers(1, 59))
def test_targets_agree_with_the_oracle_also_across_a_cut(history, cut):
    events = np.array(history).reshape(-1, 1, 1)
    state, found = np.zeros((1, 1), bool), []
    for piece in (events[:cut], events[cut:]):
        if len(piece):
            target, state = ff.targets(piece, state)
            found += target[:, 0, 0].tolist()
    assert found == [oracle(history[: t + 1]) for t in range(len(history))]


def test_targets_on_a_case_worked_by_hand():
    events = np.array([B, A, X, B, B, A, A, B, X]).reshape(-1, 1, 1)
    target, armed = ff.targets(events, np.zeros((1, 1), bool))
    assert target.ravel().tolist() == [0, 0, 0, 1, 0, 0, 0, 1, 0] and not armed.any()
    target, armed = ff.targets(events[:7], np.ones((1, 1), bool))
    assert target.ravel().tolist() == [1, 0, 0, 1, 0, 0, 0] and armed.all()


def test_events_have_the_given_probabilities():
    config = Config(p_a=0.15, p_b=0.2)
    events = ff.draw_events(config, [np.random.default_rng(s) for s in seeds(2)], 20_000, 1)
    assert events.shape == (20_000, 2, 1)
    shares = np.bincount(events.ravel(), minlength=3) / 40_000
    np.testing.assert_allclose(shares, [0.15, 0.2, 0.65], atol=0.01)
    assert np.mean(events[1:] == events[:-1]) == pytest.approx(0.485, abs=0.02)  # independent
    assert np.mean(events[:, 0] == events[:, 1]) == pytest.approx(0.485, abs=0.02)
    assert ff.ONE_HOT[[A, B, X]].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


# ---- a plain re-implementation, one net, one stream, one number at a time ------------------------
def plain_cell(w, v, h, inputs):
    """h(t) and the outputs' net inputs, from h(t-1) and [1, A, B, X, pain] (M: and 2 y - 1)."""
    z = [*h, *inputs]
    h = [np.tanh(sum(x * w[i, j] for i, x in enumerate(z))) for j in range(len(h))]
    return h, [sum(x * v[i, k] for i, x in enumerate([*h, 1])) for k in range(v.shape[1])]


def logistic(x):
    return 1 / (1 + np.exp(-x))


def plain_life(config, theta, start, events, z, felt=None):
    """Means, sigmas and outputs (T, S, N); `felt`, if given, replaces the pain that C feels."""
    w, v, _, _ = ff.weights(config, theta)
    target, _ = ff.targets(events, start["armed"])
    mean, sigma, y = np.zeros((3, *events.shape))
    for s, n in np.ndindex(events.shape[1:]):
        h, pain = start["h_c"][s, n], start["pain"][s, n]
        for t, event in enumerate(events[:, s, n]):
            h, out = plain_cell(w[s], v[s], h, [1, event == A, event == B, event == X, pain])
            mean[t, s, n], share = logistic(out[0]), logistic(out[1])
            sigma[t, s, n] = config.sigma_min + (config.sigma_max - config.sigma_min) * share
            y[t, s, n] = mean[t, s, n] + sigma[t, s, n] * z[t, s, n]
            pain = (y[t, s, n] > 0.5) != target[t, s, n] if felt is None else felt[t, s, n]
    return mean, sigma, y


def plain_model(config, theta, h_m, seen, y, memories=None):
    """p (T, S, N) and M's states, from what C saw; given memories, M forgets its own for these."""
    _, _, w, v = ff.weights(config, theta)
    p, states = np.zeros(y.shape), np.zeros((*y.shape, config.hidden_m))
    for s, n in np.ndindex(y.shape[1:]):
        h = h_m[s, n]
        for t in range(len(y)):
            h, (logit,) = plain_cell(w[s], v[s], h, [*seen[t, s, n], 2 * y[t, s, n] - 1])
            p[t, s, n], states[t, s, n] = logistic(logit), h
            h = h if memories is None else memories[t, s, n]
    return p, states


def scene(kind=PainLearner, config=SMALL, S=2, N=1):
    """A learner with random float64 weights and states, and a window of its life."""
    rng = np.random.default_rng(3)
    learner = kind(config, seeds(S), [0.003] * S)
    P = learner.nets["theta"].shape[1]
    learner.nets |= {
        "theta": 0.8 * rng.standard_normal((S, P)),
        "h_c": rng.uniform(-1, 1, (S, N, config.hidden_c)),
        "h_m": rng.uniform(-1, 1, (S, N, config.hidden_m)),
        "pain": rng.random((S, N)) < 0.5,
        "armed": rng.random((S, N)) < 0.5,
    }
    learner.baseline = rng.random(S)
    events = rng.choice([A, B, X], (config.window, S, N), p=[0.3, 0.4, 0.3])
    z = rng.standard_normal(events.shape)
    return learner, events, ff.act(config, learner.nets["theta"], learner.nets, events, z)


def test_life_and_prediction_agree_with_the_plain_version():
    learner, events, life = scene(N=3)
    nets, H = learner.nets, SMALL.hidden_m
    mean, sigma, y = plain_life(SMALL, nets["theta"], nets, events, life.z)
    np.testing.assert_allclose(life.out[..., 0], mean, atol=1e-12)
    np.testing.assert_allclose(ff.sigma(SMALL, life.out[..., 1]), sigma, atol=1e-12)
    np.testing.assert_allclose(life.y, y, atol=1e-12)
    assert ((y > 0.5) != life.target).tolist() == life.pain.tolist() and 0 < life.pain.mean() < 1
    tape, p = ff.predict(SMALL, nets["theta"], nets["h_m"], life)
    seen = life.tape[:-1, ..., SMALL.hidden_c :]
    plain_p, states = plain_model(SMALL, nets["theta"], nets["h_m"], seen, y)
    np.testing.assert_allclose(p, plain_p, atol=1e-12)
    np.testing.assert_allclose(tape[1:, ..., :H], states, atol=1e-12)


def test_a_net_reads_event_and_pain_and_nothing_else():
    learner, events, life = scene()
    nets, seen = learner.nets, life.tape[..., SMALL.hidden_c :]
    assert (seen[..., 0] == 1).all()
    assert (seen[:-1, ..., 1:4] == ff.ONE_HOT[events]).all()
    assert (seen[0, ..., 4] == nets["pain"]).all() and (seen[1:, ..., 4] == life.pain).all()
    deaf = nets["theta"].copy()
    ff.weights(SMALL, deaf)[0][:, SMALL.hidden_c + 4] = 0
    told = ff.act(SMALL, deaf, nets, events, life.z)
    swapped = nets | {"armed": ~nets["armed"]}  # other targets, the same events
    lied = ff.act(SMALL, deaf, swapped, events, life.z)
    assert (told.target != lied.target).any() and (told.y == lied.y).all()


# ---- gradients -----------------------------------------------------------------------------------
def assert_slope(objective, theta, found, step=1e-5):
    """Compare a gradient (S, P) with central differences of an objective(theta) (S,)."""
    expected = np.zeros_like(theta)
    for i in range(theta.shape[1]):
        move = np.zeros_like(theta)
        move[:, i] = step
        expected[:, i] = (objective(theta + move) - objective(theta - move)) / (2 * step)
    assert np.linalg.norm(expected) > 1e-3
    assert np.linalg.norm(found - expected) <= 1e-6 * np.linalg.norm(expected)


SQUARED = (lambda p, pain: (p - pain) ** 2 / 2), (lambda p: p**2 / 2)
ENTROPY = lambda p, pain: -np.where(pain, np.log(p), np.log(1 - p))  # noqa: E731
OBJECTIVES = {
    PainLearner: SQUARED,
    study.EntropyModel: (ENTROPY, SQUARED[1]),
    study.LogPain: (ENTROPY, lambda p: -np.log(1 - p)),
    study.PlainPain: (ENTROPY, lambda p: p),
}


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_gradient_of_the_model_through_time(kind):
    learner, _, life = scene(kind)
    nets, seen = dict(learner.nets), life.tape[:-1, ..., SMALL.hidden_c :]
    cost, _ = OBJECTIVES[kind]
    states = []

    def objective(model):
        theta = np.concatenate([ff.halves(SMALL, nets["theta"])[0], model], 1)
        p, memory = plain_model(SMALL, theta, nets["h_m"], seen, life.y)
        states.append(memory[-1])
        return cost(p, life.pain).mean((0, 2))

    _, found = ff.halves(SMALL, learner.gradient(life))
    assert_slope(objective, ff.halves(SMALL, nets["theta"])[1], found)
    np.testing.assert_allclose(learner.nets["h_m"], states[0], atol=1e-3)  # M's past goes on


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_gradient_of_the_controller_through_the_model_and_through_time(kind):
    learner, events, life = scene(kind)
    nets, seen = dict(learner.nets), life.tape[:-1, ..., SMALL.hidden_c :]
    _, cost = OBJECTIVES[kind]
    memories = plain_model(SMALL, nets["theta"], nets["h_m"], seen, life.y)[1]

    def objective(controller):
        theta = np.concatenate([controller, ff.halves(SMALL, nets["theta"])[1]], 1)
        y = plain_life(SMALL, theta, nets, events, life.z, felt=life.pain)[2]  # flags: no slope
        return cost(plain_model(SMALL, theta, nets["h_m"], seen, y, memories)[0]).mean((0, 2))

    found, _ = ff.halves(SMALL, learner.gradient(life))
    assert_slope(objective, ff.halves(SMALL, nets["theta"])[0], found)


@pytest.mark.parametrize("kind", [Reinforce, study.Teacher])
def test_gradients_without_a_model(kind):
    learner, events, life = scene(kind)
    nets, baseline = dict(learner.nets), learner.baseline.copy()

    def objective(controller):
        theta = np.concatenate([controller, ff.halves(SMALL, nets["theta"])[1]], 1)
        mean, sigma, _ = plain_life(SMALL, theta, nets, events, life.z, felt=life.pain)
        if kind is study.Teacher:
            return ((mean - life.target) ** 2 / 2).mean((0, 2))
        log_density = -np.log(sigma) - (life.y - mean) ** 2 / (2 * sigma**2)
        return ((life.pain - baseline[:, None]) * log_density).mean((0, 2))

    found, model = ff.halves(SMALL, learner.gradient(life))
    assert_slope(objective, ff.halves(SMALL, nets["theta"])[0], found)
    assert not model.any()
    if kind is Reinforce:
        moved = baseline + ff.BASELINE_RATE * (life.pain.mean((0, 2)) - baseline)
        np.testing.assert_allclose(learner.baseline, moved)


def test_slopes_worked_by_hand():
    p = np.array([0.1, 0.5, 0.9])
    learner = scene()[0]
    np.testing.assert_allclose(learner.pain_slope(p), [0.009, 0.125, 0.081])
    np.testing.assert_allclose(learner.model_slope(p, np.array([0, 1, 1])), [0.009, -0.125, -0.009])


# ---- training ------------------------------------------------------------------------------------
TINY = Config(max_ticks=96, clean_checks=2, lags=(1,))


@pytest.fixture
def short_exams(monkeypatch):
    """Exams of a few ticks, every second update."""
    monkeypatch.setattr(ff, "CHECK_EVERY", 2)
    monkeypatch.setattr(ff, "CHECK_TICKS", 16)
    monkeypatch.setattr(ff, "CHECK_STREAMS", 2)
    monkeypatch.setattr(ff, "TEST_TICKS", 8)
    monkeypatch.setattr(ff, "COPIES", 2)
    monkeypatch.setattr(ff, "LEAD_IN", 2)


def test_adam_and_clipping_over_three_steps():
    learner = PainLearner(replace(TINY, clip=0.001), seeds(2), [0.003, 0.02])
    gradients, gradient = [], learner.gradient
    learner.gradient = lambda life: gradients.append(gradient(life).copy()) or gradients[-1].copy()
    m = v = 0
    expected = learner.nets["theta"].astype(float)
    sizes = [part.shape[1] for part in ff.halves(TINY, expected)]
    rate = np.repeat([[0.003, 0.005], [0.02, 0.005]], sizes, axis=1)  # (S, P)
    for step in (1, 2, 3):
        learner.step()
        parts = ff.halves(TINY, gradients[-1].astype(float))
        norms = [np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
        assert step > 1 or np.min(norms) > 0.001  # so that both are clipped at first
        grad = np.concatenate([p * np.minimum(1, 0.001 / n) for p, n in zip(parts, norms)], 1)
        m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
        root = np.sqrt(v / (1 - 0.999**step)) + 1e-8
        expected = expected - rate * (m / (1 - 0.9**step)) / root
    np.testing.assert_allclose(learner.nets["theta"], expected, atol=3e-6)


def test_the_stream_never_starts_again(short_exams, monkeypatch):
    lives, act = [], ff.act

    def spied(config, theta, start, events, z):
        life = act(config, theta, start, events, z)
        if events.shape[0] == 16 and z.any():
            lives.append((dict(start), events, life))
        return life

    monkeypatch.setattr(ff, "act", spied)
    learner = PainLearner(TINY, seeds(2), [0.003] * 2).train(silent)
    assert len(lives) == 6 and learner.lived == 2 * 96  # whatever the exams did in between
    for s in range(2):
        history = np.concatenate([events[:, s, 0] for _, events, _ in lives]).tolist()
        wanted = np.concatenate([life.target[:, s, 0] for *_, life in lives]).tolist()
        assert wanted == [oracle(history[: t + 1]) for t in range(96)]
    for (*_, life), (start, *_) in zip(lives, lives[1:]):
        assert (start["h_c"] == life.tape[-1, ..., : TINY.hidden_c]).all()
        assert (start["pain"] == life.pain[-1]).all() and start["h_m"].any()


def test_nets_side_by_side_are_the_nets_alone(short_exams):
    both = PainLearner(TINY, seeds(2), [0.003] * 2).train(silent).graduates["theta"]
    alone = PainLearner(TINY, seeds(2)[1:], [0.003]).train(silent).graduates["theta"]
    np.testing.assert_allclose(both[1], alone[0], atol=1e-6)
    assert not np.allclose(both[0], both[1], atol=0.1)


class Scripted(PainLearner):
    """A learner whose exams are passed as the script says, at each check by each net."""

    script: list

    def check(self):
        passed = np.array(self.script[self.updates // ff.CHECK_EVERY - 1])[self.ids]
        self.nets["clean"] = np.where(passed, self.nets["clean"] + 1, 0)


def marks(monkeypatch, errors, right):
    monkeypatch.setattr(
        ff, "stream_errors", lambda c, nets, rngs, *_: np.array(errors[: len(rngs)])
    )
    monkeypatch.setattr(ff, "probes_right", lambda c, nets, rngs: np.array(right[: len(rngs)]))


def test_clean_exams_in_a_row_end_training_and_the_final_test_decides(short_exams, monkeypatch):
    learner = Scripted(TINY, seeds(3), [0.003] * 3)
    learner.script = [(1, 1, 0), (1, 0, 0), (0, 1, 1)]
    marks(monkeypatch, [0.0, 0.0], [1.0, 1.0])
    learner.train(silent)
    # the first net is done after 4 updates; the others passed once in a row when the ticks end
    assert learner.solved.tolist() == [True, False, False]
    assert learner.ticks.tolist() == [64, 96, 96] and learner.lived == 64 + 96 + 96
    assert learner.graduates["clean"].tolist() == [2, 1, 1]
    for errors, right in (([0.5], [1.0]), ([0.0], [0.99])):
        marks(monkeypatch, errors, right)
        learner = Scripted(TINY, seeds(1), [0.003])
        learner.script = [(1,), (1,)]
        assert not learner.train(silent).solved.any() and learner.ticks.tolist() == [96]
        assert (learner.errors.tolist(), learner.right.tolist()) == (errors, right)


def test_an_exam_is_passed_without_error_on_the_stream_and_in_the_probes(monkeypatch):
    learner = PainLearner(TINY, seeds(4), [0.003] * 4)
    learner.nets["clean"][:] = 1
    probed = []

    def probes_right(config, nets, rngs):
        probed.append(list(rngs))
        return np.array([1.0, 0.99])

    monkeypatch.setattr(ff, "stream_errors", lambda *_: np.array([0.0, 0.1, 0.0, 75.0]))
    monkeypatch.setattr(ff, "probes_right", probes_right)
    learner.check()
    assert learner.nets["clean"].tolist() == [2, 0, 0, 0]
    assert probed == [[learner.check_rngs[0], learner.check_rngs[2]]]


def test_divergence_is_reported(short_exams):
    learner = PainLearner(TINY, seeds(1), [0.003])
    learner.nets["theta"][:] = np.nan
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="nan at tick 32"):
        learner.train(silent)


def test_initial_hidden_units_lean_on_themselves(monkeypatch):
    monkeypatch.setattr(ff, "INIT_RECURRENT", 0.0)
    theta = ff.initial_weights(Config(), np.random.default_rng(0))[None]
    wc, vc, wm, vm = ff.weights(Config(), theta)
    for w, v in (wc, vc), (wm, vm):
        H = w.shape[2]
        np.testing.assert_allclose(w[0, :H], 0.9 * np.eye(H), rtol=1e-6)
        assert not v[0, H].any() and v[0, :H].any() and w[0, H:].any()
    assert sum(view.size for view in (wc, vc, wm, vm)) == theta.size


# ---- exams ---------------------------------------------------------------------------------------
def hand_made(config, keep=5.0, set_by=10.0, threshold=0.0, gain=5.0, bias=0.0):
    """A net worked out by hand: unit 0 latches A until B, unit 1 fires when B meets it full."""
    nets = dict(PainLearner(config, seeds(1), [0.003]).nets)
    nets["theta"] = np.zeros(nets["theta"].shape)
    w, v, _, _ = ff.weights(config, nets["theta"])
    H = config.hidden_c
    w[0, 0, 0], w[0, H + 1, 0], w[0, H + 2, 0] = keep, set_by, -set_by
    w[0, 0, 1], w[0, H, 1], w[0, H + 2, 1] = gain, -gain * (2 + threshold), 2 * gain
    v[0, 1, 0], v[0, H, 0] = 10, bias
    nets["h_c"][0, 0, 0] = -0.9
    return nets


def graded(config, nets, ticks=2000, streams=2):
    """Errors per 1000 ticks, and the share of right probes."""
    before = {name: values.copy() for name, values in nets.items()}
    rngs = [np.random.default_rng(0)]
    errors = ff.stream_errors(config, nets, rngs, ticks, streams)
    right = ff.probes_right(config, nets, rngs)
    assert all((nets[name] == before[name]).all() for name in nets)  # an exam leaves no trace
    return errors.item(), right.item()


def test_a_latch_made_by_hand_passes_with_noise_in_its_output_unit():
    assert graded(Config(), hand_made(Config())) == (0, 1)


def test_a_latch_that_leaks_fails_the_longer_probe_only():
    h, trace = 0.9, []
    for _ in range(101):
        h = np.tanh(0.97 * h)
        trace.append(h)
    between = (trace[50] + trace[100]) / 2
    nets = hand_made(Config(), keep=0.97, set_by=4.0, threshold=between, gain=1e4)
    assert graded(Config(), nets) == (0, 0.5)


def test_constant_and_reflex_nets_make_75_errors_and_fail_all_probes():
    silent_net = hand_made(Config(), bias=-50.0)
    reflex = hand_made(Config(), threshold=-1.0)
    ff.weights(Config(), reflex["theta"])[0][0, 0, 1] = 0  # it fires at every B
    for nets in (silent_net, reflex):
        errors, right = graded(Config(), nets, ticks=20_000, streams=40)
        assert errors == pytest.approx(75, abs=6) and right == 0  # half of all Bs are the first


def test_an_exam_goes_on_from_the_present_state():
    config = Config(p_a=0.0, p_b=1.0)
    nets = hand_made(config)
    nets["armed"][:] = True  # but its memory is empty
    assert graded(config, nets, ticks=8, streams=1)[0] == 125
    nets["h_c"][0, 0, 0] = 0.9
    assert graded(config, nets, ticks=8, streams=1)[0] == 0


def test_pain_can_be_cut_and_a_net_that_needs_it_fails():
    learner = PainLearner(Config(), seeds(1), [0.003])
    learner.graduates = hand_made(Config())
    assert study.pain_cut(learner, seeds(1)[0]) == {"errors_per_1000": None, "long_lag_right": None}
    learner.solved[:] = True
    cut = study.pain_cut(learner, seeds(1)[0])
    assert cut == {"errors_per_1000": 0, "long_lag_right": 1}
    w = ff.weights(Config(), learner.graduates["theta"])[0]
    w[0, Config().hidden_c + 4, 0] = -100  # it drops its memory when it feels pain
    assert study.pain_cut(learner, seeds(1)[0]) == cut
    w[0, Config().hidden_c + 2, 0] = 0  # and now B alone no longer empties it
    assert study.pain_cut(learner, seeds(1)[0])["errors_per_1000"] > 10


# ---- the wiring of both programs -----------------------------------------------------------------
def start_of(rng):
    """The state of a generator, as one number."""
    return rng.bit_generator.state["state"]["state"]


@pytest.fixture
def wired(short_exams, monkeypatch):
    """What each learner was made with, where its streams start, and what exams and lives saw."""
    seen = {"made": [], "lived": [], "examined": [], "rngs": []}
    make, draw, sit = PainLearner.__init__, PainLearner.draw, ff.sit
    stream_errors, probes_right = ff.stream_errors, ff.probes_right

    def spied_make(self, config, seeds, lr_c):
        drawn = []
        monkeypatch.setattr(
            ff,
            "initial_weights",
            lambda c, rng, f=initial: drawn.append(start_of(rng)) or f(c, rng),
        )
        make(self, config, seeds, lr_c)
        rngs = [*self.life_rngs, *self.check_rngs, *self.test_rngs]
        starts = drawn + [start_of(rng) for rng in rngs]
        seen["made"].append((self, config, list(lr_c), starts))

    def spied_draw(self):
        events, z = draw(self)
        seen["lived"].append((self, events, z))
        return events, z

    def spied_sit(config, nets, events):
        seen["examined"].append(events)
        return sit(config, nets, events)

    def spied(original):
        def examine(config, nets, rngs, *sizes):
            seen["rngs"].append((list(rngs), sizes))
            return original(config, nets, rngs, *sizes)

        return examine

    initial = ff.initial_weights
    monkeypatch.setattr(PainLearner, "__init__", spied_make)
    monkeypatch.setattr(PainLearner, "draw", spied_draw)
    monkeypatch.setattr(ff, "sit", spied_sit)
    monkeypatch.setattr(ff, "stream_errors", spied(stream_errors))
    monkeypatch.setattr(ff, "probes_right", spied(probes_right))
    return seen


SHORT = Config(nets=3, max_ticks=160, reinforce_nets=2, clean_checks=1, lags=(1, 2))


def test_run_trains_both_with_the_same_budget_and_streams_of_their_own(wired):
    fractions = []
    table = ff.run(SHORT, 1000, lambda fraction, message: fractions.append(fraction))
    (ours, config, lr_c, starts), (rival, rival_config, rival_lr, rival_starts) = wired["made"]
    assert type(ours) is PainLearner and type(rival) is Reinforce
    assert config is rival_config is SHORT
    assert lr_c == [0.003] * 3 and rival_lr == [0.002] * 2 + [0.003] * 2
    assert len(set(starts + rival_starts)) == 4 * (3 + 4)  # no two random streams start alike
    lived = {learner: sum(e.size for who, e, _ in wired["lived"] if who is learner) for learner in
             (ours, rival)}  # fmt: skip
    assert lived == {ours: 3 * 160, rival: 4 * 160}  # as many ticks for each net
    assert table["parallel"]["solved"] == ours.solved.mean()
    assert fractions == sorted(fractions) and 0 < fractions[0] and fractions[-1] == 1


def test_exams_are_held_on_fresh_events_from_streams_that_no_training_uses(wired):
    ff.run(SHORT, 1000, silent)
    lived = [events.tobytes() for _, events, _ in wired["lived"]]
    examined = [events.tobytes() for events in wired["examined"]]
    assert len(set(lived)) == len(lived) and not set(lived) & set(examined)
    for learner, *_ in wired["made"]:
        checks = [rngs for rngs, sizes in wired["rngs"] if sizes == (16, 2)]
        tests = [rngs for rngs, sizes in wired["rngs"] if sizes == (8, 1)]
        assert list(learner.check_rngs) in checks and list(learner.test_rngs) in tests
    used = {id(rng) for rngs in tests for rng in rngs}
    assert not used & {id(rng) for rngs in checks for rng in rngs}


class Told:
    """A learner that has done what the test says."""

    def __init__(self, solved, ticks):
        self.solved, self.ticks = np.array(solved), np.array(ticks)
        self.errors, self.right = np.array([0.0, 30.0]), np.array([1.0, 0.5])
        self.lived = 5000

    def train(self, progress):
        return self


def test_run_reports_what_became_of_the_nets(monkeypatch):
    ours = Told([True, False], [40, 100])
    rival = Told([True, False, False, False, True, True], [60, 100, 100, 100, 90, 30])
    monkeypatch.setattr(ff, "PainLearner", lambda config, seeds, lr_c: ours)
    monkeypatch.setattr(ff, "Reinforce", lambda config, seeds, lr_c: rival)
    clock = iter([10.0, 12.5])
    monkeypatch.setattr(ff.time, "process_time", lambda: next(clock))
    table = ff.run(Config(nets=2, max_ticks=100, reinforce_nets=3), 1000, silent)
    curve = table.pop("curve")
    assert table == {
        "parallel": {
            "solved": 0.5,
            "median_ticks": 70,
            "lower_quartile": 55,
            "upper_quartile": 85,
            "long_lag_right": 0.75,
            "errors_per_1000": 15.0,
            "ticks_per_second": 2000.0,
        },
        "reinforce": {"solved": 2 / 3, "median_ticks": 90},  # of the better step size
        "lead": 0.5 - 2 / 3,
    }
    assert curve["x"] == list(range(101)) and curve["y"] == [0.0] * 40 + [0.5] * 61


def test_a_run_repeats_bit_for_bit_and_seeds_differ(short_exams):
    def numbers(seed):
        table = ff.run(SHORT, seed, silent)
        return table["parallel"].pop("ticks_per_second") and table

    assert numbers(1000) == numbers(1000) != numbers(1001)


STUDY = study.Config(nets=2, max_ticks=192, model_ticks=96, teacher_rates=(0.003, 0.01))


def test_the_study_trains_each_row_as_named(wired):
    fractions = []
    table = study.run(STUDY, 1000, lambda fraction, message: fractions.append(fraction))
    made = {type(learner): (learner, config, lr_c) for learner, config, lr_c, _ in wired["made"]}
    kinds = [*KINDS[:1], study.ModelFirst, study.FrozenModel, *KINDS[2:]]
    assert [type(learner) for learner, *_ in wired["made"]] == kinds
    for kind, (learner, config, lr_c) in made.items():
        ticks = 96 if kind in (study.ModelFirst, study.FrozenModel) else 192
        assert config == Config(nets=2, max_ticks=ticks)
        rates = {study.Teacher: [0.003] * 2 + [0.01] * 2, study.ModelFirst: [0.0] * 2}
        assert lr_c == rates.get(kind, [0.003] * 2)
        assert learner.lived == ticks * len(lr_c)
    starts = [start for *_, starts in wired["made"] for start in starts]
    assert len(set(starts)) == len(starts)
    assert table["sequential"]["ticks"] == [192, 192]  # unsolved: the whole budget
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)
    ff.run(replace(SHORT, max_ticks=192, nets=2), 1000, silent)
    again = [learner for learner, *_ in wired["made"]][len(kinds)]
    assert (again.graduates["theta"][0] != 0).any()
    first = made[PainLearner][0].graduates["theta"]
    assert again.nets["theta"].size == 0 and first.shape == again.graduates["theta"].shape
    assert wired["made"][0][3] == wired["made"][len(kinds)][3]  # the run's own nets


def test_the_model_first_then_the_controller(short_exams, monkeypatch):
    film = {}

    def filmed(self, grad, update=PainLearner.update):
        before = [part.copy() for part in ff.halves(self.config, self.nets["theta"])]
        update(self, grad)
        after = ff.halves(self.config, self.nets["theta"])
        changed = [(old != new).any() for old, new in zip(before, after)]
        film.setdefault(type(self), []).append((self, before, changed))

    monkeypatch.setattr(PainLearner, "update", filmed)
    table = study.run(STUDY, 1000, silent)
    for _, (c, _), changed in film[study.ModelFirst]:
        assert changed == [False, True] and not c.any()
    models = film[study.ModelFirst][0][0].graduates["theta"]
    for _, (_, m), changed in film[study.FrozenModel]:
        assert changed == [True, False]
        np.testing.assert_array_equal(m, ff.halves(Config(), models)[1])
    assert set(table) == {"parallel", "pain_cut", "sequential", "teacher", "entropy", "log",
                          "plain", "teacher_factor"}  # fmt: skip


def test_random_outputs_are_uniform_and_a_taught_net_acts_without_noise():
    learner = study.ModelFirst(Config(window=500), seeds(4), 0.5)
    events, z = learner.draw()
    life = ff.act(learner.config, learner.nets["theta"], learner.nets, events, z)
    assert -0.5 <= life.y.min() < -0.48 and 1.48 < life.y.max() <= 1.5
    assert life.y.mean() == pytest.approx(0.5, abs=0.05)
    assert not study.Teacher(Config(), seeds(2), [0.003] * 2).draw()[1].any()


def test_the_studys_factor_and_ticks(monkeypatch):
    class Done(Told):
        def __init__(self, config, seeds, *rest):
            ticks = {"Teacher": [30, 40, 10, 20], "FrozenModel": [50, 70]}
            names = [kind.__name__ for kind in type(self).__mro__]
            mine = next((ticks[name] for name in names if name in ticks), [60, 100])
            super().__init__([True] * (len(mine) - 1) + [False], mine)
            self.graduates = {"theta": None}

    for name in ("PainLearner", "ModelFirst", "FrozenModel", "Teacher", "EntropyModel", "LogPain",
                 "PlainPain"):  # fmt: skip
        monkeypatch.setattr(study, name, type(name, (Done,), {}))
    monkeypatch.setattr(study, "pain_cut", lambda nets, seed: {})
    config = study.Config(nets=2, max_ticks=200, model_ticks=96, teacher_rates=(0.003, 0.01))
    table = study.run(config, 1000, silent)
    assert table["sequential"]["ticks"] == [146, 200]
    assert table["teacher"] == {"solved": 0.5, "median_ticks": 15, "ticks": [10, 20],
                                "step_size": 0.01}  # fmt: skip
    assert table["teacher_factor"] == 80 / 15


# ---- unusable arguments --------------------------------------------------------------------------
@pytest.mark.parametrize(
    "argv",
    [
        ["--p-a", "0.9"],
        ["--sigma-min", "0.6"],
        ["--sigma-min", "0"],
        ["--max-ticks", "10"],
        ["--lags", "-1"],
        ["--lr-c", "nan"],
        ["--nets", "many"],
    ],
)
def test_the_command_line_names_the_flag_before_anything_runs(argv, capsys):
    given_argv = [*argv, "--p-b", "0.2"] if argv[0] == "--p-a" else argv
    with pytest.raises(SystemExit) as stop:
        ff.main(ff, given_argv)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and argv[0] in said and said.count("\n") == 1


def test_the_study_refuses_a_model_phase_without_end():
    with pytest.raises(ValueError, match="--model-ticks"):
        study.Config(max_ticks=100, model_ticks=100)
