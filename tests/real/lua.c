/* Lua 5.4 as a turf library: a state with the standard library, lua.lua loaded and run. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

#include "library.h"

SCRIPT("lua.lua");

#ifndef RECORDS
#define RECORDS 200000
#endif

static lua_State *L;

int urf_init(void)
{
  if (L)
    return 0;
  L = luaL_newstate();
  if (!L)
    return 1;
  luaL_openlibs(L);
  int status = luaL_loadbuffer(L, script, script_end - script, "=lua.lua");
  lua_pushinteger(L, RECORDS);
  if (status || lua_pcall(L, 1, 0, 0)) {
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

IN_SCRIPT(answer)
IN_SCRIPT(mutate)
IN_SCRIPT(fresh)

/* Runs the finalizers and frees every block; urf_init may follow. */
void finish(FILE *out)
{
  lua_close(L);
  L = NULL;
  fprintf(out, "closed\n");
}
