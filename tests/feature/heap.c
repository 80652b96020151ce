// Every call that allocates, with the sizes and alignments that are easily got wrong.
// machines: yes
// cflags: -fno-builtin
#include <malloc.h>
#include <stdalign.h>
#include <stddef.h>

#include "feature.h"

/* Half of all there is may be had where that is not much. */
#define HUGE ((size_t)PTRDIFF_MAX + (sizeof(size_t) == 4))

struct node {
  struct node *next;
  int value;
  char text[];
};

static struct node *list;
static void *blocks[64];
static size_t sizes[64];
static int n;

static void keep(void *p, size_t size, size_t align)
{
  CHECK(p);
  CHECK((uintptr_t)p % align == 0);
  CHECK(malloc_usable_size(p) >= size);
  memset(p, 'a' + n % 26, size);
  blocks[n] = p;
  sizes[n++] = size;
}

/* Failures may not depend on what is left of a heap. */
static void refused(void)
{
  void *p = list;
  size_t huge = HUGE, half = (size_t)1 << (sizeof half * 4);
  errno = 0, CHECK(!malloc(huge) && errno == ENOMEM);
  errno = 0, CHECK(!malloc(SIZE_MAX) && errno == ENOMEM);
  errno = 0, CHECK(!calloc(half, half) && errno == ENOMEM);
  errno = 0, CHECK(!calloc(2, SIZE_MAX / 2 + 2) && errno == ENOMEM);
  errno = 0, CHECK(!realloc(p, huge) && errno == ENOMEM);
  errno = 0, CHECK(!reallocarray(p, half, half) && errno == ENOMEM);
  errno = 0, CHECK(!reallocarray(0, SIZE_MAX, 2) && errno == ENOMEM);
  errno = 0, CHECK(!aligned_alloc(64, huge) && errno == ENOMEM);
  errno = 0, CHECK(!memalign(4096, SIZE_MAX - 4096) && errno == ENOMEM);
  errno = 0, CHECK(!valloc(huge) && errno == ENOMEM);
  errno = 5;
  p = list;
  CHECK(posix_memalign(&p, 24, 8) == EINVAL && p == list);
  CHECK(posix_memalign(&p, 2, 8) == EINVAL && p == list);
  CHECK(posix_memalign(&p, 64, huge) == ENOMEM && p == list);
  CHECK(errno == 5 || errno == ENOMEM);
}

static void all_calls(int round)
{
  char *p = malloc(100);
  void *q = 0;
  keep(p, 100, alignof(max_align_t));
  keep(calloc(3, 50), 150, alignof(max_align_t));
  for (int i = 0; i < 200; i++) {
    p = calloc(i, 7);
    CHECK(p && is_zero(p, i * 7));
    memset(p, 0xff, i * 7);
    free(p);
  }
  p = realloc(0, 10);
  memcpy(p, "0123456789", 10);
  for (size_t size = 11; size < 100000; size += size / 3) {
    p = realloc(p, size);
    CHECK(p && memcmp(p, "0123456789", 10) == 0 && malloc_usable_size(p) >= size);
    p[size - 1] = 1;
  }
  p = realloc(p, 12);
  CHECK(memcmp(p, "0123456789", 10) == 0);
  p = reallocarray(p, 10, 20);
  CHECK(memcmp(p, "0123456789", 10) == 0);
  keep(p, 200, alignof(max_align_t));
  for (size_t align = sizeof(void *); align <= 65536; align *= 4) {
    q = 0;
    CHECK(posix_memalign(&q, align, 33) == 0);
    keep(q, 33, align);
  }
  for (size_t align = 16; align <= 8192; align *= 2) {
    p = aligned_alloc(align, align);
    CHECK(p && (uintptr_t)p % align == 0 && malloc_usable_size(p) >= align);
    memset(p, 1, align);
    if (align == 1024)
      p = realloc(p, 2000), CHECK(p && p[1023] == 1);
    free(p);
  }
  keep(memalign(256, 10), 10, 256);
  keep(memalign(1, 10), 10, 8);
  keep(valloc(5000), 5000, 4096);
#ifdef __GLIBC__
  keep(pvalloc(5000), 8192, 4096);
#endif
  CHECK((p = malloc(0)) != 0), free(p);
  CHECK((p = calloc(0, 5)) != 0), free(p);
  CHECK((p = realloc(0, 0)) != 0), free(p);
  CHECK(posix_memalign(&q, 64, 0) == 0), free(q);
  CHECK(malloc_usable_size(0) == 0);
  errno = 7;
  free(0);
  free(malloc(1 << 20));
  CHECK(errno == 7);
  refused();
  for (int i = 0; i < 50; i++) {
    struct node *new = malloc(sizeof *new + 20);
    new->next = list;
    new->value = round * 1000 + i;
    snprintf(new->text, 20, "node %d", i);
    list = new;
  }
}

int urf_init(void)
{
  n = 0;
  all_calls(0);
  /* every third node goes again */
  int i = 0;
  for (struct node **at = &list, *l; (l = *at); i++)
    if (i % 3 == 0)
      *at = l->next, free(l);
    else
      at = &l->next;
  return 0;
}

void answer(FILE *out)
{
  unsigned long sum = 0;
  for (int i = 0; i < n; i++)
    for (size_t k = 0; k < sizes[i]; k++)
      CHECK(((unsigned char *)blocks[i])[k] == 'a' + i % 26),
          sum += ((unsigned char *)blocks[i])[k];
  fprintf(out, "%d blocks, sum %lu\n", n, sum);
  for (struct node *l = list; l; l = l->next)
    fprintf(out, "%s=%d ", l->text, l->value);
  fprintf(out, "\n");
  tell_wrong(out);
}

void mutate(FILE *out)
{
  int old = n;
  for (int i = 0; i < old; i++) {
    CHECK(malloc_usable_size(blocks[i]) >= sizes[i]);
    switch (i % 4) {
    case 0:
      free(blocks[i]);
      blocks[i] = calloc(1, sizes[i]);
      CHECK(is_zero(blocks[i], sizes[i]));
      memset(blocks[i], 'a' + i % 26, sizes[i]);
      break;
    case 1:
      blocks[i] = realloc(blocks[i], sizes[i] * 50);
      memset((char *)blocks[i] + sizes[i], 'a' + i % 26, sizes[i] * 49);
      sizes[i] *= 50;
      break;
    case 2:
      blocks[i] = realloc(blocks[i], sizes[i] / 2 + 1);
      sizes[i] = sizes[i] / 2 + 1;
      break;
    case 3: break;
    }
  }
  all_calls(1);
  for (int i = 0; i < 30; i++) {
    struct node *l = list;
    list = l->next;
    free(l);
  }
  for (struct node **at = &list; *at; at = &(*at)->next)
    *at = realloc(*at, 300);
  fprintf(out, "%d\n", n);
}
