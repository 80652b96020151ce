"""The tables."""

import os
import platform
import subprocess

from build import CC, TOP
from targets import TARGETS


def first(path, word, otherwise="unknown"):
    try:
        with open(path) as f:
            return next((line.split(":", 1)[1].strip() for line in f if line.startswith(word)), otherwise)
    except OSError:
        return otherwise


def first_line(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.splitlines()[0] if done.stdout else "unknown"


def machine():
    commit = first_line(["git", "-C", str(TOP), "describe", "--always", "--dirty", "--exclude", "*"])
    try:
        with open("/sys/kernel/mm/transparent_hugepage/enabled") as f:
            huge = f.read().strip()
    except OSError:
        huge = "none"
    return {
        "commit": commit,
        "CPU": first("/proc/cpuinfo", "model name"),
        "cores": str(os.cpu_count()),
        "memory": f"{int(first('/proc/meminfo', 'MemTotal').split()[0]) >> 20} GiB",
        "kernel": platform.release(),
        "huge pages": huge,
        "libc": first_line(["ldd", "--version"]),
        "compiler": first_line(CC + ["--version"]),
    }


def print_machine(facts):
    for name, value in facts.items():
        print(f"{name:<12}{value}")
    print(f"\n{'':24}{'':40}{'a':>9}{'b':>10}      a / b  (quartiles)       target")


def number(x):
    return "" if x is None else f"{x:.3f}" if x < 10 else f"{x:.1f}"


def verdict(row):
    if row.target is None or row.ratio is None:
        return ""
    limit = TARGETS[row.target][1]
    return f"<= {limit:g} {'reached' if row.ratio <= limit else 'missed'}"


def print_row(row):
    if row.ratio is None:
        print(f"{row.series:24}{row.what}: {row.note}", flush=True)
        return
    print(f"{row.series:24}{row.what:40}{number(row.a):>9}{number(row.b):>10} {row.unit:3}"
          f"{number(row.ratio):>8}  ({number(row.q1)} - {number(row.q3)})"
          f"   {verdict(row)}  {row.note}".rstrip(), flush=True)
