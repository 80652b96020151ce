#!/bin/sh
# What --json prints is as doc/report.schema.json says, whatever the outcome, and complete.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
need jq
PYTHON=/usr/bin/python3 # Debian's, which has Debian's modules
$PYTHON -c 'import jsonschema' 2>/dev/null ||
  skip "python3-jsonschema is missing (Debian package python3-jsonschema)"

cat >valid.py <<'END2'
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
jsonschema.validate(json.load(open(sys.argv[2])), schema)
END2

# outcome STATUS VERDICT COMMAND...: its output is in out.json
outcome() {
  want=$1 verdict=$2 status=0
  shift 2
  "$@" >out.json 2>stderr || status=$?
  cat stderr
  [ $status -eq $want ] || fail "status $status instead of $want: $*"
  $PYTHON valid.py "$TESTS/../doc/report.schema.json" out.json || fail "not as the schema says: $*"
  [ "$(jq -r .verdict out.json)" = "$verdict" ] || fail "the verdict is not $verdict: $*"
  [ "$(jq .status out.json)" -eq $want ] || fail "another status in the output: $*"
}

# says FILTER: is it true of out.json?
says() { [ "$(jq "$1" out.json)" = true ] || fail "not so: $1"; }

cat >state.c <<'END2'
#include "feature.h"
#include <unistd.h>
struct node { struct node *next; unsigned long number; };
unsigned long seed;
static struct node *list;
FILE *opened;
unsigned long hash[4];
int urf_init(void)
{
  FILE *f = fopen("/dev/urandom", "r");
  if (!f || fread(&seed, sizeof seed, 1, f) != 1 || fclose(f))
    return 1;
  opened = fopen("/dev/null", "w");
  hash[2] = ~(unsigned long)(uintptr_t)&hash;
  for (int i = 0; i < 40; i++) {
    struct node *n = calloc(1, sizeof *n);
    n->next = list;
    n->number = seed + (unsigned long)i;
    list = n;
  }
  return !opened || !hash[2];
}
END2
build_lib state.so state.c -- -g -O1
outcome 1 refused "$TURF" check --json state.so
says '.words == 43 and ([.findings[].words] | add) == .words'
# the open file, and libc's list of streams with it
says '[.outside[].kind] == ["fd", "data"]'
says '[.findings[].examples[].values | length] | unique == [3]'
says '.findings | map(select(.symbol == "seed"))[0].examples[0].field == "seed"'
says '.findings | map(select(.symbol == "opened"))[0].cause == "foreign heap"'
says '.findings | map(select(.symbol == "hash"))[0].examples[0].field == "hash[2]"'
says '.findings | map(select(.blocks == 40))[0].reached_by == "list->number"'
says '.findings | map(select(.blocks == 40))[0].allocated_by[0] | .function == "urf_init" and .line == 16'
says '.findings | map(select(.symbol == "seed"))[0].varies_with == ["random"]'
grep -qx "turf: $(jq -r .error out.json)" stderr || fail "another error in the output than on stderr"
[ "$(wc -l <stderr)" -eq 1 ] || fail "more than the error on stderr"

# its lines accept everything there is
jq -r '.findings[].policy[], .outside[].policy' out.json | sed 's/REASON$/it is a test/' >policy
outcome 0 'can be frozen' "$TURF" check --json state.so --policy policy
outcome 0 frozen "$TURF" freeze --json state.so -o frozen.so --policy policy

echo 'seed refuse it is a secret' >policy
outcome 1 refused "$TURF" check --json state.so --policy policy
says '.findings | map(select(.cause == "refused"))[0] | .policy == [] and .examples[0].values == []'

outcome 1 refused "$TURF" check --json state.c
says '.words == 0 and .findings == []'
outcome 1 refused "$TURF" check --json state.so --init no_such_function
outcome 3 failed "$TURF" check --json no_such_file.so
