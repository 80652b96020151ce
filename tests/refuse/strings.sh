#!/bin/sh
# Strings in the image that tell of the one who made it: a warning that says where and what, but not the
# string; lines of a policy clear or keep them.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

build_driver
cat >strings.c <<'END'
#include "feature.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
static char *name, *home, *copy;
static char token[40], near[] = "/home/somebodyelse /home/somebody2 x/home/somebody";
static char *read_file(const char *path)
{
  char *p = calloc(1, 100);
  int fd = open(path, O_RDONLY);
  if (fd < 0 || read(fd, p, 99) < 0)
    abort();
  close(fd);
  return p;
}
int urf_init(void)
{
  Dl_info info;
  char *secret = read_file("secret");
  if (!dladdr((void *)urf_init, &info))
    return 1;
  name = strdup(info.dli_fname);
  home = read_file("home");
  copy = strdup(getenv("SEEN"));
  strcpy(token, secret);
  memset(secret, 0, strlen(secret));
  free(strdup(token)); /* what is free is cleared */
  free(secret);
  return 0;
}
void answer(FILE *out) { fprintf(out, "%d %s%s%s %s\n", *name, home, token, near, copy); }
END
build_lib b.so strings.c
printf 'in /home/somebody/x' >home
printf 'hunter2-hunter2' >secret
mkdir elsewhere
cp home secret elsewhere
check() {
  env -i PATH="$PATH" HOME=/home/somebody API_TOKEN=hunter2-hunter2 SHELL=/home/somebody LC_ALL=hunter2-hunter2 \
    "$TURF" freeze b.so -o c.so --cwd "$WORK/elsewhere" --env SEEN=a-value-of-env "$@" >stdout 2>stderr
}
warned() { # PLACE WHAT LINE
  grep -F -e "$1" stderr | grep -F -e "$2" | grep -qF -e "$3" || fail "no warning of $2 in $1: $(cat stderr)"
}
run check
cat stderr
warned "allocation 2 (" "the directory of the library" "heap:urf_init#"
warned "by read_file+" "the home directory" "heap:read_file#1+3:14 zero REASON"
warned "token+0 (.bss)" "has for API_TOKEN" "token+0:15 zero REASON"
warned "by urf_init+" "the value of --env SEEN" "heap:urf_init#2+0:14 zero REASON"
[ "$(grep -c " holds " stderr)" = 4 ] || fail "not four warnings"
! grep -q hunter2 stderr stdout || fail "the message shows the secret"
[ "$(grep -c hunter2 c.so)" = 1 ] || fail "the secret is not where it was said to be"
grep -oba hunter2-hunter2 c.so >places
[ "$(wc -l <places)" = 1 ] || fail "what was free still holds the secret"
run check --json
grep -q '"telling_strings"' stdout || fail "the JSON has no telling strings"
run check --quiet
[ ! -s stderr ] || fail "warnings, though quiet: $(cat stderr)"

cat >policy <<'END'
heap:urf_init#1 keep everybody may know where it was built
heap:read_file#1+3:14 zero asked for again
token zero typed in again
heap:urf_init#2 keep no secret
END
run check --policy policy
! grep " holds " stderr || fail "warnings in spite of the policy"
! grep -qa hunter2 c.so || fail "the secret is in the file"
run "$DRIVER" -f ./c.so >out.txt
grep -qF -e "in " out.txt || fail "cannot be used"
