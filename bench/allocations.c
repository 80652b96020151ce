/* Work that lives on malloc, for bench/pairs.c: cc -O2 -shared -fPIC allocations.c -o a.so [turf flags] */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int urf_init(void);
const char *work_name(unsigned kind);
uintptr_t work(unsigned kind, unsigned rounds);

static uint64_t state = 1;

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003) */
static unsigned random_below(unsigned n)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (unsigned)(state >> 33) % n;
}

static void *need(void *p)
{
  if (!p)
    abort();
  return p;
}

/* Nothing but the calls. */
static uintptr_t pairs(unsigned rounds)
{
  uintptr_t sum = 0;
  for (unsigned i = 0; i < rounds * 20000; i++) {
    void *volatile p = malloc(24 + i % 4 * 32);
    sum += (uintptr_t)p & 8;
    free(p);
  }
  return sum;
}

struct tree {
  struct tree *left, *right;
};

static struct tree *tree_make(unsigned depth)
{
  struct tree *t = need(malloc(sizeof *t));
  t->left = depth ? tree_make(depth - 1) : NULL;
  t->right = depth ? tree_make(depth - 1) : NULL;
  return t;
}

static uintptr_t tree_count(const struct tree *t)
{
  return t ? 1 + tree_count(t->left) + tree_count(t->right) : 0;
}

static void tree_free(struct tree *t)
{
  if (t) {
    tree_free(t->left);
    tree_free(t->right);
    free(t);
  }
}

static uintptr_t trees(unsigned rounds)
{
  uintptr_t sum = 0;
  for (unsigned i = 0; i < rounds; i++) {
    struct tree *t = tree_make(12);
    sum += tree_count(t);
    tree_free(t);
  }
  return sum;
}

/* Words and how often they came: chains in a table that doubles. */
struct entry {
  struct entry *next;
  char *key;
  unsigned hash, count;
};

struct map {
  struct entry **chains;
  unsigned size, used; /* chains, a power of two; entries */
};

static unsigned hash_of(const char *s)
{
  unsigned h = 2166136261u; /* FNV-1a, 32 bits */
  while (*s)
    h = (h ^ (unsigned char)*s++) * 16777619u;
  return h;
}

static void map_grow(struct map *m)
{
  const unsigned size = m->size ? 2 * m->size : 16;
  struct entry **chains = need(calloc(size, sizeof *chains));
  for (unsigned i = 0; i < m->size; i++)
    for (struct entry *e = m->chains[i], *next; e; e = next) {
      next = e->next;
      e->next = chains[e->hash & (size - 1)];
      chains[e->hash & (size - 1)] = e;
    }
  free(m->chains);
  m->chains = chains;
  m->size = size;
}

static struct entry *map_add(struct map *m, const char *key)
{
  if (m->used >= m->size)
    map_grow(m);
  const unsigned hash = hash_of(key);
  struct entry **chain = &m->chains[hash & (m->size - 1)], *e = *chain;
  while (e && (e->hash != hash || strcmp(e->key, key) != 0))
    e = e->next;
  if (!e) {
    e = need(malloc(sizeof *e));
    *e = (struct entry){*chain, need(strdup(key)), hash, 0};
    *chain = e;
    m->used++;
  }
  e->count++;
  return e;
}

static void map_remove(struct map *m, const char *key)
{
  const unsigned hash = hash_of(key);
  if (!m->size)
    return;
  struct entry **at = &m->chains[hash & (m->size - 1)];
  while (*at && ((*at)->hash != hash || strcmp((*at)->key, key) != 0))
    at = &(*at)->next;
  struct entry *e = *at;
  if (e) {
    *at = e->next;
    free(e->key);
    free(e);
    m->used--;
  }
}

static void map_free(struct map *m)
{
  for (unsigned i = 0; i < m->size; i++)
    for (struct entry *e = m->chains[i], *next; e; e = next) {
      next = e->next;
      free(e->key);
      free(e);
    }
  free(m->chains);
  *m = (struct map){0};
}

static const char *word(char text[32], unsigned n)
{
  static const char *const parts[] = {"an", "bel", "corr", "dunst", "ever", "f", "gra", "hol"};
  char *to = text;
  for (n += 8; n; n /= 8)
    to = stpcpy(to, parts[n % 8]);
  return text;
}

static uintptr_t words(struct map *m, unsigned n)
{
  char text[32];
  uintptr_t sum = 0;
  for (unsigned i = 0; i < n; i++) {
    sum += map_add(m, word(text, random_below(4096)))->count;
    map_remove(m, word(text, random_below(4096)));
  }
  return sum;
}

static uintptr_t maps(unsigned rounds)
{
  uintptr_t sum = 0;
  for (unsigned i = 0; i < rounds; i++) {
    struct map m = {0};
    sum += words(&m, 4000);
    map_free(&m);
  }
  return sum;
}

static uintptr_t vectors(unsigned rounds)
{
  enum { MANY = 64 };
  uintptr_t sum = 0;
  struct {
    unsigned *at, n, room;
  } v[MANY] = {{0}};
  for (unsigned i = 0; i < rounds * 20000; i++) {
    const unsigned k = random_below(MANY);
    if (v[k].n == v[k].room) {
      v[k].room += v[k].room / 2 + 4;
      v[k].at = need(realloc(v[k].at, v[k].room * sizeof *v[k].at));
    }
    v[k].at[v[k].n++] = i;
    if (v[k].n > 10 + k * 4) {
      sum += v[k].at[v[k].n / 2];
      free(v[k].at);
      v[k].at = NULL;
      v[k].n = v[k].room = 0;
    }
  }
  for (unsigned k = 0; k < MANY; k++)
    free(v[k].at);
  return sum;
}

static const struct {
  const char *name;
  uintptr_t (*run)(unsigned rounds);
} kinds[] = {{"malloc+free", pairs},
             {"binary trees", trees},
             {"map of strings", maps},
             {"vectors", vectors}};

const char *work_name(unsigned kind)
{
  return kind < sizeof kinds / sizeof *kinds ? kinds[kind].name : NULL;
}

uintptr_t work(unsigned kind, unsigned rounds)
{
  state = 88172645463325252u; /* the same work each time */
  return kinds[kind].run(rounds);
}

/* Something to be frozen. */
static struct map frozen;

int urf_init(void)
{
  (void)words(&frozen, 20000);
  return 0;
}
