/* The library that was frozen, in the frozen one: kept in pieces, see struct urf_origin, and had
 * back.
 *
 * What the output still has of the input is not kept a second time.  The pieces stand in
 * .urf.table, which tools that strip leave alone. */

#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "write.h"

/* Original bytes that stand closer to each other become one piece, which is no longer than two: their
 * headers and padding.  In the region a word of the dynamic linker's may be between them, which the
 * loader must not overwrite (see loader/fallback.c). */
enum { MERGE = 16 };

/* Bytes of the input that the output has not. */
struct run {
  uint64_t address;
  const unsigned char *at;
  uint64_t size;
};

struct runs {
  LIST(struct run) list;
};

/* Appends the bytes of a that b has not; they are one segment's, or part of it. */
static void find_runs(struct runs *runs, uint64_t merge, uint64_t address, const unsigned char *a,
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
      if (!r || address + i - (r->address + r->size) >= merge) {
        r = PUSH(&runs->list);
        *r = (struct run){address + i, a + i, 0};
      }
      r->size = address + i + 1 - r->address;
    }
  }
}

static void find_segment_runs(struct writer *w, struct runs *runs, const GElf_Phdr *p)
{
  const unsigned char *old = w->old + p->p_offset;
  const uint64_t data = w->lib->note.data;
  uint64_t before = p->p_vaddr < data ? data - p->p_vaddr : 0, in = p->p_vaddr + before - data;
  if (before > p->p_filesz)
    before = p->p_filesz;
  find_runs(runs, MERGE, p->p_vaddr, old, w->head + p->p_offset, before);
  if (p->p_filesz > before)
    find_runs(runs, w->lib->word, data + in, old + before, w->plan->image + in,
              p->p_filesz - before);
}

static void pad(struct bytes *b)
{
  while (b->n % 8)
    put_bytes(b, "", 1);
}

static void put_piece(struct writer *w, const struct run *r)
{
  struct urf_origin piece = {r->address, r->size}, stored;
  write_store(&stored, &piece, sizeof piece);
  put_bytes(&w->tail, &stored, sizeof stored);
  put_bytes(&w->tail, r->at, r->size);
  pad(&w->tail);
}

/* The table, and behind it what of the input is not in the output. */
int write_tail(struct writer *w, uint64_t note_offset)
{
  struct runs runs = {0};
  uint64_t headers = w->ehdr.e_phoff + gelf_fsize(w->elf, ELF_T_PHDR, w->n_segments, EV_CURRENT);
  const GElf_Phdr *p = w->segments;
  while (p->p_type != PT_LOAD)
    p++;
  if (p->p_offset || headers > p->p_filesz || headers > w->data_offset || headers > 0x10000)
    return write_refuse(w, "the program headers are not next to the ELF header");
  /* Their new bytes say how large the tail is: until they are put, make them differ throughout. */
  for (uint64_t i = 0; i < headers; i++)
    w->head[i] = (unsigned char)~w->old[i];
  for (uint64_t i = note_offset; i < note_offset + sizeof(struct urf_note); i++)
    w->head[i] = (unsigned char)~w->old[i];
  for (; p < w->segments + w->n_segments; p++)
    if (p->p_type == PT_LOAD)
      find_segment_runs(w, &runs, p);
  memcpy(w->head, w->old, headers);
  put_bytes(&w->tail, w->table->bytes.at, w->table->bytes.n);
  pad(&w->tail);
  w->origin = w->tail.n;
  for (size_t i = 0; i < runs.list.n; i++)
    put_piece(w, &runs.list.at[i]);
  free(runs.list.at);
  return 0;
}

struct original {
  const struct library *frozen;
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

/* What the hash does not cover, and the original has not. */
static void clear_section_headers(unsigned char *at)
{
  ElfW(Ehdr) *header = (void *)at;
  header->e_shoff = header->e_shentsize = header->e_shnum = header->e_shstrndx = 0;
}

/* The piece at *at, which then moves on; false at the end and where the table is damaged. */
static bool next_piece(const struct original *o, uint64_t *at, struct urf_origin *piece,
                       const unsigned char **bytes)
{
  const struct urf_note *note = &o->frozen->note;
  uint64_t end = note->origin + note->origin_size;
  if (*at > end || end - *at < sizeof *piece)
    return false;
  write_store(piece, o->frozen->table + *at, sizeof *piece);
  *at += sizeof *piece;
  *bytes = o->frozen->table + *at;
  if (piece->size > end - *at)
    return false;
  *at += (piece->size + 7) & ~7ull;
  return true;
}

/* The first piece has the original's headers. */
static int read_headers(struct original *o)
{
  const struct urf_note *note = &o->frozen->note;
  const unsigned char *bytes;
  struct urf_origin piece;
  uint64_t at = note->origin;
  if (!o->frozen->table || note->origin > note->table_size ||
      note->origin_size > note->table_size - note->origin || !next_piece(o, &at, &piece, &bytes) ||
      piece.size < sizeof(Elf64_Ehdr))
    return changed(o);
  unsigned char *copy = xalloc(piece.size);
  memcpy(copy, bytes, piece.size);
  clear_section_headers(copy); /* elf_memory refuses section headers that are not there */
  o->then = read_segments(copy, piece.size, &o->n_then);
  free(copy);
  o->now = read_segments(o->file, o->file_size, &o->n_now);
  if (!o->then || !o->now)
    return changed(o);
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

static bool apply(struct original *o, const struct urf_origin *piece, const unsigned char *bytes)
{
  for (size_t i = 0; i < o->n_then; i++) {
    const GElf_Phdr *p = &o->then[i];
    uint64_t skip = piece->address - p->p_vaddr;
    if (p->p_type != PT_LOAD || piece->address < p->p_vaddr || skip > p->p_filesz ||
        piece->size > p->p_filesz - skip)
      continue;
    memcpy(o->out + p->p_offset + skip, bytes, piece->size);
    return true;
  }
  return false;
}

static int rebuild(struct original *o)
{
  const struct urf_note *note = &o->frozen->note;
  const unsigned char *bytes;
  struct urf_origin piece;
  if (memcmp(o->frozen->hash, note->image_hash, sizeof note->image_hash) != 0 || read_headers(o))
    return changed(o);
  o->out = xalloc(o->size);
  memcpy(o->out, o->file, o->size); /* padding between segments */
  for (size_t i = 0; i < o->n_then; i++)
    if (o->then[i].p_type == PT_LOAD)
      copy_segment(o, &o->then[i]);
  for (uint64_t at = note->origin; next_piece(o, &at, &piece, &bytes);)
    if (!apply(o, &piece, bytes))
      return changed(o);
  clear_section_headers(o->out);
  XXH128_hash_t hash = XXH3_128bits(o->out, o->size);
  if (hash.low64 != note->input_hash[0] || hash.high64 != note->input_hash[1])
    return changed(o);
  return 0;
}

static int put_temporary(struct original *o, char **temporary)
{
  const char *directory = getenv("TMPDIR"), *path = o->frozen->path, *slash = strrchr(path, '/');
  /* next to the file, so that $ORIGIN means the same; elsewhere when nothing can be written there */
  char *name = xprintf("%.*s.turf-XXXXXX", slash ? (int)(slash + 1 - path) : 0, path);
  int fd = mkostemp(name, O_CLOEXEC);
  if (fd < 0) {
    free(name);
    name = xprintf("%s/turf-XXXXXX", directory && *directory ? directory : "/tmp");
    fd = mkostemp(name, O_CLOEXEC);
  }
  FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
  bool written;
  if (fd < 0) {
    (void)fail_errno(o->e, name, "cannot be created");
    free(name);
    return -1;
  }
  *temporary = name;
  if (!f) {
    (void)fail_errno(o->e, name, "cannot be written");
    close(fd);
    return -1;
  }
  written = !fchmod(fd, 0700) && fwrite(o->out, 1, o->size, f) == o->size;
  if (fclose(f) || !written)
    return fail_errno(o->e, name, "cannot be written");
  return 0;
}

int write_original(const struct library *frozen, char **temporary, struct error *e)
{
  struct original o = {.frozen = frozen, .e = e};
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
    result = rebuild(&o) || put_temporary(&o, temporary) ? -1 : 0;
    munmap(file, o.file_size);
  }
  if (fd >= 0)
    close(fd);
  free(o.now);
  free(o.then);
  free(o.out);
  return result;
}
