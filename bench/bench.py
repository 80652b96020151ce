#!/usr/bin/python3
"""bench.py [--quick] [--json] [--list] [PATTERN...] - how fast frozen libraries load, and what freezing costs.

Every line is a ratio of things measured in turns in this run.  PATTERNs are shell patterns for the names that
--list prints, e.g. 'load/dense/128M' or 'load/*/cold'."""

import argparse
import dataclasses
import fnmatch
import json
import sys

sys.dont_write_bytecode = True  # the sources are not the place for it

import loads
import report
from build import size_name
from measure import Row, Unavailable

ROUNDS, QUICK_ROUNDS = 11, 3


def series():
    """Name, whether it is quick, function of name and number of rounds."""
    for every in loads.DENSITIES:
        for size in loads.SIZES:
            if every != "dense" and size not in (16 << 20, 128 << 20):
                continue
            for cold in (False, True):
                name = f"load/{every}/{size_name(size)}{'/cold' if cold else ''}"
                yield name, size <= 1 << 20, load_of(every, size, cold)


def load_of(every, size, cold):
    return lambda name, rounds: loads.load(name, every, size, cold, rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small images, few rounds")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--list", action="store_true", help="print the names of what can be measured")
    parser.add_argument("--rounds", type=int, help=f"how often to measure (default {ROUNDS})")
    parser.add_argument("pattern", nargs="*")
    o = parser.parse_args()
    wanted = [s for s in series() if (s[1] or not o.quick or o.pattern) and
              (not o.pattern or any(fnmatch.fnmatch(s[0], p) for p in o.pattern))]
    if not wanted:
        parser.error("nothing has such a name; see --list")
    if o.list:
        print("\n".join(name for name, _, _ in wanted))
        return 0
    machine = report.machine()
    rows = []
    if not o.json:
        report.print_machine(machine)
    for name, _, measure in wanted:
        try:
            for row in measure(name, o.rounds or (QUICK_ROUNDS if o.quick else ROUNDS)):
                rows.append(row)
                if not o.json:
                    report.print_row(row)
        except Unavailable as why:
            rows.append(Row(name, "not measured", note=str(why)))
            if not o.json:
                report.print_row(rows[-1])
    if o.json:
        json.dump({"machine": machine, "rows": [dataclasses.asdict(row) for row in rows]}, sys.stdout, indent=1)
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
