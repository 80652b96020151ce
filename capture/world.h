/* What a process has besides its memory, as lines of text: "fd 3 /dev/null", "cwd /".  For host.c. */
#ifndef TURF_WORLD_H
#define TURF_WORLD_H

/* When the library and what it needs are there, before its constructors run. */
void world_begin(void);
/* Calls say with each line that has come ('+') or gone ('-') since. */
void world_changes(void (*say)(char sign, const char *line));

#endif
