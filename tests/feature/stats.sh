#!/bin/sh
# urf_stats, from C and C++: the pages are those that the kernel has made private copies of.
# timeout: 240
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"

# what a load does to a library that init has left with pointers here and there
cat >stats.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urf.h>
#ifdef __cplusplus
extern "C" {
#endif
int urf_init(void);
struct urf_stats *stats(void);
#ifdef __cplusplus
}
#endif
static char *some[300], *packed_in[5000];
static struct { char c; char *p; } __attribute__((packed)) odd[2000];
static char far[1 << 20];
static int (*imported[2000])(const char *);
static pthread_key_t key;
int urf_init(void)
{
  for (int i = 0; i < 300; i++)
    if (!(some[i] = (char *)malloc(3000)))
      return 1;
  for (int i = 0; i < 5000; i += 900)
    packed_in[i] = far + i;
  for (int i = 0; i < 2000; i += 100) /* one of them lies on two pages */
    odd[i].p = far + i;
  *(char **)(void *)(far + 800000 + 7) = far;
  for (int i = 0; i < 2000; i += 1500)
    imported[i] = puts;
  return pthread_key_create(&key, 0) || pthread_setspecific(key, far);
}
struct urf_stats *stats(void)
{
  static struct urf_stats s;
  s = urf_stats();
  return &s;
}
END
cp stats.c stats.cc
cat >ask.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <urf.h>
/* proc_pid_pagemap(5): present, and not of a file */
static int is_private(uintptr_t page)
{
  uint64_t entry = 0;
  int fd = open("/proc/self/pagemap", O_RDONLY);
  if (fd < 0 || pread(fd, &entry, 8, (off_t)(page / 4096 * 8)) != 8)
    exit(77);
  close(fd);
#ifdef __s390x__ /* an emulator's kernel has the other order */
  entry = __builtin_bswap64(entry);
#endif
  return entry >> 63 && !(entry >> 61 & 1);
}
/* An emulator of 32 bits has its program's memory elsewhere, by some pages: how many, a pattern tells. */
static uintptr_t shift(void)
{
#ifdef __arm__
  enum { PAGES = 24, PATTERN = 0x350905 };
  char *p = mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; p != MAP_FAILED && i < PAGES; i++)
    if (PATTERN >> i & 1)
      p[i * 4096] = 1;
  for (uintptr_t by = 0; by < 256 * 4096; by += 4096) {
    int i = 0;
    while (i < PAGES && is_private((uintptr_t)p + by + (uintptr_t)i * 4096) == (PATTERN >> i & 1))
      i++;
    if (i == PAGES)
      return by;
  }
  puts("no page table has the program's pages"), exit(77);
#endif
  return 0;
}
/* LIBRARY, [start, end) of the region at link time; prints what the library and what the kernel says */
int main(int argc, char **argv)
{
  void *h = argc == 4 ? dlopen(argv[1], RTLD_NOW) : 0;
  struct link_map *map;
  if (!h || dlinfo(h, RTLD_DI_LINKMAP, &map))
    return puts(dlerror()), 1;
  uintptr_t start = map->l_addr + strtoul(argv[2], 0, 0), end = map->l_addr + strtoul(argv[3], 0, 0);
  const uintptr_t by = shift();
  unsigned n = 0;
  for (uintptr_t page = start; page < end; page += 4096)
    n += is_private(page + by);
  struct urf_stats *(*stats)(void) = (struct urf_stats * (*)(void)) dlsym(h, "stats");
  const struct urf_stats *s = stats();
  printf("%lu %lu %lu %d %u\n", (unsigned long)s->words, (unsigned long)s->imports,
         (unsigned long)s->pages, s->nanoseconds > 0 && s->nanoseconds < 10000000000u, n);
  return 0;
}
END
$CC_CMD $WARN -I"$TESTS/../loader" ask.c -o ask -ldl
section() { # NAME FIELD
  readelf -SW b.so | sed 's/^ *\[ *[0-9]*\]//' | awk -v name="$1" '$1 == name { print "0x" $3 }'
}
# count: what both say of one load; a busy kernel now and then has more pages for itself, never fewer
count() {
  for _ in 1 2 3 4 5 6; do
    run env URF_DEBUG=1 ./ask ./c.so $start $end >out.txt 2>debug
    cat out.txt debug
    read -r words imports pages time private <out.txt
    [ $private -gt $pages ] || break
  done
  [ $pages = $private ] || fail "the kernel says that $private pages were written, not $pages"
}
sources=stats.c
[ -z "$CXX_CMD" ] || sources='stats.c stats.cc'
for source in $sources; do
  build_lib b.so $source -- -I"$TESTS/../loader" -Wl,-z,now -pthread
  run ./ask ./b.so 0 0 >out.txt
  [ "$(cat out.txt)" = "0 0 0 0 0" ] || fail "not frozen: $(cat out.txt)"
  freeze b.so c.so -q
  start=$(section .data) end=$(section .urf.heap)
  end=$(printf '0x%x' $((end + 300 * 3100)))
  for _ in 1 2 3; do
    count
    case "$words $imports $time" in
    3[23]?" 2 1") ;;
    *) fail "counts: $(cat out.txt)" ;;
    esac
    [ $pages -gt 10 ] || fail "too few pages: $(cat out.txt)"
    grep -q "relocated: $words; imports bound: $imports; pages written: $pages; nanoseconds: [1-9]" \
      debug || fail "URF_DEBUG says otherwise"
  done
done

[ $LD != mold ] || exit 0 # it gives libraries no base

# at the preferred base nothing is relocated
at_base=$BASE_FLAG$BASE
build_lib b.so stats.c -- -I"$TESTS/../loader" -Wl,-z,now -pthread $at_base
start=$(section .data) end=$(section .urf.heap)
end=$(printf '0x%x' $((end + 300 * 3100)))
freeze b.so c.so -q
count
case "$words $imports $time" in "0 2 1") ;; *) fail "at the preferred base: $(cat out.txt)" ;; esac
[ $pages -lt 6 ] || fail "so much was written at the preferred base: $(cat out.txt)"
