// Blocks that init made are freed and enlarged by several threads at once.
// machines: yes
// ldflags: -pthread
// cflags: -fno-builtin
#include <pthread.h>

#include "feature.h"

enum { THREADS = 4, BLOCKS = 2000 };

static char *blocks[THREADS][BLOCKS];

/* Init itself has threads, too; they are gone when it returns. */
static void *make(void *arg)
{
  char **mine = arg;
  for (int i = 0; i < BLOCKS; i++) {
    mine[i] = malloc(8 + i % 50);
    strcpy(mine[i], "block");
    if (i % 5 == 0)
      mine[i] = realloc(mine[i], 100);
  }
  return 0;
}

static void *change(void *arg)
{
  char **mine = arg;
  for (int i = 0; i < BLOCKS; i++) {
    CHECK(strcmp(mine[i], "block") == 0);
    if (i % 2) {
      free(mine[i]);
      mine[i] = calloc(1, 20 + i % 80);
      strcpy(mine[i], "block");
    } else
      mine[i] = realloc(mine[i], 10 + i % 100);
  }
  return 0;
}

static void all(void *(*work)(void *), int at_once)
{
  pthread_t id[THREADS];
  for (int i = 0; i < THREADS; i++) {
    CHECK(!pthread_create(&id[i], 0, work, blocks[i]));
    if (!at_once)
      pthread_join(id[i], 0);
  }
  for (int i = 0; at_once && i < THREADS; i++)
    pthread_join(id[i], 0);
}

int urf_init(void)
{
  for (int i = 0; i < THREADS; i++)
    make(blocks[i]);
  return 0;
}

void answer(FILE *out)
{
  int good = 0;
  for (int i = 0; i < THREADS * BLOCKS; i++)
    good += strcmp(blocks[i / BLOCKS][i % BLOCKS], "block") == 0;
  fprintf(out, "%d\n", good);
  tell_wrong(out);
}

void mutate(FILE *out)
{
  all(change, 1);
  all(change, 0);
  all(change, 1);
  answer(out);
}
