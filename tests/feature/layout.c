// What the heap's layout could get wrong: blocks of every kind that come, change and go while init runs, in
// constructors before it and hooks after it; and what is done with them once they are frozen.
// cflags: -fno-builtin
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "feature.h"

enum { CHAINS = 30, PAGE = 4096, ARENA = 16 * PAGE };

struct node {
  struct node *next;
  char *text;
};

static struct node *list;
static char *chains[CHAINS], *early, *aligned[8], *empty[3], *shrunk, *big, *zeros;
static struct node *big_nodes;
static char *arena, *hole, *numbers;
static void *dangling;
static int n_nodes, from_thread;

__attribute__((constructor)) static void construct(void)
{
  early = malloc(100);
  strcpy(early, "before init");
  free(malloc(5000));
}

/* From small to large, and over what lies behind. */
static void grow_chains(void)
{
  for (int round = 0; round < 8; round++)
    for (int i = 0; i < CHAINS; i++) {
      const size_t size = (size_t)(i + 1) << round;
      char *p = realloc(chains[i], size);
      CHECK(p && malloc_usable_size(p) >= size);
      for (size_t k = 0; round && k < size / 2; k++)
        CHECK(p[k] == 'a' + i % 26);
      memset(p, 'a' + i % 26, size);
      chains[i] = p;
      if (i % 7 == round)
        free(malloc(size * 3));
    }
  for (int i = 0; i < CHAINS; i += 3)
    chains[i] = realloc(chains[i], (size_t)i + 1);
}

static void make_list(void)
{
  for (int i = 0; i < 500; i++) {
    struct node *n = malloc(sizeof *n), *gone = calloc(1, 24 + (size_t)i);
    n->text = strdup(i % 2 ? "odd" : "even");
    n->next = list;
    list = n;
    gone->next = n;
    if (i == 250)
      dangling = gone;
    free(gone);
    n_nodes++;
  }
}

/* As allocators of programs do: twice the room, the ends given back. */
static void make_arena(void)
{
  char *p = mmap(0, 2 * ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *gone = mmap(0, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED && gone != MAP_FAILED && is_zero(p, 2 * ARENA));
  memset(gone, 'g', ARENA);
  arena = p + ARENA / 2;
  CHECK(!munmap(p, ARENA / 2) && !munmap(arena + ARENA, ARENA / 2));
  memset(arena, 'r', ARENA);
  *(struct node **)(void *)(arena + PAGE) = list;
  CHECK(!munmap(arena + 4 * PAGE, PAGE) && !munmap(gone, ARENA));
  hole = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(hole != MAP_FAILED && is_zero(hole, 3 * PAGE));
  strcpy(hole, "later mapping");
  /* over the gap in the arena */
  CHECK(mmap(arena + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == arena + 4 * PAGE);
  CHECK(is_zero(arena + 4 * PAGE, PAGE));
}

static void *in_thread(void *unused)
{
  (void)unused;
  char *p = malloc(3000);
  memset(p, 't', 3000);
  from_thread = p[2999];
  free(p);
  return 0;
}

int urf_init(void)
{
  pthread_t thread;
  grow_chains();
  make_list();
  for (int i = 0; i < 8; i++) {
    aligned[i] = aligned_alloc((size_t)32 << i, (size_t)(i + 1) * 100);
    CHECK(aligned[i] && (uintptr_t)aligned[i] % ((size_t)32 << i) == 0);
    memset(aligned[i], '0' + i, (size_t)(i + 1) * 100);
    free(memalign((size_t)32 << i, 50));
  }
  for (int i = 0; i < 3; i++)
    empty[i] = malloc(0);
  shrunk = malloc(100000);
  memset(shrunk, 's', 100000);
  shrunk = realloc(shrunk, 10);
  big = malloc(300000);
  memset(big, 'b', 300000);
  big_nodes = calloc(2000, sizeof *big_nodes);
  for (int i = 0; i < 2000; i++)
    big_nodes[i].text = i % 500 ? 0 : big + i;
  zeros = calloc(1, 1 << 20);
  zeros[1000] = 'z';
  numbers = malloc(40 * sizeof(double));
  for (int i = 0; i < 40; i++)
    ((double *)(void *)numbers)[i] = i / 3.0;
  make_arena();
  CHECK(!pthread_create(&thread, 0, in_thread, 0) && !pthread_join(thread, 0));
  return 0;
}

void answer(FILE *out)
{
  int n = 0, sum = 0;
  for (const struct node *p = list; p; p = p->next, n++)
    sum += (int)strlen(p->text);
  fprintf(out, "%d of %d nodes, %d; %s; %s; %c\n", n, n_nodes, sum, early, hole, from_thread);
  for (int i = 0; i < CHAINS; i++) {
    const size_t size = i % 3 ? (size_t)(i + 1) << 7 : (size_t)i + 1;
    for (size_t k = 0; k < size; k++)
      CHECK(chains[i][k] == 'a' + i % 26);
    CHECK(malloc_usable_size(chains[i]) >= size);
  }
  for (int i = 0; i < 8; i++)
    CHECK(aligned[i][0] == '0' + i && aligned[i][(i + 1) * 100 - 1] == '0' + i &&
          (uintptr_t)aligned[i] % ((size_t)32 << i) == 0);
  CHECK(empty[0] != empty[1] && empty[1] != empty[2]);
  CHECK(shrunk[9] == 's' && big[0] == 'b' && big[299999] == 'b');
  CHECK(big_nodes[1500].text == big + 1500 && !big_nodes[1501].text);
  CHECK(zeros[1000] == 'z' && is_zero(zeros + 1001, (1 << 20) - 1001));
  CHECK(((double *)(void *)numbers)[39] == 13.0);
  CHECK(arena[0] == 'r' && arena[ARENA - 1] == 'r' && is_zero(arena + 4 * PAGE, PAGE));
  CHECK(*(struct node **)(void *)(arena + PAGE) == list);
  CHECK(dangling != (void *)list);
  tell_wrong(out);
}

/* Every kind of block is given back, made larger and smaller. */
void mutate(FILE *out)
{
  struct node *second = list->next;
  for (int i = 0; i < CHAINS; i++) {
    const size_t old = malloc_usable_size(chains[i]), size = i % 2 ? old + 5000 : old;
    CHECK(old >= (i % 3 ? (size_t)(i + 1) << 7 : (size_t)i + 1));
    chains[i] = realloc(chains[i], size);
    CHECK(malloc_usable_size(chains[i]) >= size && chains[i][0] == 'a' + i % 26);
    chains[i] = realloc(chains[i], (size_t)(i + 1) << 7);
    memset(chains[i], 'a' + i % 26, i % 3 ? (size_t)(i + 1) << 7 : (size_t)i + 1);
  }
  free(list->text);
  list->text = strdup("changed");
  *(struct node **)(void *)(arena + PAGE) = list;
  free(second->text);
  list->next = second->next;
  free(second);
  n_nodes--;
  for (int i = 0; i < 3; i++) {
    free(empty[i]);
    empty[i] = malloc(1);
  }
  free(aligned[7]);
  aligned[7] = aligned_alloc(4096, 800);
  memset(aligned[7], '7', 800);
  big = realloc(big, 400000);
  CHECK(big[299999] == 'b');
  for (int i = 0; i < 2000; i += 500)
    big_nodes[i].text = big + i;
  zeros = realloc(zeros, 2 << 20);
  numbers = realloc(numbers, 1 << 16);
  CHECK(!munmap(hole + PAGE, 2 * PAGE));
  CHECK(!madvise(arena + 4 * PAGE, PAGE, MADV_DONTNEED));
  fprintf(out, "%d\n", n_nodes);
}
