/* RELR (gABI): an address, or a bitmap (lowest bit set) of the words behind what came before. */

#include "write.h"

struct packer {
  struct bytes *out;
  struct form form;
  uint64_t next, bits; /* of the bitmap not yet put: first address, bits from bit 0 */
};

static void put_entry(struct packer *p, uint64_t entry)
{
  unsigned char bytes[sizeof entry];
  put_word(bytes, p->form, entry);
  put_bytes(p->out, bytes, p->form.word);
}

static void flush(struct packer *p)
{
  if (!p->bits)
    return;
  put_entry(p, p->bits << 1 | 1);
  p->next += (8 * p->form.word - 1) * (uint64_t)p->form.word;
  p->bits = 0;
}

static void add(struct packer *p, uint64_t address)
{
  const uint64_t covered = (8 * p->form.word - 1) * (uint64_t)p->form.word;
  if (address - p->next >= covered)
    flush(p);
  if (p->out->n && address - p->next < covered && (address - p->next) % p->form.word == 0) {
    p->bits |= 1ull << (address - p->next) / p->form.word;
    return;
  }
  flush(p);
  put_entry(p, address);
  p->next = address + p->form.word;
}

void relr_pack(struct bytes *out, const uint64_t *addresses, size_t n, struct form form)
{
  struct packer p = {.out = out, .form = form};
  for (size_t i = 0; i < n; i++)
    add(&p, addresses[i]);
  flush(&p);
}

void relr_unpack(struct addresses *out, const unsigned char *table, size_t n, struct form form)
{
  uint64_t where = 0, entry;
  for (size_t i = 0; i + form.word <= n; i += form.word) {
    entry = get_word(table + i, form);
    if (!(entry & 1)) {
      *PUSH(out) = entry;
      where = entry + form.word;
      continue;
    }
    for (uint64_t at = where; entry >>= 1; at += form.word)
      if (entry & 1)
        *PUSH(out) = at;
    where += (8 * form.word - 1) * (uint64_t)form.word;
  }
}
