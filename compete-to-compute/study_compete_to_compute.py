# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""Where competing units forget less than rectified ones, and whether other winners are the reason.

Map: the protocol of compete_to_compute.py at nine settings of learning rate and momentum.
Second task: the same nets after one epoch of P2 (equal updates), and with P1's output layer as
the start of P2 in place of a fresh one. Mechanism: which share of the movement of the weights
during P2 belongs to units that win more often on P1 than their rival does (in a ReLU net: that
are active more often than the median of their layer), and how many pairs keep their winner.
Ten digits: all of MNIST, with a learning rate that falls to zero, for equal epochs.

    python3 study_compete_to_compute.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import compete_to_compute
from compete_to_compute import (
    CLASSES,
    KINDS,
    batches,
    descend,
    difference,
    digits,
    draw,
    error,
    forward,
    layers,
    learn_both,
    mnist,
    rest,
    train_to_likelihood,
    two_tasks,
)
import numpy as np


@dataclass(frozen=True)
class Config(compete_to_compute.Config):
    learning_rates: Annotated[tuple[float, ...], "of the map", (1e-6, 10.0)] = (0.02, 0.05, 0.1)
    momenta: Annotated[tuple[float, ...], "of the map", (0.0, 0.999)] = (0.0, 0.5, 0.9)
    ten_digit_epochs: Annotated[int, "epochs on all ten digits", (1, 1000)] = 6
    ten_digit_nets: Annotated[int, "nets of each kind for them", (1, 100)] = 2


QUICK = compete_to_compute.QUICK | {
    "learning_rates": (0.05,),
    "momenta": (0.9,),
    "ten_digit_epochs": 1,
    "ten_digit_nets": 1,
}


# ---- the map ----
def lower(lwta, relu, target):
    """Tell whether LWTA kept more of P1; a net that missed the target has lost, LWTA first."""
    missed = [row["nll"] is None or row["nll"] > target for row in (lwta, relu)]
    return not missed[0] and (missed[1] or lwta["p1_after"] < relu["p1_after"])


def cell_name(rate, momentum):
    """Name a row of the table, without points."""
    return f"rate_{rate}_momentum_{momentum}".replace(".", "_")


def chart(draws, tasks, config, progress):
    """Repeat the experiment's protocol for LWTA and ReLU at each setting."""
    cells = [(rate, momentum) for rate in config.learning_rates for momentum in config.momenta]
    table = {}
    wins = []
    for done, (rate, momentum) in enumerate(cells):
        name = cell_name(rate, momentum)
        there = replace(config, learning_rate=rate, momentum=momentum)
        rows = []
        for n, kind in enumerate(("lwta", "relu")):

            def tell(fraction, message, name=name, before=done + n / 2):
                progress((before + fraction / 2) / len(cells), f"{name}, {message}")

            rows.append(learn_both(kind, draws, tasks, there, tell))
        lwta, relu = rows
        wins.append(lower(lwta, relu, config.target_nll))
        table[name] = {
            "lwta": lwta["p1_after"],
            "relu": relu["p1_after"],
            "lwta_updates": lwta["updates_p1"] + lwta["updates_p2"],
            "relu_updates": relu["updates_p1"] + relu["updates_p2"],
        }
    return table | {"map": {"lwta_lower": sum(wins) / len(wins)}}


# ---- the second task, three times from one net that knows the first ----
def copied(net):
    """Copy a net, or some layers of one."""
    return [(W.copy(), b.copy()) for W, b in net]


def active(net, activation, part):
    """Return for each hidden layer how often its units pass something on, (H,) each."""
    _, _, slopes = forward(net, part.images, activation)
    return [(slope > 0).mean(0) for slope in slopes]


def busy(kind, often):
    """Tell which units (H,) of a layer the task `often` belongs to uses most."""
    if kind == "lwta":
        first, second = np.split(often, 2)  # (H / 2,) each
        return np.concatenate([first >= second, first < second])
    return often > np.median(often)


def moved(kind, before, after, activation, part):
    """Return for each hidden layer the share, in per cent, of squared movement in P1's units."""
    shares = []
    often = active(before, activation, part)
    for (old, _), (new, _), rates in zip(before[:-1], after[:-1], often, strict=True):
        movement = ((new - old) ** 2).sum(0)  # (H,) of the weights into a unit
        shares.append(100 * float(movement[busy(kind, rates)].sum() / movement.sum()))
    return shares


def kept_winners(net, activation, tasks):
    """Return for each hidden layer the share of pairs, in per cent, that one unit wins on both."""
    usual = [
        [busy("lwta", often) for often in active(net, activation, task.test)] for task in tasks
    ]
    return [100 * float((first == second).mean()) for first, second in zip(*usual, strict=True)]


def second_task(kind, draws, tasks, config, progress):
    """Learn P1 once, then P2 in three ways; errors on P1 in per cent."""
    activation, scaled = KINDS[kind]
    p1, p2 = tasks
    head_1, head_2 = layers(draws.heads, scaled, config)
    knows = [*layers(draws.body, scaled, config), head_1]
    train_to_likelihood(knows, activation, p1.train, draws.orders[0], config, progress)
    an_epoch = replace(config, target_nll=0.0)
    ways = {
        "to_target": (head_2, draws.orders[1], config),
        "one_epoch": (head_2, draws.orders[1][:1], an_epoch),
        "kept_head": (head_1, draws.orders[1], config),
    }
    row = {"before": error(knows, activation, p1.test)}
    for way, (head, order, settings) in ways.items():
        net = copied([*knows[:-1], head])
        train_to_likelihood(net, activation, p2.train, order, settings, progress)
        row[way] = error([*net[:-1], head_1], activation, p1.test)
        if way == "to_target" and kind != "sigmoid":
            shares = moved(kind, knows, net, activation, p1.test)
            row |= {f"moved_{n}": share for n, share in enumerate(shares, 1)}
        if way == "to_target" and kind == "lwta":
            shares = kept_winners(net, activation, tasks)
            row |= {f"kept_winners_{n}": share for n, share in enumerate(shares, 1)}
    return row


# ---- ten digits ----
def ten_digits(streams, config, progress):
    """Train nets of each kind on all of MNIST; mean test errors in per cent."""
    train, test = [digits(mnist(half), 0, 2 * CLASSES) for half in ("train", "t10k")]
    size = config.hidden_size
    shapes = (784, size), (size, size), (size, size), (size, 2 * CLASSES)
    errors = {kind: [] for kind in KINDS}
    for done, stream in enumerate(streams):
        weights, shuffle = map(np.random.default_rng, stream.spawn(2))
        normals = [weights.standard_normal(shape).astype(np.float32) for shape in shapes]
        rows = np.tile(np.arange(len(train.labels)), (config.ten_digit_epochs, 1))
        order = shuffle.permuted(rows, axis=1)
        for kind, (activation, scaled) in KINDS.items():
            progress(done / len(streams), f"ten digits, {kind}")
            net = layers(normals, scaled, config)
            train_for_epochs(net, activation, train, order, config)
            errors[kind].append(error(net, activation, test))
    row = {kind: sum(some) / len(some) for kind, some in errors.items()}
    return row | {"lwta_minus_relu": difference(row["lwta"], row["relu"])}


def train_for_epochs(net, activation, part, order, config):
    """Train in place with a learning rate that falls linearly to zero."""
    velocity = rest(net)
    total = len(order) * (order.shape[1] // config.batch_size)
    for update, rows in enumerate(batches(order, config.batch_size)):
        rate = config.learning_rate * (1 - update / total)
        images, labels = part.images[rows], part.labels[rows]
        descend(net, velocity, activation, images, labels, rate, config.momentum)


# ---- the study ----
def run(config, seed, progress):
    """Draw what the experiment draws with this seed; ten digits have streams of their own."""
    tasks = two_tasks()
    draws = draw(config, seed, tasks)
    more = np.random.SeedSequence(seed).spawn(4 + config.ten_digit_nets)[4:]
    table = chart(draws, tasks, config, lambda f, words: progress(0.6 * f, words))
    for n, kind in enumerate(KINDS):

        def tell(_, message, n=n, kind=kind):
            progress(0.6 + 0.05 * n, f"second task, {kind}: {message}")

        table[f"{kind}_second"] = second_task(kind, draws, tasks, config, tell)
    table["ten_digits"] = ten_digits(more, config, lambda f, words: progress(0.8 + 0.2 * f, words))
    return table


if __name__ == "__main__":
    compete_to_compute.main(sys.modules[__name__])
