#!/bin/sh
# unit.sh SOURCE - compile a unit test, together with the files its line "// with: FILE..." names
# (paths from the top of the tree), and run it; "// libs: -lFOO" is added to the link.
# shellcheck disable=SC1091,SC2046,SC2086,SC2154
. "$(dirname "$0")/lib.sh"
source=$1
header() { sed -n '/^\/\//!q; s/^\/\/ '"$1"': *//p' "$source"; }

cd "$TESTS/.." || exit
machine=$(uname -m)
$CC_CMD -std=gnu11 -g -O1 $WARN -D_GNU_SOURCE -fsanitize=address,undefined \
  -fno-sanitize-recover=all -Icapture -Iloader "-Icapture/$machine" "-Iloader/$machine" \
  "$source" $(header with) -o "$WORK/unit" $(header libs)
run "$WORK/unit"
