// configs: gcc-bfd-glibc
// with: capture/order.c capture/util.c
/* Structures in the other byte order: no field is left out, none is taken twice. */

#include <stdio.h>
#include <stdlib.h>

#include "turf.h"
#include "unit.h"

static const struct form other = {8, true};

void freeze_cleanup(void) {}

static void test_words(void)
{
  unsigned char b[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8}, c[9] = {0};
  MUST(get_word(b + 1, (struct form){8, true}) == 0x0102030405060708);
  MUST(get_word(b + 1, (struct form){4, true}) == 0x01020304);
  put_word(c + 1, (struct form){8, true}, 0x0102030405060708);
  MUST(memcmp(b, c, 9) == 0);
  put_word(c + 1, (struct form){4, true}, 0x0a0b0c0d);
  MUST(c[1] == 0x0a && c[4] == 0x0d && c[5] == 5);
}

/* By their names, not by where they are. */
static void test_fields(void)
{
  struct urf_note n = {.namesz = 4,
                       .name = "urf",
                       .self = 1,
                       .transient = 2,
                       .format = 3,
                       .state_size = 4,
                       .flags = 5,
                       .machine = 22,
                       .heap_end = 6,
                       .input_hash = {7, 8},
                       .tool = "0.1",
                       .recipe = 9,
                       .fallback = 10,
                       .cpu = {[0] = 11, [URF_CPU_WORDS - 1] = 12}};
  struct urf_note was = n;
  order_turn(native(8), RECORD_NOTE, &n, 1);
  MUST(memcmp(&n, &was, sizeof n) == 0);
  order_turn(other, RECORD_NOTE, &n, 1);
  MUST(n.namesz == 4u << 24 && memcmp(n.name, "urf", 4) == 0 && n.self == 1ull << 56);
  MUST(n.transient == 2ull << 56 && n.format == 3u << 24 && n.state_size == 4u << 24);
  MUST(n.flags == 5u << 24 && n.machine == 22u << 24 && n.heap_end == 6ull << 56);
  MUST(n.input_hash[0] == 7ull << 56 && n.input_hash[1] == 8ull << 56 && !strcmp(n.tool, "0.1"));
  MUST(n.recipe == 9ull << 56 && n.fallback == 10ull << 56);
  MUST(n.cpu[0] == 11u << 24 && n.cpu[URF_CPU_WORDS - 1] == 12u << 24);
  order_turn(other, RECORD_NOTE, &n, 1);
  MUST(memcmp(&n, &was, sizeof n) == 0);
  struct urf_import m[2] = {{0}, {.name = 1, .kind = 2, .addend = -1, .slot = 3, .sites_size = 4}};
  order_turn(other, RECORD_IMPORT, m, 2);
  MUST(m[1].name == 1u << 24 && m[1].kind == 2u << 24 && m[1].addend == -1 &&
       m[1].slot == 3ull << 56 && m[1].sites_size == 4ull << 56 && !m[0].name);
  struct urf_stretch s = {.address = 1, .relr_size = 2, .way = URF_COPY};
  order_turn(other, RECORD_STRETCH, &s, 1);
  MUST(s.address == 1ull << 56 && s.relr_size == 2ull << 56 && s.way == (uint32_t)URF_COPY << 24);
  struct urf_protection p = {.address = 1, .size = 2, .prot = 3};
  order_turn(other, RECORD_PROTECTION, &p, 1);
  MUST(p.address == 1ull << 56 && p.size == 2ull << 56 && p.prot == 3u << 24);
  struct urf_call c = {.address = 1, .kind = URF_CALL_VOID};
  order_turn(other, RECORD_CALL, &c, 1);
  MUST(c.address == 1ull << 56 && c.kind == (uint32_t)URF_CALL_VOID << 24);
}

/* A table in this machine's order, to the other one and back. */
static void test_table(void)
{
  struct {
    struct urf_stretch stretch;
    struct urf_import imports[2];
    struct urf_protection protection;
    struct urf_origin origin;
    struct urf_common common[3];
    struct urf_fallback fallback;
    struct urf_call calls[2];
    char text[16];
  } t, was, damaged;
  struct urf_note n = {.table_size = sizeof t};
#define AT(field) ((uint64_t)((char *)&t.field - (char *)&t))
  for (size_t i = 0; i < sizeof t; i++)
    ((unsigned char *)&t)[i] = (unsigned char)(i * 7 + 1);
  n.stretches = AT(stretch), n.n_stretches = 1;
  n.imports = AT(imports), n.n_imports = 2;
  n.protections = AT(protection), n.n_protections = 1;
  n.origin = AT(origin), n.fallback = AT(fallback);
  t.origin.common = AT(common), t.origin.n_common = 3;
  t.fallback.calls = AT(calls), t.fallback.n_calls = 2;
  memcpy(&was, &t, sizeof t);
  order_turn_table(native(8), (unsigned char *)&t, &n, true);
  MUST(memcmp(&t, &was, sizeof t) == 0);
  order_turn_table(other, (unsigned char *)&t, &n, true);
  MUST(t.stretch.address == __builtin_bswap64(was.stretch.address));
  MUST(t.imports[1].kind == __builtin_bswap32(was.imports[1].kind));
  MUST(t.origin.common == __builtin_bswap64(was.origin.common));
  MUST(t.common[2].value == __builtin_bswap64(was.common[2].value));
  MUST(t.calls[1].kind == __builtin_bswap32(was.calls[1].kind));
  MUST(memcmp(t.text, was.text, sizeof t.text) == 0);
  order_turn_table(other, (unsigned char *)&t, &n, false);
  MUST(memcmp(&t, &was, sizeof t) == 0);
  t.origin.n_common = UINT64_MAX; /* damaged: nothing behind the table is touched */
  t.fallback.calls = sizeof t + 8;
  n.n_imports = UINT64_MAX / 8;
  memcpy(&damaged, &t, sizeof t);
  order_turn_table(other, (unsigned char *)&t, &n, true);
  MUST(memcmp(t.imports, damaged.imports, sizeof t.imports) == 0);
  MUST(memcmp(t.common, damaged.common, sizeof t.common) == 0);
}

int main(void)
{
  test_words();
  test_fields();
  test_table();
  return 0;
}
