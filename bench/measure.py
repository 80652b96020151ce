"""Ratios, measured pairwise: the ways to do a thing take turns, in fresh processes."""

import dataclasses
import statistics
import subprocess
import sys


class Unavailable(Exception):
    """Something cannot be measured here, and why."""


def fail(text):
    sys.exit(f"bench: {text}")


def numbers(command, **how):
    """What a program of ours prints, lines of NAME NUMBER, as a dictionary."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, **how)
    if done.returncode:
        fail(f"status {done.returncode}: {' '.join(map(str, command))}")
    return {name: int(n) for name, n in (line.split() for line in done.stdout.splitlines())}


def in_turns(ways, rounds, before=lambda: None):
    """Calls each of ways (name: function that returns a number) in each round, and before() before each of
    them; the order is turned round every time.  Returns a list of numbers for each name."""
    samples = {name: [] for name in ways}
    for i in range(rounds):
        for name in list(ways) if i % 2 == 0 else reversed(list(ways)):
            before()
            samples[name].append(ways[name]())
    return samples


@dataclasses.dataclass
class Row:
    """One line of the table.  ratio is the median of pairs quotients, q1 and q3 are their quartiles; a and b
    the medians of what was divided, in unit.  Where there is no ratio, note says why."""

    series: str
    what: str
    ratio: float = None
    q1: float = None
    q3: float = None
    pairs: int = 0
    a: float = None
    b: float = None
    unit: str = "ms"
    target: str = None  # its line in targets.py
    note: str = ""


def ratio(series, what, a, b, scale=1e-6, **more):
    """A row from two lists of samples of the same length: a divided by b, round by round."""
    quotients = [x / y for x, y in zip(a, b)]
    q1, _, q3 = statistics.quantiles(quotients, method="inclusive") if len(a) > 1 else quotients * 3
    return Row(series, what, statistics.median(quotients), q1, q3, len(quotients),
               statistics.median(a) * scale, statistics.median(b) * scale, **more)
