# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Long gaps full of distractors, for one matrix of fast weights; and the flip-flop's settings.

First, a net without recurrence stores a pattern, is distracted for some steps, and has to recall
the pattern. Each step adds an outer product g v k' to a matrix; a key, a value and a gate come from
the input alone. Rivals: the same net without the gate, and recurrent nets of as many weights. With
16 bits the tested patterns were never stored in training; with 4 bits all 16 patterns were.
Then, how the flip-flop of fast_weights_unknown_delay.py depends on the steepness T, on the
learning rate and on how the criterion is read.

    python3 study_fast_weights_unknown_delay.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import fast_weights_unknown_delay
from fast_weights_unknown_delay import Direct, FromTo, logistic, quartiles, stream, train
import numpy as np


@dataclass(frozen=True)
class Config:
    updates: Annotated[int, "updates of each net that recalls", (1, 10**6)] = 1500
    batch_size: Annotated[int, "episodes in an update", (1, 10**4)] = 32
    hidden_size: Annotated[int, "hidden units of the slow net", (1, 1000)] = 32
    shortest: Annotated[int, "least distractors in training", (1, 10**4)] = 5
    longest: Annotated[int, "most distractors in training", (1, 10**4)] = 30
    write_rate: Annotated[float, "size of what one step writes", (1e-3, 100.0)] = 0.5
    learning_rate: Annotated[float, "Adam's, of the slow nets", (1e-6, 1.0)] = 0.01
    rnn_rates: Annotated[tuple[float, ...], "Adam's, of the rivals", (1e-6, 1.0)] = (
        0.001,
        0.003,
        0.01,
    )
    clip: Annotated[float, "greatest norm of a net's gradient", (1e-3, 1e6)] = 1.0
    episodes: Annotated[int, "episodes that test each net", (10, 10**5)] = 250
    nets: Annotated[int, "flip-flop: nets at each setting", (1, 10**4)] = 50
    steps: Annotated[int, "flip-flop: most time steps", (100, 10**7)] = 20_000

    def __post_init__(self):
        if self.shortest > self.longest:
            raise ValueError("argument --shortest: must not exceed --longest")


QUICK = {"updates": 20, "episodes": 10, "nets": 5, "steps": 200}

# ---- the task: store, be distracted, recall ----
FLAGS = 2  # store, recall
DELAYS = (1, 3, 10, 30, 100, 300, 1000, 3000)  # numbers of distractors in the test
CHUNK = 100  # distractors that a tested net takes at a time


def split(rng, bits, held_out):
    """Return the numbers of the patterns to train and to test with; one in five is held out."""
    codes = rng.permutation(2**bits)
    tested = len(codes) // 5 if held_out else 0
    return (codes[tested:], codes[:tested]) if held_out else (codes, codes)


def patterns(codes, bits):
    """Return the patterns of these numbers (B,), as +1 and -1, (B, P)."""
    return 2.0 * (codes[:, None] >> np.arange(bits) & 1) - 1


def distractors(rng, delay, count, bits):
    """Return coins without a flag, (K, B, P + 2)."""
    x = np.zeros((delay, count, bits + FLAGS))
    x[:, :, :bits] = 2.0 * rng.integers(2, size=(delay, count, bits)) - 1
    return x


def flagged(values, flag):
    """Return one step (1, B, P + 2) with these values (B, P) and one flag on."""
    return np.concatenate([values, np.tile(np.eye(FLAGS)[flag], (len(values), 1))], axis=1)[None]


def episode(rng, codes, bits, config):
    """Draw a batch to train with: x (K + 2, B, P + 2) and the patterns to recall (B, P)."""
    target = patterns(rng.choice(codes, config.batch_size), bits)
    delay = rng.integers(config.shortest, config.longest + 1)
    between = distractors(rng, delay, config.batch_size, bits)
    x = np.concatenate([flagged(target, 0), between, flagged(0 * target, 1)])
    return x, target


# ---- the nets; R of them side by side, their weights in a dict of (R, ...) ----
def normal(rng, *shape):
    """Draw small weights that lead from shape[-2] units."""
    return 0.5 / np.sqrt(shape[-2]) * rng.standard_normal(shape)


def flat(values):
    """Merge time and batch: (..., T, B, I) becomes (..., T B, I)."""
    return values.reshape(*values.shape[:-3], -1, values.shape[-1])


class Writer:
    """A slow net without recurrence; its writes add up in a matrix M, which a query reads.

    h = tanh(x S + b)        k = tanh(h K + b)    v = tanh(h V + b)    g = logistic(h G + b)
    M += write_rate g v k'   at each step; at recall nothing is written: q = tanh(h Q + b), y = M q
    """

    def __init__(self, rng, bits, config):
        self.bits, self.keys = bits, 8 if bits == 4 else 32
        self.write_rate = config.write_rate
        hidden, heads = config.hidden_size, self.keys + bits + 1
        self.theta = {
            "slow": normal(rng, 1, bits + FLAGS, hidden),
            "slow_bias": np.zeros((1, 1, hidden)),
            "write": normal(rng, 1, hidden, heads),  # keys, values, gate
            "write_bias": np.zeros((1, 1, heads)),
            "query": normal(rng, 1, hidden, self.keys),
            "query_bias": np.zeros((1, 1, self.keys)),
        }

    def hidden(self, x):
        """Return h (1, T, B, H) for inputs x (T, B, I)."""
        z = flat(x) @ self.theta["slow"] + self.theta["slow_bias"]
        return np.tanh(z).reshape(1, *x.shape[:2], -1)

    def writes(self, h):
        """Return keys (1, T, B, D), values (1, T, B, P) and gates (1, T, B, 1)."""
        z = (flat(h) @ self.theta["write"] + self.theta["write_bias"]).reshape(*h.shape[:3], -1)
        k = np.tanh(z[..., : self.keys])
        v = np.tanh(z[..., self.keys : -1])
        return k, v, self.gate(z[..., -1:])

    def gate(self, z):
        return logistic(z)

    def query(self, h):
        """Return q (1, B, D) from the hidden units of the last step, (1, B, H)."""
        return np.tanh(h @ self.theta["query"] + self.theta["query_bias"])

    def start(self, count):
        """Return the empty memory M (1, B, P, D)."""
        return np.zeros((1, count, self.bits, self.keys))

    def absorb(self, memory, x):
        """Return the memory after the steps x (T, B, I)."""
        k, v, g = self.writes(self.hidden(x))
        by_time = (self.write_rate * g * v).transpose(0, 2, 3, 1)  # (1, B, P, T)
        return memory + by_time @ k.transpose(0, 2, 1, 3)

    def recall(self, memory, x):
        """Return what the recall step x (1, B, I) reads, y (1, B, P)."""
        q = self.query(self.hidden(x)[:, 0])
        return (memory @ q[..., None])[..., 0]

    def gradient(self, x, target):
        """Return the loss (1,) and its gradient. M q is a sum over writes: no loop over time."""
        h = self.hidden(x)  # (1, T, B, H)
        k, v, g = self.writes(h[:, :-1])
        q = self.query(h[:, -1])  # (1, B, D)
        a = self.write_rate * g
        c = (k * q[:, None]).sum(-1, keepdims=True)  # (1, T - 1, B, 1)
        error = (a * c * v).sum(1) - target  # (1, B, P)

        dy = (2 / target.size * error)[:, None]  # (1, 1, B, P)
        dv = a * c * dy
        dc = (a * v * dy).sum(-1, keepdims=True)
        dg = self.write_rate * (c * v * dy).sum(-1, keepdims=True)
        dk = dc * q[:, None]
        dq = (dc * k).sum(1)  # (1, B, D)
        slopes = [dk * (1 - k**2), dv * (1 - v**2), dg * self.gate_slope(g)]
        dz_write = flat(np.concatenate(slopes, axis=-1))  # (1, T B, heads)
        dz_query = dq * (1 - q**2)
        dh_write = dz_write @ self.theta["write"].transpose(0, 2, 1)
        dh_query = dz_query @ self.theta["query"].transpose(0, 2, 1)
        dz = np.concatenate([dh_write, dh_query], axis=1) * (1 - flat(h) ** 2)  # (1, T B, H)
        return (error**2).mean((1, 2)), {
            "slow": flat(x).T @ dz,
            "slow_bias": dz.sum(1, keepdims=True),
            "write": flat(h[:, :-1]).transpose(0, 2, 1) @ dz_write,
            "write_bias": dz_write.sum(1, keepdims=True),
            "query": h[:, -1].transpose(0, 2, 1) @ dz_query,
            "query_bias": dz_query.sum(1, keepdims=True),
        }

    def gate_slope(self, g):
        return g * (1 - g)


class Ungated(Writer):
    """The same net, whose every step writes in full."""

    def gate(self, z):
        return np.ones_like(z)

    def gate_slope(self, g):
        return np.zeros_like(g)


class Recurrent:
    """R recurrent tanh nets, the first half with small weights, the others with the identity."""

    def __init__(self, rng, bits, config):
        hidden = rival_size(bits, sum(w.size for w in Writer(rng, bits, config).theta.values()))
        nets = 2 * len(config.rnn_rates)
        self.theta = {
            "in": normal(rng, nets, bits + FLAGS, hidden),
            "recurrent": normal(rng, nets, hidden, hidden),
            "bias": np.zeros((nets, 1, hidden)),
            "out": normal(rng, nets, hidden, bits),
            "out_bias": np.zeros((nets, 1, bits)),
        }
        self.theta["recurrent"][nets // 2 :] = np.eye(hidden)

    def start(self, count):
        """Return silent hidden units (R, B, H)."""
        nets, _, hidden = self.theta["bias"].shape
        return np.zeros((nets, count, hidden))

    def states(self, h, x):
        """Yield the hidden units after each step of x (T, B, I)."""
        for x_t in x:
            z = x_t @ self.theta["in"] + h @ self.theta["recurrent"] + self.theta["bias"]
            h = np.tanh(z)
            yield h

    def absorb(self, h, x):
        """Return the hidden units after the steps x (T, B, I)."""
        *_, last = self.states(h, x)
        return last

    def recall(self, h, x):
        """Return the answers y (R, B, P) after the recall step x (1, B, I)."""
        return self.absorb(h, x) @ self.theta["out"] + self.theta["out_bias"]

    def gradient(self, x, target):
        """Return the losses (R,) and their gradients, by backpropagation through time."""
        h = [self.start(x.shape[1])]  # h[t] (R, B, H) after t steps
        h.extend(self.states(h[0], x))
        error = h[-1] @ self.theta["out"] + self.theta["out_bias"] - target  # (R, B, P)

        dy = 2 / target.size * error
        dh = dy @ self.theta["out"].transpose(0, 2, 1)
        back = self.theta["recurrent"].transpose(0, 2, 1)
        dz = [None] * len(x)  # (R, B, H) each
        for t in reversed(range(len(x))):
            dz[t] = dh * (1 - h[t + 1] ** 2)
            dh = dz[t] @ back
        dz = np.concatenate(dz, axis=1)  # (R, T B, H)
        before = np.concatenate(h[:-1], axis=1)  # (R, T B, H)
        return (error**2).mean((1, 2)), {
            "in": flat(x).T @ dz,
            "recurrent": before.transpose(0, 2, 1) @ dz,
            "bias": dz.sum(1, keepdims=True),
            "out": h[-1].transpose(0, 2, 1) @ dy,
            "out_bias": dy.sum(1, keepdims=True),
        }


def rival_size(bits, weights):
    """Return the hidden units that give a recurrent net as many weights, or a few more."""
    hidden = 1
    while hidden * (bits + FLAGS + hidden + 1 + bits) + bits < weights:
        hidden += 1
    return hidden


# ---- training and testing ----
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
LAST = 100  # updates whose losses choose among rivals


def learn(net, rates, rng, codes, bits, config, progress):
    """Train R nets with Adam at their rates (R,); return their losses of the last updates (R,)."""
    rates = np.reshape(rates, (-1, 1, 1))
    mean = {name: np.zeros_like(w) for name, w in net.theta.items()}
    square = {name: np.zeros_like(w) for name, w in net.theta.items()}
    losses = []
    for update in range(1, config.updates + 1):
        loss, grads = net.gradient(*episode(rng, codes, bits, config))
        losses.append(loss)
        norm = np.sqrt(sum((grad**2).sum((1, 2), keepdims=True) for grad in grads.values()))
        scale = config.clip / np.maximum(norm, config.clip)  # (R, 1, 1)
        left = 1 - (update - 1) / config.updates  # rates sink to 0, for a calm end
        for name, grad in grads.items():
            mean[name] += (1 - BETA_1) * (scale * grad - mean[name])
            square[name] += (1 - BETA_2) * ((scale * grad) ** 2 - square[name])
            spread = np.sqrt(square[name] / (1 - BETA_2**update)) + EPSILON
            net.theta[name] -= left * rates * mean[name] / (1 - BETA_1**update) / spread
        progress(update / config.updates, f"loss {loss.min():.2g}")
    return np.mean(losses[-LAST:], axis=0)


def examine(net, rng, codes, bits, config):
    """Return the shares of patterns recalled without a wrong bit, (DELAYS, R)."""
    target = patterns(rng.choice(codes, config.episodes), bits)
    memory = net.absorb(net.start(config.episodes), flagged(target, 0))
    shares, passed = [], 0
    for delay in DELAYS:
        while passed < delay:
            more = min(CHUNK, delay - passed)
            memory = net.absorb(memory, distractors(rng, more, config.episodes, bits))
            passed += more
        y = net.recall(memory, flagged(0 * target, 1))  # (R, B, P)
        shares.append((y * target > 0).all(-1).mean(-1))
    return np.array(shares)


def held_to(shares):
    """Return the longest tested delay up to which 99 % of the patterns came back, 0 if none."""
    kept = np.cumprod(shares >= 0.99).sum()
    return DELAYS[kept - 1] if kept else 0


def remember(kind, bits, seed, config, progress):
    """Train and test nets of one kind: returns the metrics, the shares (DELAYS,), and the net."""
    init, choice, training, testing = map(np.random.default_rng, seed.spawn(4))
    trained, tested = split(choice, bits, held_out=bits > 4)
    net = kind(init, bits, config)
    rates = np.tile(config.rnn_rates, 2) if kind is Recurrent else [config.learning_rate]
    loss = learn(net, rates, training, trained, bits, config, progress)
    best = int(loss.argmin())  # in training, not in the test
    net.theta = {name: w[[best]] for name, w in net.theta.items()}
    shares = examine(net, testing, tested, bits, config)[:, 0]
    row = {
        "loss": loss[best],
        "held_to": held_to(shares),
        "whole_30": shares[DELAYS.index(30)],
        "whole_1000": shares[DELAYS.index(1000)],
    }
    return row, shares.tolist(), net


def gates(net, seed, bits, config):
    """Return the mean gate at the store step and at distractors."""
    rng = np.random.default_rng(seed)
    target = patterns(rng.integers(2**bits, size=config.episodes), bits)
    _, _, store = net.writes(net.hidden(flagged(target, 0)))
    _, _, other = net.writes(net.hidden(distractors(rng, CHUNK, config.episodes, bits)))
    return {"store": store.mean(), "distractor": other.mean()}


# ---- the flip-flop at other settings ----
STEEPNESSES = (3.0, 4.0, 5.0, 7.0, 10.0, 14.0, 20.0)  # each at the usual learning rate
RATES = (0.1, 0.2, 0.5, 2.0)  # each at the usual steepness
LAX = 0.1**0.5  # the error at which 0.5 (d - y)^2 is 0.05


def sweep(kind, rate, seed, config, progress):
    """Train nets at each setting; return shares solved and medians, steepnesses first, (11,)."""
    paper = replace(fast_weights_unknown_delay.Config(), steps=config.steps)
    settings = [(steepness, rate) for steepness in STEEPNESSES]
    settings += [(paper.steepness, factor * rate) for factor in RATES]
    steepness, rates = np.repeat(settings, config.nets, axis=0).T  # (settings * N,) each
    init, events = map(np.random.default_rng, seed.spawn(2))
    net = kind(init, len(rates), steepness, rates, paper.init)
    solved = train(net, stream(events, len(rates), config.steps), paper, progress)
    solved = solved.reshape(len(settings), -1)
    medians = [quartiles(row, paper)[1] for row in solved]
    return np.isfinite(solved).mean(1).tolist(), medians


def lax(kind, rate, seed, config):
    """Return the median steps if the criterion bounds half of the squared error."""
    paper = fast_weights_unknown_delay.Config()
    settings = replace(paper, tolerance=LAX, steps=config.steps, nets=4 * config.nets)
    init, events = map(np.random.default_rng, seed.spawn(2))
    net = kind(init, settings.nets, settings.steepness, rate, settings.init)
    solved = train(net, stream(events, settings.nets, config.steps), settings, lambda *_: None)
    return quartiles(solved, settings)[1]


# ---- the study ----
def run(config, seed, progress):
    """Let nets remember patterns, then sweep the flip-flop's settings."""
    rows = {  # kind, bits
        "gated_16": (Writer, 16),
        "ungated_16": (Ungated, 16),
        "rnn_16": (Recurrent, 16),
        "gated_4": (Writer, 4),
        "ungated_4": (Ungated, 4),
        "rnn_4": (Recurrent, 4),
    }
    *row_seeds, gate_seed, sweep_1, sweep_2, lax_1, lax_2 = np.random.SeedSequence(seed).spawn(11)
    table, whole, nets = {}, {"delays": list(DELAYS)}, {}
    for k, (name, (kind, bits)) in enumerate(rows.items()):

        def show(done, said, k=k, name=name):
            progress((k + done) / 10, f"{name}: {said}")

        table[name], whole[name], nets[name] = remember(kind, bits, row_seeds[k], config, show)

    paper = fast_weights_unknown_delay.Config()
    direct = sweep(
        Direct,
        paper.direct_rate,
        sweep_1,
        config,
        lambda done, said: progress(0.6 + 0.2 * done, said),
    )
    from_to = sweep(
        FromTo,
        paper.from_to_rate,
        sweep_2,
        config,
        lambda done, said: progress(0.8 + 0.2 * done, said),
    )
    return table | {
        "whole_pattern_1000": table["gated_16"]["whole_1000"],
        "gate": gates(nets["gated_16"], gate_seed, 16, config),
        "whole": whole,
        "sweep": {
            "steepness": [*STEEPNESSES, *[paper.steepness] * len(RATES)],
            "rate_factor": [*[1.0] * len(STEEPNESSES), *RATES],
            "direct_solved": direct[0],
            "direct_median": direct[1],
            "from_to_solved": from_to[0],
            "from_to_median": from_to[1],
        },
        "lax": {
            "direct_median_steps": lax(Direct, paper.direct_rate, lax_1, config),
            "from_to_median_steps": lax(FromTo, paper.from_to_rate, lax_2, config),
        },
    }


if __name__ == "__main__":
    fast_weights_unknown_delay.main(sys.modules[__name__])
