"""What is to be reached: the lines of the first table of RESULTS.md, and the limit of each."""

TARGETS = {
    "dense/relr": ("dense pointers, 64 MiB and up: turf / glibc RELR, same words", 0.45),
    "dense/floor": ("the same / floor (the bytes streamed into fresh huge pages, nothing added)", 1.35),
    "small": ("1 MiB and below: turf / glibc RELR", 1.1),
    "base/load": ("preferred base: load of 1 GiB / load of 1 MiB", 1.2),
    "base/pages": ("preferred base: private pages / those with imports", 1),
    "table": ("table bytes / region bytes", 1 / 60),
    "written": ("pages written at load / (bytes of surviving pointerful allocations / 4096)", 1.15),
    "image": ("image bytes / surviving bytes, where the program uses malloc", 1.1),
    "sqlite/init": ("load / init: SQLite, 50,000 rows", 1 / 40),
    "lua/init": ("load / init: Lua, 200,000 records", 1 / 20),
    "python/init": ("load / init: CPython, imports", 1 / 15),
    "sqlite/base": ("load / init at the preferred base: SQLite", 1 / 100),
    "lua/base": ("load / init at the preferred base: Lua", 1 / 300),
    "python/base": ("load / init at the preferred base: CPython", 1 / 25),
    "freeze": ("freeze with proof, less 1 s per 100 MiB / one init", 12),
    "freeze/memory": ("freeze: peak memory / (3 x image + 100 MB)", 1),
    "alloc": ("malloc, free, realloc after the load / the same in a plain library", 1.02),
}
