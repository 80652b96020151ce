/* A program with a dynamic linker, and a library that dlopen is told not to take, as something that the host
 * program can load.
 *
 * dlopen(3) takes a position-independent program for what it is, a shared object, unless a flag says that
 * it is a program (DF_1_PIE; glibc since 2.30); libraries have one, too (DF_1_NOOPEN; -z nodlopen).  So processes
 * get a copy without these flags.  What such a program could not do as a library, the reader has refused: variables that the dynamic linker copies into it, and
 * thread-local ones, which it expects at places that only a program has. */

#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "turf.h"

/* Where a file of 32 or 64 bits has what leads to its flags (gABI, ELF header and program header). */
struct shape {
  size_t phoff, phnum, size, offset, filesz;
};
#define SHAPE(BITS)                                                                                \
  {                                                                                                \
    offsetof(Elf##BITS##_Ehdr, e_phoff), offsetof(Elf##BITS##_Ehdr, e_phnum),                      \
        sizeof(Elf##BITS##_Phdr), offsetof(Elf##BITS##_Phdr, p_offset),                            \
        offsetof(Elf##BITS##_Phdr, p_filesz)                                                       \
  }

/* n bytes of the file are at bytes; the reader has seen that the headers are right. */
static void clear_flags(unsigned char *bytes, size_t n)
{
  static const struct shape narrow = SHAPE(32), wide = SHAPE(64);
  const struct shape *s = bytes[EI_CLASS] == ELFCLASS32 ? &narrow : &wide;
  const struct form form = elf_form(bytes[EI_CLASS], bytes[EI_DATA]), half = {4, form.swapped};
  const unsigned char *p = bytes + get_word(bytes + s->phoff, form), *end;
  uint16_t phnum;
  memcpy(&phnum, bytes + s->phnum, sizeof phnum);
  if (form.swapped)
    phnum = __builtin_bswap16(phnum);
  end = p + phnum * s->size;
  while (p < end && get_word(p, half) != PT_DYNAMIC)
    p += s->size;
  if (p >= end)
    return;
  const uint64_t at = get_word(p + s->offset, form), size = get_word(p + s->filesz, form);
  if (at > n || size > n - at)
    return;
  for (unsigned char *d = bytes + at, *last = d + size; last - d >= 2 * (int)form.word;
       d += 2 * form.word)
    if (get_word(d, form) == DT_FLAGS_1)
      put_word(d + form.word, form,
               get_word(d + form.word, form) & ~(uint64_t)(DF_1_PIE | DF_1_NOOPEN));
}

/* Next to the file, so that $ORIGIN means the same; elsewhere when nothing can be written there. */
static int create(const char *path, char **name)
{
  const char *directory = getenv("TMPDIR"), *slash = strrchr(path, '/');
  *name = xprintf("%.*s.turf-XXXXXX", slash ? (int)(slash + 1 - path) : 0, path);
  int fd = mkostemp(*name, O_CLOEXEC);
  if (fd >= 0)
    return fd;
  free(*name);
  *name = xprintf("%s/turf-XXXXXX", directory && *directory ? directory : "/tmp");
  return mkostemp(*name, O_CLOEXEC);
}

char *program_copy(const char *path, struct error *e)
{
  struct stat st;
  char *name = NULL, *whole = NULL;
  void *bytes = MAP_FAILED;
  const int in = open(path, O_RDONLY | O_CLOEXEC);
  if (in >= 0 && !fstat(in, &st))
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, in, 0);
  const int fd = bytes == MAP_FAILED ? -1 : create(path, &name);
  FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
  if (f) {
    clear_flags(bytes, (size_t)st.st_size);
    const bool written =
        !fchmod(fd, 0700) && fwrite(bytes, 1, (size_t)st.st_size, f) == (size_t)st.st_size;
    if (!fclose(f) && written)
      whole = realpath(name, NULL);
    if (!whole)
      unlink(name);
  }
  if (!whole)
    fail_errno(e, name ? name : path, "cannot be copied");
  if (bytes != MAP_FAILED)
    munmap(bytes, (size_t)st.st_size);
  if (in >= 0)
    close(in);
  free(name);
  return whole;
}
