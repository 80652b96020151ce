#!/bin/sh
# A library that may not be loaded with dlopen (-z nodlopen), which turf does: frozen it is one, too, and works
# for the programs that need it.
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
build_driver
echo '#include "mix.h"' >library.c
cat >user.c <<'END'
#include <stdio.h>
void answer(FILE *), mutate(FILE *);
int urf_init(void);
int main(int argc, char **argv)
{
  (void)argv;
  if (argc > 1 && urf_init())
    return 1;
  answer(stdout);
  mutate(stdout);
  answer(stdout);
  return 0;
}
END
build_plain a.so library.c -- -O2 -Wl,-z,nodlopen -Wl,-soname,lib.so
build_lib b.so library.c -- -O2 -Wl,-z,nodlopen -Wl,-soname,lib.so
[ $LIBC = musl ] || ! "$DRIVER" ./b.so 2>/dev/null || fail "the flag is not there"
freeze b.so c.so -q
readelf -dW c.so | grep -q 'FLAGS_1.*NOOPEN' || fail "frozen it has lost the flag"
run "$TURF" verify -q c.so
fixed_elsewhere c.so d.so
cp a.so lib.so
$CC_CMD $LD_FLAG user.c -o user ./lib.so "-Wl,-rpath,$WORK"
run ./user init >want.txt
cp b.so lib.so
run ./user init >out.txt
same want.txt out.txt "with turf it answers otherwise"
for form in c d; do
  cp $form.so lib.so
  run ./user >out.txt
  same want.txt out.txt "$form: frozen it answers otherwise"
done
