// Pointers to what is gone: frames, stacks of threads that have ended, mappings that were given back.
// They are compared with null, and never followed.
// not: emulated which mapping of the emulator is the stack of a thread is not known
#include "feature.h"
#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
  char tag;
  void *unaligned;
} __attribute__((packed)) box;
static void *frame, *stack[3], *mapped, *freed, *file, *again;
static pthread_t thread[3];
static char *alive;

static void *run(void *at)
{
  int here = 5;
  *(void **)at = &here;
  return at;
}

__attribute__((noinline)) static void *address(volatile char *p)
{
  return (void *)(uintptr_t)p;
}

__attribute__((noinline)) static void leave(void)
{
  char local[64];
  frame = address(local);
}

static void *map(size_t size, int fd)
{
  void *p = (void *)syscall(SYS_mmap, 0, size, PROT_READ,
                            MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
  syscall(SYS_munmap, p, size);
  return (char *)p + 24;
}

int urf_init(void)
{
  void *(*get)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc");
  void (*put)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "free");
  leave();
  for (int i = 0; i < 3; i++)
    if (pthread_create(&thread[i], 0, run, &stack[i]) || (i == 1 && pthread_join(thread[0], 0)))
      return 1;
  pthread_join(thread[1], 0);
  pthread_join(thread[2], 0);
  mapped = map(8192, -1);
  again = map(8192, -1);
  FILE *self = fopen("/proc/self/exe", "r");
  file = map(4096, fileno(self));
  fclose(self);
  put(freed = get(100000000));
  box.unaligned = mapped;
  alive = strdup("alive");
  return 0;
}

void answer(FILE *out)
{
  int n = !!frame + !!mapped + !!freed + !!file + !!again + !!box.unaligned + box.tag;
  for (int i = 0; i < 3; i++)
    n += !!stack[i] + !!thread[i];
  fprintf(out, "%d %s\n", n, alive);
}
