// What init does to libc that nobody would miss: it is not refused.
// dep: other
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <locale.h>
#include <pthread.h>
#include <pwd.h>
#include <regex.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "feature.h"

int other_add(int n);

static char text[4096];

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
  va_list ap;
  size_t n = strlen(text);
  va_start(ap, format);
  vsnprintf(text + n, sizeof text - n, format, ap);
  va_end(ap);
}

static int compare(const void *a, const void *b)
{
  return *(const int *)a - *(const int *)b;
}

static void files(void)
{
  char line[256];
  FILE *f = fopen("/proc/self/stat", "r");
  say("%d", f && fgets(line, sizeof line, f) && atoi(line) == getpid());
  if (f)
    fclose(f);
  f = tmpfile();
  if (f) {
    for (int i = 0; i < 3000; i++)
      fprintf(f, "line %d\n", i);
    rewind(f);
    for (int i = 0; i < 2900; i++)
      (void)!fgets(line, sizeof line, f);
    say(" %s", line);
    fclose(f);
  }
  FILE *memory = fmemopen(line, sizeof line, "w");
  if (memory) {
    fprintf(memory, "in memory");
    fclose(memory);
  }
  say("%s ", line);
  DIR *d = opendir("/proc/self");
  say("%d", d && readdir(d));
  if (d)
    closedir(d);
}

static void times(void)
{
  const time_t t = 86400 * 365;
  char line[64];
  struct tm tm = *localtime(&t);
  strftime(line, sizeof line, "%Y-%m-%d %H:%M", &tm);
  say(" %s %d", line, mktime(&tm) == t);
  say(" %s", asctime(gmtime(&t)));
}

static void errors(void)
{
  regex_t r;
  say("%s %d", strerror(ENOENT), strerror(12345) != NULL);
  say(" %s", strsignal(11));
  say(" %d", dlsym(RTLD_DEFAULT, "there is no such symbol") == NULL);
  say(" %d", regcomp(&r, "a(b|c)+[[:alpha:]]*$", REG_EXTENDED));
  say(" %d", regexec(&r, "xxabcbcz", 0, NULL, 0));
  regfree(&r);
  errno = ENOENT;
}

static int threads_ran;
static void *thread(void *arg)
{
  free(malloc(10000));
  __atomic_fetch_add(&threads_ran, 1, __ATOMIC_RELAXED);
  return arg;
}

static void processes(void)
{
  pthread_t t[4];
  int status = 0;
  for (int i = 0; i < 4; i++)
    pthread_create(&t[i], NULL, thread, NULL);
  for (int i = 0; i < 4; i++)
    pthread_join(t[i], NULL);
  pid_t pid = fork();
  if (!pid)
    _exit(3);
  waitpid(pid, &status, 0);
  say(" %d %d\n", threads_ran, WEXITSTATUS(status));
}

static void tables(void)
{
  static int numbers[20000];
  wchar_t wide[16];
  for (int i = 0; i < 20000; i++)
    numbers[i] = (i * 7919) % 20011;
  qsort(numbers, 20000, sizeof *numbers, compare);
  say("%d %d", numbers[0] <= numbers[1], (int)mbstowcs(wide, "wide", 16));
  say(" %g %s %d", strtod("1.5e3", NULL), localeconv()->decimal_point,
      getpwuid(0) != NULL && getgrgid(0) != NULL);
  say(" %d", sysconf(_SC_NPROCESSORS_ONLN) > 0);
  char *strings[200];
  for (int i = 0; i < 200; i++)
    strings[i] = strdup("many strings");
  for (int i = 0; i < 200; i++)
    free(strings[i]);
  setenv("URF_TEST", "for a while", 1);
  say(" %s", getenv("URF_TEST"));
  unsetenv("URF_TEST");
}

int urf_init(void)
{
  files();
  times();
  errors();
  processes();
  tables();
  say(" %d\n", other_add(3));
  fprintf(stderr, "an error message of init\n");
  return 0;
}

void answer(FILE *out)
{
  fputs(text, out);
}

void mutate(FILE *out)
{
  const time_t t = 0;
  fprintf(out, "%s %d\n", strerror(EPERM), localtime(&t)->tm_year);
}
