/* driver [-f] [-n|-l|-t|-F|-c] [-o ADDRESS] LIBRARY - load a library, ask it, change it, ask again;
 * all of that twice.
 *
 *   int urf_init(void)        called first, but not with -f: the library comes initialised
 *   void answer(FILE *)       says what it knows
 *   void mutate(FILE *)       if there is one: changes the state that init made
 *
 * -l binds lazily, -t works in a second thread, -F in a child made before the load and another one
 * made after it; -c ends without unloading; -n is none of these.  -o occupies a page at ADDRESS
 * before the load.  The address of a library loaded with -f goes to stderr. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void say(FILE *);

struct library {
  void *handle;
  int (*init)(void);
  say *answer, *mutate;
};

static int frozen, binding = RTLD_NOW;
static const char *path;

static _Noreturn void die(const char *what)
{
  fflush(stdout);
  fprintf(stderr, "driver: %s\n", what);
  exit(1);
}

static void load(struct library *lib, int in_child)
{
  Dl_info info;
  lib->handle = dlopen(path, binding);
  if (!lib->handle)
    die(dlerror());
  *(void **)&lib->init = dlsym(lib->handle, "urf_init");
  *(void **)&lib->answer = dlsym(lib->handle, "answer");
  *(void **)&lib->mutate = dlsym(lib->handle, "mutate");
  if (!lib->init || !lib->answer)
    die("no urf_init or no answer");
  if (frozen && !in_child && dladdr(*(void **)&lib->init, &info))
    fprintf(stderr, "base %p\n", info.dli_fbase);
  if (!frozen && lib->init())
    die("urf_init failed");
}

/* 0 when the library has gone; musl keeps all of them, glibc some. */
static int unload(struct library *lib)
{
  if (dlclose(lib->handle))
    die(dlerror());
  void *handle = dlopen(path, binding | RTLD_NOLOAD);
  if (handle)
    dlclose(handle);
  return !!handle;
}

static void answers(const struct library *lib, int change)
{
  printf("answer\n");
  lib->answer(stdout);
  printf("again\n");
  lib->answer(stdout);
  if (!change || !lib->mutate)
    return;
  printf("mutate\n");
  lib->mutate(stdout);
  printf("answer\n");
  lib->answer(stdout);
}

static void *work(void *unused)
{
  struct library lib;
  load(&lib, 0);
  answers(&lib, 1);
  if (!unload(&lib)) {
    printf("reload\n");
    load(&lib, 0);
    answers(&lib, 1);
    unload(&lib);
  }
  return unused;
}

/* Waits for the child that it is called in the parent of; ends the child. */
static void join(int pid)
{
  int status;
  if (!pid) {
    fflush(stdout);
    _exit(0);
  }
  if (waitpid(pid, &status, 0) != pid || status)
    die("a child came to grief");
}

static int split(void)
{
  fflush(stdout);
  int pid = fork();
  if (pid < 0)
    die("fork");
  return pid;
}

static void work_forked(void)
{
  struct library lib;
  int pid = split();
  if (!pid) {
    load(&lib, 1);
    answers(&lib, 1);
  }
  join(pid);
  load(&lib, 0);
  pid = split();
  if (!pid)
    answers(&lib, 1);
  join(pid);
  answers(&lib, 1);
  unload(&lib);
}

int main(int argc, char **argv)
{
  int option, thread = 0, forked = 0, stay = 0;
  void *page;
  while ((option = getopt(argc, argv, "fnltFco:")) != -1)
    switch (option) {
    case 'f': frozen = 1; break;
    case 'n': break;
    case 'l': binding = RTLD_LAZY; break;
    case 't': thread = 1; break;
    case 'F': forked = 1; break;
    case 'c': stay = 1; break;
    case 'o':
      page = (void *)strtoul(optarg, 0, 0);
      if (mmap(page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != page)
        die("cannot occupy a page");
      break;
    default: return 2;
    }
  if (argc - optind != 1)
    return 2;
  path = argv[optind];
  pthread_t id;
  if (stay) {
    struct library lib;
    load(&lib, 0);
    answers(&lib, 1);
    answers(&lib, 0);
    fflush(stdout);
    _exit(0);
  }
  if (forked)
    work_forked();
  else if (!thread)
    work(0);
  else if (pthread_create(&id, 0, work, 0) || pthread_join(id, 0))
    die("no thread");
  return fflush(stdout) ? 1 : 0;
}
