/* Thread-local variables that init has set in the thread that begins, and pointers to them. */
// linked with: -Wl,-u,urf_tls
#include <errno.h>
#include <pthread.h>

#include "common.h"

struct state {
  char *name;
  int *to_own, numbers[300];
};
static _Thread_local int own = 4;
static _Thread_local char odd[3] = {'a', 'b'};
static _Thread_local struct state state;
static _Thread_local _Alignas(64) char aligned[100];
_Thread_local long untouched = 7;
static struct state *current, *of_numbers[20];
static char *last_odd, tag;
static int *error;
static pthread_t self;

int boot(void)
{
  own = 17;
  odd[2] = 'c';
  state.name = strdup("a name");
  state.to_own = &own;
  for (int i = 0; i < 300; i++)
    state.numbers[i] = i * i;
  strcpy(aligned, "aligned");
  current = &state;
  last_odd = &odd[2];
  for (int i = 0; i < 20; i++)
    of_numbers[i] = (struct state *)(void *)&state.numbers[i * 11];
  error = &errno;
  errno = EDOM;
  self = pthread_self();
  tag = 1;
  return 0;
}

static void *in_another(void *arg)
{
  CHECK(own == 4 && odd[2] == 0 && odd[1] == 'b' && !state.name && !state.numbers[299] &&
        !*aligned);
  CHECK(&own != arg && !pthread_equal(self, pthread_self()));
  own = 30;
  state.numbers[1] = 31;
  return NULL;
}

int use(void)
{
  pthread_t thread;
  CHECK(own == 17 && odd[0] == 'a' && odd[2] == 'c' && untouched == 7 && tag == 1);
  CHECK(current == &state && state.to_own == &own && last_odd == &odd[2]);
  CHECK((uintptr_t)aligned % 64 == 0);
  for (int i = 0; i < 20; i++)
    CHECK((void *)of_numbers[i] == &state.numbers[i * 11]);
  CHECK(error == &errno && pthread_equal(self, pthread_self()));
  CHECK(!pthread_create(&thread, NULL, in_another, &own) && !pthread_join(thread, NULL));
  current->name = realloc(current->name, 1000);
  printf("%d %.3s %s %s %d %d\n", own, odd, state.name, aligned, state.numbers[1],
         state.numbers[299]);
  return 0;
}
