/* embed LIBRARY CODE - a program that has CPython in LIBRARY (tests/real/python.c), and runs CODE as
 * python3 -c does, finalization at the end included. */
#include <dlfcn.h>
#include <stdio.h>

union function {
  void *address;
  int (*run)(const char *);
  int (*end)(void);
};

int main(int argc, char **argv)
{
  void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
  union function run = {library ? dlsym(library, "PyRun_SimpleString") : NULL};
  union function end = {library ? dlsym(library, "Py_FinalizeEx") : NULL};

  if (!run.address || !end.address) {
    fprintf(stderr, "usage: embed LIBRARY CODE\n");
    return 2;
  }
  return run.run(argv[2]) || end.end() ? 1 : 0;
}
