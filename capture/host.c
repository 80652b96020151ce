/* The process that loads a library for turf: one program, built once per libc.
 *
 *   host FD LIBRARY -[LETTER...][:N,N...]
 *
 * LETTERs say what it shall do besides: f the library takes its way back, w what init changes outside the
 * library is found out, b and a the books of blocks and of allocations are kept, :N,N... the stacks of those
 * allocations as well.
 *
 * It talks over the socket FD, one line per request and answer; see run.c and capture.c for the
 * other end.  Between loading the library and the last init it does nothing on its own account, and
 * what it is asked for (maps, memory) leaves no trace, so that the library sees an idle process. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "guest.h"
#include "host_machine.h"
#include "memory.h"
#include "unwind_host.h"
#include "world.h"

enum { PAGE = 4096 };

/* Room for one record per event, taken from the kernel page by page as it fills. */
#define RECORDS ((size_t)1 << (sizeof(void *) == 8 ? 30 : 21))

struct record {
  uint64_t address, size, extra;
};

static struct record *allocations, *blocks; /* NULL when nobody will ask */
static size_t n_allocations, n_blocks;
static int unwinds; /* stacks are asked for */
static int line_fd;

/* One thread at a time comes here: it has the lock of the library's heap.  No call, which would leave an
 * address of this program on a stack that may be part of the image, for init to copy as padding. */
static void allocated(void *p, uintptr_t size, void *caller, unsigned how)
{
  size_t i = __atomic_fetch_add(&n_allocations, 1, __ATOMIC_RELAXED);
  if (unwinds)
    unwind_at(i);
  if (allocations && i < RECORDS)
    allocations[i] =
        (struct record){(uintptr_t)p, size, (uintptr_t)caller | (uint64_t)how << URF_HOW_SHIFT};
}

static void block(void *p, uintptr_t size, enum urf_block_kind kind)
{
  if (blocks && n_blocks < RECORDS)
    blocks[n_blocks] = (struct record){(uintptr_t)p, size, kind};
  n_blocks++;
}

/* the image in front of the variables: code, constants, what the dynamic linker fills */

static struct {
  const char *image, *copy; /* of it, as it was before the library's constructors */
  size_t size;
} front;

/* Calls f for each stretch that its program headers call readable, until it returns an address. */
static const char *each_readable(const char *(*f)(size_t offset, size_t size))
{
  const ElfW(Ehdr) *header = (const void *)front.image;
  const ElfW(Phdr) *ph = (const void *)(front.image + header->e_phoff), *end = ph + header->e_phnum;
  while (ph < end && ph->p_type != PT_LOAD)
    ph++;
  const char *found = NULL;
  for (const uintptr_t first = ph->p_vaddr; ph < end && !found; ph++) {
    size_t offset = ph->p_vaddr - first;
    /* a program's variables in front of the region are told of by memory_changes */
    if (ph->p_type == PT_LOAD && ph->p_flags & PF_R && offset < front.size &&
        !(guest_is_program && ph->p_flags & PF_W))
      found = f(offset, ph->p_memsz < front.size - offset ? ph->p_memsz : front.size - offset);
  }
  return found;
}

static const char *copy_stretch(size_t offset, size_t size)
{
  memcpy((char *)front.copy + offset, front.image + offset, size);
  return NULL;
}

static void joined(const void *image, const void *variables)
{
  size_t size = (size_t)((const char *)variables - (const char *)image);
  world_begin();
  memory_begin(image);
  void *p =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    return;
  front.image = image;
  front.copy = p;
  front.size = size;
  (void)each_readable(copy_stretch);
}

/* Whether n bytes, of one page, can be read: by way of the kernel, as init may have closed it, or taken it away. */
static int is_readable(int fd, const char *p, size_t n)
{
  const char *page = (const char *)((uintptr_t)p & ~(uintptr_t)(PAGE - 1));
  return pwrite(fd, p, n, 0) == (ssize_t)n ||
         (!mprotect((void *)(uintptr_t)page, PAGE, PROT_READ) && pwrite(fd, p, n, 0) == (ssize_t)n);
}

/* The first byte that is not as it was; /proc/self/mem would be the emulator's, where there is one. */
static const char *compare_stretch(size_t offset, size_t size)
{
  const char *found = NULL;
  const int fd = memfd_create("page", MFD_CLOEXEC);
  for (size_t at = offset, n; at < offset + size && !found; at += n) {
    const char *now = front.image + at;
    const size_t left = PAGE - (uintptr_t)now % PAGE;
    n = offset + size - at < left ? offset + size - at : left;
    if (!is_readable(fd, now, n))
      found = now;
    for (size_t i = 0; i < n && !found; i++)
      if (now[i] != front.copy[at + i])
        found = now + i;
  }
  if (fd >= 0)
    close(fd);
  return found;
}

__attribute__((visibility("default"))) struct urf_host handshake __asm__(URF_HOST_SYMBOL) = {
    .version = URF_HOST_VERSION, .joined = joined, .allocated = allocated, .block = block};

static size_t to_page_end(const char *p)
{
  return PAGE - (uintptr_t)p % PAGE;
}

/* Pages that init made inaccessible are opened; turf has been told of them by then.  Where nothing
 * is even then (the gap that a linker leaves between two segments) zeros are sent. */
static void put(const void *data, size_t n)
{
  static const char nothing[PAGE];
  const char *p = data, *from = p, *opened = NULL;
  size_t part = n;
  while (n) {
    ssize_t done = write(line_fd, from, part < n ? part : n);
    if (done > 0) {
      p += done;
      n -= (size_t)done;
      part = n;
      from = p;
    } else if (done == 0 || (errno != EFAULT && errno != EINTR))
      _exit(1);
    else if (errno == EFAULT && part > to_page_end(p))
      part = to_page_end(p); /* it may be any page of those */
    else if (errno == EFAULT && opened == p)
      from = nothing;
    else if (errno == EFAULT) {
      (void)mprotect((void *)((uintptr_t)p & ~(uintptr_t)(PAGE - 1)), PAGE, PROT_READ);
      opened = p;
    }
  }
}

#define SAY(...)                                                                                   \
  do {                                                                                             \
    char line_[4608];                                                                              \
    int n_ = snprintf(line_, sizeof line_, __VA_ARGS__);                                           \
    put(line_, n_ < (int)sizeof line_ ? (size_t)n_ : sizeof line_ - 1);                            \
  } while (0)

static struct record *room(void)
{
  void *p = mmap(NULL, RECORDS * sizeof(struct record), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

static size_t layout_size;

/* The layout of the heap, if turf has left one: before the library is there, and leaving no descriptor. */
static const struct urf_layout *take_layout(void)
{
  struct stat st;
  if (fstat(URF_LAYOUT_FD, &st))
    return NULL;
  layout_size = (size_t)st.st_size;
  const void *p = mmap(NULL, layout_size, PROT_READ, MAP_PRIVATE, URF_LAYOUT_FD, 0);
  close(URF_LAYOUT_FD);
  return p == MAP_FAILED ? NULL : p;
}

static void say_module(uintptr_t bias, uintptr_t lo, uintptr_t hi, const char *path)
{
  SAY("module %lx %lx %lx %s\n", (unsigned long)bias, (unsigned long)lo, (unsigned long)hi, path);
}

static void say_maps(void)
{
  int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  char buf[4096];
  ssize_t n;
  while (fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0)
    put(buf, (size_t)n);
  if (fd >= 0)
    close(fd);
  SAY("end\n");
}

/* What the dynamic linker and earlier calls left on the stack differs from process to process, and the
 * padding of a structure that init copies may take it along. */
__attribute__((noinline)) static void clear_stack(void)
{
  volatile char below[1 << 18];
  for (size_t i = 0; i < sizeof below; i++)
    below[i] = 0;
}

/* Init may copy what its caller has in registers, as padding: nothing of this program's is to be there. */
__attribute__((noinline)) static int call_init(void *init, int has_result)
{
  int result = 0;
  FORGET_REGISTERS();
  if (has_result)
    result = ((int (*)(void))init)();
  else
    ((void (*)(void))init)();
  __asm__ volatile("" : "+r"(result)); /* or it would jump to init, with the registers restored */
  return result;
}

static void run_init(const char *name, int has_result)
{
  void *init = guest_function(name);
  if (!init) {
    SAY("missing\n");
    return;
  }
  clear_stack();
  guest_enter();
  const int result = call_init(init, has_result);
  guest_leave();
  SAY("result %d %lx\n", result, (unsigned long)init);
}

static unsigned long count_tasks(void)
{
  unsigned long n = 0;
  DIR *dir = opendir("/proc/self/task");
  struct dirent *entry;
  while (dir && (entry = readdir(dir)))
    n += entry->d_name[0] != '.';
  if (dir)
    closedir(dir);
  return n;
}

/* An emulator has threads of its own, before the program begins. */
static unsigned long own_tasks;

/* With the one that calls.  One that has been joined may have a moment to go. */
static unsigned long count_threads(void)
{
  unsigned long n = count_tasks();
  for (int i = 0; i < 100 && n > own_tasks; i++) {
    usleep(1000);
    n = count_tasks();
  }
  return n > own_tasks ? n - own_tasks + 1 : 1;
}

static void seal(void)
{
  size_t tls_size;
  if (!handshake.seal) {
    const void *tls = guest_tls(&tls_size);
    SAY("frozen %lx %lx\n", (unsigned long)tls, (unsigned long)guest_thread());
    return;
  }
  guest_enter();
  handshake.seal();
  guest_leave();
  if ((allocations && n_allocations > RECORDS) || n_blocks > RECORDS) {
    SAY("more than %lu allocations, or blocks that are left, for which it has no room\n",
        (unsigned long)RECORDS);
    return;
  }
  unsigned long n_threads = count_threads(); /* hooks may have ended some */
  const void *tls = guest_tls(&tls_size);
  SAY("sealed %lx %lx %lx %lx %lx %lx %lx %lu %lx %lx %zx %lu %d %u %lu\n",
      (unsigned long)handshake.top, (unsigned long)handshake.missing,
      (unsigned long)handshake.align, (unsigned long)blocks, (unsigned long)n_blocks,
      (unsigned long)allocations, (unsigned long)n_allocations, n_threads,
      (unsigned long)guest_thread(), (unsigned long)tls, tls_size, (unsigned long)handshake.refused,
      handshake.thaw != NULL, (unsigned)handshake.strayed, (unsigned long)handshake.strayed_at);
}

static void say_stack(size_t allocation, const uintptr_t *frames, size_t n)
{
  SAY("stack %lu", (unsigned long)allocation);
  for (size_t i = 0; i < n; i++)
    SAY(" %lx", (unsigned long)frames[i]);
  SAY("\n");
}

/* Which bits of the memory are undefined to memcheck; a page that is not there is none of its
 * business. */
static void say_undefined(unsigned long address, size_t size)
{
  enum { GET_VBITS = 0x4d430008 }; /* memcheck.h */
  static unsigned char bits[PAGE];
  for (size_t at = 0, n; at < size; at += n) {
    n = size - at < PAGE ? size - at : PAGE;
    unsigned long request[6] = {GET_VBITS, address + at, (uintptr_t)bits, n}, result;
    memset(bits, 0, sizeof bits);
    VALGRIND_REQUEST(result, request);
    if (!at)
      SAY(result ? "bits\n" : "no memcheck\n");
    if (result != 1)
      memset(bits, 0, sizeof bits);
    put(bits, n);
  }
}

static void say_change(char sign, const char *line)
{
  SAY("%c%s\n", sign, line);
}

/* The rest of a line that begins with the word, or NULL. */
static char *after(char *line, const char *word)
{
  size_t n = strlen(word);
  return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

/* NAME VERSION */
static void find(char *name, int held)
{
  char *version = strrchr(name, ' ');
  if (!version)
    _exit(1);
  *version++ = 0;
  void *p = guest_symbol(name, version);
  if (p && held) /* what the pointer there points to */
    p = *(void **)p;
  SAY("at %lx\n", (unsigned long)p);
}

static void give_back(void *p, size_t size)
{
  if (p && size)
    (void)madvise(p, size, MADV_DONTNEED);
}

/* Gives the memory back that turf has a copy of, or has no more use for; whole pages. Nothing of the library's
 * runs any more, and nothing of it is used: no handler of a signal, no locale that it has made. */
static void release(unsigned long address, size_t size)
{
  const unsigned long lo = (address + PAGE - 1) & ~(unsigned long)(PAGE - 1);
  const unsigned long hi = (address + size) & ~(unsigned long)(PAGE - 1);
  sigset_t all;
  sigfillset(&all);
  (void)sigprocmask(SIG_BLOCK, &all, NULL);
  (void)uselocale(LC_GLOBAL_LOCALE);
  give_back((void *)lo, lo < hi ? hi - lo : 0);
  give_back((void *)(uintptr_t)front.copy, front.size);
  if (handshake.layout)
    (void)munmap((void *)(uintptr_t)handshake.layout, layout_size);
  handshake.layout = NULL;
}

static void obey(char *line)
{
  unsigned long address, size;
  char *rest;
  if ((rest = after(line, "init")))
    run_init(rest, 1);
  else if ((rest = after(line, "void")))
    run_init(rest, 0);
  else if (strcmp(line, "seal") == 0)
    seal();
  else if (strcmp(line, "modules") == 0) {
    guest_modules(say_module);
    SAY("end\n");
  } else if (strcmp(line, "maps") == 0)
    say_maps();
  else if (strcmp(line, "stacks") == 0) {
    unwind_each(say_stack);
    SAY("end\n");
  } else if (strcmp(line, "cpu") == 0) {
    for (size_t i = 0; i < URF_CPU_WORDS; i++)
      SAY("%x\n", (unsigned)handshake.cpu[i]);
  } else if (strcmp(line, "world") == 0) {
    memory_changes(say_change); /* first: what follows opens files */
    world_changes(say_change);
    SAY("end\n");
  } else if (strcmp(line, "thaw") == 0) {
    guest_enter();
    if (handshake.thaw)
      handshake.thaw();
    guest_leave();
    SAY("thawed\n");
  } else if (strcmp(line, "front") == 0)
    SAY("front %lx\n", front.image ? (unsigned long)each_readable(compare_stretch) : 1);
  else if (sscanf(line, "read %lx %lx", &address, &size) == 2) {
    SAY("bytes\n");
    put((const void *)address, size);
  } else if (sscanf(line, "release %lx %lx", &address, &size) == 2) {
    release(address, size);
    SAY("released\n");
  } else if (strcmp(line, "forget") == 0) {
    give_back(allocations, RECORDS * sizeof *allocations);
    give_back(blocks, RECORDS * sizeof *blocks);
    SAY("forgotten\n");
  } else if (sscanf(line, "undefined %lx %lx", &address, &size) == 2)
    say_undefined(address, size);
  else if ((rest = after(line, "resolve")))
    find(rest, 0);
  else if ((rest = after(line, "held")))
    find(rest, 1);
  else
    _exit(1);
}

static _Noreturn void listen_to_turf(void)
{
  static char line[1 << 16]; /* names of C++ symbols are long */
  size_t n = 0;
  SAY("loaded %lx %lx\n", (unsigned long)guest_bias(), (unsigned long)__builtin_frame_address(0));
  for (;;) {
    ssize_t got = read(line_fd, line + n, 1);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0 || n == sizeof line - 1)
      _exit(0);
    if (line[n++] != '\n')
      continue;
    line[n - 1] = 0;
    n = 0;
    obey(line);
  }
}

int main(int argc, char **argv)
{
  if (argc < 4)
    return 1;
  line_fd = atoi(argv[1]);
  own_tasks = count_tasks();
  SAY("host\n");
  handshake.library = argv[2];
  const char *stacks = strchr(argv[3], ':');
  handshake.fall_back = strchr(argv[3], 'f') != NULL;
  copies_are_made(strchr(argv[3], 'w') != NULL);
  if ((strchr(argv[3], 'a') && !(allocations = room())) ||
      (strchr(argv[3], 'b') && !(blocks = room()))) {
    SAY("system the host program: cannot reserve address space: %s\n", strerror(errno));
    return 1;
  }
  handshake.layout = take_layout();
  unwinds = stacks != NULL;
  if (unwinds)
    unwind_want(stacks + 1);
  const char *path = argv[2];
  argv[3] = argv[0];
  SAY("error %s\n", guest_load(path, argv + 3, &handshake, listen_to_turf));
  return 1;
}
