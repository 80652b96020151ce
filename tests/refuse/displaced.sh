#!/bin/sh
# What depends on where anything is, in a process that is displaced by whatever means its machine has: each pair
# of things has another distance in each run.
# configs: gcc-bfd-glibc gcc-bfd-glibc-aarch64 gcc-bfd-glibc-riscv64 gcc-bfd-glibc-i386 gcc-bfd-glibc-armhf gcc-bfd-glibc-s390x
# timeout: 300
# shellcheck disable=SC1091,SC2086,SC2154
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
cat >library.c <<'END'
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
/* Each has a word of its own, so that all are held against each other in one go: under an emulator every run is
 * a second, and what a refusal looks into takes twenty */
#define INIT(name, value)                                                                          \
  static uintptr_t word_##name;                                                                    \
  int name(void) { return word_##name = (value), 0; }
static uintptr_t block(void) /* of libc's heap */
{
  return (uintptr_t)((void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc"))(10);
}
static uintptr_t map(void) /* not in the image's heap */
{
  void *(*mmap)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_DEFAULT, "mmap");
  return (uintptr_t)mmap(0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static uintptr_t here(void)
{
  volatile int local;
  return (uintptr_t)&local;
}
static int own;
#define LIBRARY (uintptr_t)&own
#define LIBC (uintptr_t)&printf
#define PROGRAM getauxval(AT_PHDR)
#define LINKER getauxval(AT_BASE)
INIT(fine, LIBRARY)
INIT(fine_libc, LIBC)
INIT(of_heap, block())
INIT(mixed, LIBRARY ^ 0x5a5a5a5a)
INIT(library_libc, LIBRARY - LIBC)
INIT(library_stack, LIBRARY - here())
INIT(library_program, LIBRARY - PROGRAM)
INIT(heap_program, block() - PROGRAM)
INIT(heap_libc, block() - LIBC)
INIT(stack_libc, here() - LIBC)
INIT(stack_program, here() - PROGRAM)
INIT(linker_libc, LINKER - LIBC)
INIT(linker_program, LINKER - PROGRAM)
INIT(mappings, map() - map())
INIT(library_mapping, LIBRARY - map())
INIT(seconds, (uintptr_t)time(0) * 2654435761u)
INIT(parent, (uintptr_t)getppid() * 2654435761u)
END
build_lib b.so library.c
inits=$(sed -n 's/^INIT(\([a-z_]*\),.*/\1/p' library.c)
options=$(printf ' --init %s' $inits)
run "$TURF" check -q b.so --init fine --init fine_libc
status=0
"$TURF" check -v b.so $options >said 2>&1 || status=$?
[ $status -eq 1 ] || fail "status $status: $(cat said)"
grep -q 'words cannot be frozen as it is' said || fail "$(cat said)"
for init in $inits; do
  case $init in
  fine*) ! grep -q "word_$init+" said || { cat said && fail "$init is refused"; } ;;
  *) grep -q "^ *word_$init+[0-3] (.bss):" said || { cat said && fail "$init is let pass"; } ;;
  esac
done

# an emulator of a machine of 32 bits that cannot be told where things shall be
if [ "$MACHINE" = arm ]; then
  sed 's/mmap_next_start/mmap_next_other/g' "$(command -v qemu-arm)" >emulator
  chmod +x emulator
  status=0
  "$TURF" check -q b.so --init mappings --runner "$WORK/emulator ${RUNNER#* }" >said 2>&1 || status=$?
  [ $status -eq 3 ] || fail "no variable: status $status: $(cat said)"
  grep -q 'at the same address in two processes' said || fail "no variable: $(cat said)"
fi
