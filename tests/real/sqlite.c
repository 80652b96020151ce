/* A SQLite database as a turf library: 50,000 rows in memory, an index, JSON, full-text search, a
 * function of our own and a prepared statement that waits for its first use. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "library.h"

#ifndef RECORDS
#define RECORDS 50000
#endif
#define TEXT(n) #n
#define TEXT_OF(n) TEXT(n)
#define LAST TEXT_OF(RECORDS)

static sqlite3 *db;
static sqlite3_stmt *lookup;

static const char schema[] =
    "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price REAL, doc JSON);"
    "CREATE VIRTUAL TABLE words USING fts5(name, text);"
    "BEGIN;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " LAST ")"
    "  INSERT INTO item SELECT i, printf('item-%05d', i * 7919 % 50021), i % 997 / 8.0,"
    "    json_object('shelf', i % 40, 'tags', json_array(i % 3, i % 5), 'old', i % 2 = 0) FROM n;"
    "INSERT INTO words SELECT name, printf('%s %s number %d', CASE id % 4 WHEN 0 THEN 'red'"
    "    WHEN 1 THEN 'green' WHEN 2 THEN 'blue' ELSE 'grey' END,"
    "    CASE id % 5 WHEN 0 THEN 'lamp' WHEN 1 THEN 'chair' WHEN 2 THEN 'table' WHEN 3 THEN 'clock'"
    "    ELSE 'kettle' END, id % 1000) FROM item WHERE id % 5 < 4 AND id <= 20000;"
    "COMMIT;"
    "CREATE INDEX item_price ON item(price, name);"
    "ANALYZE;";

static void die(const char *what)
{
  fprintf(stderr, "sqlite: %s: %s\n", what, sqlite3_errmsg(db));
  abort();
}

static int print_row(void *out, int columns, char **value, char **name)
{
  (void)name;
  for (int i = 0; i < columns; i++)
    fprintf(out, "%s%s", i ? "|" : "  ", value[i] ? value[i] : "NULL");
  fputc('\n', out);
  return 0;
}

static void run(FILE *out, const char *sql)
{
  char *error = NULL;

  fprintf(out, "%s\n", sql);
  if (sqlite3_exec(db, sql, print_row, out, &error))
    fprintf(out, "  error: %s\n", error);
  sqlite3_free(error);
}

/* checksum(X): an aggregate that depends on every row, and on their order */
static void checksum_step(sqlite3_context *context, int argc, sqlite3_value **argv)
{
  sqlite3_int64 *sum = sqlite3_aggregate_context(context, sizeof *sum);
  const unsigned char *text = sqlite3_value_text(argv[0]);

  (void)argc;
  for (; sum && text && *text; text++)
    *sum = (*sum * 31 + *text) % 1000000007;
}

static void checksum_final(sqlite3_context *context)
{
  sqlite3_int64 *sum = sqlite3_aggregate_context(context, 0);

  sqlite3_result_int64(context, sum ? *sum : 0);
}

int urf_init(void)
{
  if (db)
    return 0;
  if (sqlite3_open(":memory:", &db) ||
      sqlite3_create_function(db, "checksum", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, NULL,
                              checksum_step, checksum_final) ||
      sqlite3_exec(db, schema, NULL, NULL, NULL) ||
      sqlite3_prepare_v3(db, "SELECT id, price, doc ->> '$.shelf' FROM item WHERE name = ?", -1,
                         SQLITE_PREPARE_PERSISTENT, &lookup, NULL)) {
    fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
    return 1;
  }
  /* A frozen generator would give every process the same numbers.  SQLite offers this call for the
   * purpose: the next number asked for seeds it anew. */
  sqlite3_randomness(0, NULL);
  return 0;
}

void answer(FILE *out)
{
  for (int i = 1; i < 50021; i += 12345) {
    char name[32];

    snprintf(name, sizeof name, "item-%05d", i);
    sqlite3_bind_text(lookup, 1, name, -1, SQLITE_TRANSIENT);
    if (sqlite3_step(lookup) == SQLITE_ROW)
      fprintf(out, "%s: id %d price %.3f shelf %d\n", name, sqlite3_column_int(lookup, 0),
              sqlite3_column_double(lookup, 1), sqlite3_column_int(lookup, 2));
    else
      fprintf(out, "%s: none\n", name);
    sqlite3_reset(lookup);
  }
  run(out, "SELECT count(*), sum(price), min(name), max(name), checksum(name || doc) FROM item");
  run(out, "SELECT doc ->> '$.shelf' AS shelf, count(*), round(avg(price), 6) FROM item"
           " WHERE doc ->> '$.old' GROUP BY shelf ORDER BY 2 DESC, 1 LIMIT 5");
  run(out, "SELECT name, json_extract(doc, '$.tags[1]') FROM item"
           " WHERE price BETWEEN 3 AND 4 AND id % 11 = 0 ORDER BY price, name LIMIT 4");
  run(out, "SELECT key, type, atom FROM item, json_tree(item.doc) WHERE item.id = 777");
  run(out, "SELECT count(*) FROM words WHERE words MATCH 'blue AND (lamp OR clock)'");
  run(out, "SELECT name, highlight(words, 1, '[', ']') FROM words"
           " WHERE words MATCH 'red \"chair number\" NOT 41' ORDER BY rank, rowid LIMIT 3");
  run(out, "SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY 1, 2");
  run(out, "SELECT type, name FROM sqlite_schema ORDER BY 2");
  fprintf(out, "memory in use: %lld bytes\n", sqlite3_memory_used());
}

void mutate(FILE *out)
{
  // clang-format off
  static const char *const steps[] = {
    "INSERT INTO item(name, price, doc) SELECT 'new-' || id, price * 2, json_set(doc, '$.new', 1)"
    " FROM item WHERE id % 10 = 0",
    "UPDATE item SET price = price + 1, name = name || '-x' WHERE id % 13 = 0",
    "DELETE FROM item WHERE id % 7 = 0",
    "SELECT changes(), total_changes(), last_insert_rowid()",
    "BEGIN; DELETE FROM item; SAVEPOINT s; INSERT INTO item(name) VALUES ('alone'); ROLLBACK TO s;"
    " SELECT count(*) FROM item; ROLLBACK; SELECT count(*) FROM item",
    "INSERT INTO item(name) VALUES ('item-00001'); SELECT 1",
    "INSERT INTO item(name) VALUES ('item-00002'), ('item-00002')",
    "SELECT nothing FROM nowhere",
    "CREATE TABLE shelf AS SELECT doc ->> '$.shelf' AS id, group_concat(name) AS names FROM item"
    " GROUP BY 1",
    "CREATE UNIQUE INDEX shelf_id ON shelf(id)",
    "CREATE TRIGGER gone AFTER DELETE ON shelf BEGIN"
    " INSERT INTO words VALUES ('gone-' || old.id, 'blue lamp of ' || old.id); END",
    "DELETE FROM shelf WHERE id BETWEEN 10 AND 19",
    "SELECT count(*), checksum(names) FROM shelf",
    "DELETE FROM words WHERE words MATCH 'kettle OR chair'",
    "INSERT INTO words SELECT name, 'fresh red clock ' || id FROM item WHERE id > 49000",
    "INSERT INTO words(words) VALUES ('optimize')",
    "INSERT INTO words(words) VALUES ('integrity-check')",
    "ALTER TABLE item ADD COLUMN note TEXT DEFAULT 'none'",
    "DROP INDEX item_price",
    "CREATE INDEX item_price ON item(price DESC, note, name)",
    "ATTACH ':memory:' AS other; CREATE TABLE other.copy AS SELECT * FROM item;"
    " SELECT count(*) FROM other.copy; DETACH other",
    "CREATE TEMP TABLE t AS SELECT id, random() r FROM item; SELECT count(DISTINCT r) FROM t;"
    " DROP TABLE t",
    "VACUUM",
    "ANALYZE",
    "PRAGMA integrity_check",
    "PRAGMA page_count",
  };
  // clang-format on

  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    run(out, steps[i]);
  sqlite3_db_release_memory(db);
}

/* Everything goes back; urf_init may follow. */
void finish(FILE *out)
{
  if (sqlite3_finalize(lookup) || sqlite3_close(db))
    die("close");
  lookup = NULL;
  db = NULL;
  if (sqlite3_shutdown())
    die("shutdown");
  fprintf(out, "closed, %lld bytes left\n", sqlite3_memory_used());
}

/* What must not be the same in two processes. */
void fresh(FILE *out)
{
  run(out, "SELECT hex(randomblob(16))");
}
