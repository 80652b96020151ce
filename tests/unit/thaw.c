// The thaw on an image that is made by hand: what the table asks for is done, and a damaged one ends the
// process with one line.
// with: loader/heap.c
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "loader.h"

enum { BIAS = 0x10000, POINTERS = 200 };

/* What the linker script and the freezer lay out. */
static struct file {
  struct urf_note note;
  struct {
    uintptr_t pointers[POINTERS];
    unsigned char odd[40];
    uintptr_t rotated;
    uintptr_t imports[3], follow[2], thread;
  } data;
  struct state state;
  unsigned char heap[2 * HEAP_PAGE] __attribute__((aligned(HEAP_PAGE)));
  struct {
    uintptr_t relr[4];
    struct urf_import imports[5];
    struct urf_protection protections[1];
    unsigned char odd[8], sites[16], rotated[4];
    char text[64];
  } table;
  char tail[8];
} file = {.tail = "in file"}, good;

#include "../../loader/x86_64/machine.h" /* capture has one of that name */
#undef _GNU_SOURCE
#define __urf_note file.note
#define __urf_state file.state
#include "../../loader/bind.c"
#include "../../loader/check.c"
#include "../../loader/fail.c"
#include "../../loader/thaw.c"

/* no hooks */
#define EMPTY(n) ".globl urf_hooks_" n "\n.hidden urf_hooks_" n "\nurf_hooks_" n ":\n.zero 8\n"
__asm__(".section .data.rel.ro\n" EMPTY("0") EMPTY("1") EMPTY("2") ".text\n");

void host_prepare(void) {}

void *host_lookup(void **slot, const char *name)
{
  return *slot = dlsym(RTLD_DEFAULT, name);
}

void replay_seal(void) {}

void replay(void) {}

void tls_seal(void) {}

void tls_replay(void) {}

void *tls_block(void)
{
  return 0;
}

void keys_seal(void) {}

void keys_replay(void) {}

void signals_seal(void) {}

void signals_replay(void) {}

static void wrong(const char *what, int line)
{
  printf("thaw.c:%d: %s\n", line, what);
  exit(1);
}
#define MUST(x) ((x) ? (void)0 : wrong(#x, __LINE__))

#define ADDRESS(x) ((uint64_t)(uintptr_t) & (x)-BIAS)
#define OFFSET(x) ((uint64_t)((const char *)&(x) - (const char *)&file.table))

static int is_pointer(int i)
{
  return i == 3 || i == 4 || i == 66 || i == 67 || i == 100 || i == 129 || i == 199;
}

/* The file as it should be. */
static void make(void)
{
  memset(&file, 0, sizeof file);
  for (int i = 0; i < POINTERS; i++)
    file.data.pointers[i] = is_pointer(i) ? ADDRESS(file.heap[i]) : (uintptr_t)i;
  const uintptr_t odd = ADDRESS(file.heap[7]);
  memcpy(file.data.odd + 1, &odd, sizeof odd);
  memcpy(file.data.odd + 21, &odd, sizeof odd);

  /* word 3; then 63 words a bitmap, from 4, 67 and 130 on */
  file.table.relr[0] = ADDRESS(file.data.pointers[3]);
  file.table.relr[1] = (uintptr_t)1 << 1 | (uintptr_t)1 << 63 | 1;
  file.table.relr[2] = (uintptr_t)1 << 1 | (uintptr_t)1 << 34 | (uintptr_t)1 << 63 | 1;
  file.table.relr[3] = ADDRESS(file.data.pointers[199]);
  const uint64_t first = sizeof file.data.pointers + 1;
  file.table.odd[0] = (unsigned char)(first | 0x80);
  file.table.odd[1] = (unsigned char)(first >> 7);
  file.table.odd[2] = 20;
  const uint64_t rotated = sizeof file.data.pointers + sizeof file.data.odd;
  file.data.rotated = rotate_left(ADDRESS(file.heap[5]), 60);
  file.table.rotated[0] = (unsigned char)(rotated | 0x80);
  file.table.rotated[1] = (unsigned char)(rotated >> 7);
  file.table.rotated[2] = 4;
  const uint64_t imports = rotated + sizeof file.data.rotated;
  file.table.sites[0] = (unsigned char)(imports | 0x80);
  file.table.sites[1] = (unsigned char)(imports >> 7);
  file.table.sites[2] = 8;
  file.table.sites[3] = (unsigned char)((imports + 16) | 0x80);
  file.table.sites[4] = (unsigned char)((imports + 16) >> 7);
  memcpy(file.table.text, "\0getpid\0stdout\0no_such\0", 24);
  file.table.imports[0] = (struct urf_import){.name = (uint32_t)OFFSET(file.table.text[1]),
                                              .version = (uint32_t)OFFSET(file.table.text),
                                              .module = (uint32_t)OFFSET(file.table.text),
                                              .addend = 5,
                                              .sites = OFFSET(file.table.sites),
                                              .sites_size = 3};
  file.table.imports[1] = file.table.imports[0];
  file.table.imports[1].name = (uint32_t)OFFSET(file.table.text[8]);
  file.table.imports[1].kind = URF_IMPORT_VALUE;
  file.table.imports[1].addend = 0;
  file.table.imports[1].sites = OFFSET(file.table.sites[3]);
  file.table.imports[1].sites_size = 2;
  /* two of the library's own: another module has the first, nobody the second */
  for (int i = 0; i < 2; i++) {
    const uint64_t at = imports + sizeof file.data.imports + sizeof(uintptr_t) * (size_t)i;
    file.data.follow[i] = ADDRESS(file.heap[i * 8 + 4]);
    file.table.sites[8 + 2 * i] = (unsigned char)(at | 0x80);
    file.table.sites[9 + 2 * i] = (unsigned char)(at >> 7);
    file.table.imports[2 + i] = file.table.imports[1];
    file.table.imports[2 + i].name = (uint32_t)OFFSET(file.table.text[i ? 15 : 1]);
    file.table.imports[2 + i].kind = URF_IMPORT_FOLLOW;
    file.table.imports[2 + i].addend = (int64_t)ADDRESS(file.heap[i * 8]);
    file.table.imports[2 + i].sites = OFFSET(file.table.sites[8 + 2 * i]);
  }
  const uint64_t thread = imports + sizeof file.data.imports + sizeof file.data.follow;
  file.table.sites[12] = (unsigned char)(thread | 0x80);
  file.table.sites[13] = (unsigned char)(thread >> 7);
  file.table.imports[4] = file.table.imports[1];
  file.table.imports[4].kind = URF_IMPORT_THREAD;
  file.table.imports[4].sites = OFFSET(file.table.sites[12]);
  file.table.protections[0] = (struct urf_protection){ADDRESS(file.heap), HEAP_PAGE, 1, 0};

  file.note = (struct urf_note){.self = ADDRESS(file.note),
                                .data = ADDRESS(file.data),
                                .bss = ADDRESS(file.state),
                                .heap = ADDRESS(file.heap),
                                .heap_reserve = sizeof file.heap,
                                .state = ADDRESS(file.state),
                                .format = URF_FORMAT,
                                .state_size = sizeof(struct state),
                                .flags = URF_FROZEN,
                                .machine = URF_MACHINE,
                                .heap_end = ADDRESS(file.table),
                                .align = HEAP_PAGE,
                                .table = ADDRESS(file.table),
                                .table_size = sizeof file.table,
                                .relr = OFFSET(file.table.relr),
                                .relr_size = sizeof file.table.relr,
                                .odd = OFFSET(file.table.odd),
                                .odd_size = 3,
                                .rotated = OFFSET(file.table.rotated),
                                .rotated_size = 3,
                                .imports = OFFSET(file.table.imports),
                                .n_imports = 5,
                                .protections = OFFSET(file.table.protections),
                                .n_protections = 1};
  memcpy(&good, &file, sizeof file);
}

/* 1 when start ends the process as it should, with one line. */
static int refused(void)
{
  int status = 0, hold[2];
  fflush(stdout);
  MUST(pipe(hold) == 0);
  int pid = fork();
  if (!pid) {
    dup2(hold[1], 2);
    start();
    _exit(0);
  }
  close(hold[1]);
  char line[1000];
  ssize_t n = read(hold[0], line, sizeof line - 1);
  MUST(waitpid(pid, &status, 0) == pid);
  close(hold[0]);
  line[n > 0 ? n : 0] = 0;
  char *end = strchr(line, '\n');
  return WIFEXITED(status) && WEXITSTATUS(status) == 127 && strncmp(line, "urf: ", 5) == 0 && end &&
         !end[1];
}

#define REFUSED(...)                                                                               \
  do {                                                                                             \
    memcpy(&file, &good, sizeof file);                                                             \
    __VA_ARGS__;                                                                                   \
    MUST(refused());                                                                               \
  } while (0)

static void damage(void)
{
  struct urf_note *n = &file.note;
  REFUSED(n->format++);
  REFUSED(n->machine++);
  REFUSED(n->state_size++);
  REFUSED(n->state += 8);
  REFUSED(n->data = n->heap);
  REFUSED(n->heap = 0);
  REFUSED(n->heap_end = n->heap - 1);
  REFUSED(n->heap_end = n->table + 8);
  REFUSED(n->align = 0);
  REFUSED(n->align = 3 * HEAP_PAGE);
  REFUSED(n->align = BIAS * 2);
  REFUSED(n->table += 1);
  REFUSED(n->table = -n->table);
  REFUSED(n->table_size = UINT64_MAX);
  REFUSED(n->table_size = (uint64_t)1 << 40);
  REFUSED(n->relr = n->table_size);
  REFUSED(n->relr += 4);
  REFUSED(n->relr_size = UINT64_MAX);
  REFUSED(n->odd_size = UINT64_MAX - n->odd + 1);
  REFUSED(n->odd_size = 1); /* ends within a number */
  REFUSED(n->rotated_size = 1);
  REFUSED(n->rotated_size = 2); /* a place without its number of bits */
  REFUSED(n->rotated_size = UINT64_MAX);
  REFUSED(file.table.rotated[0] = 0xff, file.table.rotated[1] = 0xff);
  REFUSED(n->n_imports = UINT64_MAX / sizeof(struct urf_import) + 2);
  REFUSED(n->n_imports = UINT64_MAX);
  REFUSED(n->imports += 1);
  REFUSED(n->n_protections = UINT64_MAX);
  REFUSED(n->n_protections = UINT64_MAX / sizeof(struct urf_protection) + 2);
  REFUSED(file.table.relr[0] |= 1);
  REFUSED(file.table.relr[0] = n->data - 8);
  REFUSED(file.table.relr[3] = n->heap_end);
  REFUSED(file.table.relr[0] = n->heap_end - 8); /* and bitmaps that lead beyond */
  REFUSED(file.table.odd[2] = 0xff, file.table.odd[3] = 0xff, file.table.odd[4] = 0x7f,
          n->odd_size = 5);
  REFUSED(memset(file.table.odd, 0xff, 7), file.table.odd[7] = 1, n->odd_size = 8);
  REFUSED(file.table.imports[0].name = UINT32_MAX);
  REFUSED(file.table.imports[1].version = (uint32_t)sizeof file.table);
  REFUSED(memset(file.table.text, 'x', sizeof file.table.text));
  REFUSED(file.table.imports[0].kind = URF_IMPORT_KINDS);
  REFUSED(file.table.imports[0].sites = n->table_size);
  REFUSED(file.table.imports[0].sites_size = UINT64_MAX);
  REFUSED(file.table.imports[1].sites_size = 1);
  REFUSED(file.table.text[1] = 'G'); /* no such symbol */
  REFUSED(file.table.protections[0].address -= HEAP_PAGE * 100);
  REFUSED(file.table.protections[0].address += 3 * HEAP_PAGE);
  REFUSED(file.table.protections[0].size = UINT64_MAX);
  REFUSED(file.table.protections[0].prot = 8);
  REFUSED(file.table.protections[0].address += 8); /* the kernel refuses this one */
}

static void whole(void)
{
  start();
  for (int i = 0; i < POINTERS; i++)
    MUST(file.data.pointers[i] == (is_pointer(i) ? (uintptr_t)&file.heap[i] : (uintptr_t)i));
  const uintptr_t odd = (uintptr_t)&file.heap[7];
  MUST(memcmp(file.data.odd + 1, &odd, sizeof odd) == 0);
  MUST(memcmp(file.data.odd + 21, &odd, sizeof odd) == 0);
  MUST(rotate_left(file.data.rotated, 4) == (uintptr_t)&file.heap[5]);
  const uintptr_t function = (uintptr_t)dlsym(RTLD_DEFAULT, "getpid") + 5;
  MUST(file.data.imports[0] == function && file.data.imports[1] == function);
  MUST(file.data.imports[2] == (uintptr_t)stdout);
  MUST(file.data.follow[0] == (uintptr_t)dlsym(RTLD_DEFAULT, "getpid") + 4);
  MUST(file.data.follow[1] == (uintptr_t)&file.heap[12]);
  MUST(file.data.thread == (uintptr_t)pthread_self());
  MUST(file.state.owned == (uintptr_t)file.heap && file.state.owned_size == sizeof file.heap);
  memcpy(good.data.pointers, file.data.pointers, sizeof file.data);
  /* neither the page behind nor the table */
  file.heap[HEAP_PAGE] = 1;
  int pipes[2];
  MUST(pipe(pipes) == 0 && write(pipes[1], "x", 1) == 1);
  MUST(read(pipes[0], file.heap, 1) == -1 && errno == EFAULT);
  start(); /* the second constructor call of the same image changes nothing */
  MUST(memcmp(&good.data, &file.data, sizeof file.data) == 0);
}

int main(void)
{
  make();
  damage();
  memcpy(&file, &good, sizeof file);
  whole();
  return 0;
}
