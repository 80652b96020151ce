/* What a library that real.c loads has: its functions, and perhaps a script inside it. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int urf_init(void);
EXPORT void answer(FILE *out), mutate(FILE *out), finish(FILE *out), fresh(FILE *out);
EXPORT void suite(FILE *out);

/* The file, which need not be found at run time, from script to script_end, where a NUL follows. */
#define SCRIPT(file)                                                                               \
  __asm__(".pushsection .rodata\n"                                                                 \
          "script: .incbin \"" file "\"\n"                                                         \
          "script_end: .byte 0\n"                                                                  \
          ".popsection");                                                                          \
  extern const char script[] __attribute__((visibility("hidden")));                                \
  extern const char script_end[] __attribute__((visibility("hidden")))

/* One that is left to the script's function of the same name, by call(out, name). */
#define IN_SCRIPT(function)                                                                        \
  void function(FILE *out)                                                                         \
  {                                                                                                \
    call(out, #function);                                                                          \
  }

#endif
