"""What is to be reached: lines of the first table of RESULTS.md."""

TARGETS = {
    "dense/relr": ("dense pointers, 64 MiB and up: turf / glibc RELR, same words", 0.45),
    "dense/floor": ("the same / floor (the bytes streamed into fresh huge pages)", 1.35),
    "small": ("1 MiB and below: turf / glibc RELR", 1.1),
}
