/* The machines that turf freezes libraries of: what differs between their files. */

#include <elf.h>

#include "library.h"

/* The types of relocations that a dynamic linker meets, and that turf has to tell from others: psABI of each, "Relocation
 * Types". */
#define NO_TYPE UINT32_MAX
static const struct machine machines[] = {
    {.number = EM_X86_64,
     .class = ELFCLASS64,
     .data = ELFDATA2LSB,
     .name = "x86-64",
     .host = "x86_64",
     .asks = {0xffff, 0xa20f, 1, true}, /* cpuid (Intel SDM, volume 2) */
     .relative = R_X86_64_RELATIVE,
     .symbolic = R_X86_64_64,
     .glob_dat = R_X86_64_GLOB_DAT,
     .jump_slot = R_X86_64_JUMP_SLOT,
     .irelative = R_X86_64_IRELATIVE,
     .copy = R_X86_64_COPY},
    {.number = EM_AARCH64,
     .class = ELFCLASS64,
     .data = ELFDATA2LSB,
     .name = "aarch64",
     .host = "aarch64",
     .asks = {0xfffff000, 0xd5380000, 4, false}, /* mrs of an ID register (Arm ARM, C5.3) */
     .no_init = 1u << LIBC_MUSL,
     .largest_page = 65536, /* Arm ARM, D8.2.1 */
     .relative = R_AARCH64_RELATIVE,
     .symbolic = R_AARCH64_ABS64,
     .glob_dat = R_AARCH64_GLOB_DAT,
     .jump_slot = R_AARCH64_JUMP_SLOT,
     .irelative = R_AARCH64_IRELATIVE,
     .copy = R_AARCH64_COPY},
    {.number = EM_386,
     .class = ELFCLASS32,
     .data = ELFDATA2LSB,
     .name = "i386",
     .host = "i386",
     .asks = {0xffff, 0xa20f, 1, false}, /* cpuid */
     .in_place = true,
     .relative = R_386_RELATIVE,
     .symbolic = R_386_32,
     .glob_dat = R_386_GLOB_DAT,
     .jump_slot = R_386_JMP_SLOT,
     .irelative = R_386_IRELATIVE,
     .copy = R_386_COPY},
    {.number = EM_RISCV,
     .class = ELFCLASS64,
     .data = ELFDATA2LSB,
     .name = "riscv64",
     .host = "riscv64",
     .asks = {0xfffff07f, 0xc2202073, 2, false}, /* csrr of vlenb (vector extension, 3.4) */
     .no_init = 1u << LIBC_GLIBC,
     .relative = R_RISCV_RELATIVE,
     .symbolic = R_RISCV_64,
     .glob_dat = NO_TYPE, /* that is R_RISCV_64, too */
     .jump_slot = R_RISCV_JUMP_SLOT,
     .irelative = R_RISCV_IRELATIVE,
     .copy = R_RISCV_COPY},
    {.number = EM_ARM,
     .class = ELFCLASS32,
     .data = ELFDATA2LSB,
     .name = "arm",
     .host = "arm",
     .kernel_page = 0xffff0000, /* kernel, Documentation/arm/kernel_user_helpers.rst */
     .in_place = true,
     .relative = R_ARM_RELATIVE,
     .symbolic = R_ARM_ABS32,
     .glob_dat = R_ARM_GLOB_DAT,
     .jump_slot = R_ARM_JUMP_SLOT,
     .irelative = R_ARM_IRELATIVE,
     .copy = R_ARM_COPY},
    {.number = EM_S390,
     .class = ELFCLASS64,
     .data = ELFDATA2MSB,
     .name = "s390x",
     .host = "s390x",
     .asks = {0xffff0000, 0xb2b00000, 2,
              false}, /* stfle (z/Architecture Principles of Operation, 7) */
     .relative = R_390_RELATIVE,
     .symbolic = R_390_64,
     .glob_dat = R_390_GLOB_DAT,
     .jump_slot = R_390_JMP_SLOT,
     .irelative = R_390_IRELATIVE,
     .copy = R_390_COPY},
};
enum { MACHINES = sizeof machines / sizeof *machines };

const struct machine *machine_find(unsigned number, unsigned class, unsigned data)
{
  for (size_t i = 0; i < MACHINES; i++)
    if (machines[i].number == number && machines[i].class == class && machines[i].data == data)
      return &machines[i];
  return NULL;
}

struct form elf_form(unsigned class, unsigned data)
{
  const unsigned own = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? ELFDATA2MSB : ELFDATA2LSB;
  return (struct form){class == ELFCLASS64 ? 8 : 4, data != own};
}

struct form machine_form(const struct machine *m)
{
  return elf_form(m->class, m->data);
}

const struct machine *machine_at(size_t i)
{
  return i < MACHINES ? &machines[i] : NULL;
}
