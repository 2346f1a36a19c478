# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""What surrounds the modern Hopfield memory: pooling, other memories, and what noise and beta cost.

1. Pooling. The Bit Pattern Set of the authors' code (github ml-jku/hopfield-layers): a bag of 16
   patterns of 8 bits is positive if one of 8 fixed signals is among them. Hopfield pooling against
   gated attention (Ilse, Tomczak, Welling, 2018), and against maximum and mean of ReLU units.
2. Rivals. N90 of the classical network and of linear memories, whole and per stored number.
3. Trade-off. N90 after one update and after ten, for four noises and three betas.

    python3 study_modern_hopfield_retrieval.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import modern_hopfield_retrieval
from modern_hopfield_retrieval import (
    GRID,
    MANY,
    capacity,
    classical_n90,
    modern_n90,
    shares_right,
    trials,
)
import numpy as np


@dataclass(frozen=True)
class Config:
    sets: Annotated[int, "pooling: data sets, each learned by one net of each kind", (1, 100)] = 3
    train_bags: Annotated[int, "pooling: bags to learn from", (32, 100_000)] = 1536
    test_bags: Annotated[int, "pooling: bags to be tested with", (32, 100_000)] = 512
    epochs: Annotated[int, "pooling: how often each bag is learned from", (1, 10_000)] = 200
    learning_rate: Annotated[float, "pooling: step size of AdamW", (1e-6, 1.0)] = 1e-3
    rival_dimensions: Annotated[tuple[int, ...], "rivals: d of each row", (4, 16)] = (8, 16)
    trade_dimension: Annotated[int, "trade-off: d", (2, 16)] = 8
    noises: Annotated[tuple[float, ...], "trade-off: noises", (0.0, 2.0)] = (0.1, 0.2, 0.3, 0.5)
    betas: Annotated[tuple[float, ...], "trade-off: betas", (1e-6, 1e3)] = (0.5, 1.0, 2.0)
    queries: Annotated[int, "rivals and trade-off: queries to a memory", (1, 10_000)] = 200
    draws: Annotated[int, "rivals and trade-off: memories", (1, 100)] = 2


QUICK = {
    "sets": 1,
    "train_bags": 64,
    "test_bags": 32,
    "epochs": 2,
    "rival_dimensions": (4, 5),
    "trade_dimension": 4,
    "queries": 20,
}


# ---- 1: bags of bit patterns ----
BITS, INSTANCES, SIGNALS = 8, 16, 8  # as in the authors' code, and the batch, decay and clip below


def draw_bags(signals, count, rng):
    """Draw bags, every second positive: bits (B, 16, 8) and targets (B,).

    An instance is no signal and not all zeros, but for the one signal put into a positive bag.
    """
    others = np.setdiff1d(np.arange(1, 2**BITS), signals)
    codes = rng.choice(others, (count, INSTANCES))  # (B, 16)
    positive = np.arange(0, count, 2)
    place = rng.integers(INSTANCES, size=len(positive))
    codes[positive, place] = rng.choice(signals, len(positive))
    bits = (codes[:, :, None] >> np.arange(BITS)) & 1  # (B, 16, 8)
    return bits.astype(float), 1.0 - np.arange(count) % 2


HEADS, SIZE = 8, 8  # attention heads; length of a key; as in the authors' code, where it is tuned
WIDTH = 32  # units of the embedding
NORM_EPSILON = 1e-5  # of layer norm


def uniform(rng, inputs, *shape):
    """Draw weights of units with so many inputs."""
    return rng.uniform(-1, 1, shape) / np.sqrt(inputs)


class HopfieldPooling:
    """Heads, each one update of a learned state pattern in a memory H of the bag's instances.

    s = beta (H W_K) q, p = softmax(s), pool = p^T H; H is layer-normed, as in the authors' code.
    """

    BETA = 0.25  # as there

    def __init__(self, rng, inputs):
        self.weights = self.attention(rng, inputs)
        self.outputs = HEADS * inputs

    def attention(self, rng, inputs):
        """Draw keys and state patterns; a state pattern of zeros would be mean pooling."""
        key = uniform(rng, inputs, HEADS, inputs, SIZE)
        return {"key": key, "query": rng.standard_normal((HEADS, SIZE))}

    def scores(self, memory):
        """Return the similarity of each instance and state pattern, (B, n, heads)."""
        self.direction = np.einsum("hik,hk->hi", self.weights["key"], self.weights["query"])
        return self.BETA * memory @ self.direction.T

    def scores_backward(self, memory, ds):
        """Return the gradients of the weights of scores(), and that of the memory."""
        d_direction = self.BETA * np.tensordot(ds, memory, ((0, 1), (0, 1)))  # (heads, F)
        grads = {
            "key": d_direction[:, :, None] * self.weights["query"][:, None],
            "query": np.einsum("hi,hik->hk", d_direction, self.weights["key"]),
        }
        return grads, self.BETA * ds @ self.direction

    def normalize(self, memory):
        """Return the instances with mean 0 and variance 1 over their features (layer norm)."""
        centred = memory - memory.mean(2, keepdims=True)  # (B, n, F)
        self.spread = np.sqrt((centred**2).mean(2, keepdims=True) + NORM_EPSILON)  # (B, n, 1)
        return centred / self.spread

    def normalize_backward(self, d_normal):
        """Return the gradient of the memory, given that of normalize()'s result."""
        along = (d_normal * self.normal).mean(2, keepdims=True)
        return (d_normal - d_normal.mean(2, keepdims=True) - self.normal * along) / self.spread

    def forward(self, memory):
        """Return the pool (B, heads * F) of a memory of instances (B, n, F)."""
        self.normal = memory = self.normalize(memory)
        s = self.scores(memory)  # (B, n, heads)
        p = np.exp(s - s.max(1, keepdims=True))
        self.p = p / p.sum(1, keepdims=True)
        return (self.p.transpose(0, 2, 1) @ memory).reshape(len(memory), -1)

    def backward(self, memory, d_pool):
        """Return the gradients of the weights, and that of the memory (B, n, F)."""
        d_pool = d_pool.reshape(len(memory), HEADS, -1)  # (B, heads, F)
        dp = self.normal @ d_pool.transpose(0, 2, 1)  # (B, n, heads)
        ds = self.p * (dp - (self.p * dp).sum(1, keepdims=True))
        grads, d_normal = self.scores_backward(self.normal, ds)
        return grads, self.normalize_backward(d_normal + self.p @ d_pool)


class GatedAttention(HopfieldPooling):
    """The same heads with the scores of gated attention, s = v . (tanh(H V) * sigmoid(H U)), and H
    as it is, as in Ilse, Tomczak and Welling, 2018."""

    def normalize(self, memory):
        return memory

    def normalize_backward(self, d_normal):
        return d_normal

    def attention(self, rng, inputs):
        return {
            "V": uniform(rng, inputs, inputs, HEADS * SIZE),
            "U": uniform(rng, inputs, inputs, HEADS * SIZE),
            "v": uniform(rng, SIZE, HEADS, SIZE),
        }

    def scores(self, memory):
        shape = (*memory.shape[:2], HEADS, SIZE)  # of the next two
        self.content = np.tanh(memory @ self.weights["V"]).reshape(shape)
        self.gate = 1 / (1 + np.exp(-(memory @ self.weights["U"]).reshape(shape)))
        return (self.content * self.gate * self.weights["v"]).sum(3)

    def scores_backward(self, memory, ds):
        d_both = ds[..., None] * self.weights["v"]  # (B, n, heads, SIZE)
        d_content = d_both * self.gate * (1 - self.content**2)
        d_gate = d_both * self.content * self.gate * (1 - self.gate)
        d_content, d_gate = (d.reshape(-1, HEADS * SIZE) for d in (d_content, d_gate))  # (B n, 64)
        flat = memory.reshape(len(d_gate), -1)  # (B n, F)
        grads = {
            "V": flat.T @ d_content,
            "U": flat.T @ d_gate,
            "v": (ds[..., None] * self.content * self.gate).sum((0, 1)),
        }
        d_memory = d_content @ self.weights["V"].T + d_gate @ self.weights["U"].T
        return grads, d_memory.reshape(memory.shape)


class MaxPooling:
    """The maximum over the bag of each feature of its instances."""

    def __init__(self, rng, inputs):
        self.weights = {}
        self.outputs = inputs

    def share(self, memory):
        """Return how much each instance has in the pool, (B, n, F)."""
        return np.arange(memory.shape[1])[:, None] == memory.argmax(1)[:, None]

    def forward(self, memory):
        """Return the pool (B, F) of a memory of instances (B, n, F)."""
        return (self.share(memory) * memory).sum(1)

    def backward(self, memory, d_pool):
        """Return no gradients of weights, and that of the memory (B, n, F)."""
        return {}, self.share(memory) * d_pool[:, None]


class MeanPooling(MaxPooling):
    """The mean over the bag of each feature of its instances."""

    def share(self, memory):
        return np.full(memory.shape, 1 / memory.shape[1])


class Net:
    """Instances pass a layer of ReLU units, then a pooling, and a linear unit gives the logit."""

    FEATURES = WIDTH  # of an instance

    def __init__(self, kind, rng):
        self.embedding = {"W": uniform(rng, BITS, BITS, WIDTH), "c": uniform(rng, BITS, WIDTH)}
        self.pooling = kind(rng, self.FEATURES)
        outputs = self.pooling.outputs
        self.readout = {"w": uniform(rng, outputs, outputs), "b": np.zeros(1)}
        self.weights = self.embedding | self.pooling.weights | self.readout

    def embed(self, bag):
        """Return the features of each instance, (B, n, 32), given bits (B, n, 8)."""
        return np.maximum(bag @ self.embedding["W"] + self.embedding["c"], 0)

    def embed_backward(self, bag, d_memory):
        """Return the gradients of the embedding."""
        flat = (d_memory * (self.memory > 0)).reshape(-1, WIDTH)  # (B n, 32)
        return {"W": bag.reshape(-1, BITS).T @ flat, "c": flat.sum(0)}

    def forward(self, bag):
        """Return the logit of each bag (B,), given bits (B, n, 8)."""
        self.memory = self.embed(bag)
        self.pool = self.pooling.forward(self.memory)  # (B, outputs)
        return self.pool @ self.readout["w"] + self.readout["b"]

    def backward(self, bag, d_logit):
        """Return the gradients of all weights, given that of each logit (B,)."""
        d_pool = d_logit[:, None] * self.readout["w"]  # (B, outputs)
        grads, d_memory = self.pooling.backward(self.memory, d_pool)
        grads |= self.embed_backward(bag, d_memory)
        return grads | {"w": d_logit @ self.pool, "b": d_logit.sum(keepdims=True)}


class BareNet(Net):
    """A net whose pooling sees the bits themselves."""

    FEATURES = BITS

    def __init__(self, kind, rng):
        super().__init__(kind, rng)
        self.weights = self.pooling.weights | self.readout

    def embed(self, bag):
        return bag

    def embed_backward(self, bag, d_memory):
        return {}


NETS = {  # of each row
    "hopfield": (Net, HopfieldPooling),
    "gated": (Net, GatedAttention),
    "maximum": (Net, MaxPooling),
    "mean": (Net, MeanPooling),
    "hopfield_bare": (BareNet, HopfieldPooling),
    "gated_bare": (BareNet, GatedAttention),
}
BATCH, CLIP, WEIGHT_DECAY = 32, 1.0, 0.01
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of AdamW


def gradient(net, bag, target):
    """Return the gradient of the mean cross-entropy, clipped as a whole to the norm CLIP."""
    d_logit = (1 / (1 + np.exp(-net.forward(bag))) - target) / len(target)  # (B,)
    grads = net.backward(bag, d_logit)
    norm = np.sqrt(sum((grad**2).sum() for grad in grads.values()))
    return {name: grad * min(1, CLIP / (norm + EPSILON)) for name, grad in grads.items()}


def train(net, bags, targets, config, rng):
    """Train a net by AdamW, with the bags in a new order in each epoch."""
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in net.weights.items()}
    updates = 0
    for _ in range(config.epochs):
        order = rng.permutation(len(bags))
        for batch in np.split(order, range(BATCH, len(order), BATCH)):
            updates += 1
            for name, grad in gradient(net, bags[batch], targets[batch]).items():
                mean, square = moments[name]
                mean += (1 - BETA_1) * (grad - mean)
                square += (1 - BETA_2) * (grad**2 - square)
                spread = np.sqrt(square / (1 - BETA_2**updates)) + EPSILON
                weight = net.weights[name]
                weight *= 1 - config.learning_rate * WEIGHT_DECAY
                weight -= config.learning_rate * mean / (1 - BETA_1**updates) / spread


def accuracy(net, bags, targets):
    """Return the share of bags whose logit has the right sign."""
    return ((net.forward(bags) > 0) == (targets == 1)).mean()


def pooling(config, seed, progress):
    """Train a net of each kind on each data set: returns a row of accuracies for each kind."""
    rows = {name: {"test": [], "train": []} for name in NETS}
    for k, set_seed in enumerate(seed.spawn(config.sets)):
        data_seed, *net_seeds = set_seed.spawn(1 + len(NETS))
        rng = np.random.default_rng(data_seed)
        signals = rng.choice(np.arange(1, 2**BITS), SIGNALS, replace=False)
        bags, targets = draw_bags(signals, config.train_bags, rng)
        test_bags, test_targets = draw_bags(signals, config.test_bags, rng)
        for (name, (net_kind, kind)), net_seed in zip(NETS.items(), net_seeds):
            progress(k / config.sets, f"data set {k + 1}, {name}")
            init_rng, order_rng = map(np.random.default_rng, net_seed.spawn(2))
            net = net_kind(kind, init_rng)
            train(net, bags, targets, config, order_rng)
            rows[name]["test"].append(accuracy(net, test_bags, test_targets))
            rows[name]["train"].append(accuracy(net, bags, targets))
    return {
        name: {part: np.mean(values) for part, values in row.items()} for name, row in rows.items()
    }


# ---- 2: other memories of the same dimension ----
def outer_product(patterns):
    """Return the memory of a fast weight programmer, the sum of x x^T: (d, d)."""
    return patterns.T @ patterns


def delta_rule(patterns):
    """Write one pattern after the other, each exactly, by W += (x - W x) x^T / |x|^2: (d, d)."""
    weights = np.zeros((patterns.shape[1],) * 2, patterns.dtype)
    for x in patterns:
        weights += np.outer(x - weights @ x, x) / (x @ x)
    return weights


def pseudo_inverse(patterns):
    """Return the projection on all patterns, the best linear memory: (d, d)."""
    return np.linalg.pinv(patterns) @ patterns


LINEAR = {"outer": outer_product, "delta": delta_rule, "inverse": pseudo_inverse}


def linear_share(write, count, dimension, config, rng):
    """Return the share of right answers of a matrix, whose answers get the length of a pattern."""
    length = config.radius * np.sqrt(dimension - 1)  # M
    right = []
    for patterns, wanted, queries in trials(count, dimension, config, rng):
        answers = queries @ write(patterns).T  # (Q, d)
        answers *= length / np.linalg.norm(answers, axis=1, keepdims=True)
        right.append(np.linalg.norm(answers - wanted, axis=1) <= config.tolerance * length)
    return np.concatenate(right).mean()


def linear_n90(write, dimension, config, rng):
    """Return N90 of a matrix."""
    return capacity(
        lambda count: linear_share(write, count, dimension, config, rng), range(1, 1000)
    )


def rivals(dimension, memory, seed):
    """Return N90 and N90 per stored number of each memory, in {memory_n90: ...}."""
    streams = [np.random.default_rng(s) for s in seed.spawn(2 + len(LINEAR))]
    n90 = {"modern": modern_n90(dimension, memory, streams[0])}
    n90["classical"] = classical_n90(dimension, memory, streams[1])
    for (name, write), rng in zip(LINEAR.items(), streams[2:]):
        n90[name] = linear_n90(write, dimension, memory, rng)
    numbers = dict.fromkeys(n90, dimension**2)
    numbers["classical"] = dimension * (dimension - 1) / 2
    numbers["modern"] = dimension * n90["modern"]
    row = {f"{name}_n90": value for name, value in n90.items()}
    return row | {f"{name}_per_number": value / numbers[name] for name, value in n90.items()}


# ---- 3: what noise and beta cost ----
def trade_off(config, memory, seed, progress):
    """Return N90 after one update and after ten, for each beta and noise."""
    rows = {}
    cases = [(beta, noise) for beta in config.betas for noise in config.noises]
    for (beta, noise), case_seed in zip(cases, seed.spawn(len(cases))):
        progress(len(rows) / len(cases), f"beta {beta:g}, noise {noise:g}")
        case = replace(memory, beta=beta, noise=noise)
        row = {}
        for (name, updates), stream in zip({"one": 1, "ten": MANY}.items(), case_seed.spawn(2)):
            rng = np.random.default_rng(stream)
            row[name] = capacity_after(updates, config.trade_dimension, case, rng)
        rows[f"beta{beta:g}_noise{noise:g}"] = row
    return rows


def capacity_after(updates, dimension, case, rng):
    """Return N90 after so many updates."""
    return capacity(lambda count: shares_right(count, dimension, case, rng, updates)[-1], GRID)


# ---- the study ----
def run(config, seed, progress):
    """Do all three parts; memories have the paper's radius, beta and noise where not said."""
    pooling_seed, rival_seed, trade_seed = np.random.SeedSequence(seed).spawn(3)
    memory = modern_hopfield_retrieval.Config(queries=config.queries, draws=config.draws)
    table = pooling(config, pooling_seed, lambda f, said: progress(f / 2, said))
    test = {name: row["test"] for name, row in table.items()}
    dimensions = config.rival_dimensions
    for k, (d, stream) in enumerate(zip(dimensions, rival_seed.spawn(len(dimensions)))):
        progress(0.5 + 0.2 * k / len(dimensions), f"rivals in {d} dimensions")
        table[f"d{d}"] = rivals(d, memory, stream)
    table |= trade_off(config, memory, trade_seed, lambda f, said: progress(0.7 + 0.3 * f, said))
    return table | {
        "pooling_gain": test["hopfield"] - test["gated"],
        "bare_gain": test["hopfield_bare"] - test["gated_bare"],
    }


if __name__ == "__main__":
    modern_hopfield_retrieval.main(sys.modules[__name__])
