#!/bin/sh
# An image that is copied to fresh memory at load is right, too, where the kernel does not grant that, and in a
# file that was cut off it ends the process with a line.
# timeout: 240
# not: emulated what the program can have and has is the emulator's
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

# dense, with a gap of pages that have no pointers, and a sparse end
cat >state.c <<'END'
#include <stdint.h>
#include <stdlib.h>
#include <urf.h>
enum { WORDS = 5 << 17, GAP = 3 << 17, SPARSE = 4 << 17 };
static void **state;
int urf_init(void);
const char *wrong(void);
void **where(void);
unsigned long written(void);
static void *word(uintptr_t i)
{
  if (i < GAP ? i % 7 == 6 : i < SPARSE || i % 1100)
    return (void *)(uintptr_t)(i * 0x9e3779b97f4a7c15u | 1);
  return &state[i * 7919 % WORDS];
}
int urf_init(void)
{
  state = malloc(WORDS * sizeof *state);
  for (uintptr_t i = 0; state && i < WORDS; i++)
    state[i] = word(i);
  return !state;
}
const char *wrong(void)
{
  for (uintptr_t i = 0; i < WORDS; i++)
    if (state[i] != word(i))
      return "some word is wrong";
  return 0;
}
void **where(void) { return state; }
unsigned long written(void) { return urf_stats().pages; }
END

# short RESTRICTION LIBRARY: says what is wrong, or whether the middle of the dense part is the file's
cat >short.c <<'END'
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void limit(int resource, const char *field, unsigned long more)
{
  unsigned long now = 0;
  char line[200];
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, field, strlen(field)))
      now = strtoul(line + strlen(field), 0, 10) << 10;
  if (f)
    fclose(f);
  struct rlimit r = {now + more, now + more};
  if (!now || setrlimit(resource, &r))
    exit(3);
}

static void forbid(int number, int error)
{
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    exit(3);
}

static void restrict_to(const char *what, const char *file)
{
  struct stat st;
  if (stat(file, &st))
    exit(3);
  if (!strcmp(what, "as"))
    limit(RLIMIT_AS, "VmSize:", (unsigned long)st.st_size + (4 << 20));
  else if (!strcmp(what, "little-as"))
    limit(RLIMIT_AS, "VmSize:", (unsigned long)st.st_size / 2);
  else if (!strcmp(what, "data"))
    limit(RLIMIT_DATA, "VmData:", (unsigned long)st.st_size + (1 << 20));
  else if (!strcmp(what, "mremap"))
    forbid(SYS_mremap, EPERM);
  else if (!strcmp(what, "madvise"))
    forbid(SYS_madvise, ENOSYS);
  else if (!strcmp(what, "no-huge") && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
    exit(3);
  else if (!strcmp(what, "locked") && mlockall(MCL_CURRENT | MCL_FUTURE))
    exit(77);
}

/* Of the state's pages: those that are the process's own, proc_pid_pagemap(5). */
static unsigned long private_pages(void **state)
{
  unsigned long n = 0, first = (unsigned long)state / 4096, end = (unsigned long)(state + (5 << 17)) / 4096 + 1;
  int fd = open("/proc/self/pagemap", O_RDONLY);
  unsigned long long entry;
  for (; first < end && pread(fd, &entry, sizeof entry, (off_t)(first * sizeof entry)) == sizeof entry; first++)
    n += entry >> 63 && !(entry >> 61 & 1);
  close(fd);
  return n;
}

int main(int argc, char **argv)
{
  if (argc != 3)
    return 2;
  restrict_to(argv[1], argv[2]);
  void *library = dlopen(argv[2], RTLD_NOW);
  if (!library)
    return printf("not loaded: %s\n", dlerror()), 1;
  const char *(*wrong)(void) = (const char *(*)(void))dlsym(library, "wrong");
  void **(*where)(void) = (void **(*)(void))dlsym(library, "where");
  if (!wrong || !where || wrong())
    return printf("%s\n", wrong && where ? wrong() : "no symbols"), 1;
  unsigned long (*written)(void) = (unsigned long (*)(void))dlsym(library, "written");
  const unsigned long said = written ? written() : 0, are = private_pages(where());
  if (strcmp(argv[1], "locked") && (said < are || said > are + 8))
    return printf("%lu pages were written, it says %lu\n", are, said), 1;
  char line[4200];
  unsigned long lo, hi, at = (unsigned long)(where() + (1 << 17));
  FILE *f = fopen("/proc/self/maps", "r");
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "%lx-%lx", &lo, &hi) == 2 && lo <= at && at < hi)
      puts(strchr(line, '/') ? "the file's" : "moved");
  if (f)
    fclose(f);
  return dlclose(library);
}
END
# the kernel's headers, where the compiler does not see them
$CC_CMD -O1 $WARN -D_GNU_SOURCE short.c -o short -ldl -idirafter /usr/include \
  -idirafter "/usr/include/$(uname -m)-linux-gnu"
build_lib state.so state.c -- "-I$LIBDIR/../include"
freeze state.so frozen.so

# expect SAYS COMMAND...
expect() {
  says=$1 status=0
  shift
  "$@" >said 2>&1 || status=$?
  [ $status -ne 77 ] || { echo "not permitted here: $*" && return; }
  [ "$says" = "$(cat said)" ] || { cat said && fail "status $status: $* does not say $says"; }
}

expect moved ./short - ./frozen.so
expect moved ./short no-huge ./frozen.so
expect moved ./short madvise ./frozen.so
expect moved ./short locked ./frozen.so
expect "the file's" ./short as ./frozen.so
expect "the file's" ./short data ./frozen.so
expect "the file's" ./short mremap ./frozen.so
case $CC-$LIBC-$MACHINE in
gcc-glibc-)
  $CC_CMD -O1 -fsanitize=address $WARN -D_GNU_SOURCE short.c -o short-asan -ldl
  expect moved ./short-asan - ./frozen.so
  ! command -v valgrind >/dev/null || expect moved valgrind -q ./short - ./frozen.so
  ;;
esac

# a library that does not fit is not loaded, and the process goes on
status=0
./short little-as ./frozen.so >said 2>&1 || status=$?
case $status-$(cut -c 1-12 said) in
"1-not loaded: ") ;;
*) cat said && fail "status $status" ;;
esac

# cut off: not loaded, or a line; in no case a signal
size=$(stat -c %s frozen.so)
table=$("$TURF" info --json frozen.so | awk -F '[:,]' '/^  "table"/ { print $2 + 0 }')
for cut in $((size * 3 / 4)) $((size / 2)) $((size - table)) $((size - table - 4096)); do
  head -c "$cut" frozen.so >cut.so
  status=0
  ./short - ./cut.so >said 2>&1 || status=$?
  case $status-$(wc -l <said) in
  1-1) grep -q '^not loaded: ' said ;;
  127-1) grep -q '^urf: .*cut.so: is damaged: the file has been cut off$' said ;;
  *) false ;;
  esac || { cat said && fail "status $status, cut off at $cut of $size"; }
done
