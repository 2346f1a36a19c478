# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy"]
# ///
"""Linear attention is a fast weight programmer: its memory has a size, and a delta rule lets it change its mind.

Paper: I. Schlag, K. Irie, J. Schmidhuber, "Linear Transformers Are Secretly Fast Weight Programmers", ICML 2021.
Its two synthetic experiments: store key/value pairs, then answer one query. Setting 1: S unique keys, each once.
Setting 2: pairs drawn with replacement, twice as many as keys; the last value of a key counts.
Claims: attention with a feature map phi and additive outer-product writes are one computation; such a memory holds at
most dim(phi) keys (DPFP enlarges it, without parameters); adding smears a value that changes, the delta rule does not.

    python3 linear_transformers_fwp.py --seed 0     # both settings and the identity, in well under a minute
    python3 linear_transformers_fwp.py --study      # both settings at the paper's size, and every step size
    python3 linear_transformers_fwp.py --help       # every setting
"""
import os
from dataclasses import dataclass, replace
from typing import Annotated

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: these matrices are too small to share out
import numpy as np


@dataclass(frozen=True)
class Config:
    d_key: Annotated[int, "dimension of embeddings, keys and queries", (2, 256)] = 16
    unique_keys: Annotated[tuple[int, ...], "setting 1: numbers of unique keys", (2, 1024)] = (
        4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
    changing_keys: Annotated[tuple[int, ...], "setting 2: numbers of keys", (2, 256)] = (5, 10, 20, 30, 40, 60)
    delta_keys: Annotated[tuple[int, ...], "setting 1: numbers of keys for the delta rule", (2, 1024)] = (16, 32, 48)
    ablation_keys: Annotated[int, "setting 2: number of keys in the ablations", (2, 256)] = 20
    repeats: Annotated[int, "setting 2: pairs per key in a sequence", (1, 16)] = 2
    query: Annotated[str, "whose key is asked: a random pair's, or any that occurred", ("pair", "key")] = "pair"
    favor: Annotated[tuple[int, ...], "numbers of random directions of FAVOR+; it has twice as many features",
                     (1, 1024)] = (16, 64)
    batch: Annotated[int, "sequences per update", (1, 1024)] = 32
    steps_1: Annotated[int, "setting 1: most updates of a run", (1, 10**6)] = 400
    steps_2: Annotated[int, "setting 2: most updates of a run", (1, 10**6)] = 300
    rates: Annotated[tuple[float, ...], "Adam step sizes; validation chooses, for each method alike", (1e-6, 1.0)] = (
        0.01, 0.02, 0.04)
    beta_1: Annotated[float, "Adam: memory of the gradient", (0.0, 0.999999)] = 0.9
    beta_2: Annotated[float, "Adam: memory of the squared gradient", (0.0, 0.999999)] = 0.99
    epsilon: Annotated[float, "Adam: added to the root of the squared gradient", (1e-12, 1.0)] = 1e-8
    stop: Annotated[float, "squared error at which training ends", (0.0, 1.0)] = 1e-3
    check_every: Annotated[int, "updates between two looks at the mean training error", (1, 10**6)] = 25
    fixed_beta: Annotated[float, "constant write strength of one ablation", (0.0, 1.0)] = 0.5
    valid_sequences: Annotated[int, "sequences that choose the step size", (1, 10**6)] = 256
    test_sequences: Annotated[int, "sequences of the test", (1, 10**6)] = 1024
    knee: Annotated[float, "squared error above which a memory counts as full", (1e-6, 1.0)] = 0.1
    study_d_key: Annotated[int, "study: dimension of embeddings, keys and queries, the paper's", (2, 256)] = 64
    study_unique_keys: Annotated[tuple[int, ...], "study, setting 1: numbers of unique keys", (2, 1024)] = (
        60, 120, 180, 240, 300, 360, 420, 480, 540, 600)
    study_changing_keys: Annotated[tuple[int, ...], "study, setting 2: numbers of keys", (2, 256)] = (20, 60, 100, 200)
    study_steps: Annotated[int, "study: most updates of a run at the paper's size", (1, 10**6)] = 1000
    large_rates: Annotated[tuple[float, ...], "study: Adam step sizes at the paper's size", (1e-6, 1.0)] = (0.002, 0.02)
    study_rates: Annotated[tuple[float, ...], "study: Adam step sizes compared at the small size", (1e-6, 1.0)] = (
        0.001, 0.003, 0.01, 0.02, 0.04, 0.1)
    identity_length: Annotated[int, "pairs in the test of the identity", (1, 4096)] = 512
    identity_chunk: Annotated[int, "pairs per chunk there", (1, 4096)] = 64

    def __post_init__(self):
        if list(self.unique_keys) != sorted(set(self.unique_keys)):
            raise ValueError("argument --unique-keys: the numbers must increase")
        if self.identity_chunk > self.identity_length:
            raise ValueError("argument --identity-chunk: must not exceed --identity-length")
        if self.check_every > min(self.steps_1, self.steps_2):
            raise ValueError("argument --check-every: must not exceed --steps-1 or --steps-2")


QUICK = {"unique_keys": (4, 24, 48), "delta_keys": (4,), "changing_keys": (5, 10), "ablation_keys": 5, "favor": (16,),
         "steps_1": 50, "steps_2": 50, "valid_sequences": 64, "test_sequences": 128, "study_d_key": 16,
         "study_steps": 50, "study_unique_keys": (20,), "study_changing_keys": (5,), "identity_length": 64,
         "identity_chunk": 16}

# ---- the task -------------------------------------------------------------------------------------------------------
# Shapes: V variants trained side by side, N keys, B sequences, L pairs in a sequence, D features of a key.


def sequences(config, rng, setting, keys, count):
    """Draw keys (B, L), values (B, L), the queried key (B,) and its right value (B,).

    Setting 1: every key once, every value once. Setting 2: both drawn with replacement; the queried key is that of a
    random pair (or a random one of those that occurred), and its last value is right. A value v stands for the v-th
    unit vector, so that values never interfere.
    """
    if setting == 1:
        k, v = (rng.permuted(np.tile(np.arange(keys), (count, 1)), axis=1) for _ in range(2))
    else:
        k, v = rng.integers(keys, size=(2, count, config.repeats * keys))
    if config.query == "pair":
        query = k[np.arange(count), rng.integers(k.shape[1], size=count)]
    else:
        shown = (k[:, :, None] == np.arange(keys)).any(1)  # (B, N)
        query = (shown * rng.uniform(0.5, 1.0, shown.shape)).argmax(1)
    last = k.shape[1] - 1 - (k[:, ::-1] == query[:, None]).argmax(1)
    return k, v, query, v[np.arange(count), last]


# ---- feature maps: each returns phi(x) and its backward pass --------------------------------------------------------
def feature_map(name, x, directions=None, axis=None):
    """phi of x (..., d) by name, and the function that takes dloss/dphi to dloss/dx.

    FAVOR+ subtracts the largest exponent along axis; that factor cancels in normalised attention, so it counts as
    constant.
    """
    if name == "identity":
        return x, lambda g: g
    if name == "tanh":
        y, root = np.tanh(x), np.sqrt(x.dtype.type(x.shape[-1]))  # divided by the root of d, so that |phi| < 1
        return y / root, lambda g: g * (1 - y * y) / root
    if name == "elu":  # elu(x) + 1
        y = np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))
        return y, lambda g: g * np.minimum(y, 1)
    if name.startswith("dpfp"):  # products of each half-wave with its nu neighbours, around the circle of 2 d
        d, shifts = x.shape[-1], range(1, int(name[4:]) + 1)
        r = np.maximum(np.concatenate([x, -x], -1), 0)  # (..., 2 d)
        rolled = [np.roll(r, -j, -1) for j in shifts]

        def back(g):
            parts = zip(shifts, np.split(g, len(shifts), -1), rolled, strict=True)
            dr = sum(part * other + np.roll(part * r, j, -1) for j, part, other in parts)
            return dr[..., :d] * (x > 0) - dr[..., d:] * (x < 0)
        return np.concatenate([r * other for other in rolled], -1), back
    x = x * x.dtype.type(x.shape[-1] ** -0.25)  # favor: positive random features of exp(q . k / sqrt(d))
    projected = x @ directions.T  # (..., m)
    power = np.concatenate([projected, -projected], -1) - 0.5 * (x * x).sum(-1, keepdims=True)
    y = np.exp(power - power.max(axis, keepdims=True)) / np.sqrt(x.dtype.type(power.shape[-1]))

    def back(g):
        plus, minus = np.split(g * y, 2, -1)
        dx = (plus - minus) @ directions - x * (plus + minus).sum(-1, keepdims=True)
        return dx * x.dtype.type(x.shape[-1] ** -0.25)
    return y, back


def sum_normalised(phi):
    """phi / sum(phi), which keeps the delta rule stable, and its backward pass."""
    total = np.maximum(phi.sum(-1, keepdims=True), 1e-6)
    p = phi / total
    return p, lambda g: (g - (g * p).sum(-1, keepdims=True)) / total


def sigmoid(x):
    return 0.5 * np.tanh(0.5 * x) + 0.5


TINY = 1e-20  # a query that matches no key at all gets the answer 0 instead of 0 / 0


# ---- the identity: one memory, three schedules -----------------------------------------------------------------------
def program(k, v, q, beta=None, normaliser=False, watch=None):
    """The fast weight programmer, pair by pair: k, q (L, D) features, v (L, M); returns the answers (L, M).

    W <- W + v (x) k without beta; with beta (L,) the delta rule, W <- W + beta (v - W k) (x) k. The answer is W q, with
    the normaliser divided by q . (sum of all keys so far). watch(t, W) sees the memory after each write.
    """
    W, z, out = np.zeros((v.shape[1], k.shape[1]), k.dtype), np.zeros(k.shape[1], k.dtype), np.empty_like(v)
    for t in range(len(k)):
        W += np.outer(v[t] if beta is None else beta[t] * (v[t] - W @ k[t]), k[t])
        z += k[t]
        out[t] = W @ q[t] / (max(z @ q[t], TINY) if normaliser else 1)
        if watch:
            watch(t, W)
    return out


def attention(k, v, q, beta=None, normaliser=False):
    """The same answers as masked attention: all pairs at once, no memory matrix. The delta rule takes one solve."""
    scores = np.tril(q @ k.T)  # (L, L)
    if beta is not None:  # what each step really writes, w = beta (v - sum of earlier w (k . k'))
        v = np.linalg.solve(np.eye(len(k)) + beta[:, None] * np.tril(k @ k.T, -1), beta[:, None] * v)
    return scores @ v / (np.maximum(scores.sum(1, keepdims=True), TINY) if normaliser else 1)


def chunked(k, v, q, chunk, beta=None, normaliser=False):
    """The same answers with attention inside each chunk and one memory matrix carried between chunks."""
    W, z, out = np.zeros((v.shape[1], k.shape[1]), k.dtype), np.zeros(k.shape[1], k.dtype), np.empty_like(v)
    for start in range(0, len(k), chunk):
        now = slice(start, start + chunk)
        ks, vs, qs = k[now], v[now], q[now]
        scores = np.tril(qs @ ks.T)
        if beta is not None:
            b = beta[now, None]
            vs = np.linalg.solve(np.eye(len(ks)) + b * np.tril(ks @ ks.T, -1), b * (vs - ks @ W.T))
        total = np.maximum(scores.sum(1) + qs @ z, TINY)[:, None]
        out[now] = (scores @ vs + qs @ W.T) / (total if normaliser else 1)
        W += vs.T @ ks
        z += ks.sum(0)
    return out


def identity_gap(config, rng):
    """The largest difference between the schedules over feature maps, rules and normaliser, relative to the answers."""
    L, d, worst = config.identity_length, config.d_key, {"sum": 0.0, "delta": 0.0}
    for name in ("identity", "elu", "dpfp1", "dpfp2", "dpfp3"):
        k, q, v = rng.standard_normal((3, L, d))
        k, q = feature_map(name, k)[0], feature_map(name, q)[0]
        for rule, normaliser in (("sum", False), ("sum", True), ("delta", False), ("delta", True)):
            if name == "identity" and normaliser:
                continue  # signed scores may add up to nothing: attention needs phi >= 0 to normalise
            if rule == "delta":
                k = k / np.linalg.norm(k, axis=1, keepdims=True) if name == "identity" else sum_normalised(k)[0]
            beta = rng.random(L) if rule == "delta" else None
            answers = [program(k, v, q, beta, normaliser), attention(k, v, q, beta, normaliser),
                       chunked(k, v, q, config.identity_chunk, beta, normaliser)]
            gap = np.abs(np.array(answers[1:]) - answers[0]).max() / np.abs(answers[0]).max()
            worst[rule] = float(np.maximum(worst[rule], gap))  # which, unlike max, hands on a NaN
    return worst


# ---- the model and its gradient --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Method:
    """A memory: feature map (or "softmax", whose features are infinitely many), write rule, ablations."""
    phi: str
    rule: str = "sum"
    beta: float | None = None  # write strength of the delta rule; None: learned, per key
    normalised: bool = True  # the delta rule's sum-normalisation of phi
    attention_normaliser: bool = False  # the delta rule's answer divided by q . (sum of the keys); sum always does


def initial(rng, keys, d, copies, dtype=np.float32):
    """Slow weights of V copies: embeddings (V, N, d), W_k and W_q, equal at first (V, d, d), w_beta (V, d + 1)."""
    E, W = rng.standard_normal((copies, keys, d)), rng.standard_normal((copies, d, d)) / np.sqrt(d)
    return [part.astype(dtype) for part in (E, W, W, np.zeros((copies, d + 1)))]


def loss_and_gradient(method, weights, data, directions=None, backward=True):
    """Squared error (V, B) and hits (V, B) of the answers to data, and the gradient of the mean error over B.

    An answer is linear in the values: y = sum_t a_t v_t. The sum rule has a_t = phi(q) . phi(k_t), divided by their
    sum. For the delta rule follow the query backwards through the writes, instead of the memory matrix forwards:
    u_L = phi(q), c_t = phi(k_t) . u_t, a_t = beta_t c_t, u_{t-1} = u_t - beta_t c_t phi(k_t). This is exact, and each
    step handles a vector where the memory would be a matrix.
    """
    (E, Wk, Wq, wb), (keys, values, query, right) = weights, data
    (V, N, d), (B, L), dtype = E.shape, keys.shape, E.dtype
    axis_v, rows, asked = np.arange(V)[:, None, None], np.arange(B), E[:, query]  # (V, B, d)
    k, q = E @ Wk, asked @ Wq  # (V, N, d), (V, B, d)
    softmax, delta = method.phi == "softmax", method.rule == "delta"
    if softmax:
        scores = q @ k.swapaxes(1, 2) / np.sqrt(dtype.type(d))
        kernel = np.exp(scores - scores.max(2, keepdims=True))  # (V, B, N)
    else:
        pk, back_k = feature_map(method.phi, k, directions, (1, 2))  # (V, N, D)
        pq, back_q = feature_map(method.phi, q, directions, 2)  # (V, B, D)
        if delta and method.normalised:
            (pk, norm_k), (pq, norm_q) = sum_normalised(pk), sum_normalised(pq)
        kernel = pq @ pk.swapaxes(1, 2)
    r = kernel[:, rows[:, None], keys]  # (V, B, L)
    a = r
    if delta:
        strength = sigmoid(E @ wb[:, :d, None] + wb[:, None, d:])[..., 0]  # (V, N)
        if method.beta is not None:
            strength = np.full_like(strength, method.beta)
        p, beta = pk[:, keys.T], strength[:, keys.T]  # (V, L, B, D), (V, L, B)
        u, c = np.empty((V, L + 1, B, p.shape[-1]), dtype), np.empty((V, L, B), dtype)
        u[:, L] = pq
        for t in range(L - 1, -1, -1):
            np.einsum("vbd,vbd->vb", p[:, t], u[:, t + 1], out=c[:, t])
            np.multiply((beta[:, t] * c[:, t])[..., None], p[:, t], out=u[:, t])
            np.subtract(u[:, t + 1], u[:, t], out=u[:, t])
        a = (beta * c).swapaxes(1, 2)
    if not delta or method.attention_normaliser:
        total = np.maximum(r.sum(2, keepdims=True), dtype.type(TINY))
        a = a / total
    y = np.bincount((N * (B * axis_v + rows[:, None]) + values).ravel(), a.ravel(), V * B * N).reshape(V, B, N)
    y = y.astype(dtype)
    hits = y.argmax(2) == right
    y[:, rows, right] -= 1  # from here on the error of the answer
    loss = (y * y).sum(2)
    if not backward:
        return loss, hits, None

    da = y[:, rows[:, None], values] * dtype.type(2 / B)  # (V, B, L)
    dr = np.zeros_like(r)
    if not delta or method.attention_normaliser:
        dr -= (da * a).sum(2, keepdims=True) / total
        da = da / total
    if not delta:
        dr += da
    cells = (N * (B * axis_v + rows[:, None]) + keys).ravel()
    dkernel = np.bincount(cells, dr.ravel(), V * B * N).reshape(V, B, N).astype(dtype)
    dwb, dE = np.zeros_like(wb), np.zeros_like(E)
    if softmax:
        dscores = dkernel * kernel / np.sqrt(dtype.type(d))
        dq, dk = dscores @ k, dscores.swapaxes(1, 2) @ q
    else:
        dpq, dpk = dkernel @ pk, dkernel.swapaxes(1, 2) @ pq
        if delta:
            da = da.swapaxes(1, 2)  # (V, L, B)
            dp, dbeta, g = np.empty_like(p), da * c, np.zeros_like(pq)  # g: dloss/du
            for t in range(L):
                back = np.einsum("vbd,vbd->vb", p[:, t], g)
                dbeta[:, t] -= back * c[:, t]
                dc = (da[:, t] - back) * beta[:, t]
                np.multiply(dc[..., None], u[:, t + 1], out=dp[:, t])
                dp[:, t] -= (beta[:, t] * c[:, t])[..., None] * g
                g += dc[..., None] * p[:, t]
            one_hot = (np.arange(N)[:, None] == keys.T.ravel()).astype(dtype)  # (N, L B)
            dpk += one_hot @ dp.reshape(V, L * B, -1)
            dpq += g
            if method.beta is None:
                slope = (dbeta.reshape(V, -1) @ one_hot.T) * strength * (1 - strength)  # (V, N)
                dwb[:, :d], dwb[:, d] = (slope[:, None] @ E)[:, 0], slope.sum(1)
                dE += slope[..., None] * wb[:, None, :d]
            if method.normalised:
                dpk, dpq = norm_k(dpk), norm_q(dpq)
        dk, dq = back_k(dpk), back_q(dpq)
    dE += dk @ Wk.swapaxes(1, 2)
    dE += (np.arange(N)[:, None] == query).astype(dtype) @ (dq @ Wq.swapaxes(1, 2))
    return loss, hits, [dE, E.swapaxes(1, 2) @ dk, asked.swapaxes(1, 2) @ dq, dwb]


# ---- training and evaluation -----------------------------------------------------------------------------------------
@dataclass
class Memory:
    """A trained memory: slow weights with V = 1, and how it got there."""
    method: Method
    keys: int
    weights: list
    directions: np.ndarray | None
    steps: int
    rate: float  # the step size that validation chose
    valid: list  # validation error under each step size


def train(config, seed, setting, method, keys, callback=None):
    """Train one memory with every step size side by side, each from its own start, and let validation choose.

    callback(step, weights, loss) sees the weights (V, ...) and the loss (V, B) of each update.
    """
    start, drawn, held_out = map(np.random.default_rng, np.random.SeedSequence([seed, setting, keys]).spawn(3))
    rates = np.array(config.rates)
    weights, directions = initial(start, keys, config.d_key, len(rates)), None
    if method.phi.startswith("favor"):
        directions = start.standard_normal((int(method.phi[5:]), config.d_key)).astype(np.float32)
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    recent, steps = [], config.steps_1 if setting == 1 else config.steps_2
    for step in range(1, steps + 1):
        data = sequences(config, drawn, setting, keys, config.batch)
        loss, _, gradient = loss_and_gradient(method, weights, data, directions)
        if not np.isfinite(loss).all():
            raise FloatingPointError(f"loss is {loss.max()} at step {step}")
        scale = np.sqrt(1 - config.beta_2**step) / (1 - config.beta_1**step)  # Adam's correction of the early steps,
        scale *= min(1.0, 2 * (1 - step / (steps + 1)))  # and in the second half the rates fall to zero
        for w, g, m, s in zip(weights, gradient, first, second, strict=True):
            m += (1 - config.beta_1) * (g - m)
            s += (1 - config.beta_2) * (g * g - s)
            w -= (rates.reshape(-1, *[1] * (w.ndim - 1)) * scale * m / (np.sqrt(s) + config.epsilon)).astype(w.dtype)
        if callback:
            callback(step, weights, loss)
        recent.append(loss.mean(1))
        if step % config.check_every == 0:
            if np.mean(recent, 0).min() < config.stop:
                break
            recent = []
    data = sequences(config, held_out, setting, keys, config.valid_sequences)
    valid = loss_and_gradient(method, weights, data, directions, backward=False)[0].mean(1)
    best = int(valid.argmin())
    weights = [w[best:best + 1] for w in weights]
    return Memory(method, keys, weights, directions, step, float(rates[best]), valid.tolist())


def evaluate(config, seed, setting, memory, reverse=False):
    """Mean squared error and accuracy on sequences that neither training nor validation saw.

    Predicting nothing at all has error 1, as values are unit vectors. reverse: pairs are written last to first.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, setting, memory.keys]).spawn(4)[3])
    keys, values, query, right = sequences(config, rng, setting, memory.keys, config.test_sequences)
    if reverse:
        keys, values = keys[:, ::-1], values[:, ::-1]
    data = keys, values, query, right
    loss, hits, _ = loss_and_gradient(memory.method, memory.weights, data, memory.directions, backward=False)
    return float(loss.mean()), float(hits.mean())


# ---- the experiment --------------------------------------------------------------------------------------------------
def features(config, name):
    """The number of features of a map, the paper's d_dot; softmax has no end of them."""
    if name.startswith("favor"):
        return 2 * int(name[5:])
    return np.inf if name == "softmax" else config.d_key * (2 * int(name[4:]) if name.startswith("dpfp") else 1)


def capacity(config, errors):
    """Of errors {(map, keys): error}: where each map is full, and what the claims ask of ELU + 1 and of DPFP-1."""
    out, sizes = {}, config.unique_keys
    maps = list(dict.fromkeys(name for name, _ in errors))
    for name in maps:  # a memory that is never full counts as full at twice the largest size
        out[f"knee_{name}"] = next((s for s in sizes if errors[name, s] > config.knee), 2 * sizes[-1])
    for name in ("elu", "dpfp1"):
        room = features(config, name)
        out[f"below_{name}"] = max([errors[name, s] for s in sizes if s <= 0.5 * room] or [errors[name, sizes[0]]])
        out[f"above_{name}"] = min([errors[name, s] for s in sizes if s >= 1.5 * room] or [errors[name, sizes[-1]]])
    out |= {f"knee_{b}_after_{a}": out[f"knee_{b}"] - out[f"knee_{a}"]
            for a, b in (("elu", "dpfp1"), ("dpfp1", "dpfp2"), ("dpfp2", "dpfp3"))}
    last = sizes[-1]
    out["softmax_lead"] = min(errors[name, last] for name in maps if name != "softmax") - errors["softmax", last]
    return out


def run(config, seed, progress=None):
    """The identity, then capacity (setting 1), then changing values (setting 2) and what the delta rule needs there."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    gap = identity_gap(config, rng)
    out = {f"identity_gap_{rule}": value for rule, value in gap.items()}
    maps = ["elu", "dpfp1", "dpfp2", "dpfp3", *(f"favor{m}" for m in config.favor), "softmax"]
    jobs = [(1, Method(name), keys) for name in maps for keys in config.unique_keys]
    jobs += [(1, Method("dpfp1", "delta"), keys) for keys in config.delta_keys]
    pairs = (("softmax", "sum"), ("dpfp1", "sum"), ("dpfp1", "delta"), ("dpfp2", "sum"), ("dpfp2", "delta"))
    jobs += [(2, Method(*pair), keys) for pair in pairs for keys in config.changing_keys]
    jobs += [(2, Method("tanh", "delta", normalised=False), keys)
             for keys in config.changing_keys if keys <= config.ablation_keys]
    errors, scores = {}, {}  # setting 1: {(map, keys): error}; setting 2: {(map, rule, keys): (error, accuracy)}
    for done, (setting, method, keys) in enumerate(jobs):
        if progress:
            progress(done / len(jobs), f"setting {setting}: {method.phi}, {method.rule}, {keys} keys")
        memory = train(config, seed, setting, method, keys)
        error, accuracy = evaluate(config, seed, setting, memory)
        if setting == 2:
            scores[method.phi, method.rule, keys] = error, accuracy
            out[f"changing_{method.phi}_{method.rule}_{keys}_error"] = error
            out[f"changing_{method.phi}_{method.rule}_{keys}_accuracy"] = accuracy
        elif method.rule == "sum":
            errors[method.phi, keys] = out[f"unique_{method.phi}_{keys}_error"] = error
        else:
            out[f"unique_{method.phi}_delta_{keys}_error"] = error
    out |= capacity(config, errors)

    few = [keys for keys in config.changing_keys if keys <= config.ablation_keys]
    many = [keys for keys in config.changing_keys if keys >= 10] or config.changing_keys
    out["delta_least_accuracy"] = min([scores["dpfp1", "delta", keys][1] for keys in few] or [0.0])
    out["sum_most_accuracy"] = max([scores["dpfp1", "sum", keys][1] for keys in few] or [1.0])
    for part, name in enumerate(("error", "accuracy")):
        won = [scores["dpfp1", "delta", keys][part] - scores["dpfp1", "sum", keys][part] for keys in many]
        out[f"delta_least_{name}_won"] = min(won) if part else -max(won)
    return out | ablations(config, seed)


def ablations(config, seed):
    """What the delta rule needs: at one number of keys, DPFP-1 with one thing changed at a time."""
    out, keys, delta = {}, config.ablation_keys, Method("dpfp1", "delta")
    trained = {"sum": Method("dpfp1"), "delta": delta, "replacement": replace(delta, beta=1.0),
               "fixed": replace(delta, beta=config.fixed_beta), "attention": replace(delta, attention_normaliser=True)}
    for name, method in trained.items():
        memory = train(config, seed, 2, method, keys)
        out[f"{name}_error"], out[f"{name}_accuracy"] = evaluate(config, seed, 2, memory)
        if name in ("sum", "delta"):
            other = replace(config, query="key" if config.query == "pair" else "pair")
            out[f"{name}_other_query_accuracy"] = evaluate(other, seed, 2, memory)[1]
        if name == "delta":
            E, *_, wb = memory.weights
            out["delta_strength"] = float(sigmoid(E[0] @ wb[0, :-1] + wb[0, -1]).mean())
            out["reversed_error"], out["reversed_accuracy"] = evaluate(config, seed, 2, memory, reverse=True)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 3]))
    data = sequences(config, rng, 2, keys, config.batch)
    weights = initial(rng, keys, config.d_key, 1, np.float64)  # 64 bits: the untrained write explodes
    loss = loss_and_gradient(replace(delta, normalised=False), weights, data, backward=False)[0]
    return out | {"unnormalised_start_log10_error": float(np.log10(loss.mean()))}


def study(config, seed, progress=None):
    """Both settings at the paper's size, and the validation error of each rule under each step size."""
    maps = ("elu", "dpfp1", "dpfp2", "dpfp3", "favor64", "softmax")
    jobs = [(1, Method(name), keys) for name in maps for keys in config.study_unique_keys]
    jobs += [(2, Method("dpfp1", rule), keys) for rule in ("sum", "delta") for keys in config.study_changing_keys]
    large = replace(config, d_key=config.study_d_key, rates=config.large_rates, steps_1=config.study_steps,
                    steps_2=config.study_steps)
    out = {"unique_keys": list(config.study_unique_keys), "changing_keys": list(config.study_changing_keys),
           "rates": list(config.study_rates)}
    for done, (setting, method, keys) in enumerate(jobs):
        if progress:
            progress(done / len(jobs), f"setting {setting}: {method.phi}, {method.rule}, {keys} keys")
        memory = train(large, seed, setting, method, keys)
        error, accuracy = evaluate(large, seed, setting, memory)
        name = f"unique_{method.phi}" if setting == 1 else f"changing_{method.rule}"
        out.setdefault(f"{name}_errors", []).append(error)
        out.setdefault(f"{name}_accuracies", []).append(accuracy)
    for name, method in (("sum", Method("dpfp1")), ("delta", Method("dpfp1", "delta")), ("softmax", Method("softmax"))):
        out[f"rates_{name}_errors"] = train(replace(config, rates=config.study_rates), seed, 2, method,
                                            config.ablation_keys).valid
    return out


# ---- tail: the command line, byte-identical in every stub; its text stands in SPEC.md ----
import argparse, json, pathlib, shutil, sys, time, tomllib, typing  # noqa: E401, E402


def main(argv=None):
    """Run, report, judge. Exit code 0: it ran; 1: it diverged or could not write; 2: bad arguments; 130: Ctrl-C."""
    here, started, shown = pathlib.Path(__file__), time.monotonic(), [0]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message} (see --help)\n")
    parser.add_argument("--quick", action="store_true", help="a run of seconds: it proves the code, not the claim")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the record of this run to FILE")
    if "study" in globals():
        parser.add_argument("--study", action="store_true", help="instead of the run, the longer study of study.json")
    seed_field = {"seed": typing.Annotated[int, "seed of every random number", (0, 2**32 - 1)]}
    for name, hint in (seed_field | typing.get_type_hints(Config, include_extras=True)).items():
        kind, *many = typing.get_args(hint.__origin__) or [hint.__origin__]  # a tuple field is tuple[kind, ...]
        (text, *legal), how = hint.__metadata__, {"action": argparse.BooleanOptionalAction}
        if kind is not bool:
            def value(word, kind=kind, legal=legal[0]):
                if kind(word) in legal if kind is str else legal[0] <= kind(word) <= legal[1]:
                    return kind(word)
                raise ValueError  # argparse says: argument FLAG: invalid NAME value: 'WORD', with the name set below
            value.__name__ = " or ".join(legal[0]) if kind is str else f"{kind.__name__} in {list(legal[0])}"
            how = {"type": value, "nargs": "+" if many else None, "metavar": kind.__name__.upper()}
            text += f", {value.__name__}"
        text = f"{text}; default {getattr(Config, name, 0)}".replace("%", "%%")
        parser.add_argument(f"--{name.replace('_', '-')}", help=text, default=argparse.SUPPRESS, **how)
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in vars(parser.parse_args(argv)).items()}
    seed, quick, path, longer = (given.pop(name, 0) for name in ("seed", "quick", "json", "study"))
    try:
        config, card = Config(**((QUICK if quick else {}) | given)), here.with_name("card.toml")
        claims = tomllib.loads(card.read_text("utf-8"))["claims"] if card.exists() else []
        if path:
            path.open("a").close()
    except (OSError, ValueError) as error:
        parser.error(f"argument --json: {error}" if isinstance(error, OSError) else str(error))

    def progress(fraction, message):
        """Show on stderr how far the run is: one live line on a terminal, elsewhere a line each 10 s."""
        now, live = time.monotonic(), sys.stderr.isatty()
        if now - shown[0] >= (0.1 if live else 10):
            shown[0] = now
            line = f"{fraction:4.0%} {now - started:4.0f} s  {message}"[:shutil.get_terminal_size().columns - 1]
            print(f"\r\033[K{line}" if live else line, end="" if live else "\n", file=sys.stderr, flush=True)
    try:
        metrics = (globals()["study"] if longer else run)(config, seed, progress)
        record = {"slug": here.stem.replace("_", "-"), "seed": seed, "quick": quick, "config": vars(config),
                  "seconds": round(time.monotonic() - started, 3), "metrics": metrics}
        print(f"\n{record['slug']}, seed {seed}, {record['seconds']:.1f} s{', a quick run proves no claim' * quick}")
        for name, v in metrics.items():
            if v is not None and not np.all(np.isfinite(v)):
                raise FloatingPointError(f"metric {name} is {v}")
            if not isinstance(v, list):
                print(f"  {name:<{max(map(len, metrics))}}  {format(v, '.5g') if isinstance(v, float) else v}")
        for c in (c for c in claims if c.get("from", "runs") == ("study" if longer else "runs")):
            v, bar = np.nan if metrics[c["metric"]] is None else metrics[c["metric"]], c["threshold"]
            holds = {">=": v >= bar, "<=": v <= bar, ">": v > bar, "<": v < bar, "==": v == bar}[c["op"]]
            print(f"{'holds' if holds else 'fails'}  {c['says']}: {v:.5g}, needed {c['op']} {bar}; paper: {c['paper']}")
        if path:
            part = path.with_name(path.name + ".part")
            part.write_text(json.dumps(record, default=lambda number: number.item()) + "\n", "utf-8")
            part.replace(path)
    except KeyboardInterrupt:
        sys.exit(130)
    except (FloatingPointError, MemoryError, OSError) as error:
        sys.exit(f"{parser.prog} stopped: {error}")


if __name__ == "__main__":
    main()
