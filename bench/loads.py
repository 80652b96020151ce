"""Synthetic images: the load of the frozen library, against the dynamic linker with the same words, and
against the least that writing them costs."""

import json
import subprocess

from build import BASE, MI, PAGE, TURF, Image, call, program
from measure import in_turns, numbers, ratio

SIZES = [64 << 10, MI, 16 * MI, 128 * MI, 1024 * MI, 4096 * MI]
DENSITIES = {"dense": 1, "every4": 4, "every64": 64, "every512": 512, "clustered": 0}
RELA_AT_MOST = 512 * MI  # bytes of relocations: glibc is slower with them at all sizes


def info(library):
    return json.loads(call([TURF, "info", "--json", library]))


def region(library):
    """Link-time address and size of what the frozen library brings initialised."""
    facts = info(library)
    return int(facts["data_address"], 16), facts["data"] + facts["bss"] + facts["heap"]


def region_in_file(library):
    """Offset and size of its bytes in the file: those of the last segment."""
    start, size = region(library)
    for line in call(["readelf", "-lW", library]).splitlines():
        words = line.split()
        if words and words[0] == "LOAD":
            offset, address, length = int(words[1], 16), int(words[2], 16), int(words[4], 16)
            if address <= start < address + length:
                return offset + start - address, min(size, address + length - start)
    raise AssertionError(f"{library} has no segment with its region")


def warm(file):
    subprocess.run(["cat", str(file)], stdout=subprocess.DEVNULL, check=True)


def at_hand(size):
    """Uses as much memory as a load may need and gives it back.  The host of a virtual machine takes memory that is
    free for some seconds, and not only the first that needs it again should have to wait or find it there."""
    size = size * 9 // 8
    return (lambda: call([program("memory"), size])) if size >= MI else lambda: None


def still_warm(files):
    """What to say when the kernel has dropped some of a file, which others have had to wait for."""
    held = [int(call(["fincore", "--bytes", "--noheadings", "--output", "res", file])) for file in files]
    lost = max(1 - res / file.stat().st_size for res, file in zip(held, files))
    return f"; {lost:.0%} of a file was not in memory" if lost > 0.01 else ""


def loaded(library, *options, what="load"):
    return lambda: numbers([program("load"), *options, library])[what]


def written(library, *options):
    """Pages of the region that are the process's own when the library is loaded."""
    start, size = region(library)
    return numbers([program("load"), "-p", f"{start:#x}-{start + size:#x}", library])


def load(series, every, size, cold, rounds):
    """The rows of one image."""
    image = Image(size, DENSITIES[every])
    frozen, relr = image.frozen(), image.plain("relr")
    files, drop = [frozen, relr], ["-d"] if cold else []
    ways = {"turf": loaded(frozen, *drop), "glibc RELR": loaded(relr, *drop)}
    if image.pointers * 24 <= RELA_AT_MOST:
        rela = image.plain("rela")
        files.append(rela)
        ways["glibc RELA"] = loaded(rela, *drop)
    if not cold:
        offset, length = region_in_file(frozen)
        for way, name in ("copy", "floor, copied"), ("write", "floor, one write per page"):
            ways[name] = loaded_floor(way, frozen, offset, length)
        ways["init"] = loaded(image.turf(), "-i", what="init")
    for file in files:
        warm(file)
    samples = in_turns(ways, rounds, at_hand(size))
    why = faults(frozen) + ("" if cold else still_warm(files))
    for name in ways:
        if name == "turf":
            continue
        target = None
        if every == "dense" and size >= 64 * MI and not cold:
            target = {"glibc RELR": "dense/relr", "floor, copied": "dense/floor"}.get(name)
        elif size <= MI and name == "glibc RELR" and not cold:
            target = "small"
        yield ratio(series, f"turf / {name}", samples["turf"], samples[name], target=target,
                    note=why if target or "not in memory" in why else "")


def faults(library):
    """What makes the time of a load."""
    return f"{numbers([program('load'), library])['faults']} page faults"


def loaded_floor(way, file, offset, size, step=1):
    return lambda: numbers([program("floor"), way, file, offset, size, step])["load"]


def ways(series, size, rounds):
    """What each way to write a page of a private mapping costs, and from which share of pages on copying
    all of them costs less."""
    frozen = Image(size, 1).frozen()
    offset, length = region_in_file(frozen)
    warm(frozen)
    samples = in_turns({way: loaded_floor(way, frozen, offset, length)
                        for way in ("copy", "write", "populate", "read")}, rounds, at_hand(size))
    page = 1e-3 * PAGE / length
    for way, name in ("write", "written in place"), ("populate", "populated, then written"), ("read", "read"):
        yield ratio(series, f"us per page: {name} / all copied", samples[way], samples["copy"], page, unit="us")
    for step in 2, 4, 8, 16, 32:
        samples = in_turns({"write": loaded_floor("write", frozen, offset, length, step),
                            "copy": loaded_floor("copy", frozen, offset, length)}, rounds, at_hand(size))
        yield ratio(series, f"one page in {step} written / all copied", samples["write"], samples["copy"])


def at_base(series, size, rounds):
    """At its preferred base a library loads in the same time, whatever its size."""
    small, large = Image(MI, 1).frozen(BASE), Image(size, 1).frozen(BASE)
    for file in small, large:
        warm(file)
    samples = in_turns({"small": loaded(small), "large": loaded(large)}, rounds)
    yield ratio(series, "load / load of 1 MiB", samples["large"], samples["small"],
                target="base/load" if size == 1024 * MI else None)
