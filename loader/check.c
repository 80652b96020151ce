/* Whether the note and the table are what turf has written: nothing is followed before. */

#include <errno.h>
#include <link.h>

#include "loader.h"
#include "machine.h"

#define S (&__urf_state)
#define NOTE (&__urf_note)

/* Linux 5.14, include/uapi/asm-generic/mman-common.h; newer than some C libraries. */
enum { POPULATE_READ = 22 };

extern HIDDEN const ElfW(Ehdr) __ehdr_start; /* defined by the linker */

static int inside(uint64_t offset, uint64_t size, uint64_t whole)
{
  return offset <= whole && size <= whole - offset;
}

/* An array of n elements in the table. */
static int array_inside(uint64_t offset, uint64_t n, size_t size)
{
  return offset % 8 == 0 && n <= NOTE->table_size / size &&
         inside(offset, n * size, NOTE->table_size);
}

static int list_inside(const char *table, uint64_t offset, uint64_t size)
{
  return inside(offset, size, NOTE->table_size) && (!size || !(table[offset + size - 1] & 0x80));
}

static int text_inside(const char *table, uint64_t offset)
{
  while (offset < NOTE->table_size && table[offset])
    offset++;
  return offset < NOTE->table_size;
}

/* In the image, in front of the region. */
static int slot_inside(const struct image *image, uint64_t slot)
{
  const uint64_t first = (uintptr_t)&__ehdr_start - image->bias;
  return slot % sizeof(uintptr_t) == 0 &&
         inside(slot - first, sizeof(uintptr_t), NOTE->data - first);
}

/* End of what the file holds of the writable segment with the region, by the library's own headers;
 * they are at the start of its first segment. */
static uintptr_t mapped_end(const struct image *image)
{
  const uintptr_t start = (uintptr_t)&__ehdr_start;
  const ElfW(Phdr) *ph = (const void *)(start + __ehdr_start.e_phoff);
  const ElfW(Phdr) *end = ph + __ehdr_start.e_phnum;
  while (ph < end && ph->p_type != PT_LOAD)
    ph++;
  for (const uintptr_t first = ph->p_vaddr; ph < end; ph++)
    if (ph->p_type == PT_LOAD && ph->p_flags & PF_W &&
        image->region - (start + ph->p_vaddr - first) < ph->p_filesz)
      return start + ph->p_vaddr - first + ph->p_filesz;
  return image->region;
}

/* Where a file was cut off, reading would end the process with SIGBUS.  The table is at its end, so with the
 * last page of that everything is there. */
static void check_length(const struct image *image)
{
  const uintptr_t last = (uintptr_t)image->table + NOTE->table_size - 1;
  const uintptr_t page = last & -(uintptr_t)URF_LARGEST_PAGE;
  if (NOTE->table_size && machine_syscall6(URF_SYS_MADVISE, (long)page,
                                           (long)(last / HEAP_PAGE * HEAP_PAGE + HEAP_PAGE - page),
                                           POPULATE_READ, 0, 0, 0) == -EFAULT)
    damaged("the file has been cut off");
}

static void check_note(const struct image *image)
{
  const uintptr_t bias = image->bias; /* added in words of the machine: it may be less than zero */
  if (NOTE->format != URF_FORMAT)
    thaw_fail("was frozen by a turf of another format; freeze it again with this", "liburf.a");
  if (NOTE->machine != URF_MACHINE)
    thaw_fail("was frozen for another machine", "");
  if (NOTE->state_size != sizeof(struct state) || (uintptr_t)NOTE->state + bias != (uintptr_t)S ||
      NOTE->data > NOTE->heap ||
      !inside(NOTE->state - NOTE->data, sizeof(struct state), NOTE->heap - NOTE->data) ||
      NOTE->heap > NOTE->heap_end || NOTE->heap_end > NOTE->table || NOTE->table % 8 ||
      !NOTE->align || NOTE->align & (NOTE->align - 1))
    damaged(".note.urf");
  if (!inside((uintptr_t)NOTE->table + bias - image->region, NOTE->table_size,
              mapped_end(image) - image->region))
    damaged(".urf.table is not in the file");
}

/* relr: bytes of the pointers' list before this stretch's.  Copied are whole pages, which the last may share
 * with the table. */
static int stretch_inside(const struct image *image, const struct urf_stretch *s, uint64_t relr)
{
  const uintptr_t *words = (const void *)(image->table + NOTE->relr);
  const uint64_t page = s->way == URF_TOUCH ? 1 : s->way == URF_COPY ? URF_LARGEST_PAGE : HEAP_PAGE;
  return s->way <= URF_COPY && !((s->address | s->size) & (page - 1)) && s->size >= sizeof *words &&
         s->address >= NOTE->data &&
         inside(s->address - NOTE->data, s->size, page_up(NOTE->heap_end - NOTE->data)) &&
         s->relr_size % sizeof *words == 0 && inside(relr, s->relr_size, NOTE->relr_size) &&
         (!s->relr_size || !(words[relr / sizeof *words] & 1));
}

/* At the preferred base none is looked at. */
static void check_stretches(const struct image *image)
{
  const struct urf_stretch *s = (const void *)(image->table + NOTE->stretches);
  uint64_t relr = 0;
  for (uint64_t i = 0; image->bias && i < NOTE->n_stretches; i++, s++) {
    if (!stretch_inside(image, s, relr))
      damaged("stretches");
    relr += s->relr_size;
  }
}

static void check_table(const struct image *image)
{
  const char *table = image->table;
  if (!array_inside(NOTE->relr, NOTE->relr_size / sizeof(uintptr_t), sizeof(uintptr_t)) ||
      !array_inside(NOTE->stretches, NOTE->n_stretches, sizeof(struct urf_stretch)) ||
      !list_inside(table, NOTE->odd, NOTE->odd_size) ||
      !list_inside(table, NOTE->rotated, NOTE->rotated_size) ||
      !array_inside(NOTE->imports, NOTE->n_imports, sizeof(struct urf_import)) ||
      !array_inside(NOTE->protections, NOTE->n_protections, sizeof(struct urf_protection)))
    damaged(".urf.table");
  const struct urf_import *import = (const void *)(table + NOTE->imports);
  for (uint64_t i = 0; i < NOTE->n_imports; i++, import++)
    if (!text_inside(table, import->name) || !text_inside(table, import->version) ||
        !text_inside(table, import->module) || import->kind >= URF_IMPORT_KINDS ||
        (import->slot && !slot_inside(image, import->slot)) ||
        !list_inside(table, import->sites, import->sites_size))
      damaged("imports");
  const struct urf_fallback *f = (const void *)(table + NOTE->fallback);
  const struct urf_origin *o = (const void *)(table + NOTE->origin);
  if (NOTE->fallback && (!array_inside(NOTE->fallback, 1, sizeof *f) ||
                         !array_inside(NOTE->origin, 1, sizeof *o) || o->n_common > URF_AGAIN ||
                         !array_inside(o->common, o->n_common, sizeof(struct urf_common)) ||
                         !o->words_size || !list_inside(table, o->words, o->words_size) ||
                         !list_inside(table, o->relative, o->relative_size) ||
                         !list_inside(table, f->sites, f->sites_size) ||
                         !array_inside(f->shadows, f->n_shadows, sizeof(uintptr_t)) ||
                         !array_inside(f->calls, f->n_calls, sizeof(struct urf_call))))
    damaged("fallback");
  const struct urf_protection *p = (const void *)(table + NOTE->protections);
  for (uint64_t i = 0; i < NOTE->n_protections; i++, p++)
    if (p->address < NOTE->data ||
        !inside(p->address - NOTE->data, p->size, NOTE->heap_end - NOTE->data) || p->prot > 7)
      damaged("protections");
}

void check(const struct image *image)
{
  check_note(image);
  check_length(image);
  check_table(image);
  check_stretches(image);
}
