/* How much memory there is: what the kernel can give without taking it from others (proc_meminfo(5),
 * MemAvailable), or less, where a control group may not have so much (kernel, cgroup-v2.rst and
 * cgroup-v1/memory.rst). */

#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "turf.h"

/* The number behind the word that begins a line, in a file of such; UINT64_MAX when it is not there. */
static uint64_t number_in(const char *path, const char *word)
{
  char line[256];
  uint64_t value = UINT64_MAX;
  FILE *f = fopen(path, "re");
  while (f && value == UINT64_MAX && fgets(line, sizeof line, f))
    if (strncmp(line, word, strlen(word)) == 0)
      (void)sscanf(line + strlen(word), "%" SCNu64, &value);
  if (f)
    fclose(f);
  return value;
}

/* What the group may have, less what it holds and cannot drop.  A container sees its own as the root. */
static uint64_t left_in(const char *root, const char *group, const char *limit, const char *held)
{
  uint64_t left = UINT64_MAX;
  for (int own = 0; own < 2 && left == UINT64_MAX; own++) {
    char *max = xprintf("%s%s/%s", root, own ? "" : group, limit);
    char *stat = xprintf("%s%s/memory.stat", root, own ? "" : group);
    const uint64_t all = number_in(max, ""), used = number_in(stat, held);
    if (all != UINT64_MAX && used != UINT64_MAX)
      left = all > used ? all - used : 0;
    free(max);
    free(stat);
  }
  return left;
}

static uint64_t left_in_groups(void)
{
  char line[4096];
  uint64_t left = UINT64_MAX;
  FILE *f = fopen("/proc/self/cgroup", "re");
  while (f && fgets(line, sizeof line, f)) {
    char *group = strchr(line, ':'), *path = group ? strchr(group + 1, ':') : NULL;
    uint64_t here = UINT64_MAX;
    line[strcspn(line, "\n")] = 0;
    if (path && group + 1 == path)
      here = left_in("/sys/fs/cgroup", path + 1, "memory.max", "anon ");
    else if (path && strncmp(group, ":memory:", 8) == 0)
      here = left_in("/sys/fs/cgroup/memory", path + 1, "memory.limit_in_bytes", "total_rss ");
    left = here < left ? here : left;
  }
  if (f)
    fclose(f);
  return left;
}

uint64_t memory_left(void)
{
  const uint64_t kib = number_in("/proc/meminfo", "MemAvailable:"), groups = left_in_groups();
  const uint64_t all = kib == UINT64_MAX ? kib : kib * 1024;
  return all < groups ? all : groups;
}

uint64_t memory_of(int pid)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  const uint64_t kib = number_in(path, "VmRSS:");
  return kib == UINT64_MAX ? 0 : kib * 1024;
}

unsigned processors(void)
{
  cpu_set_t set;
  const int n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
  return n > 1 ? (unsigned)n : 1;
}
