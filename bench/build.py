"""What is measured is built here, once for each state of turf, below build/bench."""

import json
import os
import pathlib
import signal
import subprocess
import time

from measure import Unavailable, fail, numbers

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent
OUT = pathlib.Path(os.environ.get("OUT", TOP / "build" / "bench"))
TURF = pathlib.Path(os.environ.get("TURF", TOP / "build" / "bin" / "turf"))
LIB = pathlib.Path(os.environ.get("LIBDIR", TOP / "build" / "lib"))
CC = os.environ.get("CC", "gcc").split()
WARNINGS = "-std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes".split()
OF_TURF = [TURF, LIB / "liburf.a", LIB / "urf.ld"]

MI = 1 << 20
WORD = 8
PAGE = 4096
LINKED_AT_MOST = MI  # what the dynamic linker relocates is linked by cc up to here, by plain.c above
KEPT_FREE = 1 << 30
BASE = 0x2A0000000000  # preferred: below everything that Linux places by itself

REAL = {"sqlite": "SQLite, 50,000 rows", "lua": "Lua, 200,000 records", "python": "CPython, imports"}


def call(command, **how):
    command = [str(word) for word in command]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
    if done.returncode == 77:
        raise Unavailable(done.stderr.strip())
    if done.returncode:
        fail(f"status {done.returncode}: {' '.join(command)}\n{done.stderr}")
    return done.stdout


def call_guarded(command):
    """The same for what may take more memory than there is: it is ended before the system has none left."""
    with subprocess.Popen([str(word) for word in command], start_new_session=True, stderr=subprocess.PIPE,
                          text=True) as child:
        before = memory_available()
        while child.poll() is None:
            if memory_available() < KEPT_FREE:
                os.killpg(child.pid, signal.SIGKILL)
                raise Unavailable(f"needs more than {before - KEPT_FREE >> 20} MiB of memory")
            time.sleep(0.02)
        if child.returncode:
            fail(f"status {child.returncode}: {' '.join(map(str, command))}\n{child.stderr.read()}")


def make(target, sources, command, run=call, **how):
    """Runs command when target is missing or older than one of sources."""
    target = OUT / target
    newest = max(source.stat().st_mtime_ns for source in sources)
    if not target.exists() or target.stat().st_mtime_ns <= newest:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            run(command(target), **how)
        except BaseException:
            target.unlink(missing_ok=True)  # what is half done shall not look done
            raise
        os.sync()  # what is being written to disk would be measured with it
    return target


def program(name):
    source = HERE / f"{name}.c"
    return make(name, [source, HERE / "pattern.h"],
                lambda out: CC + ["-O2"] + WARNINGS + [source, "-o", out, "-ldl"])


def link_turf(target, source, heap, base=0, flags=()):
    """A turf library of one C file."""
    flags = list(flags) + ([f"-Wl,-Ttext-segment={base:#x}"] if base else [])
    return make(target, [source, HERE / "pattern.h"] + OF_TURF[1:],
                lambda out: CC + ["-O2", "-shared", "-fPIC"] + WARNINGS + [f"-I{LIB}/../include", source,
                  "-o", out, f"-L{LIB}", "-T", "urf.ld", f"-Wl,--defsym=__urf_heap_size={heap}"] + flags)


def freeze(target, library, *options):
    """What turf says of it, as JSON, is beside it: see summary."""
    def command(out):
        return ["sh", "-c", 'out=$1 && shift && "$@" -o "$out" >"$out.json"', "freeze", out,
                TURF, "freeze", "-q", "--json", library, *options]

    return make(target, [library] + OF_TURF, command, run=call_guarded)


def summary(frozen):
    with open(f"{frozen}.json") as f:
        return json.load(f)


class Image:
    """A synthetic image of size bytes, see pattern.h: every word a pointer (1), one in 4, 64 or 512, or those
    of one page in 16 (0)."""

    def __init__(self, size, every):
        self.size, self.every = size, every
        self.name = f"{size_name(size)}-{every}"
        self.pointers = size // WORD // (every or 16)

    def turf(self, base=0):
        flags = [f"-DWORDS={self.size // WORD}", f"-DEVERY={self.every}"]
        name = f"turf-{self.name}{'-base' if base else ''}.so"
        return link_turf(name, HERE / "state.c", self.size + MI, base, flags)

    def frozen(self, base=0):
        check_room(4 * self.size, 3 * self.size)
        return self.checked(freeze(f"urf-{self.name}{'-base' if base else ''}.so", self.turf(base)))

    def plain(self, kind):
        """The same words as initialised data, for the dynamic linker to relocate."""
        writer, target = program("plain"), f"{kind}-{self.name}.so"
        if self.size <= LINKED_AT_MOST:
            words = make(f"words-{self.name}.s", [writer],
                         lambda out: [writer, out, self.size // WORD, self.every, "s"])
            flags = ["-Wl,-z,pack-relative-relocs"] if kind == "relr" else []
            library = make(target, [words], lambda out: CC + ["-shared", words, "-o", out] + flags)
        else:
            check_room(0, 2 * self.size + (24 * self.pointers if kind == "rela" else 0))
            library = make(target, [writer],
                           lambda out: [writer, out, self.size // WORD, self.every, kind])
        return self.checked(library)

    def checked(self, library):
        """All words are what they have to be, when the library is loaded."""
        stamp = library.with_suffix(".checked")
        if not stamp.exists() or stamp.stat().st_mtime_ns <= library.stat().st_mtime_ns:
            if numbers([program("load"), "-c", library])["checked"] != self.size // WORD:
                fail(f"{library}: has another number of words")
            stamp.touch()
        return library


class Real:
    """A program of tests/real."""

    def __init__(self, name):
        self.name = name
        self.what = REAL[name]
        self.policy = TOP / "tests" / "real" / f"{name}.policy"

    def linked(self, base=0):
        """The library without turf, and with it."""
        directory = OUT / f"{self.name}{'-base' if base else ''}"
        sources = list((TOP / "tests" / "real").glob(f"{self.name}.[!p]*")) + OF_TURF[1:] + [
            TOP / "tests" / "real" / "link.inc"]

        def command(_):
            directory.mkdir(parents=True, exist_ok=True)
            return [HERE / "real.sh", self.name] + ([f"-Wl,-Ttext-segment={base:#x}"] if base else [])

        environment = dict(os.environ, WORK=str(directory), LIBDIR=str(LIB), CC=" ".join(CC))
        if base:
            environment["python_with"] = "-DFIXED=1"
        make(directory / "turf.so", sources, command, env=environment)
        return directory / "plain.so", directory / "turf.so"

    def freeze_options(self, base=0):
        """CPython has tables keyed by addresses, which need not be made anew at one base."""
        fixed = ["--fixed"] if base and self.name == "python" else []
        return fixed + (["--policy", self.policy] if self.policy.exists() else [])

    def frozen(self, base=0):
        library = self.linked(base)[1]
        return freeze(library.with_name("urf.so"), library, *self.freeze_options(base))


def size_name(size):
    for unit, letter in ((1 << 30, "G"), (MI, "M"), (1 << 10, "K")):
        if size >= unit:
            return f"{size // unit}{letter}"
    return str(size)


def memory_available():
    with open("/proc/meminfo") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("MemAvailable"))


def check_room(memory, disk):
    if memory_available() < memory:
        raise Unavailable(f"needs {memory >> 20} MiB of memory")
    OUT.mkdir(parents=True, exist_ok=True)
    state = os.statvfs(OUT)
    if state.f_bavail * state.f_frsize < disk:
        raise Unavailable(f"needs {disk >> 20} MiB of disk")
