#!/bin/sh
# Version scripts: exported symbols have versions, one of them two, all others are local.  What is frozen has
# the same, nothing of turf's is among them, and the names that turf and the dynamic linker need are found.
# machines: yes
# not: armhf versions of symbols are as on i386
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
build_driver
cat >library.c <<'END'
#include <ctype.h>
#include "feature.h"
int pick_old(int), pick_new(int);
/* %: for mold and lld as well, the version script has the default */
__asm__(".symver pick_old, pick@V1");
__asm__(".symver pick_new, pick@@V2");
int table[4] = {1, 2, 3, 4};
static int (**calls)(int), *third, added;
int pick_old(int i) { return table[i] + 100; }
int pick_new(int i) { return table[i] + 200; }
int hook(int i) { return i + 1; }
int helper(int i) { return hook(i) * 2; } /* local */
int urf_init(void)
{
  calls = malloc(5 * sizeof *calls);
  if (!calls)
    return 1;
  calls[0] = pick_old, calls[1] = pick_new, calls[2] = helper, calls[3] = hook, calls[4] = toupper;
  third = &table[2];
  added = (*third += 10);
  return 0;
}
void answer(FILE *out)
{
  for (int i = 0; i < 5; i++)
    fprintf(out, "%d ", calls[i](2));
  fprintf(out, "%d %d %d\n", *third, added, calls[3] == hook);
}
void mutate(FILE *out)
{
  calls = realloc(calls, 1000 * sizeof *calls);
  *third += 5;
  fprintf(out, "%d\n", calls[0](2));
}
END
sed -i '/%: for/d' library.c
cat >versions.map <<'END'
V1 { global: urf_init; answer; pick; hook; local: *; };
V2 { global: pick; table; mutate; } V1;
END
script=-Wl,--version-script=$WORK/versions.map
build_plain a.so library.c -- -O2 $script
build_lib b.so library.c -- -O2 $script
freeze b.so c.so -q
freeze b.so e.so -q --fallback fail
fixed_elsewhere c.so d.so
for form in a b; do
  "${TRIPLE:+$TRIPLE-}nm" -D --defined-only $form.so | sed 's/^[0-9a-f]*//' | sort >$form.nm
done
same a.nm b.nm "with turf it exports other symbols"
same_names b.so c.so
for name in pick@V1 pick@@V2 table@@V2 answer@@V1; do
  "${TRIPLE:+$TRIPLE-}nm" -D c.so | grep -q " $name\$" || fail "$name is not there: $(cat out.nm)"
done
! grep -iE 'urf_(start|state|note)|helper|malloc$' out.nm || fail "what is local is exported"
no_new_complaints b.so c.so

# old and new users, by version; one that preempts an exported function, and one that preempts with none
cat >user.c <<'END'
#include <stdio.h>
int pick(int);
void answer(FILE *);
int urf_init(void);
int main(int argc, char **argv)
{
  (void)argv;
  if (argc > 1 && urf_init())
    return 1;
  printf("%d ", pick(1));
  answer(stdout);
  return 0;
}
END
sed '1i __asm__(".symver pick, pick@V1");' user.c >old_user.c
echo 'int hook(int i) { return i + 50; }' >hook.c
build_plain hook.so hook.c
echo 'V1 { global: hook; };' >hook.map
build_plain hook_v1.so hook.c -- -Wl,--version-script=$WORK/hook.map
cp a.so lib.so
for user in user old_user; do
  $CC_CMD $LD_FLAG $user.c -o $user ./lib.so "-Wl,-rpath,$WORK"
done
for form in a b c d; do
  cp $form.so lib.so
  init=init
  case $form in c | d) init= ;; esac
  for user in user old_user; do
    for preload in '' "$WORK/hook.so" "$WORK/hook_v1.so"; do
      run env LD_PRELOAD="$preload" ./$user $init >out.txt
      case $form in a) cp out.txt "want-$user-${preload##*/}" ;; esac
      same "want-$user-${preload##*/}" out.txt "$form: $user answers otherwise${preload:+ with ${preload##*/}}"
    done
  done
done
[ $LIBC = musl ] || ! cmp -s want-user- want-old_user- || fail "the two versions are one"
! cmp -s want-user- want-user-hook.so || fail "nothing was preempted"
for options in -n -l -t -F; do
  run "$DRIVER" $options ./a.so >want.txt
  for form in c d e; do
    run "$DRIVER" $options -f ./$form.so >out.txt 2>/dev/null
    same want.txt out.txt "$form.so answers otherwise (driver $options)"
  done
done

# nothing at all is exported: init is found in the full symbol table
cat >none.c <<'END'
#include "mix.h"
END
echo '{ local: *; };' >nothing.map
build_lib none.so none.c -- -O2 "-Wl,--version-script=$WORK/nothing.map"
run "$TURF" freeze -q none.so -o none_c.so
run "$TURF" verify -q none_c.so
