// The thaw on an image that is made by hand: what the table asks for is done, and a damaged one ends the
// process with one line.
// with: loader/heap.c
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "loader.h"
#include "unit.h"

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
    struct urf_stretch stretches[2];
    struct urf_import imports[5];
    struct urf_protection protections[1];
    unsigned char odd[8], sites[16], rotated[4];
    char text[64];
    struct {
      struct urf_fallback head;
      struct urf_origin origin;
      struct urf_common common;
      uintptr_t shadow;
      struct urf_call calls[2];
      unsigned char words[32], relative[8], sites[8];
    } back;
  } table;
  char tail[8];
} file = {.tail = "in file"}, good;

#include "machine.h"
#undef _GNU_SOURCE
#define __urf_note file.note
#define __urf_state file.state
#include "../../loader/bind.c"
#include "../../loader/check.c"
#include "../../loader/cpu.c"
#include "../../loader/fail.c"
#include "../../loader/fallback.c"
#include "../../loader/relocate.c"
#include "../../loader/stats.c"
#include "../../loader/thaw.c"

void host_prepare(void) {}

void forget_error(void)
{
  (void)dlerror();
}

void *host_find(void **slot, const char *name)
{
  return *slot = dlsym(RTLD_DEFAULT, name);
}

void *host_lookup(void **slot, const char *name)
{
  return host_find(slot, name);
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

#define ADDRESS(x) ((uint64_t)(uintptr_t) & (x)-BIAS)
#define OFFSET(x) ((uint64_t)((const char *)&(x) - (const char *)&file.table))

static int is_pointer(int i)
{
  return i == 3 || i == 4 || i == 66 || i == 67 || i == 100 || i == 129 || i == 199;
}

static int constructed, initialised, init_result;

static void construct(int argc, char **argv, char **envp)
{
  constructed = argc + (argv == (char **)file.heap) + (envp == (char **)good.heap);
}

static int initialise(void)
{
  initialised = constructed;
  return init_result;
}

/* Instead of init's work: word 0 was an address, word 1 a symbol's, word 2 a number, words 3 and 4 two more
 * of one value, half of word 5 was another one, word 190 was a number, and words 193 to 195 were what words 2 to
 * 4 were; see fallback.c. */
static void make_fallback(void)
{
  const uintptr_t value = ADDRESS(file.heap[3]);
  file.table.back.head = (struct urf_fallback){.shadows = OFFSET(file.table.back.shadow),
                                               .n_shadows = 1,
                                               .sites = OFFSET(file.table.back.sites),
                                               .sites_size = 1,
                                               .calls = OFFSET(file.table.back.calls),
                                               .n_calls = 2};
  file.table.back.origin = (struct urf_origin){.data_size = sizeof file.data,
                                               .common = OFFSET(file.table.back.common),
                                               .n_common = 1,
                                               .words = OFFSET(file.table.back.words),
                                               .relative = OFFSET(file.table.back.relative),
                                               .relative_size = 1};
  unsigned char *list = file.table.back.words;
  *list++ = URF_RARE << URF_SHIFT;
  *list++ = 0xff;
  memcpy(list, &value, sizeof value);
  list += sizeof value;
  *list++ = URF_RARE << URF_SHIFT | 1;
  *list++ = 1;
  *list++ = 77;
  *list++ = 0; /* words 3 and 4 */
  *list++ = URF_RARE << URF_SHIFT;
  *list++ = 0x0f;
  memset(list, 0xaa, 4);
  list += 4;
  *list++ = URF_RARE << URF_SHIFT | URF_FAR;
  *list++ = 0x80 | (190 - 6 - URF_FAR) % 128;
  *list++ = (190 - 6 - URF_FAR) / 128;
  *list++ = 1;
  *list++ = 78;
  *list++ = URF_AGAIN << URF_SHIFT | 1; /* and leave one alone, as then */
  *list++ = 15;
  *list++ = 4;
  file.table.back.origin.words_size = (uint64_t)(list + 1 - file.table.back.words);
  MUST(list < file.table.back.words + sizeof file.table.back.words);
  file.table.back.common = (struct urf_common){4712, 2};
  file.table.back.sites[0] = 8;
  file.table.back.shadow = 4711;
  file.table.back.calls[0] =
      (struct urf_call){(uintptr_t)construct - BIAS, URF_CALL_CONSTRUCTOR, 0};
  file.table.back.calls[1] = (struct urf_call){(uintptr_t)initialise - BIAS, URF_CALL_INIT, 0};
}

/* The file as it should be. */
static void make(void)
{
  memset(&file, 0, sizeof file);
  for (int i = 0; i < POINTERS; i++)
    file.data.pointers[i] = is_pointer(i) ? ADDRESS(file.heap[i]) : (uintptr_t)i;
  file.table.stretches[0] =
      (struct urf_stretch){ADDRESS(file.data.pointers), sizeof file.data.pointers - 8, 24, 0, 0};
  file.table.stretches[1] = (struct urf_stretch){ADDRESS(file.data.pointers[199]), 8, 8, 0, 0};
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
                                .stretches = OFFSET(file.table.stretches),
                                .n_stretches = 2,
                                .odd = OFFSET(file.table.odd),
                                .odd_size = 3,
                                .rotated = OFFSET(file.table.rotated),
                                .rotated_size = 3,
                                .imports = OFFSET(file.table.imports),
                                .n_imports = 5,
                                .protections = OFFSET(file.table.protections),
                                .n_protections = 1,
                                .origin = OFFSET(file.table.back.origin),
                                .origin_size = sizeof file.table.back};
  make_fallback();
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
    start(0, 0, 0);
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
  REFUSED(n->cpu[3] = 1, n->cpu[2] = 1u << 31); /* a hypervisor is no feature */
  REFUSED(n->cpu[3] = UINT32_MAX);
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
  REFUSED(n->stretches = n->table_size);
  REFUSED(n->stretches += 4);
  REFUSED(n->n_stretches = UINT64_MAX / 16);
  REFUSED(file.table.stretches[0].way = URF_COPY); /* not of whole pages */
  REFUSED(file.table.stretches[0].way = URF_COPY + 1);
  REFUSED(file.table.stretches[0].address -= 16);
  REFUSED(file.table.stretches[0].size = UINT64_MAX);
  REFUSED(file.table.stretches[0].size = 0);
  REFUSED(file.table.stretches[0].relr_size = 16);
  REFUSED(file.table.stretches[0].relr_size = 20);
  REFUSED(file.table.stretches[1].relr_size = 16);
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

static void damage_fallback(void)
{
  struct urf_note *n = &file.note;
  struct urf_fallback *f = &file.table.back.head;
  struct urf_origin *o = &file.table.back.origin;
  const uint64_t at = OFFSET(file.table.back.head);
  REFUSED(n->fallback = at + 4);
  REFUSED(n->fallback = n->table_size);
  REFUSED(n->fallback = at, n->origin = n->table_size);
  REFUSED(n->fallback = at, n->origin += 4);
  REFUSED(n->fallback = at, o->relative_size = 1, file.table.back.relative[0] = 0x80);
  REFUSED(n->fallback = at, o->relative = UINT64_MAX);
  REFUSED(n->fallback = at, o->n_common = UINT64_MAX);
  REFUSED(n->fallback = at, o->common += 4);
  REFUSED(n->fallback = at, o->words_size = 0);
  REFUSED(n->fallback = at, o->words = UINT64_MAX);
  REFUSED(n->fallback = at, o->words_size = n->table_size);
  REFUSED(n->fallback = at, file.table.back.words[o->words_size - 1] = 0x80);
  REFUSED(n->fallback = at, f->n_shadows = UINT64_MAX / 4);
  REFUSED(n->fallback = at, f->sites_size = sizeof file.table + 1);
  REFUSED(n->fallback = at, f->n_calls = UINT64_MAX);
  /* what is only read when it is needed */
  REFUSED(n->fallback = at, n->flags |= URF_FIXED, o->n_common = 0);
  REFUSED(n->fallback = at, n->flags |= URF_FIXED, file.table.back.common.n = sizeof file / 8);
  REFUSED(n->fallback = at, n->flags |= URF_FIXED, o->words_size = 9);  /* within a word */
  REFUSED(n->fallback = at, n->flags |= URF_FIXED, o->words_size = 21); /* a distance */
  REFUSED(n->fallback = at, n->flags |= URF_FIXED, file.table.back.words[21] = 0x7f);
  REFUSED(n->fallback = at, n->flags |= URF_FIXED,
          file.table.back.words[26] = 26); /* too far back */
  REFUSED(n->fallback = at, n->flags |= URF_FIXED, file.table.back.words[27] = 16); /* itself */
  REFUSED(n->fallback = at, n->flags |= URF_FIXED, o->words_size = 27);
  REFUSED(n->fallback = at, n->flags |= URF_FIXED, o->words_size = 28);
  REFUSED(n->fallback = at, n->flags |= URF_FIXED, memset(file.table.back.relative, 0xff, 7),
          o->relative_size = 8);
  REFUSED(n->fallback = at, n->flags |= URF_FIXED, memset(file.table.back.sites, 0xff, 7),
          f->sites_size = 8);
  REFUSED(n->fallback = at, n->flags |= URF_FIXED, init_result = 1);
  REFUSED(n->flags |= URF_FIXED); /* no way back */
  init_result = 0;
}

/* The frozen state cannot be used: for its address, or for what is found after the relocation. */
static void fall(int early)
{
  memcpy(&file, &good, sizeof file);
  file.note.fallback = OFFSET(file.table.back.head);
  if (early)
    file.note.flags |= URF_FIXED;
  else
    file.table.text[1] = 'G'; /* no such symbol */
  memset(file.heap, 1, sizeof file.heap);
  initialised = constructed = 0;
  start(5, (char **)file.heap, (char **)good.heap);
  MUST(initialised == 7);
  MUST(file.data.pointers[0] == (uintptr_t)&file.heap[3]);
  MUST(file.data.pointers[1] == 4711 && file.data.pointers[2] == 77);
  MUST(file.data.pointers[3] == 4712 && file.data.pointers[4] == 4712);
  MUST(file.data.pointers[5] == 0xaaaaaaaa && file.data.pointers[190] == 78);
  MUST(file.data.pointers[193] == 77 && file.data.pointers[194] == 4712);
  MUST(file.data.pointers[195] == 4712);
  for (int i = 6; i < POINTERS; i++)
    MUST(i == 190 || (i >= 193 && i <= 195) ||
         file.data.pointers[i] == (is_pointer(i) ? (uintptr_t)&file.heap[i] : (uintptr_t)i));
  const uintptr_t odd = (uintptr_t)&file.heap[7];
  MUST(memcmp(file.data.odd + 1, &odd, sizeof odd) == 0);
  MUST(rotate_left(file.data.rotated, 4) == (uintptr_t)&file.heap[5]);
  MUST(memcmp(file.data.imports, good.data.imports, sizeof file.data.imports) == 0);
  for (size_t i = 0; i < sizeof file.heap; i++)
    MUST(!file.heap[i]);
  MUST(!file.state.owned && file.state.fell_back);
  MUST(!urf_frozen() && urf_initialised());
  initialised = 0;
  start(5, (char **)file.heap, (char **)good.heap);
  MUST(!initialised);
}

static void whole(void)
{
  start(0, 0, 0);
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
  start(0, 0, 0); /* the second constructor call of the same image changes nothing */
  MUST(memcmp(&good.data, &file.data, sizeof file.data) == 0);
}

int main(void)
{
  make();
  damage();
  damage_fallback();
  fall(1);
  fall(0);
  memcpy(&file, &good, sizeof file);
  whole();
  return 0;
}
