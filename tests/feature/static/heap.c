/* The heap goes on growing, and blocks of init are ordinary ones. */
#include "common.h"

static char *kept[1000], *large, *large_too;

int boot(void)
{
  for (int i = 0; i < 1000; i++)
    memset(kept[i] = malloc(i + 1), i, i + 1);
  for (int i = 0; i < 1000; i += 3) {
    free(kept[i]);
    kept[i] = NULL;
  }
  memset(large = malloc(3 << 20), 7, 3 << 20);
  memset(large_too = malloc(300 << 10), 8, 300 << 10);
  return 0;
}

static unsigned number(void)
{
  static unsigned n = 1;
  return n = n * 1103515245 + 12345;
}

static int is_filled(const char *p, size_t n, int with)
{
  for (size_t i = 0; i < n; i += n / 3 + 1)
    if (p[i] != (char)with)
      return 0;
  return 1;
}

static void churn(void)
{
  enum { N = 3000 };
  static char *p[N];
  static size_t size[N];
  for (int k = 0; k < 100000; k++) {
    const unsigned i = (number() >> 8) % N;
    const size_t n = (number() >> 4) % (k % 500 ? 600 : 600000) + 1;
    CHECK(is_filled(p[i], size[i], i));
    switch (number() >> 16 & 3) {
    case 0:
      p[i] = realloc(p[i], n);
      CHECK(is_filled(p[i], n < size[i] ? n : size[i], i));
      break;
    case 1:
      free(p[i]);
      p[i] = calloc(1, n);
      CHECK(is_filled(p[i], n, 0));
      break;
    case 2:
      free(p[i]);
      p[i] = aligned_alloc(64 << (k & 7), n);
      CHECK((uintptr_t)p[i] % (64 << (k & 7)) == 0);
      break;
    default:
      free(p[i]);
      p[i] = malloc(n);
      break;
    }
    memset(p[i], i, n);
    size[i] = n;
  }
  for (int i = 0; i < N; i++) {
    free(p[i]);
    p[i] = NULL;
    size[i] = 0;
  }
}

int use(void)
{
  void *aligned = NULL;
  churn();
  for (int i = 0; i < 1000; i++) {
    if (!kept[i])
      continue;
    CHECK(is_filled(kept[i], i + 1, i));
    kept[i] = realloc(kept[i], i * 50 + 2);
    CHECK(is_filled(kept[i], i + 1, i));
  }
  large = realloc(large, 5 << 20);
  CHECK(is_filled(large, 3 << 20, 7));
  large_too = realloc(large_too, 100);
  CHECK(is_filled(large_too, 100, 8));
  free(large);
  free(large_too);
  for (int i = 0; i < 1000; i++)
    free(kept[i]);
  churn();
  CHECK(posix_memalign(&aligned, 1 << 20, 10) == 0 && (uintptr_t)aligned % (1 << 20) == 0);
  free(aligned);
  char *pages = valloc(5000), *many = reallocarray(NULL, 10, 20);
  CHECK((uintptr_t)pages % 4096 == 0 && many);
  free(pages);
  free(many);
  volatile size_t huge = SIZE_MAX - 5000; /* or compilers know better */
  void *volatile none[] = {malloc(huge), calloc(huge, 4), realloc(NULL, huge)};
  CHECK(!none[0] && !none[1] && !none[2]);
  printf("heap\n");
  return 0;
}
