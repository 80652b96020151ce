/* Lua 5.4 as a turf library: a state with the standard library, lua.lua loaded and run. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int urf_init(void);
EXPORT void answer(FILE *out), mutate(FILE *out), finish(FILE *out), fresh(FILE *out);

/* lua.lua, without a file to be found at run time */
__asm__(".pushsection .rodata\n"
        "script: .incbin \"lua.lua\"\n"
        "script_end:\n"
        ".popsection");
extern const char script[] __attribute__((visibility("hidden")));
extern const char script_end[] __attribute__((visibility("hidden")));

static lua_State *L;

int urf_init(void)
{
  if (L)
    return 0;
  L = luaL_newstate();
  if (!L)
    return 1;
  luaL_openlibs(L);
  if (luaL_loadbuffer(L, script, script_end - script, "=lua.lua") || lua_pcall(L, 0, 0, 0)) {
    fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
    return 1;
  }
  return 0;
}

static void call(FILE *out, const char *function)
{
  lua_getglobal(L, function);
  if (lua_pcall(L, 0, 1, 0))
    fprintf(out, "error: ");
  fprintf(out, "%s\n", lua_tostring(L, -1));
  lua_pop(L, 1);
}

void answer(FILE *out)
{
  call(out, "answer");
}

void mutate(FILE *out)
{
  call(out, "mutate");
}

void fresh(FILE *out)
{
  call(out, "fresh");
}

/* Runs the finalizers and frees every block; urf_init may follow. */
void finish(FILE *out)
{
  lua_close(L);
  L = NULL;
  fprintf(out, "closed\n");
}
