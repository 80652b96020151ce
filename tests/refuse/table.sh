#!/bin/sh
# What a freeze must find, row by row: each message says what it is, where it hangs, and what cures it.
# With FINDINGS=FILE in the environment the messages go there, as doc/findings.md; what is asked for here has
# to stand in that file, too.
# configs: gcc-bfd-glibc gcc-lld-musl
# timeout: 300
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

DOC=$TESTS/../doc/findings.md
cat >doc.md <<'END'
# What turf finds, and what it says

Each of the libraries in `tests/refuse/table.sh` does one thing that a frozen library could not do, or not
without care. This file is written by that test (`FINDINGS=doc/findings.md tests/run refuse/table`), which
also holds the messages against it. Numbers that differ from run to run are shown as `0x…`.
END
echo 'void other(void) {} static char hidden[100]; void *inside(void) { return hidden + 10; }
void set(int n) { hidden[0] = (char)n; }' >other.c
build_plain libother.so other.c -- -Wl,--build-id,-soname,libother.so
build_plain libmore.so other.c

# row TITLE STATUS [OPTION...] WHAT WHERE CURE: the library from stdin is checked, and ends with STATUS
row() {
  title=$1 want=$2
  shift 2
  { printf '#include "feature.h"\n#include "urf.h"\n#include <sys/mman.h>\n#include <unistd.h>\n' && cat; } >lib.c
  build_lib lib.so lib.c -- -O0 -g -I"$TESTS/../loader" "$WORK/libother.so" "-Wl,-rpath,$WORK" -pthread
  set -f
  status=0
  options=''
  while [ $# -gt 3 ]; do options="$options $1" && shift; done
  "$TURF" check lib.so $options >stdout 2>stderr || status=$?
  cat stdout stderr
  [ $status -eq $want ] || fail "$title: status $status instead of $want"
  {
    printf '\n## %s\n\n```\n' "$title"
    cat stderr
    [ $status -ne 0 ] || cat stdout
    printf '```\n'
  } | sed 's/0x[0-9a-f]\{1,\}/0x…/g; s/build-id [0-9a-f]\{40\}/build-id …/; s/'"$(echo "$WORK" | sed 's/\//\\\//g')"'/…/g' >section
  cat section >>doc.md
  for text; do
    [ -n "$text" ] || continue
    grep -qF -e "$text" section || fail "$title: the message does not say \"$text\""
    [ -n "${FINDINGS:-}" ] || grep -qF -e "$text" "$DOC" || fail "$title: doc/findings.md does not say \"$text\""
  done
  set +f
}

row 'Pointers into the library' 0 'pointers into the library (1 at odd addresses, 1 rotated)' '' '' <<'END'
static char target[9];
static struct { char c; char *p; } __attribute__((packed)) odd;
static uintptr_t plain, tagged, rotated;
int urf_init(void)
{
  plain = (uintptr_t)target, tagged = (uintptr_t)target | 1, odd.p = target;
  rotated = (uintptr_t)target >> 4 | (uintptr_t)target << 60;
  return 0;
}
END

row 'Pointers to exported symbols of other modules' 0 'pointers to other modules (1 imports)' '' '' <<'END'
void other(void);
static void (*import)(void);
int urf_init(void) { import = other; return 0; }
END

row 'Pointers to other places in other modules' 0 'at no symbol of libother.so' 'libother.so' \
  'with another build of it init is run' <<'END'
void *inside(void);
static void *import;
int urf_init(void) { return !(import = inside()); }
END

row 'What the thread and libc know' 0 'can be frozen' '' '' <<'END'
#include <pthread.h>
#include <signal.h>
static pthread_t self;
static pthread_key_t key;
static void bye(void) {}
int urf_init(void)
{
  self = pthread_self();
  signal(SIGUSR1, SIG_IGN);
  return pthread_key_create(&key, 0) || atexit(bye);
}
END

row 'Freed blocks and padding' 0 'can be frozen' '' '' <<'END'
static char *p;
int urf_init(void)
{
  char *gone = malloc(100);
  snprintf(gone, 100, "%p", (void *)&p);
  free(gone);
  return !(p = calloc(1, 10));
}
END

row 'Dead pointers' 0 'pointers into stack frames that init has left' 'gone+0 (.bss)' '' <<'END'
static void *gone;
__attribute__((noinline)) static void keep(void) { char here[10]; gone = here; OPAQUE(gone); }
int urf_init(void) { keep(); return 0; }
END

row 'A pointer that leads elsewhere in each run' 1 \
  'recent (64 bytes in .bss): leads to another place in the library in each run' \
  'recent+' 'keep REASON' <<'END'
static char names[64][8];
static char *recent[8];
int urf_init(void)
{
  for (int i = 0; i < 64; i++)
    recent[((uintptr_t)names[i] >> 24) * 2654435761u >> 9 & 7] = names[i];
  return 0;
}
END

row 'The hash of an address' 1 'hash (8 bytes in .bss)' 'hash+0 (.bss)' 'hash+0:' <<'END'
static uintptr_t hash;
int urf_init(void) { hash = (uintptr_t)&hash * 0x9e3779b97f4a7c15; return 0; }
END

row 'A number that follows the load address' 1 \
  'offset (8 bytes in .bss): follows the load address, but is no pointer into the library' \
  'offset+0 (.bss)' 'offset+0:8 keep REASON' <<'END'
static uintptr_t offset;
int urf_init(void) { offset = (uintptr_t)&offset - 0x100000000000; return 0; }
END

row 'A pointer to the stack that is in use' 1 \
  'caller (8 bytes in .bss): points to the stack of the process that ran init' 'caller+0 (.bss)' \
  'caller+0:8 zero REASON' <<'END'
extern char **environ;
static char **caller;
int urf_init(void) { caller = environ - 1; return 0; }
END

row "Another allocator's block" 1 \
  'stream (8 bytes in .bss): points to memory that somebody else allocated' 'stream+0 (.bss)' \
  'stream+0:8 zero REASON' <<'END'
static FILE *stream;
int urf_init(void) { return !(stream = fopen("/dev/null", "r")); }
END

row 'A foreign mapping' 1 \
  'shared (8 bytes in .bss): points to a mapping that is not part of the library' 'shared+0 (.bss)' \
  'Map it at first use' <<'END'
static void *shared;
int urf_init(void)
{
  shared = mmap(0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return shared == MAP_FAILED;
}
END

row 'A random number' 1 'seed (8 bytes in .bss)' 'seed+0 (.bss)' 'URF_ON_THAW' <<'END'
#include <sys/random.h>
static uint64_t seed;
int urf_init(void) { return getrandom(&seed, sizeof seed, 0) != sizeof seed; }
END

row 'The time, or the id of the process' 0 'warning: started+0 (.bss) is the id of the process' \
  'started+0 (.bss)' 'started+0:4 zero REASON' <<'END'
static int started;
int urf_init(void) { started = getpid(); return 0; }
END

row 'Environment of init: open files' 1 'init left files open, or closed some' 'fd 3 /dev/null' \
  'process:fd keep REASON' <<'END'
#include <fcntl.h>
int urf_init(void) { return open("/dev/null", O_RDONLY) < 0; }
END

row 'Environment of init: a thread' 1 'thread is still running that init started' 'lib.so' \
  'start threads later, or end them before init or URF_ON_FREEZE returns' <<'END'
#include <pthread.h>
static void *sleeper(void *p) { for (;;) pause(); return p; }
int urf_init(void) { pthread_t id; return pthread_create(&id, 0, sleeper, 0); }
END

row 'Environment of init: a mapping at a fixed address' 1 'mapping at the fixed address' \
  'it is used in buffer+0' 'map it at first use' <<'END'
static char *buffer;
int urf_init(void)
{
  void *want = (void *)0x123456789000;
  buffer = mmap(want, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  return buffer != want;
}
END

row 'Environment of init: the working directory, the umask, the environment' 1 \
  'init changed the working directory' 'now: cwd /tmp' 'process:cwd keep REASON' <<'END'
#include <sys/stat.h>
int urf_init(void) { umask(0777); return chdir("/tmp") || setenv("URF_TEST", "value", 1); }
END

row 'Modules that init loads' 1 'init loaded modules' 'libmore.so' \
  'link it with them, or load them at first use' <<END
#include <dlfcn.h>
int urf_init(void) { return !dlopen("$WORK/libmore.so", RTLD_NOW); }
END

row 'Variables that a program may copy' 0 \
  'warning: a program that copies one of these exported variables cannot load it' 'version' \
  'hide what is not meant for programs' <<'END'
int version = 3;
int urf_init(void) { version = 4; return 0; }
END

row 'Strings that tell of their maker' 0 --env TOKEN=correct-horse 'holds the value of --env TOKEN' \
  'lib.so: warning: token+0 (.bss)' 'token+0:13 zero REASON' <<'END'
static char token[20];
int urf_init(void) { strcpy(token, getenv("TOKEN")); return 0; }
END

echo 'key refuse opens the door' >guard
row 'What a policy forbids' 1 --policy guard 'must not be frozen, says guard:1: opens the door' \
  'key (8 bytes in .bss)' 'mark the variable' <<'END'
static char key[8];
int urf_init(void) { strcpy(key, "sesame"); return 0; }
END

if [ -n "${FINDINGS:-}" ] && [ "$CONFIG" = gcc-bfd-glibc ]; then
  cp doc.md "$TESTS/../$FINDINGS"
fi
