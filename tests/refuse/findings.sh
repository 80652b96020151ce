#!/bin/sh
# What cannot be the same in every process is found, named and refused; a policy accepts it.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

build_driver
# finding NAME: a library whose init does something that is refused; the rest comes from stdin
finding() {
  { printf '#include "feature.h"\n#include <time.h>\n#include <fcntl.h>\n#include <sys/mman.h>\n#include <unistd.h>\n'
    cat
  } >"$1.c"
  build_lib "$1.so" "$1.c" -- -g
}

finding stream <<'END'
static FILE *opened;
int urf_init(void) { opened = fopen("/dev/null", "w"); return !opened; }
void answer(FILE *out) { fprintf(out, "%d\n", fputs("x", opened)); }
END
expect_refusal 1 opened "$TURF" freeze stream.so -o "$OUT"

finding shared <<'END'
static char *shared;
int urf_init(void)
{
  shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return shared == MAP_FAILED;
}
void answer(FILE *out) { fprintf(out, "%d\n", *shared); }
END
expect_refusal 1 shared "$TURF" freeze shared.so -o "$OUT"

finding hash <<'END'
static struct cell { unsigned long key; struct cell *value; } table[64];
static struct cell keys[20];
static unsigned hash(const void *p) { return (uint32_t)((uintptr_t)p >> 4) * 2654435761u >> 26; }
int urf_init(void)
{
  for (int i = 0; i < 20; i++)
    table[hash(&keys[i])].key += 1;
  return 0;
}
void answer(FILE *out) { fprintf(out, "%lu\n", table[hash(keys)].key); }
END
expect_refusal 1 table "$TURF" freeze hash.so -o "$OUT"

finding fixed <<'END'
static char *buffer;
int urf_init(void)
{
  void *want = (void *)0x123456789000;
  buffer = mmap(want, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  return buffer != want;
}
void answer(FILE *out) { fprintf(out, "%d\n", *buffer); }
END
expect_refusal 1 buffer "$TURF" freeze fixed.so -o "$OUT"

finding thread <<'END'
#include <pthread.h>
static void *sleeper(void *p) { for (;;) pause(); return p; }
int urf_init(void) { pthread_t id; return pthread_create(&id, 0, sleeper, 0); }
void answer(FILE *out) { fprintf(out, "\n"); }
END
expect_refusal 1 thread "$TURF" freeze thread.so -o "$OUT"

# blocks of libc's allocator: one that is there still, and what was one until it was freed, of which
# nothing says whether it is
for what in 'get(100000000)' 'get(100)' 'gone(100)'; do
  finding foreign <<END
#include <dlfcn.h>
static void *freed;
static inline void *get(size_t size) { return ((void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc"))(size); }
static inline void *gone(size_t size)
{
  void *p = get(size), *neighbour = get(size); /* keeps the pages of both from being unmapped */
  ((void (*)(void *))dlsym(RTLD_DEFAULT, "free"))(p);
  return neighbour ? p : 0;
}
int urf_init(void) { freed = $what; return 0; }
void answer(FILE *out) { fprintf(out, "%d\n", freed != 0); }
END
  expect_refusal 1 freed "$TURF" freeze foreign.so -o "$OUT"
done

# half a pointer that something else has been written over
finding half <<'END'
static union { void *pointer; int low; } half;
int urf_init(void) { half.pointer = &half; half.low = 7; return 0; }
void answer(FILE *out) { fprintf(out, "%d\n", half.low); }
END
expect_refusal 1 half "$TURF" freeze half.so -o "$OUT"

# nothing in the image says where: a field that is packed, or no pointer at all
sed 's/static char \*buffer;/static struct { char tag; char *p; } __attribute__((packed)) box;/
  s/buffer/box.p/g' fixed.c >packed.c
build_lib packed.so packed.c
expect_refusal 1 "fixed address" "$TURF" freeze packed.so -o "$OUT"

finding relro <<'END'
static volatile int mode __attribute__((section(".data.rel.ro.mode"), aligned(4096))) = 0;
int urf_init(void)
{
  void *page = (void *)((uintptr_t)&mode & ~4095ul);
  if (mprotect(page, 4096, PROT_READ | PROT_WRITE))
    return 1;
  mode = 7;
  return mprotect(page, 4096, PROT_READ);
}
void answer(FILE *out) { fprintf(out, "%d\n", mode); }
END
expect_refusal 1 mode "$TURF" freeze relro.so -o "$OUT"

# the same by a constructor, and in code
finding early <<'END'
static volatile int mode __attribute__((section(".data.rel.ro.mode"), aligned(4096))) = 0;
__attribute__((constructor)) static void early(void)
{
  void *page = (void *)((uintptr_t)&mode & ~4095ul);
  mprotect(page, 4096, PROT_READ | PROT_WRITE);
  mode = 7;
  mprotect(page, 4096, PROT_READ);
}
int urf_init(void) { return 0; }
void answer(FILE *out) { fprintf(out, "%d\n", mode); }
END
expect_refusal 1 mode "$TURF" freeze early.so -o "$OUT"
finding code <<'END'
__attribute__((noinline, aligned(16))) static int number(void) { __asm__(""); return 1; }
__attribute__((constructor)) static void patch(void)
{
  unsigned char *p = (unsigned char *)(uintptr_t)number;
  void *page = (void *)((uintptr_t)p & ~4095ul);
  mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
  for (int i = 0; i < 16; i++)
    if (p[i] == 1 && !p[i + 1]) { p[i] = 9; break; }
  mprotect(page, 8192, PROT_READ | PROT_EXEC);
}
int urf_init(void) { return 0; }
void answer(FILE *out) { fprintf(out, "%d\n", number()); }
END
expect_refusal 1 number "$TURF" freeze code.so -o "$OUT"

finding over <<'END'
static char arena[65536] __attribute__((aligned(4096)));
int urf_init(void)
{
  return mmap(arena, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
         (void *)arena;
}
void answer(FILE *out) { fprintf(out, "%d\n", *arena); }
END
expect_refusal 1 "shared memory" "$TURF" freeze over.so -o "$OUT"

finding wipe <<'END'
static char *seed;
int urf_init(void)
{
  seed = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return madvise(seed, 4096, MADV_WIPEONFORK);
}
void answer(FILE *out) { fprintf(out, "%d\n", *seed); }
END
expect_refusal 1 MADV_WIPEONFORK "$TURF" freeze wipe.so -o "$OUT"

finding guard <<'END'
static char *guarded;
int urf_init(void)
{
  guarded = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return madvise(guarded + 4096, 4096, 102) ? 77 : 0; /* MADV_GUARD_INSTALL */
}
void answer(FILE *out) { fprintf(out, "%d\n", *guarded); }
END
"$TURF" check guard.so 2>&1 | grep -q 'returned 77' || # a kernel before 6.13
  expect_refusal 1 MADV_GUARD_INSTALL "$TURF" freeze guard.so -o "$OUT"

# a file's bytes are in the image, the file is not
finding reread <<'END'
static char *text;
int urf_init(void)
{
  int fd = open("/proc/self/exe", O_RDONLY);
  text = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  close(fd);
  text[4096] ^= 1;
  return text == MAP_FAILED || !madvise(text, 8192, MADV_DONTNEED);
}
void answer(FILE *out) { fprintf(out, "%d\n", *text); }
END
expect_refusal 1 "MADV_DONTNEED, for a file's pages that are writable" "$TURF" freeze reread.so -o "$OUT"

finding grown <<'END'
static char *text;
int urf_init(void)
{
  int fd = open("/proc/self/exe", O_RDONLY);
  text = mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  text = mremap(text, 4096, 8192, MREMAP_MAYMOVE);
  return text == MAP_FAILED ? 77 : 0;
}
void answer(FILE *out) { fprintf(out, "%d\n", text[4096]); }
END
expect_refusal 1 'returned 77' "$TURF" freeze grown.so -o "$OUT"

for kind in 'PROT_READ, MAP_SHARED' 'PROT_READ | PROT_EXEC, MAP_PRIVATE'; do
  finding file <<END
static char *text;
int urf_init(void)
{
  int fd = open("/proc/self/exe", O_RDONLY);
  text = mmap(0, 4096, $kind, fd, 0);
  close(fd);
  return text == MAP_FAILED;
}
void answer(FILE *out) { fprintf(out, "%d\n", *text); }
END
  expect_refusal 1 'points to a mapping that is not part of the library' "$TURF" freeze file.so -o "$OUT"
done

finding name <<'END'
extern char *program_invocation_name;
static char *copy;
int urf_init(void) { return !(copy = strdup(program_invocation_name)); }
void answer(FILE *out) { fprintf(out, "%s\n", copy); }
END
expect_refusal 1 "allocation 1" "$TURF" freeze name.so -o "$OUT"

# which of two modules is the higher one, and a bit of another module's address
echo 'void other(void) {}' >other.c
build_plain libother.so other.c -- -Wl,-soname,libother.so
for what in '(uintptr_t)other < (uintptr_t)urf_init' '(uintptr_t)other < (uintptr_t)&stdout' \
  '(uintptr_t)other >> 12 & 1' '(uintptr_t)other >> 20 & 1' '(uintptr_t)other >> 31 & 1' \
  '(uintptr_t)other >> 40 & 1' '(uintptr_t)other >> 43 & 1'; do
  case $LIBC-$what in musl-*stdout*) continue ;; esac # where musl is, the kernel decides
  cat >order.c <<END
#include "feature.h"
void other(void);
static volatile int order;
int urf_init(void) { order = $what; return 0; }
void answer(FILE *out) { fprintf(out, "%d\n", order); }
END
  build_lib order.so order.c -- -O1 "$WORK/libother.so" "-Wl,-rpath,$WORK"
  expect_refusal 1 order "$TURF" freeze order.so -o "$OUT"
done

# one bit of an address, whichever it is; the lower ones are cured by an alignment, which musl does not
# heed
case $LIBC in musl) low='12 13 17' ;; *) low= ;; esac
for bit in $low 21 26 29 33 38 41 43 45; do
  finding bit <<END
static int bit;
int urf_init(void) { bit = (int)((uintptr_t)&bit >> $bit & 1); return 0; }
void answer(FILE *out) { fprintf(out, "%d\n", bit); }
END
  expect_refusal 1 bit "$TURF" freeze bit.so -o "$OUT"
done

# what --suggest prints is accepted when somebody has given the reasons, and not before
finding clock <<'END'
static struct { int kind; long when[2]; } started_at;
int urf_init(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  started_at.when[1] = (t.tv_nsec + t.tv_sec * 1000000000L) * 3;
  return 0;
}
void answer(FILE *out) { fprintf(out, "%d\n", started_at.when[1] != 0); }
END
expect_refusal 1 started_at+16 "$TURF" freeze clock.so -o "$OUT"
expect_refusal 1 started_at "$TURF" check clock.so
"$TURF" check --suggest clock.so >policy || :
cat policy
grep -q 'REASON$' policy || fail "no line of the suggested policy ends in REASON"
expect_refusal 1 REASON "$TURF" freeze clock.so -o "$OUT" --policy policy
sed 's/REASON$/any time will do/' policy >reasoned
freeze clock.so c.so --policy reasoned
run "$DRIVER" -f ./c.so >c.txt
[ "$(sort -u c.txt | grep -c 1)" -gt 0 ] || [ "$(sort -u c.txt | grep -c 0)" -gt 0 ] || fail "$(cat c.txt)"

sed 's/ any time will do$//' reasoned >without
expect_refusal 1 without "$TURF" freeze clock.so -o "$OUT" --policy without
echo "no_such_symbol keep there is none" >unused
cat reasoned unused >both
expect_refusal 1 no_such_symbol "$TURF" freeze clock.so -o "$OUT" --policy both
expect_refusal 3 no_such_file "$TURF" freeze clock.so -o "$OUT" --policy no_such_file
