"""What is printed, and bench/RESULTS.md with its plot."""

import os
import platform
import shutil
import subprocess

from build import CC, TOP
from measure import fail
from targets import TARGETS

PLOTTED = {  # of the series load/dense/SIZE: how the row ends, and what the plot calls it
    "glibc RELA": "glibc, RELA",
    "glibc RELR": "glibc, RELR",
    "floor, one write per page": "one write per page",
    "floor, copied": "bytes copied into huge pages",
    "init": "running init",
}


def first(path, word, otherwise="unknown"):
    try:
        with open(path) as f:
            return next((line.split(":", 1)[1].strip() for line in f if line.startswith(word)), otherwise)
    except OSError:
        return otherwise


def first_line(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return "unknown"
    return done.stdout.splitlines()[0] if done.stdout else "unknown"


def huge_free():
    """Memory in free blocks of 2 MiB and more, in MiB (proc(5), buddyinfo: a column for each power of two
    pages): where there is none a kernel makes huge pages by moving others, or not at all."""
    try:
        with open("/proc/buddyinfo") as f:
            lines = [line.split()[4:] for line in f]
    except OSError:
        return "unknown"
    page = os.sysconf("SC_PAGE_SIZE")
    return f"{sum(int(n) * (page << order) for line in lines for order, n in enumerate(line) if page << order >= 2 << 20) >> 20} MiB free"


def machine():
    try:
        with open("/sys/kernel/mm/transparent_hugepage/enabled") as f:
            huge = f.read().strip()
    except OSError:
        huge = "none"
    memory = int(first("/proc/meminfo", "MemTotal", "0").split()[0])
    return {
        "commit": first_line(["git", "-C", str(TOP), "describe", "--always", "--dirty", "--exclude", "*"]),
        "CPU": first("/proc/cpuinfo", "model name"),
        "cores": str(os.cpu_count()),
        "memory": f"{round(memory / (1 << 20))} GiB",
        "kernel": platform.release(),
        "huge pages": f"{huge}, {huge_free()}",
        "libc": first_line(["ldd", "--version"]),
        "compiler": first_line(CC + ["--version"]),
    }


def number(x):
    """Three digits at least."""
    return "" if x is None else f"{x:.0f}" if abs(x) >= 100 else f"{x:.3g}"


def limit_of(target):
    limit = TARGETS[target][1]
    return f"1/{1 / limit:.0f}" if limit < 0.1 else f"{limit:g}"


def reached(row):
    return row.ratio <= TARGETS[row.target][1]


def verdict(row):
    if row.target is None or row.ratio is None:
        return ""
    return f"<= {limit_of(row.target)} {'reached' if reached(row) else 'missed'}"


def quartiles(row):
    return f"({number(row.q1)} - {number(row.q3)})" if row.pairs else ""


# on the terminal

def print_machine(facts):
    for name, value in facts.items():
        print(f"{name:<12}{value}")
    print(f"\n{'':25}{'':44}{'a':>11}{'b':>10}         a / b  (quartiles)            target")


def print_row(row):
    if row.ratio is None:
        print(f"{row.series:25}{row.what}: {row.note}", flush=True)
        return
    print(f"{row.series:25}{row.what:46}{number(row.a):>9}{number(row.b):>10} {row.unit:4}"
          f"{number(row.ratio):>9}  {quartiles(row):22}{verdict(row):18}{row.note}".rstrip(), flush=True)


# RESULTS.md

def can_record():
    if not shutil.which("gnuplot"):
        fail("gnuplot is missing (Debian package gnuplot-nox)")


def table(head, lines):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for line in lines:
        yield "| " + " | ".join(str(word).replace("|", "\\|") for word in line) + " |"


def target_lines(rows):
    """Of each target the row that is furthest from it."""
    for target, (what, limit) in TARGETS.items():
        measured = [row for row in rows if row.target == target and row.ratio is not None]
        if not measured:
            yield what, limit_of(target), "", "not measured", ""
            continue
        worst = max(measured, key=lambda row: row.ratio)
        missed = [row for row in measured if not reached(row)]
        where = [name_of(worst) + (f": {worst.note}" if worst.note else "")]
        where += [f"{name_of(row)}: {number(row.ratio)}" for row in missed if row is not worst]
        yield (what, limit_of(target), f"{number(worst.ratio)} {quartiles(worst)}".strip(),
               "yes" if not missed else "no" if len(missed) == len(measured)
               else f"no, {len(missed)} of {len(measured)}", "; ".join(where))


def name_of(row):
    """The series says it all, but for one that has several lines of one target."""
    return f"{row.series}, {row.what}" if row.target == "alloc" else row.series


def row_lines(rows):
    for row in rows:
        if row.ratio is None:
            yield row.series, row.what, "", "", "", "", row.note
        else:
            yield (row.series, row.what, f"{number(row.a)} {row.unit}", f"{number(row.b)} {row.unit}",
                   number(row.ratio), quartiles(row), row.pairs or "")


def record(directory, facts, rows):
    lines = ["# How fast it is", "",
             "Written by `make bench BENCH='--record bench'`. Every line is measured in one run: what is compared takes turns,",
             "in fresh processes; a ratio is the median of the pairs, with its quartiles. The files are in the page",
             "cache, but for lines that say cold. Loads are dlopen, from call to return; plain libraries with the same",
             "words, up to 1 MiB, are linked by the compiler, larger ones are written by plain.c. Before each load a process",
             "has used as much memory and given it back: the host of a virtual machine takes memory that is free for a while.", ""]
    lines += table(["machine", ""], facts.items())
    lines += ["", "## To reach", ""]
    lines += table(["what", "at most", "measured", "reached", "furthest from it, and what else misses it"], target_lines(rows))
    lines += ["", "## Which way a page takes", "",
              "The rule is applied by turf freeze, over the pages that the loader has to write (capture/stretches.c):",
              "windows of 64 pages, at least half of them written, side by side or with one other between them, that make up",
              "256 pages or more are copied to huge pages; 32 written pages or more without a gap are populated in one",
              "call; others are written to. To copy all",
              "pages of a large stretch costs less than to write to one in four in place, of a stretch of 1 MiB than to",
              "one in two. But what is copied is private memory, so that half of the pages have to be written. The figures:", ""]
    lines += table(["series", "a / b", "a", "b", "ratio", "quartiles", "pairs"],
                   row_lines([row for row in rows if row.series.startswith("ways/")]))
    lines += ["", "## Load time against size, every word a pointer", "", "![load time against size](load.svg)",
              "", "## All of it", ""]
    lines += table(["series", "a / b", "a", "b", "ratio", "quartiles", "pairs"], row_lines(rows))
    (directory / "RESULTS.md").write_text("\n".join(lines) + "\n")
    plot(rows, directory / "load.svg")


# the plot

def points(rows):
    """Name: list of MiB and milliseconds."""
    lines = {"turf": []}
    for row in rows:
        words = row.series.split("/")
        if words[0] == "load" and words[1:2] == ["dense"] and len(words) == 3 and row.ratio is not None:
            size = int(words[2][:-1]) * {"K": 1 / 1024, "M": 1, "G": 1024}[words[2][-1]]
            name = PLOTTED[row.what.removeprefix("turf / ")]
            lines.setdefault(name, []).append((size, row.b))
            if name == PLOTTED["glibc RELR"]:
                lines["turf"].append((size, row.a))
        if words[0] == "base" and row.ratio is not None:
            size = int(words[1][:-1]) * {"M": 1, "G": 1024}[words[1][-1]]
            fixed = lines.setdefault("turf, at its preferred base", [(1, row.b)])
            fixed.append((size, row.a))
    return {name: at for name, at in lines.items() if at}


def plot(rows, path):
    lines = points(rows)
    script = ["set terminal svg size 800,500 font 'sans-serif,13' background 'white'", f"set output '{path}'",
              "set logscale xy", "set grid", "set key left top", "set xlabel 'size of the image, MiB'",
              "set ylabel 'milliseconds'", "set format '%g'"]
    script += [f"$data{i} << END\n" + "\n".join(f"{x} {y}" for x, y in at) + "\nEND"
               for i, at in enumerate(lines.values())]
    script.append("plot " + ", ".join(f"$data{i} with linespoints linewidth {3 if name == 'turf' else 1.5} "
                                      f"pointtype 7 pointsize 0.5 title '{name}'"
                                      for i, name in enumerate(lines)))
    if subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True).returncode:
        fail("gnuplot failed")
