/* A static program as the guest of the host program, which is linked statically, too.
 *
 * The program gets the address that turf wants it to have and a start as the kernel makes one: arguments,
 * environment and auxiliary vector on the stack (psABI).  It takes the process over, and comes back where its
 * last constructor would end.  The thread pointer is then its own: the host program's is put in its place
 * for as long as that runs.
 *
 * What it has of the C library is part of it, so that the variables of that are looked at here (memory.h):
 * they stand in front of the region. */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"
#include "host_machine.h"
#include "memory.h"

enum { PAGE = 4096, UNIT = 4, GAP = 4 * UNIT };

const int guest_is_program = 1;
static struct {
  const char *path;
  const unsigned char *file; /* the whole of it */
  size_t size;
  const ElfW(Ehdr) * header;
  const ElfW(Phdr) * segments, *tls; /* tls NULL for none */
  uintptr_t bias, lo, hi;            /* the latter as linked, whole pages */
  struct urf_note note;
  uintptr_t own_thread, thread; /* thread pointers, of the host program and the guest */
  struct urf_host *handshake;
  void (*joined)(const void *image, const void *variables), (*seal)(void), (*ready)(void);
} guest;

/* the file */

static const char *read_file(const char *path)
{
  struct stat st;
  if (stat(path, &st))
    return strerror(errno);
  guest.path = path;
  guest.size = (size_t)st.st_size;
  /* Not as a mapping, which would look like one of the guest's; and before it is opened, since turf takes the next
   * one behind that for the guest's place (guests.c). */
  unsigned char *file =
      mmap(NULL, guest.size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return strerror(errno);
  for (size_t at = 0; file != MAP_FAILED && at < guest.size;) {
    const ssize_t n = pread(fd, file + at, guest.size - at, (off_t)at);
    if (n <= 0)
      return "it cannot be read";
    at += (size_t)n;
  }
  close(fd);
  guest.file = file;
  guest.header = (const void *)file;
  guest.segments = (const void *)(file + guest.header->e_phoff);
  return file == MAP_FAILED ? "there is no memory for it" : NULL;
}

static void read_note(const ElfW(Phdr) * p)
{
  const unsigned char *at = guest.file + p->p_offset, *end = at + p->p_filesz;
  while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
    const ElfW(Nhdr) *n = (const void *)at;
    const size_t whole = sizeof *n + ((n->n_namesz + 3) & ~3u) + ((n->n_descsz + 3) & ~3u);
    if (n->n_namesz == 4 && memcmp(n + 1, URF_NOTE_NAME, 4) == 0 && whole >= sizeof guest.note)
      memcpy(&guest.note, at, sizeof guest.note);
    if (whole > (size_t)(end - at))
      break;
    at += whole;
  }
}

static void read_segments(void)
{
  guest.lo = UINTPTR_MAX;
  for (const ElfW(Phdr) *p = guest.segments; p < guest.segments + guest.header->e_phnum; p++) {
    if (p->p_type == PT_NOTE && !guest.note.self)
      read_note(p);
    if (p->p_type == PT_TLS)
      guest.tls = p;
    if (p->p_type != PT_LOAD)
      continue;
    if ((p->p_vaddr & -(uintptr_t)PAGE) < guest.lo)
      guest.lo = p->p_vaddr & -(uintptr_t)PAGE;
    if (p->p_vaddr + p->p_memsz > guest.hi)
      guest.hi = (p->p_vaddr + p->p_memsz + PAGE - 1) & -(uintptr_t)PAGE;
  }
}

/* Address of the symbol, or 0. */
static uintptr_t find(const char *name)
{
  const ElfW(Shdr) *sections = (const void *)(guest.file + guest.header->e_shoff);
  for (size_t i = 0; guest.header->e_shoff && i < guest.header->e_shnum; i++) {
    if (sections[i].sh_type != SHT_SYMTAB)
      continue;
    const ElfW(Sym) *s = (const void *)(guest.file + sections[i].sh_offset);
    const ElfW(Sym) *end = s + sections[i].sh_size / sizeof *s;
    const char *names = (const char *)guest.file + sections[sections[i].sh_link].sh_offset;
    for (; s < end; s++)
      if (s->st_shndx != SHN_UNDEF && strcmp(names + s->st_name, name) == 0)
        return s->st_value + guest.bias;
  }
  return 0;
}

/* the image */

static int map_segment(int fd, const ElfW(Phdr) * p)
{
  const int prot = (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
                   (p->p_flags & PF_X ? PROT_EXEC : 0);
  const uintptr_t skip = p->p_vaddr % PAGE, start = guest.bias + p->p_vaddr - skip;
  const uintptr_t file_end = guest.bias + p->p_vaddr + p->p_filesz;
  const uintptr_t page_end = (file_end + PAGE - 1) & -(uintptr_t)PAGE;
  const uintptr_t end = guest.bias + p->p_vaddr + p->p_memsz;
  if (p->p_filesz && mmap((void *)start, file_end - start, prot, MAP_PRIVATE | MAP_FIXED, fd,
                          (off_t)(p->p_offset - skip)) == MAP_FAILED)
    return -1;
  if (p->p_filesz && p->p_memsz > p->p_filesz)
    memset((void *)file_end, 0, (end < page_end ? end : page_end) - file_end);
  const uintptr_t rest = p->p_filesz ? page_end : start;
  return end > rest && mmap((void *)rest, end - rest, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                            -1, 0) == MAP_FAILED
             ? -1
             : 0;
}

static const char *map_image(void)
{
  const int fd = open(guest.path, O_RDONLY | O_CLOEXEC);
  const int moves = guest.header->e_type == ET_DYN;
  /* turf knows the program's own mapping by its file */
  void *p = mmap(moves ? NULL : (void *)guest.lo, guest.hi - guest.lo, PROT_NONE,
                 MAP_PRIVATE | (moves ? 0 : MAP_FIXED_NOREPLACE), fd, 0);
  if (p == MAP_FAILED)
    return strerror(errno);
  if (!moves && (uintptr_t)p != guest.lo) /* emulators take it for a wish */
    return "its address is not free in this process";
  guest.bias = (uintptr_t)p - guest.lo;
  (void)mmap(p, guest.hi - guest.lo, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  for (const ElfW(Phdr) *s = guest.segments; s < guest.segments + guest.header->e_phnum; s++)
    if (s->p_type == PT_LOAD && s->p_memsz && map_segment(fd, s))
      return strerror(errno);
  close(fd);
  return NULL;
}

/* the variables of its C library */

/* All that the thread has of its own, the program's with them; NULL for none. */
static const char *thread_variables(void)
{
  const uintptr_t thread = guest.thread ? THREAD_POINTER(guest.thread) : 0;
  return guest.tls && thread
             ? TLS_BLOCK(thread, guest.tls->p_vaddr, guest.tls->p_memsz, guest.tls->p_align)
             : NULL;
}

struct area {
  const char *now;
  char *before;
  size_t size;
  uintptr_t offset; /* from the bias, or in the thread-local variables */
  int tls;
};
static struct area areas[16];
static size_t n_areas;

static void add_area(const char *now, size_t size, uintptr_t offset, int tls)
{
  char *before = size && n_areas < sizeof areas / sizeof *areas
                     ? mmap(NULL, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                     : MAP_FAILED;
  if (before == MAP_FAILED)
    return;
  memcpy(before, now, size);
  areas[n_areas++] = (struct area){now, before, size, offset, tls};
}

void memory_begin(const void *image)
{
  const uintptr_t end = guest.note.transient;
  (void)image;
  for (const ElfW(Phdr) *p = guest.segments; p < guest.segments + guest.header->e_phnum; p++)
    if (p->p_type == PT_LOAD && p->p_flags & PF_W && p->p_vaddr < end)
      add_area((const char *)guest.bias + p->p_vaddr,
               p->p_memsz < end - p->p_vaddr ? p->p_memsz : end - p->p_vaddr, p->p_vaddr, 0);
  if (thread_variables())
    add_area(thread_variables(), guest.tls->p_memsz, 0, 1);
}

/* A standard stream's FILE, as far as both C libraries have had it for long. */
struct glibc_stream { /* libio.h, bits/types/struct_FILE.h */
  int flags;
  char *read_ptr, *read_end, *read_base, *write_base, *write_ptr, *write_end, *buffer[5];
  void *list[2];
  int fd, flags2;
  long old_offset;
  unsigned char old[4];
  void *lock;
  int64_t offset;
  void *more[5];
  int mode;
  char unused[15 * sizeof(int) - 5 * sizeof(void *)];
};
struct musl_stream { /* stdio_impl.h */
  unsigned flags;
  unsigned char *read_pos, *read_end;
  void *close;
  unsigned char *write_end, *write_pos, *zero, *write_base;
  void *functions[3];
  unsigned char *buffer;
  size_t buffer_size;
  void *list[2];
  int fd, pid;
  long lock_count;
  int mode;
};

_Static_assert(sizeof(void *) != 8 || (offsetof(struct glibc_stream, fd) == 112 &&
                                       offsetof(struct glibc_stream, mode) == 192 &&
                                       offsetof(struct musl_stream, mode) == 136),
               "as on all machines with 64 bits");

static int is_quiet_glibc(const struct glibc_stream *now, const struct glibc_stream *before)
{
  enum { USER = 1, NONE = 2, END = 0x10, FAILED = 0x20, LINES = 0x200 };
  const int set = now->flags & NONE ? NONE | LINES : USER | LINES;
  return now->write_ptr == now->write_base && now->read_ptr == now->read_end && now->mode <= 0 &&
         !(now->flags & (END | FAILED)) && !((now->flags ^ before->flags) & set) &&
         now->fd == before->fd && now->list[0] == before->list[0];
}

static int is_quiet_musl(const struct musl_stream *now, const struct musl_stream *before)
{
  enum { END = 16, FAILED = 32, SET = 64 };
  return now->write_pos == now->write_base && now->read_pos == now->read_end && now->mode <= 0 &&
         !(now->flags & (END | FAILED)) && !((now->flags ^ before->flags) & SET) &&
         now->fd == before->fd && now->list[0] == before->list[0];
}

/* Whether the bytes are those of a standard stream that has been used and is empty again, in the mode that it
 * had: the next process uses it for the first time, and nobody sees a difference. */
static int is_quiet(const struct area *a, const char *p)
{
  static const struct {
    const char *name;
    int glibc;
  } streams[] = {{"_IO_2_1_stdin_", 1}, {"_IO_2_1_stdout_", 1}, {"_IO_2_1_stderr_", 1},
                 {"__stdin_FILE", 0},   {"__stdout_FILE", 0},   {"__stderr_FILE", 0}};
  const uintptr_t lo = (uintptr_t)a->now, at = (uintptr_t)p;
  for (size_t i = 0; i < sizeof streams / sizeof *streams && !a->tls; i++) {
    const uintptr_t f = find(streams[i].name);
    const size_t size =
        streams[i].glibc ? sizeof(struct glibc_stream) : sizeof(struct musl_stream) + 16;
    if (!f || f < lo || f - lo > a->size - size)
      continue;
    const struct musl_stream *m = (const void *)f;
    const void *before = a->before + (f - lo);
    const int inside = at - f < size, buffer = !streams[i].glibc && m->buffer &&
                                               at + 8 - (uintptr_t)m->buffer < m->buffer_size + 8;
    if ((inside || buffer) &&
        (streams[i].glibc ? is_quiet_glibc((const void *)f, before) : is_quiet_musl(m, before)))
      return 1;
  }
  return 0;
}

/* What comes and goes with every call, what is frozen, and what a program sets itself at the start of each thread. */
static int is_harmless_at(const struct area *a, const char *p)
{
  const char *tls = thread_variables(), *frozen = guest.handshake->tls;
  const char *error = (const char *)guest.handshake->error;
  const size_t size = guest.tls ? guest.tls->p_memsz : 0;
  if (p + UNIT > error && p < error + sizeof(int))
    return 1;
  if (a->tls && frozen && p >= frozen && p < frozen + guest.handshake->tls_size)
    return 1;
  if (!a->tls && tls && p >= tls && p < tls + size) /* told of as such */
    return 1;
  return is_quiet(a, p);
}

static void say_stretch(const struct area *a, size_t from, size_t to,
                        void (*say)(char sign, const char *line))
{
  char line[4608];
  if (from == to)
    return;
  snprintf(line, sizeof line, "data %lx %zx %d %llx %llx - %s", (unsigned long)(a->offset + from),
           to - from, a->tls, (unsigned long long)first_bytes(a->before + from, to - from),
           (unsigned long long)first_bytes(a->now + from, to - from), guest.path);
  say('+', line);
}

void memory_changes(void (*say)(char sign, const char *line))
{
  for (const struct area *a = areas; a < areas + n_areas; a++) {
    size_t from = 0, to = 0;
    for (size_t at = 0; at < a->size; at += UNIT) {
      const size_t n = a->size - at < UNIT ? a->size - at : UNIT;
      if (memcmp(a->now + at, a->before + at, n) == 0 || is_harmless_at(a, a->now + at))
        continue;
      if (to && at - to > GAP) {
        say_stretch(a, from, to, say);
        to = 0;
      }
      from = to ? from : at;
      to = at + n;
    }
    say_stretch(a, from, to, say);
  }
}

/* It has no functions that could be tried. */
void in_copy(void (*f)(void))
{
  (void)f;
}

void copies_are_made(int yes)
{
  (void)yes;
}

/* the process */

void guest_enter(void)
{
  THREAD_POINTER_SET(guest.thread);
}

void guest_leave(void)
{
  THREAD_POINTER_GET(guest.thread);
  THREAD_POINTER_SET(guest.own_thread);
}

/* Functions that are to be called at exit: libc keeps them among its own variables, where they would not be
 * frozen.  While init runs, its __cxa_atexit is a jump to this one.  It is called in the guest's place, so no
 * libc is. */
static struct urf_exit exits[1 << 16];
static unsigned char replaced[JUMP_SIZE];

static int at_exit(void (*fn)(void *), void *arg, void *dso)
{
  struct urf_host *h = guest.handshake;
  const uintptr_t n = __atomic_fetch_add(&h->n_exits, 1, __ATOMIC_RELAXED);
  if (n >= sizeof exits / sizeof *exits) {
    (void)__atomic_fetch_sub(&h->n_exits, 1, __ATOMIC_RELAXED);
    return -1;
  }
  exits[n] = (struct urf_exit){fn, arg, dso};
  return 0;
}

static void put_code(const unsigned char code[JUMP_SIZE])
{
  unsigned char *at = (unsigned char *)CODE_OF(guest.handshake->at_exit);
  const uintptr_t lo = (uintptr_t)at & -(uintptr_t)PAGE;
  const size_t size = ((uintptr_t)at + JUMP_SIZE + PAGE - 1 - lo) & -(uintptr_t)PAGE;
  if (!at || mprotect((void *)lo, size, PROT_READ | PROT_WRITE | PROT_EXEC))
    return;
  memcpy(at, code, JUMP_SIZE);
  __builtin___clear_cache((char *)at, (char *)at + JUMP_SIZE);
  (void)mprotect((void *)lo, size, PROT_READ | PROT_EXEC);
}

static void seal(void)
{
  guest.seal();
  put_code(replaced);
}

static void joined(const void *image, const void *variables)
{
  struct urf_host *h = guest.handshake;
  unsigned char jump[JUMP_SIZE];
  guest_leave();
  guest.joined(image, variables);
  if (h->at_exit) {
    memcpy(replaced, (const void *)CODE_OF(h->at_exit), JUMP_SIZE);
    JUMP_MAKE(jump, h->at_exit, at_exit);
    put_code(jump);
  }
  guest.seal = h->seal;
  h->seal = seal;
  h->exits = exits;
  guest_enter();
}

static void loaded(void)
{
  guest_leave();
  guest.ready();
}

/* Entries of the auxiliary vector that are about the program (getauxval(3)). */
static uintptr_t change_entry(uintptr_t type, uintptr_t value)
{
  switch (type) {
  case AT_PHDR: return guest.bias + guest.lo + guest.header->e_phoff;
  case AT_PHENT: return guest.header->e_phentsize;
  case AT_PHNUM: return guest.header->e_phnum;
  case AT_ENTRY: return guest.bias + guest.header->e_entry;
  case AT_BASE: return 0;
  case AT_EXECFN: return (uintptr_t)guest.path;
  default: return value;
  }
}

static size_t put_list(uintptr_t *to, char **list)
{
  size_t n = 0;
  for (; list[n]; n++)
    to[n] = (uintptr_t)list[n];
  to[n++] = 0;
  return n;
}

static void start(char **argv)
{
  enum { ROOM = 1 << 15 };
  uintptr_t words[ROOM] __attribute__((aligned(16)));
  size_t n = 1, argc = 0, env = 0;
  while (argv[argc])
    argc++;
  while (environ[env])
    env++;
  if (argc + env > ROOM - 128)
    return;
  words[0] = argc;
  n += put_list(words + n, argv);
  n += put_list(words + n, environ);
  const ElfW(auxv_t) *a = (const void *)(environ + env + 1);
  do {
    words[n++] = a->a_type;
    words[n++] = change_entry(a->a_type, a->a_un.a_val);
  } while (a++->a_type != AT_NULL && n < ROOM - 2);
  PROGRAM_START(words, guest.bias + guest.header->e_entry);
}

const char *guest_load(const char *path, char **argv, struct urf_host *handshake,
                       void (*ready)(void))
{
  const char *why = read_file(path);
  if (why)
    return why;
  read_segments();
  if (!(guest.note.flags & URF_STATIC))
    return "this host program is for static programs that are linked with urf.ld";
  why = map_image();
  if (why)
    return why;
  guest.handshake = handshake;
  guest.joined = handshake->joined;
  guest.ready = ready;
  handshake->joined = joined;
  handshake->loaded = loaded;
  *(struct urf_host **)(guest.bias + (uintptr_t)guest.note.state) = handshake;
  THREAD_POINTER_GET(guest.own_thread);
  start(argv);
  return "its environment is too large";
}

uintptr_t guest_bias(void)
{
  return guest.bias;
}

/* What points there is frozen where the program has said so; for all others it is as near as the report wants it. */
uintptr_t guest_thread(void)
{
  return guest.handshake->thread ? guest.handshake->thread : THREAD_POINTER(guest.thread);
}

const void *guest_tls(size_t *size)
{
  const char *tls = guest.handshake->tls;
  *size = tls && guest.tls ? (size_t)(thread_variables() + guest.tls->p_memsz - tls) : 0;
  return tls;
}

void *guest_function(const char *name)
{
  return (void *)(*name == '@' ? strtoul(name + 1, NULL, 16) + guest.bias : find(name));
}

/* Nothing of it means anything to others. */
void *guest_symbol(const char *name, const char *version)
{
  (void)name, (void)version;
  return NULL;
}

void guest_modules(void (*say)(uintptr_t bias, uintptr_t lo, uintptr_t hi, const char *path))
{
  extern const char __ehdr_start[], _end[];
  say((uintptr_t)__ehdr_start, (uintptr_t)__ehdr_start, (uintptr_t)_end, "");
}
