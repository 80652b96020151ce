// Streams of libc, in a variable and on the heap.
#include "feature.h"

static FILE *log_file, **streams;
static struct {
  FILE **where;
  int level;
} logger;

int urf_init(void)
{
  log_file = stdout;
  streams = malloc(3 * sizeof *streams);
  streams[0] = stdin;
  streams[1] = stdout;
  streams[2] = stderr;
  logger.where = &stdout;
  logger.level = 3;
  return 0;
}

void answer(FILE *out)
{
  fprintf(log_file, "to the stored stream\n");
  fprintf(streams[1], "to the stream on the heap\n");
  fprintf(*logger.where, "to the stream that stdout is\n");
  fprintf(out, "%d %d %d\n", streams[0] == stdin, streams[2] == stderr, logger.level);
}

void mutate(FILE *out)
{
  logger.where = streams + 1;
  fprintf(*logger.where, "changed\n");
  fflush(out);
}
