"""Figures that need no clock."""

import os
import re
import subprocess

from build import HERE, MI, PAGE, Image, Real, call, freeze, link_turf, program, summary
from loads import info, region, written
from measure import Row, Unavailable, fail


def fact(series, what, a, b, unit, scale=1, **more):
    return Row(series, what, a / b, a=a * scale, b=b * scale, unit=unit, **more)


def mixed(base=0):
    return freeze(f"urf-mixed{'-base' if base else ''}.so",
                  link_turf(f"turf-mixed{'-base' if base else ''}.so", HERE / "mixed.c", 128 * MI, base))


def kinds(sizes):
    """What there is to look at: name, function that makes it at a base, whether it uses malloc as
    programs do."""
    for size in sizes:
        image = Image(size, 1)
        yield f"dense/{image.name.split('-')[0]}", image.frozen, False
    yield "mixed", mixed, True
    for name in "sqlite", "lua", "python":
        yield name, Real(name).frozen, True


def static(series, frozen, uses_malloc):
    facts, size, said = info(frozen), region(frozen)[1], summary(frozen)
    ki = 1 / 1024
    yield fact(series, "table bytes / region bytes", facts["table"], size, "KiB", ki,
               target="table", note=f"{facts['origin']} bytes of it not read at load")
    yield fact(series, "pages written / those of pointerful blocks", written(frozen)["written"],
               said["surviving_pointer_bytes"] / PAGE, "pg", target="written",
               note=blocks(said, "surviving_pointer_allocations", "surviving_pointer_bytes"))
    if uses_malloc:
        yield fact(series, "image bytes / surviving bytes", size,
                   said["surviving_bytes"] + facts["data"] + facts["bss"], "KiB", ki, target="image",
                   note=blocks(said, "surviving_allocations", "surviving_bytes"))


def blocks(said, count, size):
    """A block has a header of a word, and lies on a multiple of two, as malloc's do."""
    layout = "" if said["layout"] == "by rehearsal" else f"; {said['layout']} layout: {said['layout_why']}"
    return f"{said[count]} blocks of {said[size] / said[count]:.0f} bytes, without header and padding{layout}"


def own_count(library):
    """The pages that the loader itself says it has to write: those with imports, and its own variables."""
    done = subprocess.run([str(program("load")), str(library)], env=dict(os.environ, URF_DEBUG="1"),
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    found = re.search(r"pages written: (\d+)", done.stderr)
    if done.returncode or not found:
        fail(f"{library}: URF_DEBUG=1 does not say how many pages were written: {done.stderr}")
    return int(found[1])


def linker_count(library):
    """Pages of the region with imports that the dynamic linker binds."""
    start, size = region(library)
    words = (line.split() for line in call(["readelf", "-rW", library]).splitlines())
    places = (int(w[0], 16) for w in words if len(w) > 2 and w[2].startswith("R_"))
    return len({place // PAGE for place in places if start <= place < start + size})


def at_base(series, frozen, hooks):
    """At bias 0 nothing but imports is written; what functions of URF_ON_THAW write is their affair."""
    seen = written(frozen)
    if seen["bias"]:
        raise Unavailable("the preferred base was taken")
    yield fact(series, "private pages / those with imports", seen["written"],
               own_count(frozen) + linker_count(frozen), "pg", target=None if hooks else "base/pages",
               note="URF_ON_THAW functions write to the others" if hooks else "")
