// Memory that libc allocates on its own behalf and the library has to free.
// machines: yes
// cflags: -Wno-unused-result -fno-builtin
#include <stdarg.h>
#include <unistd.h>
#include <wchar.h>

#include "feature.h"

static char *s[16], *cwd, *line;
static wchar_t *wide;
static size_t line_size;
static char *lines[8];
static int n_lines;

static void read_lines(void)
{
  static char file[] = "one\ntwo is longer than one\n\nlast without end";
  char *long_line = 0;
  size_t size = 0;
  FILE *f = fmemopen(file, sizeof file - 1, "r");
  while (getline(&line, &line_size, f) >= 0 && n_lines < 8)
    lines[n_lines++] = strdup(line);
  rewind(f);
  CHECK(getdelim(&long_line, &size, 'w', f) == 6);
  CHECK(size >= 7 && strcmp(long_line, "one\ntw") == 0);
  fclose(f);
  free(lines[0]);
  lines[0] = long_line;
}

static int format(char **out, const char *form, ...)
{
  va_list ap;
  va_start(ap, form);
  int n = vasprintf(out, form, ap);
  va_end(ap);
  return n;
}

int urf_init(void)
{
  s[0] = strdup("a string");
  s[1] = strndup("abcdefghij", 4);
  s[2] = strndup("short", 100);
  CHECK(asprintf(&s[3], "%s-%d-%200s", "formatted", 17, "x") == 213);
  CHECK(format(&s[4], "%c%c", 'o', 'k') == 2);
  CHECK(asprintf(&s[5], "%s", "") == 0);
  s[6] = realpath("/proc/../usr//lib/.", 0);
  s[7] = strdup("");
  s[8] = getcwd(malloc(4096), 4096);
  cwd = getcwd(0, 0);
  CHECK(cwd && s[8] && strcmp(cwd, s[8]) == 0);
  free(s[8]);
  s[8] = 0;
  char *again = get_current_dir_name();
  CHECK(again && strcmp(cwd, again) == 0);
  free(again);
#ifdef __GLIBC__ /* musl takes what it needs, whatever the size */
  errno = 0, CHECK(!getcwd(0, 1) && errno == ERANGE);
#endif
  errno = 0, CHECK(!realpath("/nothing/there", 0) && errno == ENOENT);
  char path[4096];
  CHECK(realpath("/usr/../usr", path) == path && strcmp(path, "/usr") == 0);
  wide = wcsdup(L"wide");
  read_lines();
  /* where they are must not depend on the place init was run in */
  free(cwd);
  cwd = getcwd(0, 5000);
  memset(cwd + 1, 0, strlen(cwd) - 1);
  return 0;
}

void answer(FILE *out)
{
  for (int i = 0; i < 16; i++)
    if (s[i])
      fprintf(out, "%d \"%s\"\n", i, s[i]);
  for (int i = 0; i < n_lines; i++)
    fprintf(out, "line %d %s\n", i, lines[i]);
  fprintf(out, "%s %zu %ls %s\n", cwd, wcslen(wide), wide, line_size > 20 ? "long" : "short");
  tell_wrong(out);
}

void mutate(FILE *out)
{
  for (int i = 0; i < 16; i++) {
    char *old = s[i];
    if (!old)
      continue;
    s[i] = i % 2 ? strdup(old) : realloc(strdup(old), 1000);
    free(old);
  }
  CHECK(asprintf(&cwd, "%s more", s[0]) == 13);
  wide = realloc(wide, 100 * sizeof *wide);
  wcscat(wide, L" and wider");
  for (int i = 1; i < n_lines; i++)
    free(lines[i]);
  n_lines = 0;
  free(lines[0]);
  read_lines(); /* line is a frozen block that getline has to enlarge */
  static char file[3000];
  memset(file, 'y', sizeof file);
  FILE *f = fmemopen(file, sizeof file, "r");
  fprintf(out, "%zd\n", getline(&line, &line_size, f));
  CHECK(line_size > 3000);
  fclose(f);
}
