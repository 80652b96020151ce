// Initialised data of all kinds, changed by init in all ways: where the library falls back on its init, and
// for verify, all of it has to be had back.
// not: mold it puts a .bss with contents in front of .data, which is refused
#include "feature.h"

#define HIDDEN __attribute__((visibility("hidden")))

struct __attribute__((packed)) odd {
  char kind;
  int *same, *other, *none;
  short two;
  int *filled;
  char text[5];
};

static int numbers[64] = {1, 2, 3};
static struct odd odd[3] = {
    {'a', &numbers[1], &numbers[2], &numbers[3], 2, 0, "abcd"},
    {'b', &numbers[4], &numbers[5], &numbers[6], 2, 0, "efgh"},
    {'c', &numbers[7], &numbers[8], &numbers[9], 2, 0, "ijkl"},
};
static int *to[40] = {
    [0] = &numbers[0], &numbers[1], &numbers[2], [10] = &numbers[3], [39] = &numbers[4]};
#define FIVE(n) &numbers[n], &numbers[n + 1], &numbers[n + 2], &numbers[n + 3], &numbers[n + 4]
static int *many[] = {FIVE(0), FIVE(5),  FIVE(10), FIVE(55), FIVE(20),
                      0,       FIVE(25), FIVE(30), FIVE(7)};
static uintptr_t counts[300] = {999999999, 999999999, [100] = 1, 2, 3, [298] = ~(uintptr_t)0, 7};
static uintptr_t turned = 77, was_number = 0xbad0, was_pointer = (uintptr_t)&numbers[11];
static unsigned char bytes[50] = {1, [20] = 0xff, 0xfe, [48] = 9};
static struct __attribute__((packed)) {
  unsigned char c;
  void *a, *b;
  uint32_t n;
  void *d;
} close = {1, &numbers[12], &close.b, 0x01020304, &close};

/* the dynamic linker's */
static int (*print)(const char *, ...) = printf, (*print_no_more)(const char *, ...) = printf;
static FILE *const *out_same = &stdout, *const *out_other = &stdout;
int own(void)
{
  return 4;
}
int other(void)
{
  return 5;
}
int (*own_same)(void) = own, (*own_other)(void) = own, (*own_none)(void) = own;
static struct __attribute__((packed)) {
  char c;
  FILE *const *out;
  int *n;
} odd_symbol = {1, &stdin, &numbers[13]};

/* what goes into .bss and has contents all the same */
extern int *in_bss HIDDEN, number_in_bss HIDDEN, zero_in_bss HIDDEN;
__asm__(".pushsection .bss.contents, \"aw\", %progbits\n"
        ".globl in_bss, number_in_bss, zero_in_bss\n"
        ".balign 16\n"
        "in_bss: .dc.a in_bss\n"
        "number_in_bss: .4byte 15\n"
        "zero_in_bss: .4byte 0\n"
        ".popsection\n");

static int constructed;
__attribute__((constructor)) static void first(void)
{
  constructed += 1;
}
__attribute__((constructor)) static void second(void)
{
  constructed *= 10;
}

int urf_init(void)
{
#ifdef COPY
  if (copy_library())
    return 1;
#endif
  for (int i = 0; i < 3; i++) {
    odd[i].other = &numbers[20 + i];
    odd[i].none = 0;
    odd[i].filled = i == 1 ? malloc(8) : &numbers[30];
    odd[i].two += 256;
    odd[i].text[i] = 'X';
  }
  odd[1].same = (int *)(void *)&odd[0].kind;
  *odd[1].filled = 31;
  to[1] = &numbers[33];
  to[2] = 0;
  for (int i = 20; i < 30; i++)
    to[i] = &numbers[i];
  for (int i = 0; i < 40; i += 7)
    many[i] = i % 2 ? many[i + 1] : 0;
  for (int i = 0; i < 300; i++)
    counts[i] += (uintptr_t)i % 5;
  turned = (uintptr_t)&numbers[34] >> 4 | (uintptr_t)&numbers[34] << (8 * sizeof turned - 4);
  was_number = (uintptr_t)&numbers[35];
  was_pointer = 36;
  bytes[19] = 8;
  bytes[20] = 0;
  bytes[33] = 7;
  close.n = 0xffffffff;
  close.b = 0;
  print_no_more = 0;
  out_other = &stderr;
  own_other = other;
  own_none = 0;
  odd_symbol.n = 0;
  number_in_bss += in_bss == (int *)&in_bss;
  in_bss = &numbers[number_in_bss];
  zero_in_bss += 5;
  return 0;
}

static void say(FILE *out, const int *p)
{
  fprintf(out, p ? " %d" : " -", p ? (int)(p - numbers) : 0);
}

void answer(FILE *out)
{
  for (int i = 0; i < 3; i++) {
    struct odd *o = &odd[i];
    fprintf(out, "%c %d %s", o->kind, o->two, o->text);
    if (i != 1)
      say(out, o->same), say(out, o->filled);
    else
      fprintf(out, " %d %d", *o->filled, (void *)o->same == odd);
    say(out, o->other), say(out, o->none);
    fputc('\n', out);
  }
  for (int i = 0; i < 40; i++)
    say(out, to[i]), say(out, many[i]);
  uintptr_t sum = 0;
  for (int i = 0; i < 300; i++)
    sum = sum * 3 + counts[i];
  for (int i = 0; i < 50; i++)
    sum = sum * 3 + bytes[i];
  fprintf(out, "\n%lx %lx\n", (unsigned long)sum, (unsigned long)was_pointer);
  say(out, (int *)(turned << 4 | turned >> (8 * sizeof turned - 4)));
  say(out, (int *)was_number);
  say(out, close.a);
  fprintf(out, " %d %x %d %d\n", !close.b, close.n, close.d == (void *)&close, close.c);
  fprintf(out, "%d %d %d %d\n", print == printf, !print_no_more, out_same == &stdout,
          out_other == &stderr);
  fprintf(out, "%d %d %d\n", own_same(), own_other(), !own_none);
  fprintf(out, "%d %d\n", odd_symbol.out == &stdin, !odd_symbol.n);
  say(out, in_bss);
  fprintf(out, " %d %d %d\n", number_in_bss, zero_in_bss, constructed);
}
