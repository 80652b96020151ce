#!/bin/sh
# What depends on where anything is, in a process that is displaced by whatever means its machine has: each pair
# of things has another distance in each run.
# configs: gcc-bfd-glibc gcc-bfd-glibc-aarch64 gcc-bfd-glibc-riscv64 gcc-bfd-glibc-i386 gcc-bfd-glibc-armhf
# timeout: 600
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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static uintptr_t word;
static char *pointer;
#define INIT(name) int name(void)
static uintptr_t block(void) /* of libc's heap */
{
  return (uintptr_t)((void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc"))(10);
}
static uintptr_t map(void) /* not in the image's heap */
{
#ifdef SYS_mmap2
  const long call = SYS_mmap2;
#else
  const long call = SYS_mmap;
#endif
  return (uintptr_t)syscall(call, 0L, 8192L, (long)PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0L);
}
static uintptr_t here(void)
{
  volatile int local;
  return (uintptr_t)&local;
}
#define LIBRARY (uintptr_t)&word
#define LIBC (uintptr_t)&printf
#define PROGRAM getauxval(AT_PHDR)
#define LINKER getauxval(AT_BASE)
INIT(fine) { return word = LIBRARY, pointer = (char *)LIBC, 0; }
INIT(of_heap) { return pointer = (char *)block(), 0; }
INIT(mixed) { return word = LIBRARY ^ 0x5a5a5a5a, 0; }
INIT(library_libc) { return word = LIBRARY - LIBC, 0; }
INIT(library_stack) { return word = LIBRARY - here(), 0; }
INIT(library_program) { return word = LIBRARY - PROGRAM, 0; }
INIT(heap_program) { return word = block() - PROGRAM, 0; }
INIT(heap_libc) { return word = block() - LIBC, 0; }
INIT(stack_libc) { return word = here() - LIBC, 0; }
INIT(stack_program) { return word = here() - PROGRAM, 0; }
INIT(linker_libc) { return word = LINKER - LIBC, 0; }
INIT(linker_program) { return word = LINKER - PROGRAM, 0; }
INIT(mappings) { return word = map() - map(), 0; }
INIT(library_mapping) { return word = LIBRARY - map(), 0; }
INIT(seconds) { return word = (uintptr_t)time(0) * 2654435761u, 0; }
INIT(parent) { return word = (uintptr_t)getppid() * 2654435761u, 0; }
END
build_lib b.so library.c
run "$TURF" check -q b.so --init fine
inits=$(sed -n 's/^INIT(\([a-z_]*\)).*/\1/p' library.c)
for init in $inits; do
  [ $init != fine ] || continue
  status=0
  "$TURF" check -q b.so --init $init >said 2>&1 || status=$?
  [ $status -eq 1 ] || fail "$init: status $status: $(cat said)"
  grep -q 'cannot be frozen as it is' said || fail "$init: $(cat said)"
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
