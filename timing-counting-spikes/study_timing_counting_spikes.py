# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=1.26"]
# ///
"""The evidence around precise timing: delays of 49 and 50 steps, longer periods, single peepholes.

longest_f  the metronomes of the experiment go on with longer periods: a net that is solved at
           period F goes on with F + F / 10, and with F + 1 at least
msd49      delays between spikes are 49 or 50 steps by chance, and at each spike the net has to
           tell which; from scratch, and single delays before streams of many
msd9       the same with 9 and 10 steps, a control
parts      the cosine with a single peephole, that of the input, forget or output gate

python3 study_timing_counting_spikes.py --seed 0      # about eight minutes
python3 study_timing_counting_spikes.py --quick       # proves that the code runs
"""

import sys
from dataclasses import dataclass
from typing import Annotated

import timing_counting_spikes
from timing_counting_spikes import (
    STREAM_PERIODS,
    OnLine,
    Spikes,
    examine,
    initial,
    mean,
    train_cosine,
    train_spikes,
    views,
)
import numpy as np


@dataclass(frozen=True)
class Config(timing_counting_spikes.Config):
    delay: Annotated[int, "steps of the shorter of two delays", (3, 1000)] = 49
    delays: Annotated[int, "delays that a net learns from", (1, 10**8)] = 30_000
    short_delay: Annotated[int, "the shorter delay of the control", (3, 1000)] = 9
    short_delays: Annotated[int, "delays that such a net learns from", (1, 10**8)] = 20_000
    delay_rate: Annotated[float, "step size for delays", (0.0, 1.0)] = 1e-5
    delay_momentum: Annotated[float, "momentum for delays", (0.0, 0.9999)] = 0.9999
    test_delays: Annotated[int, "delays of a test", (20, 10**6)] = 1000
    longer_steps: Annotated[int, "steps for longer periods", (1, 10**8)] = 3_000_000
    longer_momentum: Annotated[float, "momentum for them", (0.0, 0.9999)] = 0.998
    part_nets: Annotated[int, "nets with a single peephole, of each", (1, 1000)] = 16


QUICK = timing_counting_spikes.QUICK | {
    "delays": 20,
    "short_delays": 40,
    "longer_steps": 2000,
    "part_nets": 1,
    "test_delays": 20,
}
LONGEST = 50  # longest period, in steps
LOOK_STEPS = 5000  # steps between looks at metronomes
LOOK_DELAYS = 200  # delays between looks at nets that measure them
READY = 100  # right single delays in a row before a net's streams hold more than one
ABLE = 20  # right delays of a stream before a look tests a net


# ---- longer periods, from nets that are solved ----
class Metronomes(Spikes):
    """Spikes of which each net has a period of its own."""

    def __init__(self, period):
        self.period = period  # (N,)

    @property
    def limit(self):
        """The steps of the longest streams (N,)."""
        return STREAM_PERIODS * self.period

    def target(self, clock):
        return self.shape(clock + 1)


class Growing(OnLine):
    """Nets whose period grows by a tenth each time that they are right for a stream, frozen."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.kept = {}  # {period: [(number of the net, its weights (P,)), ...]}

    def look(self, step):
        """Test the nets that were right for two periods; those that pass get a longer one."""
        period = self.task.period  # (N,)
        able = np.flatnonzero(self.longest >= 2 * period)
        passed = able[steady(self.w[:, able], period[able])]
        for k in passed:
            self.kept.setdefault(int(period[k]), []).append((self.left[k], self.w[:, k].copy()))
        period[passed] += np.maximum(period[passed] // 10, 1)
        self.longest[:] = 0
        goes_on = np.ones(len(period), bool)
        goes_on[passed] = False
        self.restart(goes_on)
        left = period <= LONGEST
        self.solved_at[self.left[~left]] = step
        self.task.period = period[left]
        self.keep(left)


def steady(w, period):
    """Let frozen nets run freely; return whether a stream of their periods is right (N,)."""
    nets = OnLine(Metronomes(period), w, np.zeros((3, w.shape[1])), 0, 0)
    for k in range(nets.task.limit.max(initial=0)):
        nets.step(0.0)
        if k % 100 == 0 and nets.streams.all():
            break
    return nets.longest == nets.task.limit


def grow(spikes, sees, config, progress):
    """Go on with solved metronomes; return the longest period that each net passed the test at."""
    solved = np.flatnonzero(np.isfinite(spikes.solved_at))
    longest = np.zeros(len(spikes.solved_at), int)
    longest[solved] = config.period
    task = Metronomes(longest[solved] + max(config.period // 10, 1))
    w, sees = spikes.final[:, solved], sees[:, solved]
    training = Growing(task, w, sees, config.longer_momentum, config.test_periods)
    training.train(np.full(config.longer_steps, config.learning_rate), LOOK_STEPS, progress)
    for period, kept in sorted(training.kept.items()):
        numbers, weights = zip(*kept)
        right, _ = examine(Spikes(period), np.stack(weights, axis=1), config.test_periods)
        longest[solved[np.array(numbers)[right]]] = period
    return longest


# ---- delays ----
class Delays(OnLine):
    """Measure spike delays: a spike comes F or F + 1 steps after the last; the target says which.

    Each net takes a delay in its own time, so that all spikes come together. The clock counts
    right delays. No error is defined between the spikes. A stream ends at the first wrong delay,
    or after a single one as long as a net has not been right many times in a row.
    """

    of_nets_left = OnLine.of_nets_left + ["row", "ready"]
    limit = STREAM_PERIODS  # delays of the longest stream

    def __init__(self, task, w, *arguments):
        super().__init__(task, w, *arguments)
        self.row = np.zeros(w.shape[1], int)  # right delays in a row, of whatever streams
        self.ready = np.zeros(w.shape[1], bool)  # for streams of more than one delay
        self.ready_at = np.full(w.shape[1], np.nan)  # (N,) delays until then

    def wait(self):
        """Move by a step without a spike, while the momentum goes on."""
        self.forward()
        self.update()

    def delay(self, late, rate):
        """Wait for F + late steps (N,), of which the last brings a spike; answer, and learn."""
        self.gradient[:] = 0
        self.z[2] = 0  # no spike
        arrays = (self.w, self.velocity, self.memory)
        held = [array[:, ~late] for array in arrays]
        self.wait()
        for array, old in zip(arrays, held):
            array[:, ~late] = old  # those that are not late have not begun
        for _ in range(self.task.period - 1):
            self.wait()
        self.z[2] = 1
        y, slope = self.task.output(self.forward())
        error = late - y  # (N,)
        self.differentiate(rate * error * slope)
        self.update()
        right = np.abs(error) < self.task.tolerance  # (N,)
        self.clock += right
        np.maximum(self.longest, self.clock, out=self.longest)
        self.row += 1
        self.row *= right
        self.ready |= self.row >= READY
        self.restart(right & self.ready & (self.clock < self.limit))
        return right

    def look(self, done, rng):
        """Test the nets that were right long enough; those that pass are solved, and stop."""
        np.maximum.at(self.best, self.left, self.longest)
        self.ready_at[self.left[self.ready & np.isnan(self.ready_at[self.left])]] = done
        able = np.flatnonzero(self.longest >= ABLE)
        passed = able[measure(self.task, self.w[:, able], self.test_periods, rng)]
        self.longest[:] = 0
        self.solved_at[self.left[passed]] = done
        if len(passed):
            self.keep(~np.isin(np.arange(len(self.left)), passed))


def measure(task, w, delays, rng):
    """Let frozen nets measure delays in one stream; return whether all are right (N,)."""
    nets = Delays(task, w, np.zeros((3, w.shape[1])), 0, 0)
    nets.limit, nets.ready = delays, np.ones(w.shape[1], bool)
    right = np.ones(w.shape[1], bool)
    for _ in range(delays):
        if not right.any():
            break
        right &= nets.delay(rng.integers(0, 2, len(right)) == 1, 0.0)
    return right


def learn_delays(streams, delay, delays, config, progress):
    """Train both kinds of nets on delays, both on the same ones; return the training.

    The three streams are of initial weights, of training delays and of tested delays. The forget
    gate starts at 1 - 1 / delay, so that the state still feels what is a delay ago.
    """
    init, text, test = (np.random.default_rng(stream) for stream in streams)
    w, sees = initial(init, config.nets, (0, np.log(delay - 1), 2), inputs=1)
    momentum, periods = config.delay_momentum, config.test_delays
    training = Delays(Spikes(delay), w, sees, momentum, periods)
    with np.errstate(all="ignore"):  # a net may run away, and then it fails
        for k in range(delays):
            late = np.tile(text.integers(0, 2, config.nets) == 1, 2)[training.left]
            training.delay(late, config.delay_rate)
            if (k + 1) % LOOK_DELAYS == 0 or k + 1 == delays:
                training.look(k + 1, test)
                progress((k + 1) / delays, f"{np.isfinite(training.solved_at).sum()} nets solved")
                if not len(training.left):
                    break
    return training


# ---- single peepholes ----
def start_parts(init, config):
    """Return nets (w, sees) with one peephole each: first that of i, then of f, then of o."""
    w, _ = initial(init, config.nets, config.wave_biases)  # as in the experiment
    n = min(config.part_nets, config.nets)
    w = np.tile(w[:, :n], 3)
    sees = np.repeat(np.eye(3), n, axis=1)  # (3, 3 n)
    views(w)[1][:] *= sees
    return w, sees


def run(config, seed, progress):
    """Train and test the rows; the first two streams are those of the experiment's nets."""
    streams = np.random.SeedSequence(seed).spawn(4)
    spikes_init, cosine_init = (np.random.default_rng(stream) for stream in streams[:2])
    nets = config.nets

    def note(part, name):
        return lambda share, text: progress((part + share) / 5, f"{name}: {text}")

    start = initial(spikes_init, nets, config.biases)
    spikes = train_spikes(start, config, note(0, "spikes"))
    longest = grow(spikes, start[1], config, note(1, "longer periods"))  # (2 nets,)
    cosine = train_cosine(start_parts(cosine_init, config), config, note(2, "single peepholes"))
    parts = np.isfinite(cosine.solved_at).reshape(3, -1).mean(1)  # of i, f, o
    delay, delays, note_49 = config.delay, config.delays, note(3, "delays")
    long = learn_delays(streams[2].spawn(3), delay, delays, config, note_49)
    delay, delays, note_9 = config.short_delay, config.short_delays, note(4, "short delays")
    short = learn_delays(streams[3].spawn(3), delay, delays, config, note_9)
    table = {
        "msd49": {"solved": float(np.isfinite(long.solved_at).any())},
        "parts": dict(zip(("input", "forget", "output"), parts)),
    }
    for kind, those in (("peephole", slice(nets)), ("plain", slice(nets, None))):
        table[kind] = {
            "longest_f": longest[those].max(),
            "mean_f": mean(longest[those][longest[those] > 0]),  # of those solved at first
            "f_each": longest[those].tolist(),
            "msd49": np.isfinite(long.solved_at[those]).mean(),
            "msd49_single": np.isfinite(long.ready_at[those]).mean(),
            "msd9": np.isfinite(short.solved_at[those]).mean(),
            "msd9_single": np.isfinite(short.ready_at[those]).mean(),
        }
    return table


if __name__ == "__main__":
    timing_counting_spikes.main(sys.modules[__name__])
