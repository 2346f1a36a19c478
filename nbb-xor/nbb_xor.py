# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy"]
# ///
"""The Neural Bucket Brigade learns XOR with weight changes that are local in space and time.

A winner-take-all net hands a conserved substance about. Each unit that fires pays a fraction of the contributions that
made it fire; what it later earns from the winner it helped, it passes back to the weights that had activated it, in
proportion. Only the correct output unit is paid from outside. No gradient, no error signal, no backward pass.

Paper: J. Schmidhuber, "A local learning algorithm for dynamic feedforward and recurrent networks", Connection Science
1(4):403-412, 1989 (also TR FKI-124-90, TU Munich). Section 3 is the rule, section 6 the XOR experiment.
Claim: the rule finds a solution of XOR, which no single layer has, in about 619 pattern presentations.

    python3 nbb_xor.py --seed 0          # 100 nets, their controls and the claims, in seconds
    python3 nbb_xor.py --help            # every setting
"""
import itertools
import os
from dataclasses import dataclass
from typing import Annotated

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: these matrices are too small to share out
import numpy as np


@dataclass(frozen=True)
class Config:
    nets: Annotated[int, "independent nets of each variant, trained as one batch", (2, 10000)] = 100
    presentations: Annotated[int, "cap on pattern presentations per net", (1, 10**6)] = 5000
    follow: Annotated[int, "presentations watched after a first solution and at the end", (1, 10**6)] = 1000
    ticks: Annotated[int, "network ticks per presentation", (5, 100)] = 6
    lam: Annotated[float, "fraction of its contributions that a winner pays per tick (lambda)", (1e-6, 0.5)] = 0.005
    eta: Annotated[float, "fraction that the correct output is paid from outside per tick", (0.0, 0.5)] = 0.005
    init_low: Annotated[float, "lowest initial weight", (1e-6, 1e3)] = 0.999
    init_high: Annotated[float, "highest initial weight", (1e-6, 1e3)] = 1.001
    guesses: Annotated[int, "random nets drawn by the guessing baseline", (100, 10**7)] = 50000

    def __post_init__(self):
        if self.init_low >= self.init_high:
            raise ValueError(f"argument --init-low: {self.init_low} must be below --init-high ({self.init_high})")


QUICK = {"nets": 10, "presentations": 600, "follow": 100, "guesses": 2000}

# ---- the task -------------------------------------------------------------------------------------------------------
PATTERNS = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], float)  # x1, x2 and a unit that is always on
TARGETS = np.array([0, 1, 1, 0])  # which of the two output units has to win


# ---- the net and its rule -------------------------------------------------------------------------------------------
class BucketBrigade:
    """A batch of S nets: 3 inputs -> winner-take-all hidden subsets -> two competing outputs, and inputs -> outputs.

    to_hidden: (3, H, S) weights from the inputs; to_output: (3 + H, 2, S) from the inputs, then the hidden units.
    subsets: sizes of the hidden subsets, H units in all. Nets lie on the last axis: every ufunc then runs over S.
    eta (S,), direct (S,), redistribute (S,): what the correct output is paid from outside, whether inputs reach the
    outputs, whether earnings are passed back. They differ between nets only to make the controls.
    """

    def __init__(self, to_hidden, to_output, subsets, lam, eta, direct, redistribute):
        self.to_hidden, self.to_output = to_hidden.copy(), to_output.copy()
        self.to_output[:3] *= direct
        edges = np.cumsum([0, *subsets])
        self.subsets = [slice(a, b) for a, b in itertools.pairwise(edges)]  # hidden units that compete
        dtype = to_hidden.dtype
        self.lam, self.eta, self.redistribute = dtype.type(lam), eta.astype(dtype), redistribute.astype(dtype)
        self.injected = np.zeros(eta.shape)  # substance paid in from outside so far, per net
        self.lost = np.zeros(eta.shape)  # substance paid by input units: no weight leads to them, so it leaves the net

    def substance(self):
        """The sum of all weights of each net: (S,)."""
        return self.to_hidden.sum((0, 1)) + self.to_output.sum((0, 1))

    def present(self, pattern, target, ticks, watch=None):
        """One cycle: clamp pattern (3, S) on silent nets and learn at every tick; target: (S,) the correct output.

        At tick t, with contributions c_ij(t) = x_i(t-1) w_ij(t-1), every weight changes by (paper, section 3)
            - lam c_ij(t) x_j(t)                                        what a winner j takes from its senders
            + c_ij(t-1) / sum_h c_hj(t-1) * sum_k lam c_jk(t) x_k(t)    what j earned, to those that made it fire
            + eta c_ij(t) x_j(t) if j is the correct output             what comes from outside
        watch(tick, hidden, output, paid_hidden, paid_output, returned, external) sees each tick's firing and payments.
        """
        correct = np.arange(2)[:, None] == target  # (2, S)
        share = np.zeros_like(self.to_hidden)  # of each input in what activated a hidden unit one tick ago
        hidden = np.zeros(self.to_hidden.shape[1:], share.dtype)  # (H, S)
        for tick in range(2, ticks + 1):  # tick 1 only loads the inputs: nothing was active, nothing fires or is paid
            x = np.concatenate([pattern, hidden])  # (3 + H, S)
            c_hidden = pattern[:, None] * self.to_hidden  # (3, H, S)
            c_output = x[:, None] * self.to_output  # (3 + H, 2, S)
            net_hidden, net_output = c_hidden.sum(0), c_output.sum(0)
            hidden = np.concatenate([winner(net_hidden[subset]) for subset in self.subsets] or [hidden])
            output = winner(net_output)  # (2, S)

            paid_hidden = self.lam * c_hidden * hidden  # each winner takes a fraction of what made it fire
            paid_output = self.lam * c_output * output
            income = paid_output.sum(1)  # (3 + H, S): and hands it to the senders that made it fire,
            returned = share * (self.redistribute * income[3:])  # which pass it on to those that had activated them
            external = self.eta * c_output * (output * correct)
            self.to_hidden += returned - paid_hidden
            self.to_output += external - paid_output
            share = c_hidden / np.maximum(net_hidden, np.finfo(share.dtype).tiny)

            self.injected += external.sum((0, 1))
            self.lost += income[:3].sum(0) + paid_hidden.sum((0, 1))
            if watch:
                watch(tick, hidden, output, paid_hidden, paid_output, returned, external)

    def answers(self):
        """The output that wins for each pattern on the last ticks of a cycle with learning off: (4, S).

        With fixed weights the hidden winners settle at tick 2 and the output at tick 3, and from there nothing changes:
        one pass through the net stands for all of the last three ticks.
        """
        net_hidden = np.tensordot(PATTERNS, self.to_hidden, 1)  # (4, H, S)
        net_output = np.tensordot(PATTERNS, self.to_output[:3], 1)  # (4, 2, S)
        for subset in self.subsets:
            best = net_hidden[:, subset].argmax(1)[:, None, None]  # (4, 1, 1, S)
            net_output += np.take_along_axis(self.to_output[None, 3:][:, subset], best, 1)[:, 0]
        return net_output.argmax(1)


def winner(net):
    """Winner take all, (units, S) -> (units, S): 1 for the unit with the largest net input, if that is positive."""
    return ((np.arange(len(net))[:, None] == net.argmax(0)) & (net > 0)).astype(net.dtype)


STREAKS = (2, 3, 4, 10, 50)  # presentations in a row that might count as stable: the paper does not define it


# ---- training -------------------------------------------------------------------------------------------------------
@dataclass
class Variant:
    """One row of the table of controls. eta is in units of config.eta; everything else is the paper's by default."""
    eta: float = 1.0
    direct: bool = True
    redistribute: bool = True
    permuted: bool = False  # patterns in a fresh random order of all four, instead of drawn independently


def train(config, seed, subsets, variants, dtype=np.float64, progress=None, callback=None, watch=None):
    """Train config.nets nets of each variant, all with the same initial weights and patterns, and watch them.

    Learning goes on after a solution. Returns arrays of shape (variants, nets): first, stable2 ... stable50 (the
    presentation at which all four patterns were right for the 1st, and for the k-th time in a row, 0 if never),
    most_right (patterns at once), uptime and late_uptime (fraction of the presentations after the first solution, and
    of the last ones, at which all four were right) and residual (violation of the conservation law, relative to a
    net's initial substance).
    callback(n, drawn, right, brigade) is called after presentation n, watch at every tick (see present).
    """
    V, N, H = len(variants), config.nets, sum(subsets)
    rng = np.random.default_rng(seed)

    def weights(*shape):
        return np.tile(rng.uniform(config.init_low, config.init_high, (*shape, N)), V).astype(dtype)  # (..., V*N)

    def per_net(name):
        return np.repeat([getattr(variant, name) for variant in variants], N)  # (V*N,)

    permuted = per_net("permuted")
    brigade = BucketBrigade(weights(3, H), weights(3 + H, 2), subsets, config.lam,
                            config.eta * per_net("eta"), per_net("direct"), per_net("redistribute"))
    substance = brigade.substance()
    inputs = PATTERNS.T.astype(dtype)  # (3, 4)
    first, streak, most_right, up, watched, late = np.zeros((6, V * N), int)
    stable = {k: np.zeros(V * N, int) for k in STREAKS}
    for n in range(1, config.presentations + 1):
        if n % 4 == 1:
            order = rng.permuted(np.tile(np.arange(4), (N, 1)), axis=1)
        drawn = np.tile(rng.integers(4, size=N), V)
        drawn = np.where(permuted, np.tile(order[:, n % 4], V), drawn)
        brigade.present(inputs[:, drawn], TARGETS[drawn], config.ticks, watch)
        right = (brigade.answers() == TARGETS[:, None]).sum(0)
        solved = right == 4
        after = (first > 0) & (n <= first + config.follow)
        watched += after
        up += after & solved
        late += solved & (n > config.presentations - config.follow)
        first[solved & (first == 0)] = n
        streak = np.where(solved, streak + 1, 0)
        for k, when in stable.items():
            when[(streak >= k) & (when == 0)] = n
        np.maximum(most_right, right, out=most_right)
        if callback:
            callback(n, drawn, right, brigade)
        if progress and n % 50 == 0:
            progress(n / config.presentations, f"{(first[:N] > 0).sum()} of {N} nets have found a solution")
    residual = np.abs(brigade.substance() - substance - brigade.injected + brigade.lost) / substance
    out = {"first": first, "most_right": most_right, "uptime": up / np.maximum(watched, 1),
           "late_uptime": late / min(config.follow, config.presentations), "residual": residual}
    out |= {f"stable{k}": when for k, when in stable.items()}
    return {name: value.reshape(V, N) for name, value in out.items()}


# ---- the experiment -------------------------------------------------------------------------------------------------
CONTROLS = {  # all with three hidden units that compete
    "": Variant(),
    "no_direct_": Variant(direct=False),
    "half_eta_": Variant(eta=0.5),
    "double_eta_": Variant(eta=2.0),
    "permuted_": Variant(permuted=True),
    "no_return_": Variant(redistribute=False),
}
ARCHITECTURES = {"two_hidden_": (2,), "four_hidden_": (4,), "two_subsets_": (2, 2), "no_hidden_": ()}


def summary(prefix, outcome, row, streaks=(4, 50)):
    """Numbers over the nets of one variant: how many got there, and the mean presentation over those that did."""
    out = {}
    for name in ("first", *(f"stable{k}" for k in streaks)):
        when = outcome[name][row]
        when = when[when > 0]
        out[f"{prefix}{name}_nets"] = len(when)
        out[f"{prefix}{name}_mean"] = float(when.mean()) if len(when) else None
    return out | {f"{prefix}{name}": float(outcome[name][row].mean()) for name in ("uptime", "late_uptime")}


def guess(config, seed):
    """The fraction of nets with weights drawn from U(0, 1) that solve XOR by luck: the baseline without learning."""
    rng, ones = np.random.default_rng(seed), np.ones(config.guesses)
    guessed = BucketBrigade(rng.random((3, 3, config.guesses)), rng.random((6, 2, config.guesses)), (3,), config.lam,
                            ones, ones, ones)
    return (guessed.answers() == TARGETS[:, None]).all(0).mean()


def run(config, seed, progress=None):
    """Train the paper's net, the controls on the same weights and patterns, and the other architectures."""
    jobs = [((3,), CONTROLS, np.float64), ((3,), {"float32_": Variant()}, np.float32)]
    jobs += [(subsets, {name: Variant()}, np.float64) for name, subsets in ARCHITECTURES.items()]
    seeds = np.random.SeedSequence(seed).spawn(2)
    outcomes, controls = [], {}
    for subsets, variants, dtype in jobs:
        def part(fraction, message):
            if progress:
                progress((len(outcomes) + fraction) / len(jobs), message)
        outcomes.append(train(config, seeds[0], subsets, list(variants.values()), dtype, part))
        for row, prefix in enumerate(variants):
            controls |= summary(prefix, outcomes[-1], row) if prefix else {}
    paper = {name: value[0] for name, value in outcomes[0].items()}  # (nets,) each
    solved = paper["first"][paper["first"] > 0]
    half_width = 1.96 * solved.std(ddof=1) / np.sqrt(len(solved)) if len(solved) > 1 else 0.0
    metrics = summary("", outcomes[0], 0, STREAKS)
    luck = guess(config, seeds[1])
    return metrics | {
        "first_mean_low": (metrics["first_mean"] or 0.0) - half_width,  # 95 % interval of the mean
        "first_mean_high": (metrics["first_mean"] or 0.0) + half_width,
        "first_std": float(solved.std()) if len(solved) else None,
        "first_within_1500_nets": int((solved <= 1500).sum()),
        **{f"net0_{name}": int(paper[name][0]) or None for name in ("first", *(f"stable{k}" for k in STREAKS))},
        "conservation_residual": float(paper["residual"].max()),
        "no_hidden_most_right": int(outcomes[-1]["most_right"].max()),
        "stable4_nets_won_by_return": metrics["stable4_nets"] - controls["no_return_stable4_nets"],
        "stable50_nets_won_by_third_unit": metrics["stable50_nets"] - controls["two_hidden_stable50_nets"],
        "guesses_per_solution": float(1 / luck) if luck else None,
    } | controls


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
