/* mruby 3.1 as a turf library: an interpreter with all of Debian's gems, mruby.rb compiled and run. */
#include <mruby.h>
#include <mruby/array.h>
#include <mruby/compile.h>
#include <mruby/error.h>
#include <mruby/string.h>
#include <stdio.h>
#include <stdlib.h>

#include "library.h"

SCRIPT("mruby.rb");

static mrb_state *mrb;

/* Environment.set(name, value) and .get(name): mruby's own gems have neither */
static mrb_value environment_set(mrb_state *m, mrb_value self)
{
  const char *name, *value;

  (void)self;
  mrb_get_args(m, "zz", &name, &value);
  if (setenv(name, value, 1))
    mrb_sys_fail(m, "setenv");
  return mrb_nil_value();
}

static mrb_value environment_get(mrb_state *m, mrb_value self)
{
  const char *name, *value;

  (void)self;
  mrb_get_args(m, "z", &name);
  value = getenv(name);
  return value ? mrb_str_new_cstr(m, value) : mrb_nil_value();
}

static void print_error(FILE *out)
{
  mrb_value text = mrb_funcall(mrb, mrb_obj_value(mrb->exc), "inspect", 0);

  fprintf(out, "error: %s\n", mrb_str_to_cstr(mrb, text));
  mrb->exc = NULL;
}

int urf_init(void)
{
  struct RClass *environment;
  mrbc_context *context;

  if (mrb)
    return 0;
  mrb = mrb_open();
  if (!mrb)
    return 1;
  environment = mrb_define_module(mrb, "Environment");
  mrb_define_class_method(mrb, environment, "set", environment_set, MRB_ARGS_REQ(2));
  mrb_define_class_method(mrb, environment, "get", environment_get, MRB_ARGS_REQ(1));
  context = mrbc_context_new(mrb);
  mrbc_filename(mrb, context, "mruby.rb");
  mrb_load_nstring_cxt(mrb, script, script_end - script, context);
  mrbc_context_free(mrb, context);
  if (!mrb->exc)
    return 0;
  print_error(stderr);
  return 1;
}

static void call(FILE *out, const char *function)
{
  int arena = mrb_gc_arena_save(mrb);
  mrb_value text = mrb_funcall(mrb, mrb_top_self(mrb), function, 0);

  if (mrb->exc)
    print_error(out);
  else
    fprintf(out, "%s\n", mrb_str_to_cstr(mrb, text));
  mrb_gc_arena_restore(mrb, arena);
}

IN_SCRIPT(answer)
IN_SCRIPT(mutate)
IN_SCRIPT(fresh)

/* Frees every object and block; urf_init may follow. */
void finish(FILE *out)
{
  mrb_close(mrb);
  mrb = NULL;
  fprintf(out, "closed\n");
}
