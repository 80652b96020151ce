#!/bin/sh
# real.sh sqlite|lua|python [FLAG...] - link that program of tests/real into $WORK, as plain.so and, with turf
# and FLAGs, turf.so.  LIBDIR and CC are in the environment.  Status 77: something is missing, stderr says what.
# shellcheck disable=SC1091,SC2034
set -eu
real=$(cd "$(dirname "$0")/../tests/real" && pwd)
skip() { echo "$*" >&2 && exit 77; }
fail() { echo "failed: $*" >&2 && exit 1; }
. "$real/link.inc"
CC_CMD=$CC LD_FLAG='' TURF_FLAGS="-L$LIBDIR -T urf.ld" real_flags=''
name=$1
shift
link_with=$*
"link_$name"
