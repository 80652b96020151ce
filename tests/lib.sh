# What every shell test has at hand; sourced, after tests/run has set
#   TURF LIBDIR         the command and the directory of liburf.a and urf.ld
#   CONFIG CC LD LIBC   gcc-bfd-glibc and its three parts
#   MACHINE TRIPLE RUNNER   of another machine: its name, that of its tools, how its programs are run; else ""
#   CC_CMD CXX_CMD LD_FLAG
#   WORK                an empty directory, which is the current one
# shellcheck shell=sh disable=SC2034,SC2086,SC2154
set -eu
TESTS=$(cd "$(dirname "$0")" && pwd)
while [ ! -f "$TESTS/lib.sh" ]; do TESTS=${TESTS%/*}; done
cd "$WORK" || exit
OUT=$WORK/out.so
WARN='-Wall -Wextra'

# on stderr: it may be called where a command's output is taken
skip() {
  echo "$*" >&2
  exit 77
}

fail() {
  echo "failed: $*"
  exit 1
}

# need COMMAND[=PACKAGE]...: skip when one is missing; the package has the command's name by default
need() {
  for it; do
    command -v "${it%%=*}" >/dev/null || skip "${it%%=*} is missing (Debian package ${it#*=})"
  done
}

# TURF_FLAGS: what makes a turf library of one; BASE_FLAG: what an address stands behind that it shall have
TURF_FLAGS="-L$LIBDIR -T urf.ld" BASE_FLAG=-Wl,--image-base=
[ -z "$MACHINE" ] || TURF_FLAGS="-L$LIBDIR/turf/$MACHINE $TURF_FLAGS"
case $LD in
bfd) BASE_FLAG=-Wl,-Ttext-segment= ;;
lld) need ld.lld=lld ;;
mold) need ld.mold=mold && TURF_FLAGS=$LIBDIR/${MACHINE:+turf/$MACHINE/}urf_plain.o ;; # it reads no script
esac
case $LIBC-$MACHINE in
musl-) need musl-gcc=musl-tools ;;
*-) need "$CC_CMD" ;;
*)
  need "$TRIPLE-gcc=gcc-$TRIPLE"
  [ -f "$LIBDIR/turf/$MACHINE/liburf_shared.a" ] || skip "turf was built without $TRIPLE-gcc"
  [ -f "$LIBDIR/turf/host-$MACHINE-$LIBC" ] ||
    skip "turf was built without a $LIBC for $MACHINE (Debian package musl-dev:arm64 and the like)"
  if [ -n "$RUNNER" ]; then
    need "${RUNNER%% *}=qemu-user"
  else
    "$LIBDIR/turf/host-$MACHINE-$LIBC" 2>/dev/null || [ $? -eq 1 ] ||
      skip "this kernel, or a C library that is not there (libc6-i386), does not let programs of $MACHINE run"
  fi
  ;;
esac

# two addresses that nothing else is at, and the program lies between them
case $MACHINE in
i386 | arm) BITS=32 BASE=0x23400000 HIGH_BASE=0x93400000 ;;
*) BITS=64 BASE=0x123400000000 HIGH_BASE=0x700000000000 ;;
esac

# Where an emulator runs the programs: turf is told so, and a compiler puts a script in the place of each
# dynamic program that it links, but for those that turf is for.  What is preloaded is for the program, not for its emulator, and another stack has
# everything behind it at other addresses.
scripts=$RUN/scripts-$CONFIG
if [ -n "$RUNNER" ] && [ ! -d "$scripts" ]; then
  mkdir -p "$RUN/programs" "$WORK/scripts"
  cat >"$WORK/scripts/turf" <<END
#!/bin/sh
command=\$1
case \$command in
freeze | check | verify) shift && exec "$TURF" \$command --runner "$RUNNER" "\$@" ;;
esac
exec "$TURF" "\$@"
END
  cat >"$WORK/scripts/run" <<END
#!/bin/sh
preload=\${LD_PRELOAD:-} program=\$1
shift
unset LD_PRELOAD
exec $RUNNER -s \$((8388608 + \$\$ % 1000 * 65536)) \${preload:+-E LD_PRELOAD="\$preload"} "\$program" "\$@"
END
  # lld 14 relaxes no code of riscv64, which has to be compiled for that, and so is not what programs start with
  objects='' programs=''
  case $LD-$MACHINE in lld-riscv64) objects=' -mno-relax' programs=' -fuse-ld=bfd' ;; esac
  for name in cc cxx; do
    case $name in cc) command=$CC_CMD ;; *) command=$CXX_CMD ;; esac
    cat >"$WORK/scripts/$name" <<END
#!/bin/sh
out=a.out last=
for arg; do
  [ "\$last" != -o ] || out=\$arg
  last=\$arg
done
case " \$* " in
*" -shared "* | *" -c "*) exec $command$objects "\$@" ;;
*) $command "\$@"$programs || exit ;;
esac
case "\$*" in *urf.ld*) exit 0 ;; esac
readelf -lW "\$out" 2>/dev/null | grep -q INTERP || exit 0
place=\$(mktemp "$RUN/programs/XXXXXX") && mv "\$out" "\$place" && chmod +x "\$place" || exit
printf '#!/bin/sh\nexec "%s" "%s" "\$@"\n' "$scripts/run" "\$place" >"\$out" && chmod +x "\$out"
END
  done
  chmod +x "$WORK"/scripts/*
  mv -T "$WORK/scripts" "$scripts" 2>/dev/null || rm -r "$WORK/scripts" # another test was faster
fi
[ -z "$RUNNER" ] || CC_CMD=$scripts/cc
[ -z "$RUNNER" ] || CXX_CMD=${CXX_CMD:+$scripts/cxx}
[ -z "$RUNNER" ] || [ "$TURF" = none ] || TURF=$scripts/turf

# compiler FILE: the command that compiles or links it
compiler() {
  case $1 in
  *.cc) need "${CXX_CMD%% *}${TRIPLE:+=g++-$TRIPLE}" && echo "$CXX_CMD" ;;
  *) echo "$CC_CMD" ;;
  esac
}

# link_lib TURF-FLAGS OUT SOURCE-OR-OBJECT... [-- FLAG...]
link_lib() {
  turf_flags=$1 out=$2 command=$CC_CMD
  shift 2
  for arg; do
    case $arg in
    --) break ;;
    *.cc | *.cc.o) command=$(compiler x.cc) ;;
    esac
  done
  sources=''
  while [ $# -gt 0 ] && [ "$1" != -- ]; do sources="$sources $1" && shift; done
  [ $# -eq 0 ] || shift
  set -f
  $command $LD_FLAG -fPIC -shared $WARN -D_GNU_SOURCE -I"$TESTS/feature" -o "$out" $sources "$@" $turf_flags
  set +f
}

# build_lib OUT SOURCE... [-- FLAG...]: a turf library; build_plain: the same without turf
build_lib() { link_lib "$TURF_FLAGS" "$@"; }
build_plain() { link_lib '' "$@"; }

# fixed_elsewhere FROZEN OUT: so that it finds, wherever it is loaded, that it is not where it was frozen
# for: sets URF_FIXED in the flags of .note.urf, see loader/format.h
fixed_elsewhere() {
  cp "$1" "$2"
  at=$(readelf -SW "$2" | awk '{ sub(/^ *\[ *[0-9]+\]/, "") } $1 == ".note.urf" || $1 == ".urf.note" { print $4 }')
  case ${MACHINE:-} in # where the lowest byte of the flags is
  s390x) low=99 ;;
  *) low=96 ;;
  esac
  printf '\003' | dd of="$2" bs=1 seek=$((0x$at + low)) conv=notrunc status=none
}

# build_driver [OUT]: $DRIVER is the program of driver.c, $HOST a library to preload, see host.c; one
# per configuration and run
build_driver() {
  DRIVER=$RUN/driver-$CONFIG HOST=$RUN/host-$CONFIG.so
  if [ ! -x "$DRIVER" ]; then
    $CC_CMD $LD_FLAG -O1 $WARN "$TESTS/driver.c" -o "$WORK/driver" -pthread -ldl
    $CC_CMD $LD_FLAG -shared -fPIC $WARN -I"$TESTS/../loader" "$TESTS/host.c" -o "$WORK/host.so"
    mv "$WORK/host.so" "$RUN/host-$CONFIG.so"
    mv "$WORK/driver" "$DRIVER"
  fi
  [ $# -eq 0 ] || cp "$DRIVER" "$1"
}

# freeze IN OUT [ARGUMENT...]; ends the test when there is no command to do it with
freeze() {
  if [ "$TURF" = none ]; then
    echo "unfrozen only, TURF=none"
    exit 0
  fi
  in=$1 out=$2
  shift 2
  "$TURF" freeze "$in" -o "$out" "$@" || fail "turf freeze ended with status $?"
}

# run COMMAND...: fails the test when it does not end with status 0
run() {
  status=0
  "$@" || status=$?
  [ $status -eq 0 ] || fail "status $status: $*"
}

# same A B WHAT
same() {
  cmp -s "$1" "$2" && return
  diff "$1" "$2" | head -n 40 || :
  fail "$3"
}

# expect_refusal STATUS TEXT COMMAND...: it ends with STATUS, says TEXT on stderr, leaves the file
# $OUT (which it was told to write) as it was, and nothing else in $WORK
expect_refusal() {
  want=$1 text=$2
  shift 2
  echo "old contents" >"$OUT"
  : >"$WORK/stderr"
  find "$WORK" | sort >"$RUN/before-${WORK##*/}"
  status=0
  "$@" 2>"$WORK/stderr" || status=$?
  find "$WORK" | sort >"$RUN/after-${WORK##*/}"
  cat "$WORK/stderr"
  [ $status -eq $want ] || fail "status $status instead of $want: $*"
  grep -qF -e "$text" "$WORK/stderr" || fail "the message does not say \"$text\": $*"
  [ "$(cat "$OUT")" = "old contents" ] || fail "the output was touched: $*"
  same "$RUN/before-${WORK##*/}" "$RUN/after-${WORK##*/}" "files left behind: $*"
  rm -f "$OUT" "$RUN/before-${WORK##*/}" "$RUN/after-${WORK##*/}"
}

# complaints FILE: what tools say of it; addresses, indices and the file's name are allowed to differ
complaints() {
  readelf -aW "$1" 2>&1 >readelf.out | sed 's/0x[0-9a-f]*/N/g; s/[0-9][0-9]*/N/g' | sort -u
  grep -E '<(corrupt|unknown)|Warning|Error' readelf.out | sed 's/[0-9a-f]\{4,\}/N/g' | sort -u
  eu-elflint --gnu-ld "$1" 2>&1 | sed 's/0x[0-9a-f]*/N/g; s/[0-9][0-9]*/N/g' | sort -u
}

# no_new_complaints INPUT OUTPUT
no_new_complaints() {
  complaints "$1" | sort -u >in.said
  # the symbol at the end of the reserve, which turf cuts off; urf.ld puts it elsewhere
  [ $LD != mold ] || echo "section [N] '.symtab': symbol N (end): st_value out of bounds" >>in.said
  sort -u -o in.said in.said
  complaints "$2" | sort -u >out.said
  comm -13 in.said out.said >new
  [ ! -s new ] || { cat new && fail "complaints about $2 that $1 does not have"; }
}

# same_names INPUT OUTPUT: the dynamic symbols; .bss (B) has contents once it is frozen (D)
same_names() {
  "${TRIPLE:+$TRIPLE-}nm" -D "$1" | sed 's/^[0-9a-f]*//; s/ B / D /' | sort >in.nm
  "${TRIPLE:+$TRIPLE-}nm" -D "$2" | sed 's/^[0-9a-f]*//; s/ B / D /' | sort >out.nm
  same in.nm out.nm "frozen it has other dynamic symbols"
}

# can TOOL FILE PLAIN: change FILE in place; false where the tool cannot do it to the library without turf, either, and
# is left out: strip of riscv64 finds no room for program headers in what ld.lld 14 has linked
can() {
  ! $1 "$2" || return 0
  cp "$3" "$WORK/without.so" || fail "no copy to try $1 with"
  ! $1 "$WORK/without.so" || fail "$1 can do it to the library without turf only"
  echo "left out: $1, which cannot do it to the library without turf, either"
  return 1
}
