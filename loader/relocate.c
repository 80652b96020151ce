/* The bias is added to every pointer of the region.
 *
 * Only the note, the table, the region and the stack may be touched here, and the kernel is asked directly:
 * a libc function may be the library's own, and its pointers are not right yet.
 *
 * The additions cost next to nothing; what costs is the faults on private pages of a file.  So the freezer
 * has cut the pointers into stretches, and says how each is dealt with (capture/stretches.c has the rule).
 * A dense one is copied to fresh memory, in huge pages where there are any, relocated on the way, and that
 * memory is moved to where the stretch was.  Whatever the kernel does not grant is done without.
 *
 * URF_COPIES is 0 for static programs, which have to be small: dense stretches are relocated where they are then.
 * Those that ask for urf_copy have this file once more, with 1. */

#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "loader.h"
#include "machine.h"

#ifndef URF_COPIES
#define URF_COPIES 1
#endif
#define NOTE (&__urf_note)
#define WORD sizeof(uintptr_t)

/* Linux 5.14, include/uapi/asm-generic/mman-common.h; newer than some C libraries. */
#define POPULATE_WRITE 23
/* What most machines have; where it is another one, this is a distance like any other. */
#define HUGE_PAGE ((uintptr_t)2 << 20)
#define EDGE (HUGE_PAGE / 8) /* less than this is not worth a huge page */
/* Nanoseconds in which 512 single pages would have been had instead of a huge one: it has to be made free
 * first, or the host of a virtual machine has to provide it again.  Of this thread, as the others that a busy
 * machine lets go first take longer. */
enum { SLOW = 1000000, SLOW_AT_MOST = 2 };

/* Two words, at the address of a word. */
typedef uintptr_t pair __attribute__((vector_size(2 * WORD), aligned(WORD), may_alias));

/* A stretch as it was loaded; its words are read here and written shift bytes further on, where there are
 * pages up to ready. */
struct stretch {
  uintptr_t lo, hi, shift, ready;
  int slow; /* how many pages there were so slow */
};

/* Fresh memory with room for a stretch at `at`. */
struct room {
  uintptr_t lo, hi, at;
};

static int is_copied(const struct stretch *s)
{
  return URF_COPIES && s->shift;
}

/* Not inlined: static programs have it in many places. */
__attribute__((noinline)) uintptr_t ask_kernel(long number, uintptr_t a, uintptr_t b, uintptr_t c,
                                               uintptr_t d, uintptr_t e)
{
  return (uintptr_t)machine_syscall6(number, (long)a, (long)b, (long)c, (long)d, (long)e, 0);
}

/* syscall(2): the kernel's errors are -4095 to -1 */
static int is_error(uintptr_t result)
{
  return result > -(uintptr_t)4096;
}

/* Makes private pages of all; a kernel that does not know how will do so when they are written to.  0 when
 * there is no memory. */
static int populate(uintptr_t lo, uintptr_t hi)
{
  return ask_kernel(URF_SYS_MADVISE, lo, hi - lo, POPULATE_WRITE, 0, 0) != (uintptr_t)-ENOMEM;
}

static void copy_words(uintptr_t to, uintptr_t from, uintptr_t n, uintptr_t by)
{
  const pair add = {by, by};
  pair *d = (pair *)to;
  const pair *s = (const pair *)from;
  for (; n >= 8; n -= 8, d += 4, s += 4) {
    d[0] = s[0] + add;
    d[1] = s[1] + add;
    d[2] = s[2] + add;
    d[3] = s[3] + add;
  }
  for (uintptr_t i = 0; i < n; i++)
    ((uintptr_t *)d)[i] = ((const uintptr_t *)s)[i] + by;
}

static void add_to_words(uintptr_t *word, uintptr_t bits, uintptr_t by)
{
  for (; bits; bits &= bits - 1)
    word[__builtin_ctzll(bits)] += by;
}

/* Copies what goes before `to`, with the pages for that and a little more: faults between the words would
 * take half as long again, and all pages at once would drive out what is still to be read where memory is
 * short. */
static int copy_to(struct stretch *s, uintptr_t at, uintptr_t to, uintptr_t by)
{
  while (s->shift + to > s->ready) {
    uintptr_t next = (s->ready & -HUGE_PAGE) + HUGE_PAGE;
    next = next < s->shift + s->hi ? next : s->shift + s->hi;
    const uint64_t before = stats_clock(CLOCK_THREAD_CPUTIME_ID);
    if (!populate(s->ready, next))
      return 0;
    s->ready = next;
    if (stats_clock(CLOCK_THREAD_CPUTIME_ID) - before > SLOW && ++s->slow == SLOW_AT_MOST)
      (void)ask_kernel(URF_SYS_MADVISE, next, s->shift + s->hi - next, MADV_NOHUGEPAGE, 0, 0);
  }
  copy_words(s->shift + at, at, (to - at) / WORD, by);
  return 1;
}

/* RELR (gABI): an even word is the address of a pointer; an odd one is a bitmap of the words that follow the
 * last one covered.  0 when there is no memory for the copy. */
static int relocate_words(const struct image *image, struct stretch *s, const uintptr_t *relr,
                          const uintptr_t *end, uintptr_t by)
{
  uintptr_t at = s->lo;
  for (; relr < end; relr++) {
    uintptr_t n = 1, bits = 1;
    if (!(*relr & 1)) {
      const uintptr_t where = *relr + image->bias;
      if (where < at || where > s->hi - WORD)
        damaged("relr");
      if (is_copied(s) && !copy_to(s, at, where, 0))
        return 0;
      at = where;
    } else {
      const uintptr_t left = (s->hi - at) / WORD;
      bits = *relr >> 1;
      n = 8 * WORD - 1;
      if (left < n && bits >> (n = left))
        damaged("relr");
    }
    const int all = is_copied(s) && bits + 1 == (uintptr_t)1 << n;
    if (is_copied(s) && !copy_to(s, at, at + n * WORD, all ? by : 0))
      return 0;
    if (!all)
      add_to_words((uintptr_t *)(at + s->shift), bits, by);
    at += n * WORD;
  }
  return !is_copied(s) || copy_to(s, at, s->hi, 0);
}

/* Huge pages keep together when they are moved by a multiple of their size.  The room goes beyond both ends,
 * so that those can be huge, too. */
static int find_room(struct room *room, uintptr_t lo, uintptr_t hi)
{
  const uintptr_t size = hi - lo + 3 * HUGE_PAGE;
  room->lo = ask_kernel(URF_SYS_MMAP, 0, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uintptr_t)-1);
  if (is_error(room->lo))
    return 0;
  room->hi = room->lo + size;
  room->at = ((room->lo + HUGE_PAGE - 1) & -HUGE_PAGE) + lo % HUGE_PAGE;
  const uintptr_t end = room->at + (hi - lo);
  const uintptr_t from = (room->at + EDGE - 1) & -HUGE_PAGE;
  const uintptr_t to = (end + HUGE_PAGE - EDGE) & -HUGE_PAGE;
  if (from < to)
    (void)ask_kernel(URF_SYS_MADVISE, from, to - from, MADV_HUGEPAGE, 0, 0);
  return 1;
}

/* 0 when the stretch is as it was. */
static int move(const struct stretch *s, const struct room *room)
{
  const uintptr_t size = s->hi - s->lo;
  if (!is_error(
          ask_kernel(URF_SYS_MREMAP, room->at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, s->lo)))
    return 1;
  if (!is_error(ask_kernel(URF_SYS_MADVISE, s->lo, size, MADV_NORMAL, 0, 0)))
    return 0;
  /* the kernel had made way already */
  if (is_error(ask_kernel(URF_SYS_MMAP, s->lo, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (uintptr_t)-1)))
    thaw_fail("there is no memory for", "a copy of its pages");
  copy_words(s->lo, room->at, size / WORD, 0);
  (void)ask_kernel(URF_SYS_MUNMAP, room->at, size, 0, 0, 0);
  return 1;
}

/* By way of a copy; 0 when that is not to be had. */
static int stream(const struct image *image, struct stretch s, const uintptr_t *relr,
                  const uintptr_t *end, uintptr_t by)
{
  struct room room;
  if (!find_room(&room, s.lo, s.hi))
    return 0;
  s.shift = room.at - s.lo;
  s.ready = room.at;
  const int moved = relocate_words(image, &s, relr, end, by) && move(&s, &room);
  const uintptr_t from = moved ? room.at + (s.hi - s.lo) : room.at;
  (void)ask_kernel(URF_SYS_MUNMAP, room.lo, room.at - room.lo, 0, 0, 0);
  (void)ask_kernel(URF_SYS_MUNMAP, from, room.hi - from, 0, 0, 0);
  return moved;
}

/* How many are copied. */
static unsigned relocate_stretches(const struct image *image)
{
  unsigned copied = 0;
  int may_copy = 1;
  const uintptr_t by = image->bias;
  const struct urf_stretch *part = (const void *)(image->table + NOTE->stretches);
  const uintptr_t *relr = (const void *)(image->table + NOTE->relr);
  for (uint64_t i = 0; i < NOTE->n_stretches; i++, part++) {
    struct stretch s = {(uintptr_t)part->address + image->bias, 0, 0, 0, 0};
    const uintptr_t *end = relr + part->relr_size / WORD;
    s.hi = s.lo + (uintptr_t)part->size;
    if (URF_COPIES && part->way == URF_COPY && may_copy &&
        (may_copy = stream(image, s, relr, end, by))) {
      copied++;
    } else {
      if (part->way != URF_TOUCH && !populate(s.lo, s.hi))
        thaw_fail("there is no memory for", "its pages");
      (void)relocate_words(image, &s, relr, end, by);
    }
    relr = end;
  }
  return copied;
}

/* Of the pointers' list nothing is needed any more; its pages are the file's. */
static void drop_list(const struct image *image)
{
  const uintptr_t start = (uintptr_t)image->table + NOTE->relr, page = URF_LARGEST_PAGE;
  const uintptr_t lo = (start + page - 1) & -page;
  const uintptr_t hi = (start + NOTE->relr_size) & -page;
  if (lo < hi)
    (void)ask_kernel(URF_SYS_MADVISE, lo, hi - lo, MADV_DONTNEED, 0, 0);
}

static uintptr_t rotate_left(uintptr_t n, unsigned by)
{
  const unsigned bits = 8 * sizeof n;
  return n << by % bits | n >> (bits - by % bits) % bits;
}

/* A site list; pairs: how far to the right the pointer is rotated follows each distance (a hash of an address,
 * or a tagged one, that keeps all of its bits). */
void relocate_list(const struct image *image, const char *name, uint64_t offset, uint64_t size,
                   int pairs)
{
  const unsigned char *list = (const unsigned char *)image->table + offset, *end = list + size;
  uintptr_t at = image->region;
  while (list < end) {
    at += get_uleb(&list);
    must_hold(image, at, name);
    if (pairs && list == end)
      damaged(name);
    const unsigned bits = 8 * sizeof at, turn = pairs ? (unsigned)get_uleb(&list) % bits : 0;
    struct word *word = (void *)at;
    word->value = rotate_left(rotate_left(word->value, turn) + image->bias, bits - turn);
  }
}

unsigned relocate(const struct image *image)
{
  if (!image->bias)
    return 0;
  const unsigned copied = relocate_stretches(image);
  relocate_list(image, "odd", NOTE->odd, NOTE->odd_size, 0);
  relocate_list(image, "rotated", NOTE->rotated, NOTE->rotated_size, 1);
  drop_list(image);
  return copied;
}
