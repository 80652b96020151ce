// Initialised data and tables of relocations come back as they were, whatever the freeze has changed, and what
// is damaged is refused.
// with: capture/changes.c capture/entries.c capture/relr.c capture/util.c
// libs: -lelf
#include <string.h>

#include "unit.h"
#include "write.h"

void freeze_cleanup(void) {}

enum { WORD = 8, WORDS = 600, SIZE = WORDS * WORD, DATA = 0x10000 };

/* The library as it was, and frozen. */
static unsigned char was[SIZE], in_file[SIZE];
static struct library lib;
static struct plan plan;

static void forget(void)
{
  free(lib.slots.at);
  free(plan.sites.at);
  free(plan.pointers.at);
  free(plan.image);
  lib = (struct library){.form = {WORD, false}, .data = in_file};
  plan = (struct plan){0};
}

/* 8 bytes each, at most one of them over a place. */
static void add(size_t at, int relative, int pointer, uint64_t before, uint64_t after)
{
  memcpy(was + at, &before, WORD);
  memcpy(in_file + at, &before, WORD);
  memcpy(plan.image + at, &after, WORD);
  if (relative) {
    *PUSH(&lib.slots) = (struct slot){.address = DATA + at, .kind = SLOT_RELATIVE};
    lib.slots.at[lib.slots.n - 1].addend = (int64_t)before;
    if (draw(2))
      memset(in_file + at, 0, WORD);
  }
  if (pointer && at % WORD == 0 && draw(8))
    bitmap_set(&plan.pointers, at / WORD, true);
  else if (pointer)
    *PUSH(&plan.sites) = (struct site){.offset = at,
                                       .size = WORD,
                                       .kind = SITE_POINTER,
                                       .value = after,
                                       .rotated = draw(9) ? 0 : 4};
}

/* What there is may be of few values or many, aligned or not, in runs or here and there, or the same again
 * and again. */
static void make(void)
{
  forget();
  bitmap_init(&plan.pointers, WORDS);
  plan.size = SIZE - draw(3) * WORD;
  plan.image = calloc(1, SIZE);
  lib.note.data = DATA;
  lib.note.bss = DATA + SIZE - draw(60) * (draw(2) ? WORD : 1);
  lib.data_size = SIZE;
  memset(was, 0, SIZE);
  memset(in_file, 0, SIZE);
  const size_t most = draw(2) ? 1 : 8, values = 1 + draw(draw(2) ? 4 : 100), same = draw(10);
  const size_t period = draw(3) ? 0 : 5 + draw(60), start = draw(1000);
  for (size_t at = 0; at + WORD <= SIZE; at += WORD) {
    if (period)
      seed = start + at / WORD % period * 0x9e3779b97f4a7c15;
    if (!draw(20) && at + 2 * WORD <= SIZE)
      at += draw(most);
    const uint64_t before = draw(values) * 0x01020304,
                   after = draw(10) < same ? before : draw(values);
    add(at, draw(3) == 0, draw(3) == 0, before, after);
  }
  seed += start * 7919 + plan.sites.n;
  /* behind .data it starts empty */
  for (size_t i = (size_t)(lib.note.bss - DATA); i < SIZE; i++)
    plan.image[i] = (unsigned char)draw(256);
}

/* As the loader does it, at that bias: pointers first, then the word list, then what is to be relocated. */
static void test_load(const struct origin_data *d, const struct urf_common *common, size_t n,
                      const struct bytes *words)
{
  const uint64_t bias = 0x7654321000;
  unsigned char wanted[SIZE];
  struct origin_data load;
  memcpy(wanted, was, SIZE);
  for (size_t i = 0; i < lib.slots.n; i++) {
    unsigned char *word = wanted + (lib.slots.at[i].address - DATA);
    put_word(word, native(WORD), get_word(word, native(WORD)) + bias);
  }
  origin_data_init(&load, &plan, &lib, SIZE);
  memcpy(load.bytes, plan.image, SIZE);
  for (size_t i = bitmap_next(&plan.pointers, 0); i < WORDS; i = bitmap_next(&plan.pointers, i + 1))
    put_word(load.bytes + i * WORD, native(WORD),
             get_word(load.bytes + i * WORD, native(WORD)) + bias);
  for (size_t i = 0; i < plan.sites.n; i++) {
    const unsigned turn = plan.sites.at[i].rotated, back = (64 - turn) % 64;
    unsigned char *word = load.bytes + plan.sites.at[i].offset;
    put_word(word, native(WORD),
             rotate_left(rotate_left(get_word(word, native(WORD)), WORD, turn) + bias, WORD, back));
  }
  memset(load.bytes + load.limit, 0, SIZE - load.limit);
  MUST(origin_data_unpack(&load, common, n, words->at, words->at + words->n));
  for (size_t i = 0; i < d->relative.n; i++) {
    unsigned char *word = load.bytes + d->relative.at[i];
    put_word(word, native(WORD), get_word(word, native(WORD)) + bias);
  }
  MUST(memcmp(load.bytes, wanted, SIZE) == 0);
  origin_data_free(&load);
}

static size_t n_again; /* lists that have one */

static void test_data(void)
{
  struct origin_data d, back;
  struct urf_common common[URF_AGAIN];
  struct bytes words = {0};
  origin_data_init(&d, &plan, &lib, origin_data_size(&lib));
  MUST(origin_data_compare(&d, &plan, &lib));
  const size_t n = origin_data_pack(&d, common, &words);
  MUST(n <= URF_AGAIN && words.n && !words.at[words.n - 1]);
  n_again += memchr(words.at, URF_AGAIN << URF_SHIFT, words.n) != NULL;
  origin_data_init(&back, &plan, &lib, SIZE);
  MUST(origin_data_unpack(&back, common, n, words.at, words.at + words.n));
  MUST(memcmp(back.bytes, was, SIZE) == 0);
  for (size_t i = 0; i < d.relative.n; i++)
    *PUSH(&back.relative) = d.relative.at[i];
  origin_data_relocated(&back);
  MUST(back.relative.n == lib.slots.n);
  for (size_t i = 0; i < lib.slots.n; i++)
    MUST(back.relative.at[i] == lib.slots.at[i].address - DATA);
  test_load(&d, common, n, &words);
  origin_data_free(&back);
  for (int i = 0; i < 20; i++) { /* anything but a write outside */
    origin_data_init(&back, &plan, &lib, SIZE);
    words.at[draw(words.n)] = (unsigned char)draw(256);
    unsigned char *exact = malloc(words.n);
    memcpy(exact, words.at, words.n);
    (void)origin_data_unpack(&back, common, draw(n + 1), exact, exact + words.n);
    free(exact);
    origin_data_free(&back);
  }
  origin_data_free(&d);
  free(words.at);
}

/* tables */

enum { ENTRIES = 300, RELATIVE = 8 };

static void test_entries(void)
{
  struct moved moved[ENTRIES] = {0};
  struct entry all[ENTRIES], left[ENTRIES], back[ENTRIES];
  struct bytes list = {0};
  size_t n = 0, n_left = 0, n_back;
  const size_t n_moved = draw(ENTRIES / 2);
  for (size_t i = 0; i < n_moved; i++)
    moved[i] = (struct moved){DATA + 8 * i, i * i, false};
  for (size_t i = 0; i < n_moved; i++)
    if (draw(10))
      all[n++] = (struct entry){moved[i].address, RELATIVE, moved[i].value};
  for (size_t more = draw(ENTRIES / 2); more--;)
    all[n++] = (struct entry){draw(2) ? draw(1000) : (uint64_t)0 - draw(1000),
                              draw(4) << 32 | draw(10), (uint64_t)0 - draw(3)};
  for (size_t shuffles = draw(3) ? draw(30) * n / 10 : 0; shuffles--;) {
    const size_t i = draw(n), j = draw(n);
    const struct entry e = all[i];
    all[i] = all[j];
    all[j] = e;
  }
  for (size_t i = 0; i < n; i++)
    if (all[i].info != RELATIVE || !draw(5))
      left[n_left++] = all[i];
  entries_pack(&list, all, n, left, n_left, moved, n_moved, RELATIVE);
  bool listed[ENTRIES];
  for (size_t i = 0; i < n_moved; i++) {
    listed[i] = moved[i].listed;
    moved[i].listed = false;
  }
  MUST(entries_unpack(back, ENTRIES, &n_back, list.at, list.at + list.n, left, n_left, moved,
                      n_moved, RELATIVE));
  MUST(n_back == n && (!n || memcmp(back, all, n * sizeof *all) == 0));
  for (size_t i = 0; i < n_moved; i++)
    MUST(moved[i].listed == listed[i]);
  MUST(!n || !entries_unpack(back, n - 1, &n_back, list.at, list.at + list.n, left, n_left, moved,
                             n_moved, RELATIVE));
  for (int i = 0; i < 20 && list.n; i++) {
    list.at[draw(list.n)] = (unsigned char)draw(256);
    (void)entries_unpack(back, ENTRIES, &n_back, list.at, list.at + list.n, left, n_left, moved,
                         n_moved, RELATIVE);
  }
  free(list.at);
}

static void test_relr(void)
{
  struct addresses all = {0}, back = {0};
  struct bytes table = {0};
  for (uint64_t at = DATA, n = draw(500); n--; at += 8 * (1 + draw(draw(9) ? 3 : 200)))
    *PUSH(&all) = at;
  relr_pack(&table, all.at, all.n, native(WORD));
  relr_unpack(&back, table.at, table.n, native(WORD));
  MUST(back.n == all.n && (!all.n || memcmp(back.at, all.at, all.n * sizeof *all.at) == 0));
  free(all.at);
  free(back.at);
  free(table.at);
}

int main(void)
{
  for (int i = 0; i < 2000; i++) {
    make();
    test_data();
    test_entries();
    test_relr();
  }
  MUST(n_again > 200);
  make(); /* one word twice */
  MUST(lib.slots.n);
  *PUSH(&lib.slots) = lib.slots.at[0];
  lib.slots.at[lib.slots.n - 1].address = lib.slots.at[lib.slots.n - 2].address + 1;
  struct origin_data d;
  origin_data_init(&d, &plan, &lib, SIZE);
  MUST(!origin_data_compare(&d, &plan, &lib));
  origin_data_free(&d);
  forget();
  return 0;
}
