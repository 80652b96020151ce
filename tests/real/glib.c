/* GLib 2.74 as a turf library: tables keyed by strings, numbers and addresses, quarks, variants, regular
 * expressions, slices, thread-specific data.
 *   -DREHASH   the table that is keyed by addresses is taken apart at the freeze, and filled at load
 *   -DJIT      init has a regular expression compiled to machine code
 *   -DCONTEXT  init makes the default main context, which has a descriptor */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "urf.h"

#include "library.h"

enum { WORDS = 20000, THINGS = 3000, QUARKS = 500 };

struct thing {
  int number;
  struct thing *next;
  char name[16];
};

static GHashTable *by_name;   /* string to string */
static GHashTable *by_number; /* number to slice */
static GTree *tree;
static GVariant *settings;
static GPtrArray *things;
static GSequence *sequence;
static GQueue *queue;
static GString *text;
static GRegex *regex;
static GKeyFile *keys;
static GPrivate in_thread = G_PRIVATE_INIT(g_free);
static GMutex mutex;
static GOnce once = G_ONCE_INIT;
static GData *data;
#ifndef NO_ADDRESSES
static GHashTable *by_address; /* thing to its number */
#endif
#ifdef CONTEXT
static GMainContext *context;
#endif

/* Without JIT: machine code is in a mapping that turf does not freeze. */
#ifdef JIT
#define COMPILE G_REGEX_OPTIMIZE
#else
#define COMPILE 0
#endif

static void fill_by_address(void)
{
#ifndef NO_ADDRESSES
  by_address = g_hash_table_new(g_direct_hash, g_direct_equal);
  for (guint i = 0; i < things->len; i++)
    g_hash_table_insert(by_address, g_ptr_array_index(things, i), GINT_TO_POINTER(i + 1));
#endif
}

#ifdef REHASH
static void drop_by_address(void)
{
  g_hash_table_unref(by_address);
  by_address = NULL;
}
URF_ON_FREEZE(drop_by_address);
URF_ON_THAW(fill_by_address);
#endif

static void free_thing(gpointer thing)
{
  g_slice_free(struct thing, thing);
}

static gint compare_names(gconstpointer a, gconstpointer b, gpointer unused)
{
  (void)unused;
  return strcmp(a, b);
}

static gpointer make_once(gpointer counter)
{
  ++*(int *)counter;
  return g_strdup("made once");
}

static void make_variant(void)
{
  GVariantBuilder b;

  g_variant_builder_init(&b, G_VARIANT_TYPE("a{sv}"));
  for (int i = 0; i < 100; i++) {
    char *key = g_strdup_printf("key-%d", i);
    g_variant_builder_add(&b, "{sv}", key, g_variant_new("(isad)", i, "value", NULL));
    g_free(key);
  }
  settings = g_variant_ref_sink(g_variant_builder_end(&b));
}

static void make_things(void)
{
  things = g_ptr_array_new_with_free_func(free_thing);
  by_number = g_hash_table_new(NULL, NULL);
  for (int i = 0; i < THINGS; i++) {
    struct thing *t = g_slice_new0(struct thing);
    t->number = i * 7919 % 5003;
    g_snprintf(t->name, sizeof t->name, "thing %d", i);
    if (i)
      t->next = g_ptr_array_index(things, i - 1);
    g_ptr_array_add(things, t);
    g_hash_table_insert(by_number, GINT_TO_POINTER(t->number), t);
  }
  fill_by_address();
}

int urf_init(void)
{
  static int times;

  if (by_name)
    return 0;
  by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  tree = g_tree_new_full(compare_names, NULL, g_free, NULL);
  sequence = g_sequence_new(g_free);
  queue = g_queue_new();
  text = g_string_new("text");
  for (int i = 0; i < WORDS; i++) {
    g_hash_table_insert(by_name, g_strdup_printf("word-%d", i), g_strdup_printf("%x", i * i));
    if (i % 10 == 0)
      g_tree_insert(tree, g_strdup_printf("leaf-%d", i), GINT_TO_POINTER(i));
    if (i % 20 == 0)
      g_sequence_insert_sorted(sequence, g_strdup_printf("item-%d", i * 31 % 1009), compare_names,
                               NULL);
    if (i % 30 == 0)
      g_queue_push_head(queue, g_hash_table_lookup(by_name, "word-7"));
  }
  for (int i = 0; i < QUARKS; i++) {
    g_string_printf(text, "quark-%d", i);
    g_quark_from_string(text->str);
  }
  make_things();
  make_variant();
  keys = g_key_file_new();
  if (!g_key_file_load_from_data(keys, "[a]\nx=1\ny=two;three\n[b]\nz=true\n", -1, 0, NULL))
    return 1;
  regex = g_regex_new("(?<year>\\d{4})-(?<month>\\d\\d)\\b", COMPILE, 0, NULL);
  if (!regex || !g_regex_match(regex, "on 2026-11-26", 0, NULL))
    return 1;
  g_private_set(&in_thread, g_strdup("of the thread that ran init"));
  g_once(&once, make_once, &times);
  g_datalist_set_data_full(&data, "quark-3", g_strdup("data"), g_free);
  g_mutex_lock(&mutex);
  g_mutex_unlock(&mutex);
#ifdef CONTEXT
  context = g_main_context_ref(g_main_context_default());
#endif
  return times > 1;
}

static gboolean sum_up(gpointer key, gpointer value, gpointer sum)
{
  *(guint *)sum = *(guint *)sum * 31 + g_str_hash(key) + GPOINTER_TO_UINT(value);
  return FALSE;
}

static void add_name(gpointer key, gpointer value, gpointer sum)
{
  *(guint *)sum += g_str_hash(key) * 3 + g_str_hash(value);
}

static void answer_tables(FILE *out)
{
  guint names = 0, leaves = 0, numbers = 0, found = 0;
  GHashTableIter i;
  gpointer thing;

  g_hash_table_foreach(by_name, add_name, &names);
  g_tree_foreach(tree, sum_up, &leaves);
  g_hash_table_iter_init(&i, by_number);
  while (g_hash_table_iter_next(&i, NULL, &thing))
    numbers = numbers * 31 + ((struct thing *)thing)->number;
  fprintf(out, "names %u %x, tree %d %x, numbers %u %x\n", g_hash_table_size(by_name), names,
          g_tree_nnodes(tree), leaves, g_hash_table_size(by_number), numbers);
  for (guint n = 0; n < things->len; n++) {
    struct thing *t = g_ptr_array_index(things, n);
#ifndef NO_ADDRESSES
    found += g_hash_table_lookup(by_address, t) == GINT_TO_POINTER(n + 1);
#endif
    found += g_hash_table_lookup(by_number, GINT_TO_POINTER(t->number)) == t;
  }
  fprintf(out, "things %u, found %u, word-77 %s, none %d\n", things->len, found,
          (char *)g_hash_table_lookup(by_name, "word-77"), g_hash_table_contains(by_name, "word"));
}

static gboolean tick(gpointer count)
{
  return ++*(int *)count < 3;
}

/* A main context made now runs a timeout and an idle function. */
static void answer_loop(FILE *out)
{
  GMainContext *c = g_main_context_new();
  GSource *idle = g_idle_source_new(), *timer = g_timeout_source_new(1);
  int idles = 0, ticks = 0;

  g_source_set_callback(idle, tick, &idles, NULL);
  g_source_set_callback(timer, tick, &ticks, NULL);
  g_source_attach(idle, c);
  g_source_attach(timer, c);
  while (idles < 3 || ticks < 3)
    g_main_context_iteration(c, TRUE);
  fprintf(out, "idle %d, timer %d, source by number %d\n", idles, ticks,
          g_main_context_find_source_by_id(c, 4711) != NULL);
  g_source_unref(idle);
  g_source_unref(timer);
  g_main_context_unref(c);
}

static void answer_text(FILE *out)
{
  GMatchInfo *match;
  char *printed = g_variant_print(settings, TRUE), *replaced, **words;
  gsize n;

  fprintf(out, "variant %u, %s\n", g_str_hash(printed), g_variant_get_type_string(settings));
  g_free(printed);
  g_regex_match(regex, "from 1999-01 to 2026-11", 0, &match);
  while (g_match_info_matches(match)) {
    char *year = g_match_info_fetch_named(match, "year");
    fprintf(out, "year %s\n", year);
    g_free(year);
    g_match_info_next(match, NULL);
  }
  g_match_info_free(match);
  replaced = g_regex_replace(regex, "x 2026-11 y", -1, 0, "\\g<month>/\\g<year>", 0, NULL);
  fprintf(out, "%s, %s\n", replaced, text->str);
  g_free(replaced);
  words = g_key_file_get_string_list(keys, "a", "y", &n, NULL);
  fprintf(out, "keys %zu %s, quark %s %d, intern %d\n", n, words[1],
          g_quark_to_string(g_quark_try_string("quark-99")),
          g_quark_try_string("no such quark") != 0,
          g_intern_string("quark-5") == g_quark_to_string(g_quark_try_string("quark-5")));
  g_strfreev(words);
  fprintf(out, "sequence %d, queue %u, data %s, thread %s, once %s\n",
          g_sequence_get_length(sequence), g_queue_get_length(queue),
          (char *)g_datalist_get_data(&data, "quark-3"), (char *)g_private_get(&in_thread),
          (char *)g_once(&once, NULL, NULL));
}

void answer(FILE *out)
{
  answer_tables(out);
  answer_text(out);
  answer_loop(out);
}

static void work(gpointer item, gpointer done)
{
  g_private_set(&in_thread, g_strdup("of a worker"));
  g_mutex_lock(&mutex);
  *(int *)done += GPOINTER_TO_INT(item);
  g_mutex_unlock(&mutex);
  for (int i = 0; i < 100; i++)
    g_slice_free1(48, g_slice_alloc(48));
}

static gpointer run_thread(gpointer out)
{
  char *before = g_private_get(&in_thread);

  fprintf(out, "thread has %s", before ? before : "nothing");
  g_private_replace(&in_thread, g_strdup("its own"));
  fprintf(out, ", then %s\n", (char *)g_private_get(&in_thread));
  return g_thread_self();
}

static void mutate_threads(FILE *out)
{
  GThread *thread = g_thread_new("one", run_thread, out);
  int done = 0;

  fprintf(out, "joined %d\n", g_thread_join(thread) == (gpointer)thread);
  GThreadPool *pool = g_thread_pool_new(work, &done, 2, TRUE, NULL);
  for (int i = 1; i <= 100; i++)
    g_thread_pool_push(pool, GINT_TO_POINTER(i), NULL);
  g_thread_pool_free(pool, FALSE, TRUE);
  fprintf(out, "pool %d, mine %s\n", done, (char *)g_private_get(&in_thread));
}

void mutate(FILE *out)
{
  GError *error = NULL;

  /* shrinks and grows the tables, frees frozen slices and strings */
  for (int i = 0; i < WORDS; i += 2) {
    char *key = g_strdup_printf("word-%d", i);
    g_hash_table_remove(by_name, key);
    g_free(key);
  }
  for (int i = 0; i < WORDS; i++)
    g_hash_table_replace(by_name, g_strdup_printf("new-%d", i), g_strdup("new"));
  for (int i = 0; i < 1000; i++) {
    struct thing *t = g_ptr_array_index(things, 1000);
    g_hash_table_remove(by_number, GINT_TO_POINTER(t->number));
#ifndef NO_ADDRESSES
    g_hash_table_remove(by_address, t);
#endif
    g_ptr_array_remove_index_fast(things, 1000);
  }
  g_hash_table_remove_all(by_number);
#ifndef NO_ADDRESSES
  g_hash_table_remove_all(by_address);
#endif
  for (guint i = 0; i < things->len; i++) {
    struct thing *t = g_ptr_array_index(things, i);
    g_hash_table_insert(by_number, GINT_TO_POINTER(t->number), t);
#ifndef NO_ADDRESSES
    g_hash_table_insert(by_address, t, GINT_TO_POINTER(i + 1));
#endif
  }
  for (int i = 0; i < WORDS; i += 20) {
    char *key = g_strdup_printf("leaf-%d", i);
    g_tree_remove(tree, key);
    g_tree_insert(tree, key, GINT_TO_POINTER(-i));
  }
  g_sequence_remove_range(g_sequence_get_iter_at_pos(sequence, 100),
                          g_sequence_get_iter_at_pos(sequence, 300));
  while (g_queue_get_length(queue) > 10)
    g_queue_pop_tail(queue);
  g_string_append_printf(text, ", %d", 4711);
  for (int i = 0; i < QUARKS * 10; i++) {
    g_string_printf(text, "later-%d", i);
    g_quark_from_string(text->str);
  }
  g_key_file_set_integer(keys, "c", "n", 5);
  g_datalist_set_data(&data, "quark-3", NULL);
  g_datalist_set_data_full(&data, "quark-3", g_strdup("other data"), g_free);
  g_regex_unref(regex);
  regex = g_regex_new("(?<year>\\d+)-(?<month>\\d+)", G_REGEX_OPTIMIZE, 0, NULL);
  fprintf(out, "bad pattern %d: ", g_regex_new("(", 0, 0, &error) != NULL);
  fprintf(out, "%s, %s\n", g_quark_to_string(error->domain), error->message);
  g_clear_error(&error);
  fprintf(out, "bad file %d: ", g_key_file_load_from_file(keys, "/nowhere", 0, &error));
  fprintf(out, "%s, %s\n", g_quark_to_string(error->domain), error->message);
  g_clear_error(&error);
  g_key_file_load_from_data(keys, "[a]\ny=four;five\n", -1, 0, NULL);
  g_variant_unref(settings);
  make_variant();
  mutate_threads(out);
}

/* Everything goes back but what GLib keeps for ever; urf_init may follow. */
void finish(FILE *out)
{
  g_hash_table_unref(by_name);
  g_hash_table_unref(by_number);
#ifndef NO_ADDRESSES
  g_hash_table_unref(by_address);
#endif
  g_ptr_array_unref(things);
  g_tree_unref(tree);
  g_variant_unref(settings);
  g_sequence_free(sequence);
  g_queue_free(queue);
  g_string_free(text, TRUE);
  g_regex_unref(regex);
  g_key_file_free(keys);
  g_datalist_clear(&data);
  g_private_replace(&in_thread, NULL);
  by_name = NULL;
  fprintf(out, "freed\n");
}

/* What must not be the same in two processes. */
void fresh(FILE *out)
{
  char *uuid = g_uuid_string_random();

  fprintf(out, "%s\n%08x\n", uuid, g_random_int());
  g_free(uuid);
}
