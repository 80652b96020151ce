/* plain OUT WORDS EVERY rela|relr|s - write a shared library with the words of pattern.h as initialised data,
 * and a relocation for each pointer, as a linker would do it, but of any size:
 *
 *   headers  dynsym hash dynstr relocations | dynamic image words
 *
 * Addresses are file offsets.  There is no section table: the dynamic linker does not look at it.  With s, write
 * assembler for a linker instead. */
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

enum { SEGMENTS = 4, SYMBOLS = 2, BITS = 8 * sizeof(Elf64_Relr) - 1 };

static const char names[] = "\0image";

/* Where things are; the image's words follow it, on the next page. */
struct plan {
  uint64_t words, every;
  int relr;
  uint64_t symbols, strings, hash, relocations, n_relocations, dynamic, image, start, end;
};

struct out {
  FILE *file;
  uint64_t n; /* relocations so far; with file NULL they are only counted */
};

static void put(FILE *f, const void *at, size_t size)
{
  if (fwrite(at, 1, size, f) != size) {
    perror("plain");
    exit(1);
  }
}

static void pad(FILE *f, uint64_t to)
{
  while ((uint64_t)ftell(f) < to)
    putc(0, f);
}

static void put_relr(struct out *o, Elf64_Relr word)
{
  o->n++;
  if (o->file)
    put(o->file, &word, sizeof word);
}

/* RELR (gABI): an address, then bitmaps of the words behind it. */
static void write_relr(const struct plan *p, struct out *o)
{
  uint64_t where = p->start, bits = 0; /* of the words from where on; the lowest bit is the mark */

  put_relr(o, p->image);
  put_relr(o, p->start);
  where += sizeof(uintptr_t);
  for (uint64_t i = 1; i < p->words; i++) {
    uint64_t at = p->start + i * sizeof(uintptr_t);

    if (!is_pointer(p->every, i))
      continue;
    if (at >= where + BITS * sizeof(uintptr_t)) {
      if (bits) {
        put_relr(o, bits << 1 | 1);
        bits = 0;
        where += BITS * sizeof(uintptr_t);
      }
      if (at >= where + BITS * sizeof(uintptr_t)) {
        put_relr(o, at);
        where = at + sizeof(uintptr_t);
        continue;
      }
    }
    bits |= UINT64_C(1) << (at - where) / sizeof(uintptr_t);
  }
  if (bits)
    put_relr(o, bits << 1 | 1);
}

static void put_rela(struct out *o, uint64_t at, uint64_t addend)
{
  Elf64_Rela r = {at, ELF64_R_INFO(0, R_X86_64_RELATIVE), (Elf64_Sxword)addend};

  o->n++;
  if (o->file)
    put(o->file, &r, sizeof r);
}

static void write_rela(const struct plan *p, struct out *o)
{
  put_rela(o, p->image, p->start);
  for (uint64_t i = 0; i < p->words; i++)
    if (is_pointer(p->every, i))
      put_rela(o, p->start + i * sizeof(uintptr_t), pattern(p->every, p->words, i, p->start));
}

static void write_relocations(const struct plan *p, struct out *o)
{
  (p->relr ? write_relr : write_rela)(p, o);
}

static uint64_t round_up(uint64_t n)
{
  return (n + PAGE - 1) / PAGE * PAGE;
}

static void lay_out(struct plan *p)
{
  struct out count = {0};

  p->symbols = sizeof(Elf64_Ehdr) + SEGMENTS * sizeof(Elf64_Phdr);
  p->hash = p->symbols + SYMBOLS * sizeof(Elf64_Sym);
  p->strings = p->hash + 8 * sizeof(Elf64_Word);
  p->relocations = p->strings + 16;
  /* RELR is as long wherever the words are; so any addresses will do to count. */
  p->image = p->start = PAGE;
  write_relocations(p, &count);
  p->n_relocations = count.n;
  p->dynamic =
      round_up(p->relocations + count.n * (p->relr ? sizeof(Elf64_Relr) : sizeof(Elf64_Rela)));
  p->image = p->dynamic + PAGE / 2;
  p->start = p->dynamic + PAGE;
  p->end = p->start + p->words * sizeof(uintptr_t);
}

static void write_headers(const struct plan *p, FILE *f)
{
  Elf64_Ehdr header = {
      .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
      .e_type = ET_DYN,
      .e_machine = EM_X86_64,
      .e_version = EV_CURRENT,
      .e_phoff = sizeof header,
      .e_ehsize = sizeof header,
      .e_phentsize = sizeof(Elf64_Phdr),
      .e_phnum = SEGMENTS};
  const uint64_t d = p->dynamic, size = p->end - d;
  Elf64_Phdr segments[SEGMENTS] = {
      {PT_LOAD, PF_R, 0, 0, 0, d, d, PAGE},
      {PT_LOAD, PF_R | PF_W, d, d, d, size, size, PAGE},
      {PT_DYNAMIC, PF_R | PF_W, d, d, d, PAGE / 2, PAGE / 2, sizeof(Elf64_Dyn)},
      {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16}};
  Elf64_Sym symbols[SYMBOLS] = {{0},
                                {1, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), STV_DEFAULT, SHN_ABS - 1,
                                 p->image, sizeof(struct image)}};
  /* one bucket: number of buckets, of symbols, the bucket, the two links */
  Elf64_Word hash[8] = {1, SYMBOLS, 1, 0, 0};

  put(f, &header, sizeof header);
  put(f, segments, sizeof segments);
  put(f, symbols, sizeof symbols);
  put(f, hash, sizeof hash);
  put(f, names, sizeof names);
}

static void write_dynamic(const struct plan *p, FILE *f)
{
  const uint64_t n = p->n_relocations;
  Elf64_Dyn rela[] = {{DT_RELA, {p->relocations}},
                      {DT_RELASZ, {n * sizeof(Elf64_Rela)}},
                      {DT_RELAENT, {sizeof(Elf64_Rela)}},
                      {DT_RELACOUNT, {n}}};
  Elf64_Dyn relr[] = {{DT_RELR, {p->relocations}},
                      {DT_RELRSZ, {n * sizeof(Elf64_Relr)}},
                      {DT_RELRENT, {sizeof(Elf64_Relr)}}};
  Elf64_Dyn rest[] = {
      {DT_HASH, {p->hash}},      {DT_SYMTAB, {p->symbols}},  {DT_SYMENT, {sizeof(Elf64_Sym)}},
      {DT_STRTAB, {p->strings}}, {DT_STRSZ, {sizeof names}}, {DT_NULL, {0}}};

  if (p->relr)
    put(f, relr, sizeof relr);
  else
    put(f, rela, sizeof rela);
  put(f, rest, sizeof rest);
}

static void write_words(const struct plan *p, FILE *f)
{
  struct image image = {(uintptr_t *)(uintptr_t)p->start, p->words, p->every};
  uintptr_t page[PAGE_WORDS];

  pad(f, p->image);
  put(f, &image, sizeof image);
  pad(f, p->start);
  for (uint64_t i = 0; i < p->words; i++) {
    page[i % PAGE_WORDS] = pattern(p->every, p->words, i, p->start);
    if ((i + 1) % PAGE_WORDS == 0 || i + 1 == p->words)
      put(f, page, (i % PAGE_WORDS + 1) * sizeof *page);
  }
}

static void write_library(struct plan *p, FILE *f)
{
  struct out out = {f, 0};

  lay_out(p);
  write_headers(p, f);
  pad(f, p->relocations);
  write_relocations(p, &out);
  pad(f, p->dynamic);
  write_dynamic(p, f);
  write_words(p, f);
}

static void write_assembler(const struct plan *p, FILE *f)
{
  fprintf(f,
          ".data\n.globl image\n.type image, @object\n.size image, %zu\n.balign 8\n"
          "image: .quad words, %" PRIu64 ", %" PRIu64 "\n.balign %d\nwords:\n",
          sizeof(struct image), p->words, p->every, PAGE);
  for (uint64_t i = 0; i < p->words; i++)
    fprintf(f, ".quad %s%" PRIuPTR "\n", is_pointer(p->every, i) ? "words+" : "",
            pattern(p->every, p->words, i, 0));
  fprintf(f, ".section .note.GNU-stack, \"\", @progbits\n");
}

int main(int argc, char **argv)
{
  struct plan p = {0};
  FILE *f = argc == 5 ? fopen(argv[1], "w") : NULL;

  if (!f) {
    fprintf(stderr, "usage: plain OUT WORDS EVERY rela|relr|s\n");
    return 2;
  }
  p.words = strtoull(argv[2], NULL, 0);
  p.every = strtoull(argv[3], NULL, 0);
  p.relr = strcmp(argv[4], "relr") == 0;
  if (strcmp(argv[4], "s") == 0)
    write_assembler(&p, f);
  else
    write_library(&p, f);
  if (fclose(f)) {
    perror(argv[1]);
    return 1;
  }
  return 0;
}
