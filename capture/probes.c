/* Calls that change state of the C and the C++ library; part of the host program.
 *
 * Harmless is what nobody can tell from the outside (books of an allocator, a lock, a cache), what is
 * derived again from its sources, what the loader of a frozen library tells again, and what turf
 * reads by the functions meant for it (see world.c) instead of as bytes.  Each says why. */

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <glob.h>
#include <grp.h>
#include <langinfo.h>
#include <libintl.h>
#include <locale.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <regex.h>
#include <search.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "memory.h"

/* By name: a reference to a variable would give this program a copy that libraries then use. */
static FILE *stream(const char *name)
{
  FILE **f = dlsym(RTLD_DEFAULT, name);
  return f ? *f : NULL;
}

/* The same for functions that not every C library has. */
static int call_if_there(const char *name, long a, long b)
{
  int (*f)(long, long) = (int (*)(long, long))find_symbol(name);
  return f ? f(a, b) : -1;
}

/* Compilers leave out allocations that nobody uses. */
static void *volatile taken;
static void *take(size_t size)
{
  return taken = malloc(size);
}

/* The books of the allocator: where blocks are is seen by nobody who has no pointer to one, and
 * those are found in the region.  Blocks of every size get in use and free, in glibc so that no list
 * of free ones stays empty: more than its cache of seven takes, each next to one in use, sorted when a
 * large one is asked for; and then some that are not sorted. */
static void cycle(size_t from, size_t to, size_t each)
{
  enum { N = 8192 };
  static void *blocks[N];
  size_t n = 0;
  for (size_t size = from; size < to; size += size < 1024 ? 16 : size / 16)
    for (size_t i = 0; i < (size < 1088 ? each : 2) && n < N; i++) {
      blocks[n++] = take(size - 8);
      (void)take(size - 8);
    }
  while (n)
    free(blocks[--n]);
}

/* glibc's main arena (struct malloc_state of malloc.c, since 2.27), whole, when it is found to be what it
 * is taken for: the list of unsorted blocks, which a free block of some size is in, is headed by the
 * words in front of its 254 pointers; behind these stand 16 bytes and the pointer to the next arena, of
 * which there is one. */
static void find_arena(void)
{
  enum { SIZE = 50000, BINS = 254, BEHIND = 5, AT_MOST = 256 };
  uintptr_t *block = take(SIZE);
  if (!block || !take(SIZE) || !find_symbol("mallopt"))
    return;
  const uintptr_t *volatile freed = block; /* the links of a free block are looked at */
  free(block);
  const uintptr_t head = *freed;
  if (!is_variable((const void *)head, (BINS + 4 + BEHIND) * sizeof head))
    return;
  const uintptr_t end = head + (2 + BINS) * sizeof head + 16;
  const uintptr_t arena = *(const uintptr_t *)end;
  if (arena < head && head - arena < AT_MOST)
    is_harmless((const void *)arena, end + BEHIND * sizeof head - arena);
}

static void use_malloc(void)
{
  find_arena();
  free(take(1 << 23)); /* glibc takes smaller ones from the break afterwards */
  cycle(32, 192, 30);
  cycle(192, 1 << 20, 12);
  (void)take(1 << 21);
  cycle(32, 192, 12);
  /* musl: of each size, more than a group has, so that another one is in use */
  for (size_t size = 12; size < 140000; size += size < 128 ? 16 : size / 8)
    for (int i = 0; i < (size < 2000 ? 40 : 12); i++)
      (void)take(size);
  (void)take(1 << 25);
  taken = aligned_alloc(4096, 8192);
}

/* Buffers and locks of streams: world.c reads what matters of stdout and stderr; other streams have
 * a descriptor. */
static void use_printf(void)
{
  static const char *const names[] = {"stdout", "stderr"};
  for (int i = 0; i < 2; i++) {
    FILE *f = stream(names[i]);
    if (f && fprintf(f, "%d", 1) >= 0)
      (void)fflush(f);
  }
}

static void use_streams(void)
{
  static const char *const names[] = {"stdout", "stderr"};
  for (int i = 0; i < 2; i++) {
    FILE *f = stream(names[i]);
    if (f)
      (void)fputs("text", f);
    if (f)
      (void)fputc('x', f);
  }
  FILE *f = fopen("/dev/null", "r+");
  char text[64];
  if (!f)
    return;
  (void)fprintf(f, "%d %s %f", 7, "text", 1.5);
  (void)fflush(f);
  (void)!fgets(text, sizeof text, f);
  (void)fclose(f);
  size_t size = 0;
  char *memory = NULL;
  f = open_memstream(&memory, &size);
  if (f)
    (void)fclose(f);
  free(memory);
}

/* The time zone is found again from TZ and its file; world.c holds the zones against each other.
 * Results in static memory: only who has a pointer to it can read them, and that is found. */
static void use_times(void)
{
  struct tm tm;
  const time_t now = time(NULL), then = 86400 * 180;
  tzset();
  (void)localtime(&now);
  (void)localtime_r(&then, &tm);
  (void)mktime(&tm);
  (void)gmtime(&now);
  (void)ctime(&now);
}

/* Texts that are results in static memory, too; number of the last error; the dynamic linker's
 * message. */
static void use_texts(void)
{
  char text[64];
  (void)strerror(12345);
  (void)strerror(ENOENT);
  (void)strsignal(SIGINT);
  (void)strsignal(1000);
  (void)dlsym(RTLD_DEFAULT, "no such symbol");
  (void)dlerror();
  (void)dlsym(RTLD_DEFAULT, "nor this, whose name is so long that the message has another place");
  (void)localeconv();
  (void)nl_langinfo(CODESET);
  (void)strftime(text, sizeof text, "%c", &(struct tm){.tm_mday = 1});
  (void)snprintf(text, sizeof text, "%g %ls %'d", 1e10, L"wide", 1234567);
  (void)strtod("1.5e3", NULL);
  (void)l64a(1234567);
  (void)toupper('a');
  errno = -1;
}

/* The message is read twice, and then is gone, with what had it. */
static void use_errors(void)
{
  (void)dlerror();
  (void)dlerror();
}

/* What is computed once from the machine. */
static int by_number(const void *a, const void *b)
{
  const int x = *(const int *)a, y = *(const int *)b;
  return (x > y) - (x < y);
}

static void use_machine(void)
{
  static int numbers[40000];
  for (int i = 0; i < 40000; i++)
    numbers[i] = i * 7919 % 40009;
  qsort(numbers, 40000, sizeof *numbers, by_number);
  for (int i = 0; i < 512; i++)
    (void)sysconf(i);
  free(realpath("/dev/fd", NULL)); /* asks how many links there may be */
  (void)getpagesize();
}

/* Conversion tables and patterns. */
static void use_tables(void)
{
  regex_t r;
  glob_t g;
  wchar_t wide[16];
  mbstate_t state;
  memset(&state, 0, sizeof state);
  const char *text = "text";
  if (!regcomp(&r, "^a(b|c)*[[:digit:]]+$", REG_EXTENDED | REG_ICASE)) {
    (void)regexec(&r, "abc1", 0, NULL, 0);
    regfree(&r);
  }
  if (!glob("/dev/nul*", 0, NULL, &g))
    globfree(&g);
  (void)fnmatch("a*[b-d]", "abc", 0);
  (void)mbsrtowcs(wide, &text, 16, &state);
  (void)wcstombs((char[16]){0}, L"wide", 16);
  (void)btowc('a');
  locale_t l = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (l)
    freelocale(l);
}

/* Locks, stacks kept for later threads, and whether there has ever been a second thread. */
static void *nothing(void *arg)
{
  free(take(100));
  return arg;
}

static void use_threads(void)
{
  pthread_t t[3];
  int n = 0;
  while (n < 3 && !pthread_create(&t[n], NULL, nothing, NULL))
    n++;
  while (n--)
    (void)pthread_join(t[n], NULL);
}

/* While the dynamic linker calls a constructor, musl has that of the thread off; see world.c, too. */
static void use_cancellation(void)
{
  (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  (void)pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
}

/* The loader makes keys, destructors of thread-local objects, fork handlers and dispositions of signals
 * again. */
static void destroy(void *arg)
{
  (void)arg;
}

static void make_keys(void)
{
  pthread_key_t key;
  for (int i = 0; i < 2000 && !pthread_key_create(&key, destroy); i++)
    (void)pthread_setspecific(key, &key);
}

/* glibc's, for C++ */
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

static void make_destructors(void)
{
  if (__cxa_thread_atexit_impl)
    (void)__cxa_thread_atexit_impl(destroy, NULL, &__dso_handle);
}

static void hook(void) {}

static void use_processes(void)
{
  for (int i = 0; i < 40; i++)
    (void)pthread_atfork(hook, hook, hook);
  const pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  if (pid > 0)
    (void)waitpid(pid, NULL, 0);
}

static void handle(int sig)
{
  (void)sig;
}

static void use_signals(void)
{
  struct sigaction action;
  for (int i = 1; i < 65; i++)
    if (i != SIGALRM) {
      memset(&action, 0, sizeof action);
      action.sa_handler = handle;
      (void)sigaction(i, &action, NULL);
    }
  (void)abs(0);
}

/* Its own variables and the locale are among the lines of world.c. */
static void use_environment(void)
{
  (void)clearenv();
  (void)setenv("URF_PROBE", "1", 1);
  (void)unsetenv("URF_PROBE");
  (void)putenv((char *)"URF_PROBE=2");
}

static void use_locale(void)
{
  (void)setlocale(LC_ALL, "C.UTF-8");
  (void)setlocale(LC_NUMERIC, "C");
  (void)setlocale(LC_ALL, "C");
  (void)setlocale(LC_ALL, "C.UTF-8");
}

/* Configuration of the name service, which is read when first needed. */
static void use_names(void)
{
  (void)getpwuid(0);
  (void)getpwnam("root");
  (void)getgrgid(0);
}

/* What the unwinder has worked out about registers and modules. */
static int walk(void *context, void *arg)
{
  (void)context, (void)arg;
  return 0;
}

static void use_unwinder(void)
{
  int (*backtrace)(int (*)(void *, void *), void *) =
      (int (*)(int (*)(void *, void *), void *))find_symbol("_Unwind_Backtrace");
  if (backtrace)
    (void)backtrace(walk, NULL);
}

/* std::cout and its like are made by the first library that includes <iostream>; replay.c counts on.  They are
 * there before anything is compared: what init then has undone is a change. */
void make_streams(void)
{
  static char object[64];
  void (*construct)(void *) = (void (*)(void *))find_symbol("_ZNSt8ios_base4InitC1Ev");
  if (construct)
    construct(object);
}

/* The first number that is written to one looks up what it is filled with. */
static void use_iostream(void)
{
  static const char *const names[] = {"_ZSt4cout", "_ZSt4cerr", "_ZSt4clog"};
  void *(*print)(void *, int) = (void *(*)(void *, int))find_symbol("_ZNSolsEi");
  for (size_t i = 0; print && i < sizeof names / sizeof *names; i++)
    if (find_symbol(names[i]))
      (void)print(find_symbol(names[i]), 5);
}

/* Of std::locale::classic: how many users it has, which is never given back, and what its std::ctype<char>
 * has looked up so far, as the first number written to a stream does. */
static void use_classic(void)
{
  static void *object[4];
  const void *(*classic)(void) = (const void *(*)(void))find_symbol("_ZNSt6locale7classicEv");
  void (*construct)(void *, const char *) =
      (void (*)(void *, const char *))find_symbol("_ZNSt6localeC1EPKc");
  const void *(*facet)(const void *) =
      (const void *(*)(const void *))find_symbol("_ZSt9use_facetISt5ctypeIcEERKT_RKSt6locale");
  void (*widen)(const void *) =
      (void (*)(const void *))find_symbol("_ZNKSt5ctypeIcE13_M_widen_initEv");
  void (*narrow)(const void *) =
      (void (*)(const void *))find_symbol("_ZNKSt5ctypeIcE14_M_narrow_initEv");
  if (!classic || !construct || !facet || !widen || !narrow)
    return;
  construct(object, "C");
  widen(facet(classic()));
  narrow(facet(classic()));
}

/* from here on: state that a process would miss */

static void tell_strtok(void)
{
  static char text[] = "some words";
  (void)strtok(text, " ");
}

static void tell_random(void)
{
  static char state[64];
  srandom(77);
  (void)random();
  (void)initstate(5, state, sizeof state);
}

static void tell_rand(void)
{
  srand(78);
  (void)rand();
}

static void tell_drand48(void)
{
  srand48(79);
  (void)drand48();
  unsigned short p[7] = {1, 2, 3, 4, 5, 6, 7};
  lcong48(p);
}

static void tell_getopt(void)
{
  char *const args[] = {(char *)"program", (char *)"-ab", (char *)"-b", (char *)"word", NULL};
  (void)getopt(4, args, "ab");
  (void)getopt(4, args, "ab");
}

static void tell_hcreate(void)
{
  (void)hcreate(3000);
}

static void tell_openlog(void)
{
  openlog("a name of thirty characters...", LOG_PERROR | LOG_CONS, LOG_LOCAL7);
}

static void tell_setlogmask(void)
{
  (void)setlogmask(setlogmask(0) ^ 0x5a5a5a5a);
}

static void tell_mallopt(void)
{
  for (long option = -8; option < 2; option++)
    (void)call_if_there("mallopt", option, 64 + option);
}

static void tell_textdomain(void)
{
  (void)textdomain("urf");
  (void)bindtextdomain("urf", "/");
}

static void tell_siginterrupt(void)
{
  (void)call_if_there("siginterrupt", SIGUSR1, 1);
}

static void tell_getpwent(void)
{
  setpwent();
  (void)getpwent();
  setgrent();
  (void)getgrent();
}

static void tell_atexit(void)
{
  (void)atexit(hook);
}

static void tell_quick_exit(void)
{
  (void)at_quick_exit(hook);
}

static void tell_resolver(void)
{
  (void)call_if_there("__res_init", 0, 0);
}

static void tell_new_handler(void)
{
  (void)call_if_there("_ZSt15set_new_handlerPFvvE", (long)hook, 0);
}

static void tell_terminate(void)
{
  (void)call_if_there("_ZSt13set_terminatePFvvE", (long)hook, 0);
}

static void tell_sync(void)
{
  (void)call_if_there("_ZNSt8ios_base15sync_with_stdioEb", 0, 0);
}

static void tell_setvbuf(void)
{
  static char buffer[512];
  static const char *const names[] = {"stdin", "stdout", "stderr"};
  for (int i = 0; i < 3; i++)
    if (stream(names[i]))
      (void)setvbuf(stream(names[i]), buffer, _IOFBF, sizeof buffer);
}

static void tell_getc(void)
{
  FILE *f = stream("stdin");
  if (f)
    (void)getc(f);
}

/* Which has a byte is who is first: those whose bytes may have any value stand in front. */
const struct probe probes[] = {
    {"signals", use_signals, PROBE_ANY}, /* before threads: musl does something else after */
    {"cancellation", use_cancellation, PROBE_ANY},
    {"malloc", use_malloc, PROBE_BOOKS},
    {"streams", use_streams, PROBE_ANY},
    {"printf", use_printf, PROBE_ANY},
    {"times", use_times, PROBE_ANY},
    {"texts", use_texts, PROBE_ANY},
    {"errors", use_errors, PROBE_ANY},
    {"tables", use_tables, PROBE_ANY},
    {"threads", use_threads, PROBE_ANY},
    {"keys", make_keys, PROBE_ANY},
    {"destructors", make_destructors, PROBE_ANY},
    {"processes", use_processes, PROBE_ANY},
    {"names", use_names, PROBE_ANY},
    {"unwinder", use_unwinder, PROBE_ANY},
    {"locale", use_locale, PROBE_ANY},
    {"environment", use_environment, PROBE_ANY},
    {"std::locale::classic", use_classic, PROBE_ANY},
    {"machine", use_machine, PROBE_SAME},
    {"iostream", make_streams, PROBE_ANY}, /* it counts */
    {"numbers", use_iostream, PROBE_SAME},
    {"strtok", tell_strtok, PROBE_TELLS},
    {"random", tell_random, PROBE_TELLS},
    {"rand", tell_rand, PROBE_TELLS},
    {"drand48", tell_drand48, PROBE_TELLS},
    {"getopt", tell_getopt, PROBE_TELLS},
    {"hcreate", tell_hcreate, PROBE_TELLS},
    {"openlog", tell_openlog, PROBE_TELLS},
    {"setlogmask", tell_setlogmask, PROBE_TELLS},
    {"mallopt", tell_mallopt, PROBE_TELLS},
    {"bindtextdomain", tell_textdomain, PROBE_TELLS},
    {"siginterrupt", tell_siginterrupt, PROBE_TELLS},
    {"getpwent", tell_getpwent, PROBE_TELLS},
    {"atexit", tell_atexit, PROBE_TELLS},
    {"at_quick_exit", tell_quick_exit, PROBE_TELLS},
    {"res_init", tell_resolver, PROBE_TELLS},
    {"std::set_new_handler", tell_new_handler, PROBE_TELLS},
    {"std::set_terminate", tell_terminate, PROBE_TELLS},
    {"std::ios_base::sync_with_stdio", tell_sync, PROBE_TELLS},
    {"setvbuf", tell_setvbuf, PROBE_TELLS},
    {"getc", tell_getc, PROBE_TELLS},
    {NULL, NULL, PROBE_END},
};
