/* OpenSSL 3.0 as a turf library: an SSL_CTX for clients with the system's CA bundle, algorithms
 * fetched, keys and a chain of certificates parsed, a digest half done.
 *   -DRESEED   a thaw hook gives the random number generators new seeds
 *   -DONE_PID  the library takes every process for the one that ran init, as can happen in containers,
 *              so that OpenSSL does not find out by itself */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "urf.h"

#include "library.h"

#ifdef ONE_PID
pid_t getpid(void)
{
  return 4711;
}
#endif

/* Made by the test: a root, an authority below it, a server's certificate; keys. */
#define FILES(_) _(root) _(middle) _(leaf) _(ec) _(ed) _(rsa)
#define FILE_(name)                                                                                \
  __asm__(".pushsection .rodata\n" #name "_pem: .incbin \"" #name ".pem\"\n.byte 0\n"              \
          ".popsection");                                                                          \
  extern const char name##_pem[] __attribute__((visibility("hidden")));
FILES(FILE_)

enum { DIGESTS = 6, CIPHERS = 3 };
static const char *const digest_names[DIGESTS] = {"SHA1",     "SHA256",   "SHA512",
                                                  "SHA3-256", "SHAKE256", "BLAKE2B-512"};
static const char *const cipher_names[CIPHERS] = {"AES-256-GCM", "AES-128-CTR",
                                                  "ChaCha20-Poly1305"};
static const char bundle[] = "/etc/ssl/certs/ca-certificates.crt";
static const time_t long_ago = 1000000000;

static SSL_CTX *ctx;
static EVP_MD *digests[DIGESTS];
static EVP_CIPHER *ciphers[CIPHERS];
static EVP_MD_CTX *half;
static EVP_PKEY *ec, *ed, *rsa;
static X509 *root, *middle, *leaf;

static int failed(const char *what)
{
  fprintf(stderr, "openssl: %s\n", what);
  ERR_print_errors_fp(stderr);
  return 1;
}

static void must(int good, const char *what)
{
  if (!good) {
    failed(what);
    abort();
  }
}

#ifdef RESEED
/* The generators of this thread notice that the one they are seeded by has been seeded itself. */
static void reseed(void)
{
  must(RAND_poll(), "reseed");
}
URF_ON_THAW(reseed);
#endif

static EVP_PKEY *read_key(const char *pem)
{
  BIO *bio = BIO_new_mem_buf(pem, -1);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

  BIO_free(bio);
  return key;
}

static X509 *read_certificate(const char *pem)
{
  BIO *bio = BIO_new_mem_buf(pem, -1);
  X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

  BIO_free(bio);
  return certificate;
}

static int fetch(void)
{
  for (int i = 0; i < DIGESTS; i++)
    if (!(digests[i] = EVP_MD_fetch(NULL, digest_names[i], NULL)))
      return failed(digest_names[i]);
  for (int i = 0; i < CIPHERS; i++)
    if (!(ciphers[i] = EVP_CIPHER_fetch(NULL, cipher_names[i], NULL)))
      return failed(cipher_names[i]);
  half = EVP_MD_CTX_new();
  if (!half || !EVP_DigestInit_ex(half, digests[1], NULL) || !EVP_DigestUpdate(half, "a", 1))
    return failed("digest");
  return 0;
}

int urf_init(void)
{
  if (ctx)
    return 0;
  ctx = SSL_CTX_new(TLS_client_method()); /* first: its blocks do not depend on the bundle */
  ec = read_key(ec_pem), ed = read_key(ed_pem), rsa = read_key(rsa_pem);
  root = read_certificate(root_pem), middle = read_certificate(middle_pem);
  leaf = read_certificate(leaf_pem);
  if (!ec || !ed || !rsa || !root || !middle || !leaf)
    return failed("keys and certificates");
  if (!ctx || !SSL_CTX_load_verify_file(ctx, bundle) ||
      !X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root))
    return failed("CA bundle");
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
  return fetch();
}

static void print_hex(FILE *out, const char *what, const unsigned char *bytes, size_t n)
{
  fprintf(out, "%s ", what);
  for (size_t i = 0; i < n; i++)
    fprintf(out, "%02x", bytes[i]);
  fputc('\n', out);
}

/* The last error's text, without the line in OpenSSL's source. */
static void print_error(FILE *out, const char *what)
{
  char text[256] = "no error";
  unsigned long code = ERR_get_error();

  if (code)
    ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  fprintf(out, "%s: %s\n", what, text);
}

static void verify(FILE *out, X509 *certificate, X509 *between, const char *host, time_t when)
{
  X509_STORE_CTX *c = X509_STORE_CTX_new();
  STACK_OF(X509) *chain = sk_X509_new_null();

  must(c && chain && (!between || sk_X509_push(chain, between)) &&
           X509_STORE_CTX_init(c, SSL_CTX_get_cert_store(ctx), certificate, chain),
       "verify");
  if (when)
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(c), when);
  if (host)
    X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(c), host, 0);
  fprintf(out, "verify: %d", X509_verify_cert(c));
  fprintf(out, " %s, depth %d of %d\n", X509_verify_cert_error_string(X509_STORE_CTX_get_error(c)),
          X509_STORE_CTX_get_error_depth(c), sk_X509_num(X509_STORE_CTX_get0_chain(c)));
  X509_STORE_CTX_free(c);
  sk_X509_free(chain);
}

/* Every certificate of the store, by its name and its own signature. */
static void check_store(FILE *out)
{
  X509_STORE *store = SSL_CTX_get_cert_store(ctx);
  STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
  int found = 0, self_signed = 0, n = sk_X509_OBJECT_num(objects);
  unsigned long names = 0;

  for (int i = 0; i < n; i++) {
    X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
    X509_OBJECT *again =
        X509_OBJECT_retrieve_by_subject(objects, X509_LU_X509, X509_get_subject_name(x));
    found += again != NULL;
    self_signed += X509_self_signed(x, 1);
    names = names * 31 + X509_NAME_hash_ex(X509_get_subject_name(x), NULL, NULL, NULL);
  }
  fprintf(out, "store: %d found, %d signed themselves, %lx, enough %d\n", found == n, self_signed,
          names, n > 100);
}

static void digest_all(FILE *out)
{
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  EVP_MD_CTX *c = EVP_MD_CTX_new();

  for (int i = 0; i < DIGESTS; i++) {
    must(EVP_Digest("turf", 4, sum, &n, digests[i], NULL), "digest");
    print_hex(out, EVP_MD_get0_name(digests[i]), sum, n);
  }
  must(EVP_MD_CTX_copy_ex(c, half) && EVP_DigestUpdate(c, "bc", 2) &&
           EVP_DigestFinal_ex(c, sum, &n),
       "second half");
  print_hex(out, "abc", sum, n);
  EVP_MD_CTX_free(c);
}

static void encrypt_all(FILE *out)
{
  static const unsigned char bytes[64] = "0123456789abcdef0123456789abcdef0123456789abcdef";
  unsigned char coded[96], plain[96];
  int n = 0, last = 0;

  for (int i = 0; i < CIPHERS; i++) {
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    must(c && EVP_EncryptInit_ex2(c, ciphers[i], bytes, bytes + 16, NULL) &&
             EVP_EncryptUpdate(c, coded, &n, bytes, sizeof bytes) &&
             EVP_EncryptFinal_ex(c, coded + n, &last) &&
             EVP_DecryptInit_ex2(c, ciphers[i], bytes, bytes + 16, NULL) &&
             EVP_DecryptUpdate(c, plain, &last, coded, n),
         "cipher");
    print_hex(out, cipher_names[i], coded, n);
    fprintf(out, "back %d\n", memcmp(plain, bytes, sizeof bytes) == 0);
    EVP_CIPHER_CTX_free(c);
  }
}

/* Prints what is signed where signatures are the same each time; tries it with a bit turned over. */
static void sign(FILE *out, const char *name, EVP_PKEY *key, const EVP_MD *digest, int same)
{
  unsigned char signature[512], text[] = "to be signed";
  size_t n = sizeof signature;
  EVP_MD_CTX *c = EVP_MD_CTX_new(), *good = EVP_MD_CTX_new(), *bad = EVP_MD_CTX_new();

  must(EVP_DigestSignInit(c, NULL, digest, NULL, key) &&
           EVP_DigestSign(c, signature, &n, text, sizeof text) &&
           EVP_DigestVerifyInit(good, NULL, digest, NULL, key) &&
           EVP_DigestVerifyInit(bad, NULL, digest, NULL, key),
       name);
  if (same)
    print_hex(out, name, signature, n);
  fprintf(out, "%s: %d", name, EVP_DigestVerify(good, signature, n, text, sizeof text));
  text[3] ^= 1;
  fprintf(out, " %d\n", EVP_DigestVerify(bad, signature, n, text, sizeof text));
  ERR_clear_error();
  EVP_MD_CTX_free(c);
  EVP_MD_CTX_free(good);
  EVP_MD_CTX_free(bad);
}

/* Both ends of a connection in memory; the server's is made anew. */
static void handshake(FILE *out, const char *host)
{
  SSL_CTX *with_key = SSL_CTX_new(TLS_server_method());
  SSL *client = SSL_new(ctx), *server = SSL_new(with_key);
  BIO *a = NULL, *b = NULL;
  char text[32] = "";
  int to = 0, from = 0;

  must(with_key && client && server && SSL_use_certificate(server, leaf) &&
           SSL_use_PrivateKey(server, ec) && SSL_add1_chain_cert(server, middle) &&
           BIO_new_bio_pair(&a, 0, &b, 0) && SSL_set1_host(client, host),
       "connection");
  SSL_set_bio(client, a, a);
  SSL_set_bio(server, b, b);
  SSL_set_connect_state(client);
  SSL_set_accept_state(server);
  for (int i = 0; i < 20 && (to != 1 || from != 1); i++) {
    to = SSL_do_handshake(client);
    from = SSL_do_handshake(server);
  }
  fprintf(out, "%s: %d %d %s %s, %s\n", host, to, from, SSL_get_version(client),
          to == 1 ? SSL_get_cipher(client) : "no cipher",
          X509_verify_cert_error_string(SSL_get_verify_result(client)));
  ERR_clear_error();
  if (to == 1 && SSL_write(server, "hello", 5) == 5)
    fprintf(out, "read %d", SSL_read(client, text, sizeof text));
  fprintf(out, " %s\n", text);
  SSL_free(client);
  SSL_free(server);
  SSL_CTX_free(with_key);
}

void answer(FILE *out)
{
  verify(out, leaf, middle, "turf.example", 0);
  verify(out, leaf, middle, "other.example", 0);
  verify(out, leaf, middle, NULL, long_ago);
  verify(out, leaf, NULL, NULL, 0);
  check_store(out);
  digest_all(out);
  encrypt_all(out);
  sign(out, "rsa", rsa, digests[1], 1);
  sign(out, "ed25519", ed, NULL, 1);
  sign(out, "ecdsa", ec, digests[1], 0);
  handshake(out, "turf.example");
  handshake(out, "other.example");
}

static void *in_thread(void *out)
{
  unsigned char bytes[32] = {0};
  must(RAND_bytes(bytes, 16) && RAND_priv_bytes(bytes + 16, 16), "random bytes");
  digest_all(out);
  EVP_MD_fetch(NULL, "no such digest", NULL);
  print_error(out, "thread");
  return NULL;
}

/* A child must not draw what its parent draws. */
static void fork_once(FILE *out)
{
  unsigned char mine[16], its[16] = {0};
  int fd[2];

  fflush(out);
  must(!pipe(fd), "pipe");
  pid_t child = fork();
  must(RAND_bytes(mine, sizeof mine), "random bytes");
  if (!child)
    _exit(write(fd[1], mine, sizeof mine) != sizeof mine);
  must(read(fd[0], its, sizeof its) == sizeof its && waitpid(child, NULL, 0) == child, "child");
  close(fd[0]);
  close(fd[1]);
#ifndef ONE_PID
  fprintf(out, "child draws the same: %d\n", memcmp(mine, its, sizeof mine) == 0);
#endif
}

static void generate(FILE *out)
{
  EVP_PKEY *a = EVP_EC_gen("P-384"), *b = EVP_EC_gen("P-384");
  EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(a, NULL);
  unsigned char secret[64];
  size_t n = sizeof secret;

  must(a && b && c && EVP_PKEY_derive_init(c) && EVP_PKEY_derive_set_peer(c, b) &&
           EVP_PKEY_derive(c, secret, &n),
       "keys");
  fprintf(out, "made two keys, %d, a secret of %zu bytes\n", EVP_PKEY_eq(a, b), n);
  sign(out, "new key", a, digests[2], 0);
  EVP_PKEY_CTX_free(c);
  EVP_PKEY_free(a);
  EVP_PKEY_free(b);
}

void mutate(FILE *out)
{
  pthread_t thread;

  must(!pthread_create(&thread, NULL, in_thread, out) && !pthread_join(thread, NULL), "thread");
  fork_once(out);
  generate(out);
  /* grows the store, takes out frozen parts of it */
  must(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), middle) &&
           SSL_CTX_load_verify_file(ctx, bundle),
       "more certificates");
  verify(out, leaf, NULL, NULL, 0);
  check_store(out);
  must(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-CHACHA20-POLY1305"),
       "options");
  handshake(out, "turf.example");
  fprintf(out, "ciphers: %d\n", SSL_CTX_set_cipher_list(ctx, "NOTHING"));
  print_error(out, "ciphers");
  must(SSL_CTX_set_max_proto_version(ctx, 0) && SSL_CTX_set_cipher_list(ctx, "DEFAULT"), "options");
  /* forgets what was fetched */
  must(EVP_set_default_properties(NULL, "provider=default"), "properties");
  for (int i = 0; i < DIGESTS; i++)
    EVP_MD_free(digests[i]);
  for (int i = 0; i < CIPHERS; i++)
    EVP_CIPHER_free(ciphers[i]);
  EVP_MD_CTX_free(half);
  must(!fetch(), "fetch");
  X509 *broken = read_certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  fprintf(out, "broken certificate: %d\n", broken != NULL);
  print_error(out, "certificate");
  EVP_PKEY_free(rsa);
  rsa = read_key(rsa_pem);
}

/* Everything goes back; urf_init may follow.  OpenSSL's own exit handler does the rest. */
void finish(FILE *out)
{
  EVP_set_default_properties(NULL, "");
  for (int i = 0; i < DIGESTS; i++)
    EVP_MD_free(digests[i]);
  for (int i = 0; i < CIPHERS; i++)
    EVP_CIPHER_free(ciphers[i]);
  EVP_MD_CTX_free(half);
  EVP_PKEY_free(ec);
  EVP_PKEY_free(ed);
  EVP_PKEY_free(rsa);
  X509_free(root);
  X509_free(middle);
  X509_free(leaf);
  SSL_CTX_free(ctx);
  ctx = NULL;
  fprintf(out, "freed, %lu\n", ERR_get_error());
}

/* What must not be the same in two processes: of both generators that each thread has. */
void fresh(FILE *out)
{
  unsigned char bytes[16];

  must(RAND_bytes(bytes, sizeof bytes), "random bytes");
  print_hex(out, "public", bytes, sizeof bytes);
  must(RAND_priv_bytes(bytes, sizeof bytes), "random bytes");
  print_hex(out, "private", bytes, sizeof bytes);
}
