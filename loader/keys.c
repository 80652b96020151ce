/* Keys of thread-specific data, bound inside the library.  The numbers that init gets are ours: at load
 * each stands for a key that is created then, with the same destructor and, for the thread that loads
 * the library, the value it had for the thread that ran init.  Other keys are the process's own. */

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <threads.h>

#include "loader.h"

#define S (&__urf_state)
#define CALLER __builtin_return_address(0)

/* Above every number that a C library gives (glibc 1023, musl 127). */
enum { FIRST = 0x40000000 };

/* Frozen; which keys of the process they are is in the loader's state. */
struct key {
  void (*destroy)(void *);
  void *value;
  int used;
};
static struct key *keys;
static unsigned n_keys; /* there is room for */

static struct key *find(pthread_key_t key)
{
  return key - FIRST < n_keys ? &keys[key - FIRST] : 0;
}

static pthread_key_t real(const struct key *k)
{
  return S->keys[k - keys];
}

/* A key that is not in use, or NULL.  Nobody else may be growing the table; the old one stays where it is,
 * since other threads may be looking at it. */
static struct key *unused(void *caller)
{
  for (unsigned i = 0; i < n_keys; i++)
    if (!keys[i].used)
      return &keys[i];
  const unsigned more = n_keys ? 2 * n_keys : 16;
  struct key *table = more <= KEYS ? urf_malloc(more * sizeof *keys, caller) : 0;
  if (!table)
    return 0;
  if (n_keys)
    memcpy(table, keys, n_keys * sizeof *table);
  memset(table + n_keys, 0, (more - n_keys) * sizeof *table);
  struct key *first = table + n_keys;
  keys = table;
  n_keys = more;
  return first;
}

static int create(pthread_key_t *key, void (*destroy)(void *), void *caller)
{
  if (!S->capture)
    return HOST(pthread_key_create)(key, destroy);
  while (__atomic_exchange_n(&S->keys_lock, 1, __ATOMIC_ACQUIRE))
    ;
  struct key *k = unused(caller);
  int error = k ? HOST(pthread_key_create)(&S->keys[k - keys], destroy) : EAGAIN;
  if (!error) {
    *k = (struct key){destroy, 0, 1};
    *key = FIRST + (unsigned)(k - keys);
  }
  __atomic_store_n(&S->keys_lock, 0, __ATOMIC_RELEASE);
  return error;
}

BOUND int pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
  return create(key, destroy, CALLER);
}

BOUND int pthread_key_delete(pthread_key_t key)
{
  struct key *k = find(key);
  if (!k)
    return HOST(pthread_key_delete)(key);
  if (!k->used)
    return EINVAL;
  *k = (struct key){0, 0, 0};
  return HOST(pthread_key_delete)(real(k));
}

BOUND void *pthread_getspecific(pthread_key_t key)
{
  const struct key *k = find(key);
  if (k && !k->used)
    return 0;
  return HOST(pthread_getspecific)(k ? real(k) : key);
}

BOUND int pthread_setspecific(pthread_key_t key, const void *value)
{
  const struct key *k = find(key);
  if (k && !k->used)
    return EINVAL;
  return HOST(pthread_setspecific)(k ? real(k) : key, value);
}

/* The same under C11's names. */
BOUND int tss_create(tss_t *key, tss_dtor_t destroy)
{
  return create(key, destroy, CALLER) ? thrd_error : thrd_success;
}

BOUND void tss_delete(tss_t key)
{
  (void)pthread_key_delete(key);
}

BOUND void *tss_get(tss_t key)
{
  return pthread_getspecific(key);
}

BOUND int tss_set(tss_t key, void *value)
{
  return pthread_setspecific(key, value) ? thrd_error : thrd_success;
}

void keys_seal(void)
{
  for (unsigned i = 0; i < n_keys; i++)
    if (keys[i].used)
      keys[i].value = HOST(pthread_getspecific)(S->keys[i]);
}

void keys_replay(void)
{
  for (unsigned i = 0; i < n_keys; i++)
    if (keys[i].used && (HOST(pthread_key_create)(&S->keys[i], keys[i].destroy) ||
                         (keys[i].value && HOST(pthread_setspecific)(S->keys[i], keys[i].value))))
      thaw_fail("cannot be used here: no key left for", "pthread_key_create");
}
