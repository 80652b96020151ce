// Pointers to functions of libc, in initialised data, stored by init, and inside structures.
// machines: yes
#include <ctype.h>

#include "feature.h"

static int (*in_data)(int) = toupper;
static int (*stored)(int);
static struct methods {
  double (*to_double)(const char *);
  long (*to_long)(const char *, char **, int);
  void (*print)(FILE *, const char *);
  int (*write)(const char *, FILE *);
} * methods, fixed = {atof, strtol, 0, fputs};
extern int defined_nowhere(void) __attribute__((weak));
static int (*nothing)(void) = defined_nowhere;
static void *anything[4] = {(void *)puts, (void *)fclose, 0, (void *)qsort};

static int by_text(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

int urf_init(void)
{
  stored = tolower;
  methods = malloc(sizeof *methods);
  *methods = (struct methods){strtod == 0 ? 0 : atof, strtol, 0, fputs};
  anything[2] = (void *)free;
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%c%c %g %ld %g\n", in_data('x'), stored('Y'), methods->to_double("2.5"),
          methods->to_long("0x10", 0, 0), fixed.to_double("3.25"));
  methods->write("written\n", out);
  fprintf(out, "%d %d %d %d\n", in_data == toupper, anything[0] == (void *)puts,
          anything[1] == (void *)fclose, nothing == 0);
  const char *words[] = {"c", "a", "b"};
  void (*sort)(void *, size_t, size_t, int (*)(const void *, const void *)) =
      (void (*)(void *, size_t, size_t, int (*)(const void *, const void *)))anything[3];
  sort(words, 3, sizeof *words, by_text);
  fprintf(out, "%s%s%s\n", words[0], words[1], words[2]);
}

void mutate(FILE *out)
{
  /* free as a pointer is still the one that knows frozen blocks */
  ((void (*)(void *))anything[2])(methods);
  methods = malloc(sizeof *methods);
  *methods = fixed;
  stored = in_data;
  fprintf(out, "%c\n", stored('q'));
}
