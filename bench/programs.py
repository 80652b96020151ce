"""Programs as they are: SQLite, Lua, CPython; what comes after the load; and the freeze."""

import os
import resource
import statistics
import subprocess
import threading
import time

from build import BASE, CC, HERE, MI, OUT, TOP, TURF, Real, call, freeze, link_turf, make
from build import memory_available, program
from loads import at_hand, faults, loaded, region, warm
from measure import Row, Unavailable, fail, in_turns, ratio


def load_against_init(series, name, rounds):
    real = Real(name)
    plain, frozen, fixed = real.linked()[0], real.frozen(), real.frozen(BASE)
    for file in plain, frozen, fixed:
        warm(file)
    samples = in_turns({"load": loaded(frozen), "base": loaded(fixed),
                        "init": loaded(plain, "-i", what="init"), "plain": loaded(plain)}, rounds,
                       at_hand(region(frozen)[1]))
    yield ratio(series, "load / init", samples["load"], samples["init"], target=f"{name}/init",
                note=faults(frozen))
    yield ratio(series, "load at the preferred base / init", samples["base"], samples["init"],
                target=f"{name}/base", note=faults(fixed))
    yield ratio(series, "load / load without init", samples["load"], samples["plain"])


def process(command):
    """Wall time of one, from its start to its end, in nanoseconds."""
    command = [str(word) for word in command]
    quiet = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]

    def run():
        start = time.perf_counter_ns()
        child = os.posix_spawn(command[0], command, os.environ, file_actions=quiet)
        status = os.waitpid(child, 0)[1]
        if status:
            fail(f"status {status}: {' '.join(command)}")
        return time.perf_counter_ns() - start

    return run


def imports():
    """The statements of tests/real/python.py that import modules."""
    with open(TOP / "tests" / "real" / "python.py") as f:
        return "".join(line for line in f if line.startswith("import "))


def whole_python(series, rounds):
    """As python3 -c ends, with finalization, and as programs end that have no use for that."""
    real, python = Real("python"), "/usr/bin/python3.11"
    if not os.path.exists(python):
        raise Unavailable("python3.11 is missing (Debian package python3.11)")
    live, embeds, quick = [python, "-I", "-S", "-c"], program("embed"), "import os; os._exit(0)"
    for end, name in ("pass", ""), (quick, ", ended by _exit"):
        samples = in_turns({
            "frozen": process([embeds, real.frozen(), end]),
            "fixed": process([embeds, real.frozen(BASE), end]),
            "imports": process(live + [imports() + end]),
            "pass": process(live + [end]),
        }, rounds)
        for way, where in ("frozen", "frozen"), ("fixed", "at its base"):
            yield ratio(series, f"{where} / imports{name}", samples[way], samples["imports"])
            yield ratio(series, f"{where} / pass{name}", samples[way], samples["pass"])


# memory of many processes

def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("Pss:"))


def held(library, options, n):
    """Sum of PSS, in bytes, of n processes that hold the library, all at once."""
    processes = []
    try:
        for _ in range(n):
            processes.append(subprocess.Popen([str(program("load")), "-w", *options, str(library)],
                                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        for p in processes:
            for _ in range(2 + len(options)):  # load, faults, init
                if not p.stdout.readline():
                    fail(f"{library}: a process that should hold it has ended")
        return sum(pss(p.pid) for p in processes)
    finally:
        for p in processes:
            p.communicate()


def memory(series, name, rounds, at_once):
    real = Real(name)
    (plain, _), frozen, fixed = real.linked(), real.frozen(), real.frozen(BASE)
    need = at_once * 5 // 4 * region(frozen)[1]
    if memory_available() < need:
        raise Unavailable(f"needs {need >> 20} MiB of memory")
    samples = in_turns({"frozen": lambda: held(frozen, [], at_once), "fixed": lambda: held(fixed, [], at_once),
                        "live": lambda: held(plain, ["-i"], at_once)}, min(rounds, max(1, 30 // at_once)))
    for way, what in ("frozen", "PSS, frozen / live"), ("fixed", "PSS, at the preferred base / live"):
        yield ratio(series, what, samples[way], samples["live"], 1 / MI, unit="MiB")


# after the load

PAIRS = 20  # in each process: where its blocks lie makes a difference, too


def allocation(series, rounds):
    source = HERE / "allocations.c"
    frozen = freeze("urf-allocations.so", link_turf("turf-allocations.so", source, 16 * MI))
    plain = make("plain-allocations.so", [source],
                 lambda out: CC + ["-O2", "-shared", "-fPIC", source, "-o", out])
    works = {}
    for _ in range(rounds):
        for line in call([program("pairs"), "-n", PAIRS, frozen, plain]).splitlines():
            a, b, work = line.split(" ", 2)
            works.setdefault(work, ([], []))
            works[work][0].append(int(a))
            works[work][1].append(int(b))
    for work, (a, b) in works.items():
        yield ratio(series, f"{work}: frozen / plain", a, b, target="alloc")


# the freeze

def family(pid):
    """The process and all that descend from it."""
    found = [pid]
    for p in found:
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/children") as f:
                    found += map(int, f.read().split())
        except OSError:
            pass  # it has ended
    return found


class Peak(threading.Thread):
    """The most memory, sum of PSS in bytes, that a process and its children have, looked at all the time."""

    def __init__(self, child):
        super().__init__()
        self.child, self.bytes = child, 0

    def run(self):
        while self.child.poll() is None:
            total = 0
            for pid in family(self.child.pid):
                try:
                    total += pss(pid)
                except (OSError, StopIteration):
                    pass
            self.bytes = max(self.bytes, total)
            time.sleep(0.005)


def run_freeze(library, options):
    out = OUT / "freeze.so"
    return subprocess.Popen([str(TURF), "freeze", "-q", str(library), "-o", str(out), *map(str, options)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def time_freeze(library, options):
    def run():
        start = time.perf_counter_ns()
        if run_freeze(library, options).wait():
            fail(f"{library}: turf freeze failed")
        return time.perf_counter_ns() - start

    return run


def further_runs(series, image, rounds, more=4):
    """What turf does with a run, init apart: it reads the region and compares it."""
    library = image.turf()
    samples = in_turns({"three": time_freeze(library, ["--runs", 3]), "init": loaded(library, "-i", what="init"),
                        "more": time_freeze(library, ["--runs", 3 + more])}, rounds)
    each = [(a - b) / more for a, b in zip(samples["more"], samples["three"])]
    beyond = statistics.median(each) - statistics.median(samples["init"])
    yield ratio(series, "freeze, each further run / init", each, samples["init"],
                note=f"{image.size / beyond:.2f} GB/s to read and compare, starting a process included"
                if beyond > 0 else "less than init: runs are side by side")


SECONDS = 25  # enough rounds for a series that takes long
SHORT = 5e6  # nanoseconds; the freeze of an init that takes less is the start of its processes


def freezing(series, library, frozen, options, rounds):
    size = region(frozen)[1]
    free = 1e9 * size / (100 * MI)  # of each freeze, nanoseconds
    freeze_once, init = time_freeze(library, options), loaded(library, "-i", what="init")
    samples = {"freeze": [], "init": []}
    started = time.monotonic()
    while len(samples["freeze"]) < rounds and (not samples["freeze"] or time.monotonic() < started + SECONDS):
        samples["freeze"].append(freeze_once())
        samples["init"].append(init())
    yield ratio(series, "freeze / init", samples["freeze"], samples["init"])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = run_freeze(library, options)
    peak = Peak(child)
    peak.start()
    peak.join()
    if child.returncode:
        fail(f"{library}: turf freeze failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    yield ratio(series, "(freeze - 1 s per 100 MiB) / init", [t - free for t in samples["freeze"]],
                samples["init"], target="freeze" if statistics.median(samples["init"]) > SHORT else None,
                note=f"{after.ru_utime - before.ru_utime:.2f} s of user and "
                f"{after.ru_stime - before.ru_stime:.2f} s of system time")
    yield Row(series, "peak memory / (3 x image + 100 MB)", peak.bytes / (3 * size + 1e8), a=peak.bytes / MI,
              b=(3 * size + 1e8) / MI, unit="MiB", target="freeze/memory")
