/* A table of relocations as it was, had back from what is left of it: the freeze has taken out the entries
 * of words that are frozen.  Most of those say where an address is, and which, and that is known
 * otherwise; what is kept is their order.
 *
 * Numbers in ULEB128, each so many entries times 4 and what they are: those that are left, in their order;
 * addresses, by their places, followed by how far the first is from the one behind the last of those
 * before; or others, in full, each followed by the distance of its place from the last such one's, its
 * type and symbol, and its addend.  Distances and addends have their sign in the lowest bit. */

#include <stdlib.h>
#include <string.h>

#include "write.h"

enum { LEFT, ADDRESS, OTHER };

static uint64_t fold(uint64_t n)
{
  return n >> 63 ? ~(n << 1) : n << 1;
}

static uint64_t unfold(uint64_t n)
{
  return n & 1 ? ~(n >> 1) : n >> 1;
}

static bool is_equal(const struct entry *a, const struct entry *b)
{
  return a->offset == b->offset && a->info == b->info && a->addend == b->addend;
}

static struct entry entry_of(const struct moved *m, uint64_t relative)
{
  return (struct entry){m->address, relative, m->value};
}

static size_t find_moved(const struct moved *moved, size_t n, const struct entry *e,
                         uint64_t relative)
{
  const size_t i = count_below(moved, n, sizeof *moved, offsetof(struct moved, address), e->offset);
  if (i == n)
    return n;
  const struct entry wanted = entry_of(&moved[i], relative);
  return is_equal(&wanted, e) ? i : n;
}

/* Entries of one kind, one behind the other. */
struct packer {
  struct bytes *out, run;
  uint64_t n, last; /* of the run; place of the last OTHER */
  int kind;
  size_t next; /* behind the last ADDRESS */
};

static void flush(struct packer *p)
{
  if (p->n)
    put_uleb(p->out, p->n << 2 | (uint64_t)p->kind);
  if (p->run.n)
    put_bytes(p->out, p->run.at, p->run.n);
  p->n = p->run.n = 0;
}

static void add(struct packer *p, int kind)
{
  if (kind != p->kind)
    flush(p);
  p->kind = kind;
  p->n++;
}

static void add_address(struct packer *p, size_t i)
{
  if (i != p->next || p->kind != ADDRESS) {
    flush(p);
    p->kind = ADDRESS;
    put_uleb(&p->run, fold((uint64_t)i - p->next));
  }
  add(p, ADDRESS);
  p->next = i + 1;
}

static void add_other(struct packer *p, const struct entry *e)
{
  add(p, OTHER);
  put_uleb(&p->run, fold(e->offset - p->last));
  put_uleb(&p->run, e->info);
  put_uleb(&p->run, fold(e->addend));
  p->last = e->offset;
}

void entries_pack(struct bytes *out, const struct entry *was, size_t n, const struct entry *left,
                  size_t n_left, struct moved *moved, size_t n_moved, uint64_t relative)
{
  struct packer p = {.out = out};
  for (size_t i = 0; i < n; i++) {
    size_t m;
    if (n_left && is_equal(left, &was[i])) {
      add(&p, LEFT);
      left++, n_left--;
    } else if ((m = find_moved(moved, n_moved, &was[i], relative)) < n_moved) {
      add_address(&p, m);
      moved[m].listed = true;
    } else
      add_other(&p, &was[i]);
  }
  flush(&p);
  free(p.run.at);
}

struct unpacker {
  const unsigned char *at, *end;
  const struct entry *left;
  size_t n_left;
  struct moved *moved;
  size_t n_moved;
  uint64_t relative, next, last;
};

static bool take_left(struct unpacker *u, struct entry *out, uint64_t n)
{
  if (n > u->n_left)
    return false;
  memcpy(out, u->left, (size_t)n * sizeof *out);
  u->left += n;
  u->n_left -= (size_t)n;
  return true;
}

static bool take_addresses(struct unpacker *u, struct entry *out, uint64_t n)
{
  uint64_t distance;
  if (!get_uleb(&u->at, u->end, &distance))
    return false;
  u->next += unfold(distance);
  if (u->next > u->n_moved || n > u->n_moved - u->next)
    return false;
  for (; n--; u->next++) {
    *out++ = entry_of(&u->moved[u->next], u->relative);
    u->moved[u->next].listed = true;
  }
  return true;
}

static bool take_others(struct unpacker *u, struct entry *out, uint64_t n)
{
  uint64_t distance, addend;
  for (; n--; out++) {
    if (!get_uleb(&u->at, u->end, &distance) || !get_uleb(&u->at, u->end, &out->info) ||
        !get_uleb(&u->at, u->end, &addend))
      return false;
    out->offset = u->last += unfold(distance);
    out->addend = unfold(addend);
  }
  return true;
}

bool entries_unpack(struct entry *out, size_t room, size_t *n, const unsigned char *at,
                    const unsigned char *end, const struct entry *left, size_t n_left,
                    struct moved *moved, size_t n_moved, uint64_t relative)
{
  static bool (*const take[])(struct unpacker *, struct entry *, uint64_t) = {
      [LEFT] = take_left, [ADDRESS] = take_addresses, [OTHER] = take_others};
  struct unpacker u = {at, end, left, n_left, moved, n_moved, relative, 0, 0};
  uint64_t run;
  for (*n = 0; u.at < end; *n += (size_t)run) {
    if (!get_uleb(&u.at, end, &run))
      return false;
    const unsigned kind = run & 3;
    run >>= 2;
    if (kind > OTHER || run > room - *n || !take[kind](&u, out + *n, run))
      return false;
  }
  return true;
}
