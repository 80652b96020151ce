#!/usr/bin/python3
"""bench.py [OPTION...] [PATTERN...] - how fast frozen libraries load, and what freezing costs.

Every line is a ratio of things measured in turns in this run.  PATTERNs are shell patterns for the names that
--list prints, e.g. 'load/dense/128M' or 'load/*/cold'.

A machine that has been at work for hours has few huge pages left, and makes them slowly.  For figures to keep,
as root: sync; echo 3 >/proc/sys/vm/drop_caches; echo 1 >/proc/sys/vm/compact_memory"""

import argparse
import dataclasses
import fnmatch
import json
import pathlib
import sys

sys.dont_write_bytecode = True  # the sources are not the place for it

import facts
import loads
import programs
import report
from build import BASE, MI, REAL, Image, Real, size_name
from measure import Row, Unavailable

ROUNDS, QUICK_ROUNDS = 11, 3


def series():
    """Name, whether it is quick, function of name and number of rounds."""
    for every in loads.DENSITIES:
        for size in loads.SIZES:
            if every != "dense" and size not in (16 * MI, 128 * MI):
                continue
            for cold in (False, True) if size <= 1024 * MI else (False,):
                name = f"load/{every}/{size_name(size)}{'/cold' if cold else ''}"
                yield name, size <= MI, load_of(every, size, cold)
    for size in MI, 64 * MI:
        yield f"ways/{size_name(size)}", size <= MI, ways_of(size)
    for size in loads.SIZES[2:]:
        yield f"base/{size_name(size)}", False, base_of(size)
    for name, frozen, uses_malloc in facts.kinds([MI, 128 * MI]):
        quick = name in ("dense/1M", "mixed")
        yield f"static/{name}", quick, lambda s, _, f=frozen, m=uses_malloc: facts.static(s, f(), m)
        yield f"pages/{name}", quick, lambda s, _, f=frozen, h=name == "python": facts.at_base(s, f(BASE), h)
    for name in REAL:
        yield f"init/{name}", False, lambda s, n, r=name: programs.load_against_init(s, r, n)
    yield "process/python", False, programs.whole_python
    for name in REAL:
        for n in 1, 10, 100:
            yield f"memory/{name}/{n}", False, lambda s, rounds, r=name, n=n: programs.memory(s, r, rounds, n)
    yield "alloc", True, programs.allocation
    for size in MI, 128 * MI, 1024 * MI:
        yield f"freeze/{size_name(size)}", size <= MI, freeze_of_image(Image(size, 1))
    yield "runs/128M", False, runs_of(Image(128 * MI, 1))
    for name in REAL:
        yield f"freeze/{name}", False, freeze_of_real(Real(name))


def runs_of(image):
    return lambda s, n: programs.further_runs(s, image, n)


def freeze_of_image(image):
    return lambda s, n: programs.freezing(s, image.turf(), image.frozen(), [], n)


def freeze_of_real(real):
    return lambda s, n: programs.freezing(s, real.linked()[1], real.frozen(), real.freeze_options(), n)


def ways_of(size):
    return lambda name, rounds: loads.ways(name, size, rounds)


def base_of(size):
    return lambda name, rounds: loads.at_base(name, size, rounds)


def load_of(every, size, cold):
    return lambda name, rounds: loads.load(name, every, size, cold, rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small images, few rounds")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--record", metavar="DIR", type=pathlib.Path, help="write RESULTS.md and load.svg there, too")
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
    if o.record:
        report.can_record()
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
    if o.record:
        report.record(o.record, machine, rows)
    if o.json:
        json.dump({"machine": machine, "rows": [dataclasses.asdict(row) for row in rows]}, sys.stdout, indent=1)
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
