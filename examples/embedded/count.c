/* A plugin for qemu's emulators of user space: how many instructions of the program have been executed.
 * What it needs of qemu's interface, version 1, is declared here (qemu, docs/devel/tcg-plugins.rst), as
 * Debian 12 has no header for it.
 *
 *   qemu-aarch64 -plugin ./count.so,out=FILE PROGRAM */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
enum { ADD_U64 };
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
                                           void (*cb)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *to,
                                              uint64_t n);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*cb)(uint64_t, void *), void *arg);
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

EXPORT int qemu_plugin_version = 1;
static uint64_t executed;
static const char *out = "/dev/stderr";

static void translated(uint64_t id, struct qemu_plugin_tb *block)
{
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &executed,
                                           qemu_plugin_tb_n_insns(block));
}

static void ends(uint64_t id, void *arg)
{
  FILE *f = fopen(out, "w");
  (void)id, (void)arg;
  if (!f)
    return;
  fprintf(f, "%llu\n", (unsigned long long)executed);
  fclose(f);
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
  static char name[4096];
  (void)info;
  for (int i = 0; i < argc; i++)
    if (strncmp(argv[i], "out=", 4) == 0) {
      snprintf(name, sizeof name, "%s", argv[i] + 4);
      out = name;
    }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, ends, NULL);
  return 0;
}
