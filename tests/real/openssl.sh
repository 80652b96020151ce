#!/bin/sh
# not: mold the size of the heap cannot be set without urf.ld
# shellcheck disable=SC1091,SC2086,SC2154
# timeout: 900
# configs: gcc-bfd-glibc gcc-lld-glibc gcc-lld-musl
# more: gcc-bfd-musl
# OpenSSL 3.0 from Debian's static archives, which are built for glibc, and for musl from its source package: a
# client's SSL_CTX with the CA bundle of the system.  It is refused as it is, because init has seeded its random
# number generators.
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
. "$real/real.inc"

need openssl

# compile_openssl SOURCE: with what Debian's has
compile_openssl() {
  CC="$CC_CMD $kernel" "$1/Configure" no-shared no-tests no-idea no-mdc2 no-rc5 no-zlib enable-rfc3779 enable-cms \
    no-capieng no-rdrand enable-ec_nistp_64_gcc_128 --prefix=/usr --openssldir=/usr/lib/ssl linux-x86_64 -g &&
    make -j2 build_libs
}

case $LIBC in
glibc)
  archives="$($CC_CMD -print-file-name=libssl.a) $($CC_CMD -print-file-name=libcrypto.a)" include=
  for archive in $archives; do
    [ -f "$archive" ] || skip "${archive##*/} is missing (Debian package libssl-dev)"
  done
  ;;
musl)
  need perl
  source=$(debian_source openssl)
  made "$source" libssl.a compile_openssl
  archives="$made/libssl.a $made/libcrypto.a" include="-I$made/include -I$source/include"
  ;;
esac
[ -f /etc/ssl/certs/ca-certificates.crt ] || skip "Debian package ca-certificates is missing"

# a root, an authority below it, a server's certificate; keys
for name in root middle ec; do
  run openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $name.key
done
run openssl genpkey -algorithm ED25519 -out ed.pem
run openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem
mv ec.key ec.pem
echo 'basicConstraints=critical,CA:TRUE' >ca.ext
echo 'subjectAltName=DNS:turf.example' >leaf.ext
run openssl req -x509 -new -key root.key -subj /CN=root -days 7300 -out root.pem
# certificate NAME KEY ISSUER SUBJECT EXTENSIONS
certificate() {
  run openssl req -new -key "$2" -subj "/CN=$4" -out request
  run openssl x509 -req -in request -CA "$3.pem" -CAkey "$3.key" -CAcreateserial -days 7300 \
    -extfile "$5" -out "$1.pem" 2>/dev/null
}
certificate middle middle.key root middle ca.ext
certificate leaf ec.pem middle turf.example leaf.ext

# build NAME FLAG...: NAME.so, and without turf NAME-plain.so, with the tables by which the refusal tells the stack
build() {
  name=$1
  shift
  $CC_CMD -O2 -g -fPIC $WARN -fvisibility=hidden $include -I"$TESTS/../loader" "$@" -Wa,-I,"$WORK" \
    -c "$real/openssl.c" -o $name.o
  link_lib '' $name-plain.so $name.o $archives -- -Wl,--exclude-libs,ALL,--eh-frame-hdr
  link_lib "-L$LIBDIR -T urf.ld" $name.so $name.o $archives -- -Wl,--exclude-libs,ALL,--eh-frame-hdr
}

# With the seed of the freeze all processes would draw the same numbers: refused, and the message says
# what that is, where, why, what to do, and what line would accept it.
build bare
if [ "$TURF" != none ]; then
  expect_refusal 1 "is not the same in every run" "$TURF" freeze bare.so -o "$OUT"
  for text in 'memory allocated by CRYPTO_zalloc' 'reached by:    ctx' SSL_CTX_new_ex urf_init \
    'random numbers (getrandom' 'No seed or key' URF_ON_THAW 'heap:CRYPTO_zalloc#' \
    'cannot be frozen as it is'; do
    grep -qF "$text" stderr || fail "the refusal does not say: $text"
  done
  "$TURF" check bare.so --suggest 2>/dev/null >suggested || :
  grep -q '^heap:CRYPTO_zalloc#[0-9]*+[0-9]*:[0-9]* keep REASON$' suggested ||
    fail "no line is suggested"
  expect_refusal 1 REASON "$TURF" freeze bare.so -o "$OUT" --policy suggested
fi

# What would come of that, where OpenSSL does not notice that the process is another: with the hook no
# two processes draw the same numbers, nor those of the frozen generator.
$CC_CMD -O2 "$real/real.c" -o real -ldl
build same -DONE_PID
build hook -DONE_PID -DRESEED
build turf -DRESEED
mv turf-plain.so plain.so
if [ "$TURF" != none ]; then
  "$TURF" check same.so --suggest 2>/dev/null >suggested || :
  sed 's/REASON$/to see what is wrong with it/' suggested >wrong
  freeze same.so same-frozen.so --policy wrong
  freeze hook.so hook-frozen.so --policy wrong
  for i in 1 2 3; do
    run ./real ./same-frozen.so r >same.$i
    run ./real ./hook-frozen.so r >hook.$i
  done
  cmp same.1 same.2 || fail "the test's library does not show what is wrong with a frozen seed"
  [ "$(cat same.1 hook.1 hook.2 hook.3 | sort -u | wc -l)" -eq 8 ] ||
    fail "a number of the frozen generator was drawn again, in spite of the hook"
fi

prove "OpenSSL" "$real/openssl.policy"
[ "$TURF" != none ] || exit 0
for i in $(seq 100); do "$WORK/real" "$WORK/frozen.so" r; done >drawn
[ "$(sort -u drawn | wc -l)" -eq 200 ] || fail "a hundred processes drew a number twice"
