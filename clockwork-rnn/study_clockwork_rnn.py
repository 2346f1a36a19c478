# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The clockwork net at smaller sizes, with one part changed at a time, and how far gradients reach.

1. Clockwork nets, plain nets and LSTMs of at most 100, 250 and 500 parameters, with the tries of
   the experiment: does the clockwork lead at each size?
2. At 1,000 parameters: all periods 1 (the mask without the clock), all modules hear each other (the
   clock without the mask), fast modules speak to slow ones (the mask reversed), periods 1, 6, 11...
3. The gradient of the last output at the states before it, in nets of the largest size of part 1
   before and after training.

    python3 study_clockwork_rnn.py --seed 0
"""

import sys
from dataclasses import dataclass, replace
from typing import Annotated

import clockwork_rnn
from clockwork_rnn import (
    TARGETS,
    Clockwork,
    Lstm,
    compete,
    kinds,
    largest,
    log_gap,
    readout_nmse,
    waveform,
)
import numpy as np


@dataclass(frozen=True)
class Config(clockwork_rnn.Config):
    budgets: Annotated[tuple[int, ...], "sizes of part 1", (10, 10**5)] = (100, 250, 500)
    gap: Annotated[int, "samples between the periods of the linear clock", (1, 1000)] = 5

    def __post_init__(self):
        for budget in self.budgets:
            clockwork_rnn.Config(budget=budget, modules=self.modules)
        super().__post_init__()


QUICK = clockwork_rnn.QUICK | {"budgets": (60, 100), "epochs": 10}
LAGS = 64  # points of the gradient's course


# ---- clockwork nets with one part changed --------------------------------------------------------
class NoClock(Clockwork):
    """All units tick at each step; the mask stays."""

    def __init__(self, units, modules):
        super().__init__(units, modules)
        self.periods = np.ones_like(self.module)


class NoMask(Clockwork):
    """All modules hear each other; the clock stays."""

    def mask(self):
        return np.ones((self.units, self.units + 1), np.float32)


class Reversed(Clockwork):
    """Modules hear themselves and the faster ones; the clock stays."""

    def mask(self):
        heard = self.module <= self.module[:, None]  # (N, N)
        return np.column_stack([heard, np.ones(self.units)]).astype(np.float32)


class Linear(Clockwork):
    """Periods 1, 1 + gap, 1 + 2 gap, ... in place of the powers of two."""

    def __init__(self, units, modules, gap):
        super().__init__(units, modules)
        self.periods = 1 + gap * self.module

    def clock(self, t):
        """Return the indices of the units that tick at step t, and of those that sleep."""
        ticking = t % self.periods == 0  # (N,)
        return np.flatnonzero(ticking), np.flatnonzero(~ticking)


def variants(config):
    """Return how each variant is made of a number of units."""
    modules = config.modules
    return {
        "reference": lambda n: Clockwork(n, modules),
        "no_clock": lambda n: NoClock(n, modules),
        "no_mask": lambda n: NoMask(n, modules),
        "reversed": lambda n: Reversed(n, modules),
        "linear": lambda n: Linear(n, modules, config.gap),
    }


# ---- the three parts -----------------------------------------------------------------------------
def sizes(config, targets, streams, report):
    """Train the three kinds at each budget: returns their results, {kind: [result of a budget]}."""
    results = {"cw": [], "srn": [], "lstm": []}
    for budget in config.budgets:
        for name, (net, rates) in kinds(replace(config, budget=budget)).items():
            rng = streams.pop()
            results[name].append(compete(net, rates, targets, config, rng, report(name, budget)))
    return results


def table_of_sizes(config, targets, results):
    """List the errors of part 1, and the lead of the clockwork over the better rival."""
    nets = [kinds(replace(config, budget=budget)) for budget in config.budgets]
    table = {
        name: {
            "parameters": [net[name][0].parameters() for net in nets],
            "nmse": [result.nmse.mean() for result in results[name]],
            "rate": [result.rate for result in results[name]],
        }
        for name in results
    }
    wanted = np.repeat(targets, config.nets, 0)  # (K, T)
    table["cw"]["untrained_nmse"] = [
        readout_nmse(net["cw"][0], result.start, wanted, config).mean()
        for net, result in zip(nets, results["cw"], strict=True)
    ]
    rivals = zip(results["cw"], results["srn"], results["lstm"], strict=True)
    gaps = [min(log_gap(srn, cw), log_gap(lstm, cw)) for cw, srn, lstm in rivals]
    table["cw"]["gap"] = gaps
    return table | {"smallest_gap": min(gaps)}


def parts(config, targets, streams, report):
    """Train the clockwork and its variants at the full budget: a table of their errors."""
    results = {}
    for name, make in variants(config).items():
        net = largest(make, config.budget, config.modules)
        rng = streams.pop()
        told = report(name, config.budget)
        results[name] = compete(net, config.rates_cw, targets, config, rng, told)
    reference = results["reference"]
    return {
        name: {"nmse": r.nmse.mean(), "rate": r.rate, "log_gap": log_gap(r, reference)}
        for name, r in results.items()
    }


def reach(net, theta, config):
    """Return log10 of the norm of the last output's gradient at the states of LAGS lags, the median
    over the nets; of an LSTM the states are its cells."""
    net.forward(theta.astype(np.float64), config.steps)
    dy = np.zeros((len(theta), config.steps))  # (R, T)
    dy[:, -1] = 1
    net.backward(dy)
    at_states = net.dc if isinstance(net, Lstm) else net.dh  # (T, R, N, 1)
    norm = np.sqrt((at_states**2).sum((2, 3)))[::-1]  # (T, R) by lag
    return np.log10(np.maximum(np.median(norm, 1), 1e-300))[lags(config)].tolist()


def lags(config):
    """Return at most LAGS lags, in samples."""
    return np.unique(np.linspace(0, config.steps - 1, LAGS).astype(np.intp))


def run(config, seed, progress):
    """Make the three parts, all on the same waveforms, none of them the experiment's."""
    jobs = 3 * len(config.budgets) + len(variants(config))
    sounds, *streams = map(np.random.default_rng, np.random.SeedSequence([seed, 1]).spawn(1 + jobs))
    targets = np.stack([waveform(sounds, config) for _ in range(TARGETS)])  # (targets, T)

    def report(name, budget):
        before = jobs - 1 - len(streams)
        return lambda done, said: progress((before + done) / jobs, f"{name} {budget}, {said}")

    results = sizes(config, targets, streams, report)
    table = table_of_sizes(config, targets, results)
    table |= parts(config, targets, streams, report)
    for name, (net, _) in kinds(replace(config, budget=config.budgets[-1])).items():
        last = results[name][-1]
        table[name]["reach_before"] = reach(net, last.start, config)
        table[name]["reach_after"] = reach(net, last.theta, config)
    return table | {"lags": lags(config).tolist()}


if __name__ == "__main__":
    clockwork_rnn.main(sys.modules[__name__])
