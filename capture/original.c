/* The library that was frozen, in the frozen one: kept, see struct urf_origin, and had back.
 *
 * What the output still has of the input, and what follows from it, is not kept a second time.  The rest
 * stands in .urf.table, which tools that strip leave alone. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "file.h"
#include "write.h"

/* Original bytes that stand closer to each other become one piece, which is no longer than two. */
enum { MERGE = 3 };

/* Bytes of the input that do not follow from the output. */
struct run {
  uint64_t address;
  const unsigned char *at;
  uint64_t size;
};

struct runs {
  LIST(struct run) list;
};

/* Appends the bytes of a that b has not; they are one segment's. */
static void find_runs(struct runs *runs, uint64_t address, const unsigned char *a,
                      const unsigned char *b, uint64_t n)
{
  const size_t first = runs->list.n;
  for (uint64_t i = 0, end; i < n; i = end) {
    end = n - i < BLOCK ? n : i + BLOCK;
    if (memcmp(a + i, b + i, end - i) == 0)
      continue;
    for (; i < end; i++) {
      struct run *r = runs->list.n > first ? &runs->list.at[runs->list.n - 1] : NULL;
      if (a[i] == b[i])
        continue;
      if (!r || address + i - (r->address + r->size) >= MERGE) {
        r = PUSH(&runs->list);
        *r = (struct run){address + i, a + i, 0};
      }
      r->size = address + i + 1 - r->address;
    }
  }
}

static void pad(struct bytes *b)
{
  while (b->n % 8)
    put_bytes(b, "", 1);
}

static bool is_load(const struct writer *w, size_t segment)
{
  return w->segments[segment].p_type == PT_LOAD;
}

static bool is_changed(const struct writer *w, size_t segment)
{
  return (segment >= w->last && is_load(w, segment)) || write_is_outside(&w->segments[segment]);
}

/* Those program headers that will be others: put_segments changes no more. */
static int spoil_headers(const struct writer *w, unsigned char *out)
{
  const uint64_t size = gelf_fsize(w->elf, ELF_T_PHDR, 1, EV_CURRENT);
  const uint64_t end = w->ehdr.e_phoff + w->n_segments * size;
  const GElf_Phdr *p = w->segments;
  while (p->p_type != PT_LOAD)
    p++;
  if (p->p_offset || end > p->p_filesz || end > w->data_offset || end > 0x10000)
    return -1;
  for (size_t i = 0; i < w->n_segments; i++)
    for (uint64_t at = w->ehdr.e_phoff + i * size, n = size; n-- && is_changed(w, i); at++)
      out[at] = (unsigned char)~w->old[at];
  return 0;
}

static int put_data(struct writer *w, struct urf_origin *o)
{
  struct origin_data d;
  struct urf_common common[URF_AGAIN];
  struct bytes words = {0};
  uint64_t at = 0;
  o->data_size = origin_data_size(w->lib);
  origin_data_init(&d, w->plan, w->lib, (size_t)o->data_size);
  const bool ok = origin_data_compare(&d, w->plan, w->lib);
  if (ok) {
    o->n_common = origin_data_pack(&d, common, &words);
    o->common = w->tail.n;
    put_bytes(&w->tail, common, (size_t)o->n_common * sizeof *common);
    o->words = w->tail.n;
    o->words_size = words.n;
    put_bytes(&w->tail, words.at, words.n);
    o->relative = w->tail.n;
    for (size_t i = 0; i < d.relative.n; i++) {
      put_uleb(&w->tail, d.relative.at[i] - at);
      at = d.relative.at[i];
    }
    o->relative_size = w->tail.n - o->relative;
  }
  free(words.at);
  origin_data_free(&d);
  return ok ? 0 : write_refuse(w, "it has two relocations for one word");
}

/* Whether most of the words that entries are about have nothing of what those say. */
static bool is_cleared(const struct writer *w, const struct rebuild *r)
{
  const struct library *lib = w->lib;
  size_t cleared = 0, n = 0;
  for (size_t i = 0; i < r->n_moved; i++) {
    const size_t at = (size_t)(r->moved[i].address - lib->note.data);
    if (!r->moved[i].listed || lib->data_size < lib->form.word ||
        at > lib->data_size - lib->form.word)
      continue;
    n++;
    cleared += !get_word(lib->data + at, lib->form);
  }
  return cleared > n / 2;
}

static int put_entries(struct writer *w, struct rebuild *r)
{
  struct urf_origin *o = &r->origin;
  const unsigned size = 3 * w->lib->form.word;
  uint64_t offset;
  if (!w->rela.size || w->lib->machine->in_place) /* a third shorter, and mostly runs of bytes */
    return 0;
  if (write_find(w, ".rela.dyn", w->rela.address, w->rela.size, &offset))
    return -1;
  const size_t n = (size_t)w->rela.size / size;
  struct entry *was = xalloc(n * sizeof *was), *left;
  rebuild_read_entries(was, n, w->old + offset, w->lib->form);
  o->rela = w->rela.address;
  o->n_left = w->rela.left / size;
  o->entries = w->tail.n;
  left = xcheck(rebuild_left(r));
  entries_pack(&w->tail, was, n, left, (size_t)o->n_left, r->moved, r->n_moved,
               w->lib->machine->relative);
  o->entries_size = w->tail.n - o->entries;
  o->cleared = is_cleared(w, r);
  free(was);
  free(left);
  return 0;
}

/* What does not follow from all that. */
static void put_pieces(struct writer *w, struct urf_origin *o, const unsigned char *out)
{
  struct runs runs = {0};
  uint64_t at = 0;
  for (size_t i = 0; i < w->n_segments; i++) {
    const GElf_Phdr *p = &w->segments[i];
    if (is_load(w, i))
      find_runs(&runs, p->p_vaddr, w->old + p->p_offset, out + p->p_offset, p->p_filesz);
  }
  o->pieces = w->tail.n;
  for (size_t i = 0; i < runs.list.n; i++) {
    const struct run *r = &runs.list.at[i];
    put_uleb(&w->tail, r->address - at);
    put_uleb(&w->tail, r->size);
    put_bytes(&w->tail, r->at, (size_t)r->size);
    at = r->address + r->size;
  }
  o->pieces_size = w->tail.n - o->pieces;
  free(runs.list.at);
}

static size_t count_relative(const struct library *lib)
{
  size_t n = 0;
  for (size_t i = 0; i < lib->slots.n; i++)
    n += lib->slots.at[i].kind == SLOT_RELATIVE;
  return n;
}

/* The input is had back from what there is by now, and what turns out wrong put. */
static int put_rest(struct writer *w, struct rebuild *r)
{
  r->table = w->tail.at;
  r->table_size = w->tail.n;
  if (!rebuild_data(r) || r->n_moved != count_relative(w->lib))
    return write_refuse(w, "its initialised data could not be had back");
  if (put_entries(w, r))
    return -1;
  if (w->relr.size) {
    r->origin.relr = w->relr.address;
    r->origin.relr_left = w->relr.left;
  }
  r->table = w->tail.at;
  r->table_size = w->tail.n;
  if (!rebuild_rest(r))
    return write_refuse(w, "its tables of relocations could not be had back");
  if (spoil_headers(w, r->out))
    return write_refuse(w, "the program headers are not next to the ELF header");
  put_pieces(w, &r->origin, r->out);
  return 0;
}

/* The table, and behind it what of the input is not in the output. */
int write_tail(struct writer *w)
{
  const struct urf_origin none = {0};
  struct rebuild r = {.lib = w->lib,
                      .plan = w->plan,
                      .segments = w->segments,
                      .n_segments = w->n_segments,
                      .out = xalloc(w->size),
                      .size = w->size,
                      .shadows = w->tail_address + w->table->shadows,
                      .shadowed = w->table->shadowed.at,
                      .n_shadowed = w->table->shadowed.n};
  memcpy(r.out, w->head, w->data_offset);
  put_bytes(&w->tail, w->table->bytes.at, w->table->bytes.n);
  pad(&w->tail);
  w->origin = w->tail.n;
  put_bytes(&w->tail, &none, sizeof none);
  int result = put_data(w, &r.origin) || put_rest(w, &r) ? -1 : 0;
  pad(&w->tail);
  memcpy(w->tail.at + w->origin, &r.origin, sizeof r.origin);
  rebuild_free(&r);
  free(r.out);
  return result;
}

/* reading it */

struct original {
  const struct library *frozen;
  const struct plan *plan;
  struct urf_origin origin;
  struct error *e;
  const unsigned char *file; /* the frozen one's */
  size_t file_size;
  GElf_Phdr *now, *then; /* program headers of the frozen library, of the original */
  size_t n_now, n_then;
  unsigned char *out;
  size_t size;
};

static int changed(struct original *o)
{
  return fail(
      o->e, REFUSED,
      "%s: was changed after turf freeze wrote it (patchelf, prelink?), so the library that "
      "was frozen cannot be had back from it\nverify the file as turf freeze wrote it",
      o->frozen->path);
}

/* The program headers of an ELF file that may end behind them. */
static GElf_Phdr *read_segments(const unsigned char *file, size_t size, size_t *n)
{
  GElf_Phdr *list = NULL;
  /* elf_memory takes a char * but does not write as long as nothing is updated */
  Elf *elf = elf_memory((char *)(uintptr_t)file, size);
  if (elf && !elf_getphdrnum(elf, n) && *n) {
    list = xalloc(*n * sizeof *list);
    for (size_t i = 0; list && i < *n; i++)
      if (!gelf_getphdr(elf, (int)i, &list[i])) {
        free(list);
        list = NULL;
      }
  }
  elf_end(elf);
  return list;
}

struct piece {
  uint64_t address, size;
  const unsigned char *bytes;
};

/* The piece at *at, which then moves on; p is the one before, all 0 for the first.  False at the end and
 * where the table is damaged. */
static bool next_piece(const struct original *o, const unsigned char **at, struct piece *p)
{
  const unsigned char *end = o->frozen->table + o->origin.pieces + o->origin.pieces_size;
  uint64_t distance;
  if (*at == end || !get_uleb(at, end, &distance))
    return false;
  p->address += p->size + distance;
  if (!get_uleb(at, end, &p->size) || p->size > (uint64_t)(end - *at))
    return false;
  p->bytes = *at;
  *at += p->size;
  return true;
}

/* The original's headers: those of now, at the start of the first segment, but for pieces. */
static int read_headers(struct original *o)
{
  const unsigned char *at = o->frozen->table + o->origin.pieces;
  struct piece p = {0};
  const GElf_Phdr *first = o->now;
  while (first < o->now + o->n_now && first->p_type != PT_LOAD)
    first++;
  if (first == o->now + o->n_now || first->p_filesz > o->file_size)
    return changed(o);
  unsigned char *copy = xalloc((size_t)first->p_filesz + sizeof(Elf64_Ehdr));
  memcpy(copy, o->file, (size_t)first->p_filesz);
  file_clear_sections(copy); /* elf_memory refuses section headers that are not there */
  while (next_piece(o, &at, &p)) {
    const uint64_t skip = p.address - first->p_vaddr;
    if (skip <= first->p_filesz && p.size <= first->p_filesz - skip)
      memcpy(copy + skip, p.bytes, (size_t)p.size);
  }
  o->then = read_segments(copy, (size_t)first->p_filesz, &o->n_then);
  free(copy);
  return o->then ? 0 : changed(o);
}

static int read_size(struct original *o)
{
  for (size_t i = 0; i < o->n_then; i++) {
    const GElf_Phdr *p = &o->then[i];
    if (p->p_type != PT_LOAD)
      continue;
    /* nothing was shorter before */
    if (p->p_offset > o->file_size || p->p_filesz > o->file_size - p->p_offset)
      return changed(o);
    if (p->p_offset + p->p_filesz > o->size)
      o->size = p->p_offset + p->p_filesz;
  }
  return o->size < sizeof(Elf64_Ehdr) ? changed(o) : 0;
}

static int read_origin(struct original *o)
{
  const struct urf_note *note = &o->frozen->note;
  const uint64_t size = note->table_size;
  if (!o->frozen->table || note->origin > size || size - note->origin < sizeof o->origin)
    return changed(o);
  memcpy(&o->origin, o->frozen->table + note->origin, sizeof o->origin);
  if (o->origin.pieces > size || o->origin.pieces_size > size - o->origin.pieces)
    return changed(o);
  o->now = read_segments(o->file, o->file_size, &o->n_now);
  return o->now ? 0 : changed(o);
}

/* Copies the frozen library's bytes for one segment of the original, wherever in the file they
 * are. */
static void copy_segment(struct original *o, const GElf_Phdr *p)
{
  for (size_t i = 0; i < o->n_now; i++) {
    const GElf_Phdr *q = &o->now[i];
    uint64_t skip = p->p_vaddr - q->p_vaddr;
    if (q->p_type != PT_LOAD || p->p_vaddr < q->p_vaddr || skip >= q->p_filesz ||
        q->p_offset > o->file_size || q->p_filesz > o->file_size - q->p_offset)
      continue;
    uint64_t n = q->p_filesz - skip;
    memcpy(o->out + p->p_offset, o->file + q->p_offset + skip, n < p->p_filesz ? n : p->p_filesz);
  }
}

static bool apply(struct original *o, const struct piece *piece)
{
  for (size_t i = 0; i < o->n_then; i++) {
    const GElf_Phdr *p = &o->then[i];
    uint64_t skip = piece->address - p->p_vaddr;
    if (p->p_type != PT_LOAD || piece->address < p->p_vaddr || skip > p->p_filesz ||
        piece->size > p->p_filesz - skip)
      continue;
    memcpy(o->out + p->p_offset + skip, piece->bytes, (size_t)piece->size);
    return true;
  }
  return false;
}

/* What the shadows stand for, see struct urf_fallback. */
static void read_shadows(const struct original *o, struct rebuild *r, struct addresses *shadowed)
{
  const struct urf_note *note = &o->frozen->note;
  const unsigned char *table = o->frozen->table;
  struct urf_fallback f;
  uint64_t address = note->data, distance;
  if (!note->fallback)
    return;
  memcpy(&f, table + note->fallback, sizeof f);
  if (f.sites > note->table_size || f.sites_size > note->table_size - f.sites)
    return;
  for (const unsigned char *at = table + f.sites, *end = at + f.sites_size;
       get_uleb(&at, end, &distance);)
    *PUSH(shadowed) = address += distance;
  r->shadows = note->table + f.shadows;
  r->shadowed = shadowed->at;
  r->n_shadowed = shadowed->n;
}

static bool rebuild_all(struct original *o)
{
  struct rebuild r = {.lib = o->frozen,
                      .plan = o->plan,
                      .table = o->frozen->table,
                      .table_size = o->frozen->note.table_size,
                      .origin = o->origin,
                      .segments = o->then,
                      .n_segments = o->n_then,
                      .out = o->out,
                      .size = o->size};
  const unsigned char *at = o->frozen->table + o->origin.pieces;
  struct piece piece = {0};
  struct addresses shadowed = {0};
  read_shadows(o, &r, &shadowed);
  bool ok = rebuild_data(&r) && rebuild_rest(&r);
  while (ok && next_piece(o, &at, &piece))
    ok = apply(o, &piece);
  rebuild_free(&r);
  free(shadowed.at);
  return ok;
}

static int rebuild(struct original *o)
{
  const struct urf_note *note = &o->frozen->note;
  if (memcmp(o->frozen->hash, note->image_hash, sizeof note->image_hash) != 0 || read_origin(o) ||
      read_headers(o) || read_size(o))
    return changed(o);
  o->out = xalloc(o->size);
  memcpy(o->out, o->file, o->size); /* padding between segments */
  for (size_t i = 0; i < o->n_then; i++)
    if (o->then[i].p_type == PT_LOAD)
      copy_segment(o, &o->then[i]);
  if (!rebuild_all(o))
    return changed(o);
  file_clear_sections(o->out);
  XXH128_hash_t hash = XXH3_128bits(o->out, o->size);
  if (hash.low64 != note->input_hash[0] || hash.high64 != note->input_hash[1])
    return changed(o);
  return 0;
}

int write_original(const struct library *frozen, const struct plan *plan, char **temporary,
                   struct error *e)
{
  struct original o = {.frozen = frozen, .plan = plan, .e = e};
  void *file = MAP_FAILED;
  struct stat st;
  int result, fd = open(frozen->path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && !fstat(fd, &st)) {
    o.file_size = (size_t)st.st_size;
    file = mmap(NULL, o.file_size, PROT_READ, MAP_PRIVATE, fd, 0);
  }
  if (file == MAP_FAILED)
    result = fail_errno(e, frozen->path, "cannot be read");
  else if (elf_version(EV_CURRENT) == EV_NONE)
    result = fail_elf(e, SYSTEM, frozen->path, "cannot be read");
  else {
    o.file = file;
    result = rebuild(&o) || file_beside(frozen->path, o.out, o.size, 0700, temporary, e) ? -1 : 0;
    munmap(file, o.file_size);
  }
  if (fd >= 0)
    close(fd);
  free(o.now);
  free(o.then);
  free(o.out);
  return result;
}
