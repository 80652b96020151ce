/* Instructions of x86-64, as far as it matters where they lead and whether they ask for the CPU's features
 * (Intel SDM, volume 2). */
#include <capstone/capstone.h>

#define CODE_MACHINE CS_ARCH_X86, CS_MODE_64

/* Bytes of an instruction that takes an address relative to itself (lea, with REX.W), as below. */
enum { CODE_REFERENCE = 7 };

struct step {
  bool asks;      /* for the CPU's features */
  bool ends;      /* the next instruction does not follow */
  bool branches;  /* perhaps to target */
  bool refers;    /* has the address target, and does not go there */
  int64_t target; /* from the end of the instruction on */
};

static inline int64_t code_displacement(const cs_insn *i, size_t size)
{
  int32_t n;
  if (size == 1)
    return (int8_t)i->bytes[i->size - 1];
  memcpy(&n, i->bytes + i->size - sizeof n, sizeof n);
  return n;
}

/* The opcode, behind prefixes and REX; odd: with a size of operands that not all processors take alike. */
static inline size_t code_opcode(const cs_insn *i, bool *odd)
{
  static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                     0x66, 0x67, 0xf0, 0xf2, 0xf3};
  size_t at = 0;
  *odd = false;
  for (; at + 1u < i->size && memchr(prefixes, i->bytes[at], sizeof prefixes); at++)
    *odd |= i->bytes[at] == 0x66;
  if (at + 1u < i->size && i->bytes[at] >> 4 == 4) {
    *odd &= !(i->bytes[at] & 8);
    at++;
  }
  return at;
}

/* False when it cannot be told. */
static inline bool code_step(const cs_insn *i, struct step *s)
{
  bool odd;
  const size_t at = code_opcode(i, &odd);
  const uint8_t op = i->bytes[at], next = at + 1u < i->size ? i->bytes[at + 1] : 0;
  *s = (struct step){.asks = i->id == X86_INS_CPUID};
  switch (i->id) {
  case X86_INS_RET:
  case X86_INS_RETF:
  case X86_INS_RETFQ:
  case X86_INS_IRET:
  case X86_INS_IRETD:
  case X86_INS_IRETQ:
  case X86_INS_UD2:
  case X86_INS_HLT:
  case X86_INS_INT3:
  case X86_INS_LJMP:
  case X86_INS_JMP: s->ends = true; break;
  default: break;
  }
  if (op >> 4 == 7 || op == 0xeb || (op >= 0xe0 && op <= 0xe3)) {
    s->branches = true;
    s->target = code_displacement(i, 1);
  } else if (op == 0xe8 || op == 0xe9 || (op == 0x0f && next >> 4 == 8) ||
             (op == 0xc7 && next == 0xf8)) { /* xbegin */
    s->branches = true;
    s->target = code_displacement(i, 4);
  } else if (op == 0x8d && (next & 0xc7) == 5) { /* lea of what is relative to rip */
    s->refers = true;
    s->target = code_displacement(i, 4);
  }
  return !(odd && s->branches);
}

/* A branch of two bytes, whatever follows. */
static inline bool code_is_short(uint8_t op)
{
  return op >> 4 == 7 || op == 0xeb || (op >= 0xe0 && op <= 0xe3);
}

static inline bool code_is_reference(const uint8_t *p)
{
  return (p[0] & 0xf8) == 0x48 && p[1] == 0x8d && (p[2] & 0xc7) == 5;
}

static inline int64_t code_reference(const uint8_t *p)
{
  int32_t n;
  memcpy(&n, p + CODE_REFERENCE - sizeof n, sizeof n);
  return n;
}

/* Whether the four bytes at p, with two more in front, may be the distance of a branch or an address. */
static inline bool code_is_distance(const uint8_t *p)
{
  return p[-1] == 0xe8 || p[-1] == 0xe9 || (p[-2] == 0x0f && p[-1] >> 4 == 8) ||
         (p[-2] == 0xc7 && p[-1] == 0xf8) || (p[-2] == 0x8d && (p[-1] & 0xc7) == 5);
}
