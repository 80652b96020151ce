/* The functions that make a library as it was linked an initialised one, in order. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "turf.h"

static int add(struct plan *plan, const struct library *lib, uint64_t address,
               enum urf_call_kind kind, struct error *e)
{
  if (address - lib->lo >= lib->hi - lib->lo)
    return fail(
        e, REFUSED,
        "%s: %s is in another module; where the frozen state cannot be used it could not be "
        "run: use --fallback fail, which ends such a load",
        lib->path, kind == URF_CALL_CONSTRUCTOR ? "a constructor" : "an init function");
  *PUSH(&plan->calls) = (struct urf_call){address, kind, 0};
  return 0;
}

/* Bytes of .init_array.  A static program has no table that says so: its last entry is the loader's, as the
 * first is.  0 and an error when it cannot be read. */
static uint64_t size_of_array(const struct library *lib, struct capture *run, struct error *e)
{
  enum { AT_MOST = 1 << 16 };
  unsigned char first[8], word[8];
  if (!lib->is_static)
    return lib->init_array_size;
  if (capture_read(run, lib->note.init_array, lib->form.word, first, e))
    return 0;
  for (uint64_t size = lib->form.word; size < AT_MOST * lib->form.word; size += lib->form.word) {
    if (capture_read(run, lib->note.init_array + size, lib->form.word, word, e))
      return 0;
    if (memcmp(word, first, lib->form.word) == 0)
      return size;
  }
  fail(e, REFUSED, "%s: .init_array does not end with the loader; was it linked with urf.ld?",
       lib->path);
  return 0;
}

/* gABI: DT_INIT, then the array, whose first entry is the loader's own.  The words are as the dynamic
 * linker has left them; 0 and -1 are no functions.  A static program has called what DT_INIT says before. */
static int add_constructors(struct plan *plan, const struct library *lib, struct capture *run,
                            struct error *e)
{
  const uint64_t whole = size_of_array(lib, run, e);
  const uint64_t size = whole > lib->form.word ? whole - lib->form.word : 0;
  unsigned char *words = xalloc(size);
  int status = lib->is_static && !whole ? -1 : 0;
  if (lib->init && !lib->is_static && !(lib->machine->no_init >> lib->libc & 1))
    status = add(plan, lib, lib->init, URF_CALL_CONSTRUCTOR, e);
  if (!status && size)
    status = capture_read(run, lib->note.init_array + lib->form.word, size, words, e);
  for (uint64_t at = 0; at + lib->form.word <= size && !status; at += lib->form.word) {
    const uint64_t value = get_word(words + at, lib->form);
    if (value && value != get_word("\xff\xff\xff\xff\xff\xff\xff\xff", lib->form))
      status = add(plan, lib, value - run->bias, URF_CALL_CONSTRUCTOR, e);
  }
  free(words);
  return status;
}

int fallback_calls(struct plan *plan, const struct library *lib, struct capture *run,
                   const struct options *o, struct error *e)
{
  plan->fallback = true;
  if (add_constructors(plan, lib, run, e))
    return -1;
  for (size_t i = 0; i < run->inits.n && i < o->inits.n; i++)
    if (add(plan, lib, run->inits.at[i].at,
            strchr(o->inits.at[i], ':') ? URF_CALL_VOID : URF_CALL_INIT, e))
      return -1;
  return 0;
}
