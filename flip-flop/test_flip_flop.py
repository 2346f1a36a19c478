"""Tests of flip_flop.py: every gradient against finite differences of a plain scalar
re-implementation, the task against a slow oracle, the learning rule and the grading on cases worked
by hand, bad configurations."""

from dataclasses import replace

import flip_flop as ff
import numpy as np
import pytest
from flip_flop import NOTHING, A, B, Config, X
from hypothesis import given, settings
from hypothesis import strategies as st

SMALL = Config(
    hidden_c=3, hidden_m=4, window=6, streams=2, sigma_min=0.1, sigma_max=0.7, b_weight=1.5
)
event_lists = st.lists(st.sampled_from([A, B, X, NOTHING]), min_size=1, max_size=60)


# ---- the task ------------------------------------------------------------------------------------


def oracle(task, history):
    """The right answer to the last event of a whole history, in the words of the task."""
    last = {
        event: max((t for t, e in enumerate(history[:-1]) if e == event), default=-1)
        for event in (A, B)
    }
    if task == "pulse":  # a B, and since the latest A no other B
        return history[-1] == B and last[A] > last[B]
    return history[-1] == B or (
        history[-1] != A and last[B] > last[A]
    )  # hold: a B has come since the last A


@given(event_lists, st.sampled_from(["pulse", "hold"]), st.integers(0, 60))
def test_targets_agree_with_the_oracle_also_across_a_cut(history, task, cut):
    config, events, state, found = (
        Config(task=task),
        np.array(history).reshape(1, -1, 1),
        np.zeros((1, 1), bool),
        [],
    )
    for piece in (events[:, :cut], events[:, cut:]):
        target, state = ff.targets(config, piece, state)
        found += target[0, :, 0].tolist()
    assert found == [oracle(task, history[: t + 1]) for t in range(len(history))]


def test_targets_on_a_case_worked_by_hand():
    events = np.array([B, A, X, B, B, A, A, B, X]).reshape(1, -1, 1)
    assert ff.targets(Config(), events, np.zeros((1, 1), bool))[0].ravel().tolist() == [
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        1,
        0,
    ]
    assert ff.targets(Config(), events, np.ones((1, 1), bool))[0].ravel().tolist() == [
        1,
        0,
        0,
        1,
        0,
        0,
        0,
        1,
        0,
    ]
    hold, _ = ff.targets(Config(task="hold"), events, np.zeros((1, 1), bool))
    assert hold.ravel().tolist() == [1, 0, 0, 1, 1, 0, 0, 1, 1]


def test_events_have_the_given_probabilities():
    assert ff.pick_events(Config(), np.array([0, 0.149, 0.151, 0.299, 0.301, 0.999])).tolist() == [
        A,
        A,
        B,
        B,
        X,
        X,
    ]
    hold = Config(**ff.HOLD)
    assert ff.pick_events(hold, np.array([0.09, 0.11, 0.24, 0.26, 0.49, 0.51])).tolist() == [
        A,
        B,
        B,
        X,
        X,
        NOTHING,
    ]
    assert ff.ONE_HOT.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]


# ---- a plain re-implementation, one net, one stream, one number at a time ------------------------


def plain_cell(w, v, h, inputs):
    """h(t) and the outputs, from h(t-1) and [1, A, B, X, pain, y]."""
    h = np.tanh(
        np.array(
            [
                sum(h[i] * w[i, j] for i in range(len(h)))
                + sum(inputs[i] * w[len(h) + i, j] for i in range(6))
                for j in range(len(h))
            ]
        )
    )
    return h, [sum(h[i] * v[i, k] for i in range(len(h))) + v[len(h), k] for k in range(v.shape[1])]


def plain_life(config, theta, now, events, target, z, flags=None, random_y=None):
    """Means, sigmas, outputs, pains (S, T, N) of C, and C's last hidden state."""
    w, v, _, _ = ff.weights(config, theta)
    mean, sigma, y, pain = (np.zeros(events.shape) for _ in range(4))
    last = np.zeros((*now["pain"].shape, config.hidden_c))
    for s, n in np.ndindex(now["pain"].shape):
        h, felt, fed = now["h_c"][s, n], now["pain"][s, n], now["y"][s, n]
        for t, event in enumerate(events[s, :, n]):
            h, out = plain_cell(w[s], v[s], h, [1, event == A, event == B, event == X, felt, fed])
            mean[s, t, n] = 1 / (1 + np.exp(-out[0]))
            sigma[s, t, n] = config.sigma_min + (config.sigma_max - config.sigma_min) / (
                1 + np.exp(-out[1])
            )
            y[s, t, n] = mean[s, t, n] + sigma[s, t, n] * z[s, t, n]
            if random_y is not None and np.isfinite(random_y[s, t, n]):
                y[s, t, n] = random_y[s, t, n]
            pain[s, t, n] = (y[s, t, n] > 0.5) != target[s, t, n]
            felt = (pain if flags is None else flags)[s, t, n] * config.pain_input
            fed = y[s, t, n] if config.feedback else 0
        last[s, n] = h
    return mean, sigma, y, pain, last


def plain_model(config, theta, h_m, c_tape, y, memories=None):
    """Logits (S, T, N) of M and its hidden states; with memories M forgets its own and takes these
    instead."""
    _, _, w, v = ff.weights(config, theta)
    logit, hidden = np.zeros(y.shape), np.zeros((*y.shape, config.hidden_m))
    for s, n in np.ndindex(h_m.shape[:2]):
        h = h_m[s, n]
        for t in range(y.shape[1]):
            seen = c_tape[s, t, n, config.hidden_c : config.hidden_c + 5]
            h, (logit[s, t, n],) = plain_cell(w[s], v[s], h, [*seen, 2 * y[s, t, n] - 1])
            hidden[s, t, n] = h
            if memories is not None:
                h = memories[s, t, n]
    return logit, hidden


def scene(config, S=2, seed=0):
    """Random float64 weights, states, events and dice, and one window of life."""
    rng = np.random.default_rng(seed)
    (T, N), H = (config.window, config.streams), config.hidden_c
    theta = 0.8 * rng.standard_normal((S, sum(r * c for r, c in ff.shapes(config))))
    now = {
        "h_c": rng.uniform(-1, 1, (S, N, H)),
        "h_m": rng.uniform(-1, 1, (S, N, config.hidden_m)),
        "pain": rng.integers(0, 2, (S, N)) * 1.0,
        "y": rng.random((S, N)) * config.feedback,
        "baseline": rng.random(S),
        "armed": rng.random((S, N)) < 0.5,
    }
    events = rng.choice([A, B, X], (S, T, N), p=[0.3, 0.4, 0.3])
    target, _ = ff.targets(config, events, now["armed"])
    z = rng.standard_normal((S, T, N))
    random_y = np.where(rng.random((S, T, N)) < config.random_share, rng.random((S, T, N)), np.nan)
    life = ff.live(config, theta, now, events, target, z, random_y)
    return theta, now, events, target, z, random_y, life


@pytest.mark.parametrize(
    "changes", [{}, {"feedback": True}, {"pain_input": False}, {"random_share": 0.5}]
)
def test_life_and_prediction_agree_with_the_plain_version(changes):
    config = replace(SMALL, **changes)
    theta, now, events, target, z, random_y, (tape, out, y, pain) = scene(config)
    mean, sigma, plain_y, plain_pain, last = plain_life(
        config, theta, now, events, target, z, None, random_y
    )
    np.testing.assert_allclose(out[..., 0], mean, atol=1e-12)
    np.testing.assert_allclose(
        config.sigma_min + (config.sigma_max - config.sigma_min) * out[..., 1], sigma
    )
    np.testing.assert_allclose(y, plain_y, atol=1e-12)
    assert (pain == plain_pain).all() and 0 < pain.mean() < 1
    np.testing.assert_allclose(tape[:, -1, :, : config.hidden_c], last, atol=1e-12)
    m_tape, logit = ff.predict(config, theta, now["h_m"], tape, y)
    plain_logit, hidden = plain_model(config, theta, now["h_m"], tape, y)
    np.testing.assert_allclose(logit, plain_logit, atol=1e-12)
    np.testing.assert_allclose(m_tape[:, 1:, :, : config.hidden_m], hidden, atol=1e-12)


def test_pain_is_felt_one_tick_later_and_a_false_flag_is_felt_but_not_counted():
    theta, now, events, target, z, _, (tape, _, _, pain) = scene(SMALL)
    H = SMALL.hidden_c
    assert (tape[:, 0, :, H + 4] == now["pain"]).all() and (tape[:, 1:, :, H + 4] == pain).all()
    assert (tape[:, :, :, H + 5] == 0).all()  # C does not see what it put out
    flags = np.random.default_rng(1).random(events.shape) < 0.5
    tape, _, y, wrong = ff.live(SMALL, theta, now, events, target, z, None, flags)
    assert (tape[:, 1:, :, H + 4] == flags).all() and (wrong == ((y > 0.5) != target)).all()


def test_nothing_but_the_pain_flag_tells_c_about_the_target():
    config = replace(SMALL, pain_input=False)
    theta, now, events, target, z, _, (tape, out, y, _) = scene(config)
    other_tape, other_out, other_y, _ = ff.live(config, theta, now, events, ~target, z)
    assert (tape == other_tape).all() and (out == other_out).all() and (y == other_y).all()


# ---- gradients -----------------------------------------------------------------------------------


def numeric_gradient(objective, theta, step=1e-5):
    grad = np.zeros_like(theta)
    for i in np.ndindex(theta.shape):
        ends = []
        for sign in (1, -1):
            moved = theta.copy()
            moved[i] += sign * step
            ends.append(objective(moved))
        grad[i] = (ends[0] - ends[1]) / (2 * step)
    return grad


def assert_close(found, expected):
    assert np.linalg.norm(expected) > 1e-3
    assert np.linalg.norm(found - expected) <= 1e-6 * np.linalg.norm(expected)


def parts(config, theta):
    """The parameters of C, and of M."""
    cut = sum(r * c for r, c in ff.shapes(config)[:2])
    return theta[:, :cut], theta[:, cut:]


def weight_of(config, events):
    return (1 + config.b_weight * (events == B)) / events[0].size


def both(config, seed=0):
    theta, now, events, target, z, random_y, life = scene(config, 1, seed)
    return (
        theta,
        now,
        events,
        target,
        z,
        random_y,
        life,
        ff.gradients(config, theta, now, events, target, z, random_y, *life),
    )


def test_gradient_of_the_model_through_time():
    theta, now, events, _, _, _, (tape, _, y, pain), (grad, h_m) = both(SMALL)

    def objective(moved):
        p = 1 / (1 + np.exp(-plain_model(SMALL, moved, now["h_m"], tape, y)[0]))
        return -(weight_of(SMALL, events) * np.where(pain, np.log(p), np.log(1 - p))).sum()

    assert_close(parts(SMALL, grad)[1], parts(SMALL, numeric_gradient(objective, theta))[1])
    np.testing.assert_allclose(h_m, plain_model(SMALL, theta, now["h_m"], tape, y)[1][:, -1])


@pytest.mark.parametrize("path", ["local", "full"])
@pytest.mark.parametrize("objective_name", ["log", "pain"])
@pytest.mark.parametrize("random_share", [0.0, 0.4])
def test_gradient_of_the_controller_through_the_model_and_through_time(
    path, objective_name, random_share
):
    config = replace(SMALL, model_path=path, objective=objective_name, random_share=random_share)
    theta, now, events, target, z, random_y, (tape, _, y, pain), (grad, _) = both(config)
    assert random_share == 0 or 0 < np.isnan(random_y).mean() < 1
    memories = plain_model(config, theta, now["h_m"], tape, y)[1] if path == "local" else None
    frozen = parts(config, theta)[1]

    def objective(moved):
        moved_y = plain_life(config, moved, now, events, target, z, pain, random_y)[
            2
        ]  # the flags stay: no slope
        moved = np.concatenate([parts(config, moved)[0], frozen], 1)
        p = 1 / (1 + np.exp(-plain_model(config, moved, now["h_m"], tape, moved_y, memories)[0]))
        return (
            weight_of(config, events) * (-np.log(1 - p) if objective_name == "log" else p)
        ).sum()

    assert_close(parts(config, grad)[0], parts(config, numeric_gradient(objective, theta))[0])


def test_gradient_of_reinforce_is_that_of_pain_weighted_log_likelihood():
    config = replace(SMALL, rule="reinforce")
    theta, now, events, target, z, _, (_, _, y, pain), (grad, _) = both(config)
    advantage = weight_of(config, events) * (pain - now["baseline"])

    def objective(moved):
        mean, sigma, *_ = plain_life(config, moved, now, events, target, z, pain)
        return (advantage * (-np.log(sigma) - (y - mean) ** 2 / (2 * sigma**2))).sum()

    assert_close(parts(config, grad)[0], parts(config, numeric_gradient(objective, theta))[0])
    assert not parts(config, grad)[1].any()


def test_gradient_with_a_teacher():
    config = replace(SMALL, rule="supervised")
    theta, now, events, target, z, _, (_, _, _, pain), (grad, _) = both(config)

    def objective(moved):
        mean = plain_life(config, moved, now, events, target, z, pain)[0]
        return -(weight_of(config, events) * np.where(target, np.log(mean), np.log(1 - mean))).sum()

    assert_close(parts(config, grad)[0], parts(config, numeric_gradient(objective, theta))[0])


def test_the_log_objective_keeps_its_slope_where_the_model_is_sure_of_pain():
    tape, logit = np.zeros((1, 2, 1, 8)), np.full((1, 1, 1), 10.0)
    config = replace(SMALL, hidden_c=1, hidden_m=2)
    theta = np.ones((1, sum(r * c for r, c in ff.shapes(config))))
    log, pain = (
        ff.pain_slope(replace(config, objective=o), theta, tape, logit, 1.0).item()
        for o in ("log", "pain")
    )
    assert log == pytest.approx(2 * 2 * ff.sigmoid(10.0))  # two hidden units, and M reads 2 y - 1
    assert pain == pytest.approx(log * ff.sigmoid(-10.0))


# ---- training ------------------------------------------------------------------------------------

ONE_WINDOW = Config(
    max_ticks=16,
    check_ticks=8,
    check_streams=1,
    test_ticks=8,
    check_copies=1,
    test_copies=1,
    lags=(1,),
    lead_in=1,
    clean_checks=2,
)


def grads_seen(monkeypatch):
    """Record all that training hands to gradients() and gets back."""
    seen, original = [], ff.gradients

    def spy(config, theta, now, *rest):
        result = original(config, theta, now, *rest)
        seen.append(
            (
                theta.copy(),
                {k: v.copy() for k, v in now.items()},
                *rest,
                result[0].copy(),
                result[1],
            )
        )
        return result

    monkeypatch.setattr(ff, "gradients", spy)
    return seen


def test_the_first_adam_step_is_the_step_size_against_the_sign(monkeypatch):
    seen = grads_seen(monkeypatch)
    config = replace(ONE_WINDOW, lr_c=0.01, lr_m=0.02)
    nets = ff.train(config, [0])
    ((theta, *_, grad, _),) = seen
    large = np.abs(grad) > 1e-5
    steps = zip(
        parts(config, nets["theta"] - theta),
        parts(config, grad),
        parts(config, large),
        (0.01, 0.02),
    )
    for step, g, big, lr in steps:
        assert big.mean() > 0.3
        np.testing.assert_allclose(step[big], -lr * np.sign(g[big]), rtol=2e-3)


def test_adam_and_clipping_over_three_steps(monkeypatch):
    seen = grads_seen(monkeypatch)
    config = replace(ONE_WINDOW, max_ticks=48, check_every=48, clip=0.01)
    nets, m, v = ff.train(config, [0, 1]), 0, 0
    expected = seen[0][0].astype(float)
    for step, (*_, grad, _) in enumerate(seen, 1):
        clipped = np.concatenate(
            [
                part * np.minimum(1, 0.01 / np.linalg.norm(part, axis=1, keepdims=True))
                for part in parts(config, grad.astype(float))
            ],
            1,
        )
        m, v = 0.9 * m + 0.1 * clipped, 0.999 * v + 0.001 * clipped**2
        lr = np.concatenate(
            [np.full_like(p, rate) for p, rate in zip(parts(config, expected), (0.003, 0.005))], 1
        )
        expected = expected - lr * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    assert step == 3
    np.testing.assert_allclose(nets["theta"], expected, atol=2e-6)


def test_the_stream_never_starts_again(monkeypatch):
    seen = grads_seen(monkeypatch)
    config = replace(ONE_WINDOW, max_ticks=160, streams=2, check_every=50, feedback=True)
    ff.train(config, [0, 1])
    H, history = config.hidden_c, np.concatenate([s[2] for s in seen], 1)
    wanted = np.concatenate([s[3] for s in seen], 1)
    assert history.shape == (
        2,
        80,
        2,
    )  # 160 ticks of two streams, whatever the checks did in between
    for s, n in np.ndindex(2, 2):
        assert wanted[s, :, n].tolist() == [
            oracle("pulse", history[s, : t + 1, n].tolist()) for t in range(80)
        ]
    for (*_, tape, _, y, pain, _, h_m), (_, now, *_) in zip(seen, seen[1:]):
        assert (now["h_c"] == tape[:, -1, :, :H]).all() and (now["h_m"] == h_m).all()
        assert (now["pain"] == pain[:, -1]).all() and (now["y"] == y[:, -1]).all()


def test_nets_side_by_side_are_the_nets_alone():
    config = replace(ONE_WINDOW, max_ticks=800, check_every=300)
    together, alone = ff.train(config, [3, 4]), ff.train(config, [4])
    np.testing.assert_allclose(together["theta"][1], alone["theta"][0], atol=1e-6)
    assert not np.allclose(together["theta"][0], together["theta"][1], atol=0.1)


def test_the_model_first_then_the_controller(monkeypatch):
    seen = grads_seen(monkeypatch)
    config = replace(ONE_WINDOW, regime="sequential", model_ticks=32, max_ticks=80)
    ff.train(config, [0])
    for (theta, *_, random_y, _, _, _, _, _, _), (after, *_), m_alone in zip(
        seen, seen[1:], [1, 1, 0, 0]
    ):
        (c, m), (c_after, m_after) = parts(config, theta), parts(config, after)
        assert (c == c_after).all() == m_alone and (m == m_after).all() != m_alone
        assert (random_y is not None and np.isfinite(random_y).all()) == m_alone
    assert -0.5 <= np.min(seen[0][5]) < 0 and 1 < np.max(seen[0][5]) <= 1.5


def test_a_memoryless_controller_stays_memoryless():
    config = replace(ONE_WINDOW, max_ticks=160, memory=False, pain_input=False)
    nets = ff.train(config, [0])
    assert not ff.weights(config, nets["theta"])[0][:, : config.hidden_c].any()
    assert ff.weights(config, nets["theta"])[2][:, : config.hidden_m].any()  # M keeps its own


def test_a_taught_net_acts_without_noise_and_reinforce_tracks_the_mean_pain(monkeypatch):
    seen = grads_seen(monkeypatch)
    ff.train(replace(ONE_WINDOW, rule="supervised"), [0])
    assert not seen[0][4].any()
    nets = ff.train(replace(ONE_WINDOW, rule="reinforce", baseline_rate=0.25), [0])
    assert seen[1][4].std() > 0.5
    assert nets["baseline"] == pytest.approx(0.25 * seen[1][9].mean())


def fake_exams(monkeypatch, verdicts):
    """Exams that say what we want, in turn; returns the generators they were given, and how many
    copies."""
    calls = []

    def exam(config, theta, now, rngs, ticks, streams, copies, flags=None):
        calls.append((rngs, ticks, streams, copies))
        good = np.array([verdicts[len(calls) - 1]] * len(theta))
        return {"solved": good, "errors_per_1000": 1.0 - good}

    monkeypatch.setattr(ff, "exam", exam)
    return calls


@pytest.mark.parametrize("final", [True, False])
def test_two_clean_checks_in_a_row_end_training_and_a_fresh_test_decides(monkeypatch, final):
    calls = fake_exams(monkeypatch, [True, False, True, True, final])
    told = []
    config = replace(
        ONE_WINDOW,
        max_ticks=10_000,
        check_every=64,
        streams=2,
        check_ticks=20,
        check_streams=4,
        test_ticks=30,
        check_copies=3,
        test_copies=7,
    )
    nets = ff.train(config, [0], lambda ticks, *_: told.append(ticks))
    assert told == [64, 128, 192, 256] and nets["ticks"] == 256 and nets["clean_since"] == 192
    assert nets["solved"] == final
    assert [sizes for _, *sizes in calls] == 4 * [[20, 4, 3]] + [[30, 1, 7]]
    assert calls[0][0][0] is calls[3][0][0] and calls[4][0][0] is not calls[0][0][0]


def test_one_clean_check_at_the_end_of_the_budget_is_not_enough(monkeypatch):
    fake_exams(monkeypatch, [False, True, True])
    nets = ff.train(replace(ONE_WINDOW, max_ticks=128, check_every=64), [0])
    assert not nets["solved"] and nets["ticks"] == 128


def test_divergence_is_reported(monkeypatch):
    monkeypatch.setattr(
        ff, "gradients", lambda config, theta, now, *_: (theta * np.nan, now["h_m"])
    )
    with pytest.raises(FloatingPointError, match="nan at tick 16"):
        ff.train(ONE_WINDOW, [0])


# ---- grading -------------------------------------------------------------------------------------


def hand_made(config, keep=5.0, set_by=10.0, threshold=0.0, gain=5.0, bias=0.0):
    """A net worked out by hand: unit 0 latches A until B, unit 1 fires when B meets a full
    latch."""
    theta = np.zeros((1, sum(r * c for r, c in ff.shapes(config))))
    w, v, _, _ = ff.weights(config, theta)
    H = config.hidden_c
    w[0, 0, 0], w[0, H + 1, 0], w[0, H + 2, 0] = keep, set_by, -set_by
    w[0, 0, 1], w[0, H, 1], w[0, H + 2, 1] = gain, -gain * (2 + threshold), 2 * gain
    v[0, 1, 0], v[0, H, 0] = 10, bias
    now = {
        "h_c": np.zeros((1, 1, H)),
        "pain": np.zeros((1, 1)),
        "y": np.zeros((1, 1)),
        "armed": np.zeros((1, 1), bool),
    }
    now["h_c"][0, 0, 0] = -0.9
    return theta, now


def graded(config, theta, now, flags=None, ticks=2000, streams=2, copies=5):
    before = {name: value.copy() for name, value in now.items()}
    marks = ff.exam(config, theta, now, [np.random.default_rng(0)], ticks, streams, copies, flags)
    assert all((now[name] == before[name]).all() for name in now)  # an exam leaves no trace
    return {name: value.item() for name, value in marks.items()}


def test_a_latch_made_by_hand_passes_with_noise_in_its_output_unit():
    marks = graded(Config(), *hand_made(Config()))
    middle = pytest.approx((0.05 + 0.5) / 2)  # nothing drives the second output of this net
    assert marks == {
        "errors_per_1000": 0,
        "hit_rate": 1,
        "false_alarm_rate": 0,
        "probe_errors": 0,
        "probe_errors_50": 0,
        "probe_errors_100": 0,
        "solved": True,
        "sigma_at_targets": middle,
        "sigma_elsewhere": middle,
    }


def test_noise_is_told_apart_by_context():
    theta, now = hand_made(Config())
    ff.weights(Config(), theta)[1][0, 1, 1] = 50  # noisy at first Bs only
    marks = graded(Config(), theta, now)
    assert marks["sigma_at_targets"] == pytest.approx(0.5) and marks[
        "sigma_elsewhere"
    ] == pytest.approx(0.05)


def test_a_latch_that_leaks_fails_the_longer_probe_only():
    h, trace = 0.9, []
    for _ in range(101):
        h = np.tanh(0.97 * h)
        trace.append(h)
    theta, now = hand_made(
        Config(), keep=0.97, set_by=4.0, threshold=(trace[50] + trace[100]) / 2, gain=1e4
    )
    marks = graded(Config(), theta, now)
    assert marks["errors_per_1000"] == 0 and marks["hit_rate"] == 1
    assert (marks["probe_errors_50"], marks["probe_errors_100"], marks["probe_errors"]) == (0, 5, 5)
    assert not marks["solved"]


def test_marks_of_constant_and_of_reflex_nets():
    config = Config()
    silent = graded(config, *hand_made(config, bias=-50.0), ticks=20_000)
    assert silent["hit_rate"] == 0 and silent["false_alarm_rate"] == 0 and not silent["solved"]
    assert silent["errors_per_1000"] == pytest.approx(
        75, abs=6
    )  # p(B) / 2: half of all Bs come first
    assert silent["probe_errors"] == 10
    theta, now = hand_made(config, threshold=-1.0)
    ff.weights(config, theta)[0][0, 0, 1] = 0
    reflex = graded(config, theta, now, ticks=20_000)  # fires at every B
    assert reflex["hit_rate"] == 1 and reflex["false_alarm_rate"] == 1
    assert reflex["errors_per_1000"] == pytest.approx(75, abs=6)


def test_an_exam_goes_on_from_the_present_state():
    config = Config(p_a=0.0, p_b=1.0, p_x=0.0, lead_in=0)
    theta, now = hand_made(config)
    now["armed"][:] = True
    assert (
        graded(config, theta, now, ticks=8, streams=1)["errors_per_1000"] == 125
    )  # they disagree at first
    marks = graded(
        Config(), theta, now, streams=8
    )  # one error in each stream that begins with a B: not solved
    assert 0 < marks["errors_per_1000"] <= 4 and marks["probe_errors"] == 0 and not marks["solved"]
    now["h_c"][0, 0, 0] = 0.9
    assert graded(config, theta, now, ticks=8, streams=1)["errors_per_1000"] == 0


def test_the_pain_input_can_be_cut_or_falsified_in_an_exam():
    config = Config()
    theta, now = hand_made(config)
    ff.weights(config, theta)[0][
        0, config.hidden_c + 4, 0
    ] = -100  # this net drops its memory when it feels pain
    assert graded(config, theta, now)["solved"] and graded(config, theta, now, 0.0)["solved"]
    assert graded(config, theta, now, 0.3)["hit_rate"] < 0.8


def test_hold_is_probed_the_other_way_round():
    config = Config(**ff.HOLD)
    theta, now = hand_made(config)
    w, v, _, _ = ff.weights(config, theta)
    w[:], v[:] = 0, 0
    H = config.hidden_c
    w[0, 0, 0], w[0, H + 1, 0], w[0, H + 2, 0], v[0, 0, 0] = 5, -10, 10, 10  # on from B until A
    assert graded(config, theta, now)["solved"]
    w[0, H + 3, 0] = -10  # X switches it off as well
    marks = graded(config, theta, now)
    assert (
        marks["probe_errors"] == 10 and marks["hit_rate"] < 0.9 and marks["false_alarm_rate"] == 0
    )


# ---- the whole -----------------------------------------------------------------------------------


def test_a_quick_run_repeats_bit_for_bit_and_reports_progress():
    told = []
    config = replace(Config(**ff.QUICK), max_ticks=2000, check_every=500)
    first = ff.run(config, 0, lambda fraction, message: told.append(fraction))
    assert first == ff.run(config, 0) and first != ff.run(config, 1)
    assert all(type(value) in (int, float, bool) for value in first.values())
    assert told == sorted(told) and 0 < told[0] and told[-1] == 1


def test_a_small_study_has_plain_numbers_and_whole_curves():
    config = replace(
        Config(**ff.QUICK), max_ticks=640, check_every=320, model_ticks=320, runs=2, side_runs=1
    )
    metrics = ff.study(config, 0)
    flat = [x for v in metrics.values() for x in (v if isinstance(v, list) else [v])]
    assert all(type(x) in (int, float) for x in flat)
    assert metrics["curve_ticks"] == [320, 640] and len(metrics["curve_hit_rate"]) == 4
    assert {f"{name}_solved" for name in ff.VARIANTS} <= metrics.keys() and metrics[
        "parallel_runs"
    ] == 2


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5))
def test_weights_are_views_that_cover_all_parameters(hidden_c, hidden_m):
    config = Config(hidden_c=hidden_c, hidden_m=hidden_m)
    theta = ff.initial_weights(config, np.random.default_rng(0))
    for view in ff.weights(config, theta):
        view[:] = 7
    assert (theta == 7).all()


def test_initial_hidden_units_lean_on_themselves():
    config = Config(init_recurrent=0.0)
    theta = ff.initial_weights(config, np.random.default_rng(0))
    for w, v in zip(ff.weights(config, theta)[::2], ff.weights(config, theta)[1::2]):
        H = w.shape[2]
        np.testing.assert_allclose(w[0, :H], 0.9 * np.eye(H), rtol=1e-6)
        assert not v[0, H].any() and v[0, :H].any() and w[0, H:].any()


@pytest.mark.parametrize(
    "bad",
    [
        {"p_a": 0.5, "p_b": 0.5, "p_x": 0.5},
        {"sigma_min": 0.6},
        {"max_ticks": 10},
        {"rule": "reinforce", "sigma_min": 0.0},
        {"rule": "supervised", "regime": "sequential"},
    ],
)
def test_impossible_configurations_are_refused_in_one_line(bad):
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        Config(**bad)
