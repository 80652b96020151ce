/* The turf command: its arguments, and its last words. */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "turf.h"

#define DEFAULT_INIT "urf_init"
enum { DEFAULT_RUNS = 3, DEFAULT_TIME_LIMIT = 600, MAX_TIME_LIMIT = 1000000 };
_Static_assert(MAX_RUNS == 99, "the help text below says so");

/* An option; commands name those they take by their letters, which only some have on the command
 * line, too. */
static const struct {
  char letter;
  bool is_short;
  const char *name, *argument, *text;
} options[] = {
    {'o', true, "output", "OUTPUT", "the file to write; replaced whole, or left as it is"},
    {'i', false, "init", "SYMBOL",
     "int f(void) that initialises the library; SYMBOL:void when\n"
     "it has no result; may be given again, to run in that order\n"
     "(default urf_init)"},
    {'r', false, "runs", "N", "how often to run init and compare, 2 to 99 (default 3)"},
    {'p', false, "policy", "FILE",
     "what to do where runs differ; one WHAT ACTION REASON a line,\n"
     "ACTION being zero, keep, transient, rethaw or refuse"},
    {'s', false, "suggest", NULL, "print the policy that would accept what is found"},
    {'H', false, "host", "PROGRAM",
     "the process that loads the library (default: the one that\n"
     "comes with turf, for the library's machine and libc)"},
    {'R', false, "runner", "COMMAND",
     "how to start that process, for another machine's libraries;\n"
     "split at spaces: 'qemu-aarch64 -L /usr/aarch64-linux-gnu'"},
    {'e', false, "env", "NAME=VALUE",
     "put it into the environment of init, which is empty; may be\n"
     "given again"},
    {'c', false, "cwd", "DIR", "the directory to run init in (default: /)"},
    {'k', false, "keep", "DIR", "leave what each run looked like there, for debugging"},
    {'t', false, "time-limit", "SECONDS", "for each function of init (default 600)"},
    {'F', false, "fixed", NULL,
     "use the frozen state at the preferred base only, where what\n"
     "depends on addresses is right; elsewhere fall back"},
    {'f', false, "fallback", "WAY",
     "where the frozen state cannot be used, init: run the real init\n"
     "(default), or fail: end the load with a message"},
    {'n', false, "no-script", NULL,
     "for mold, which reads no linker script: a shared library, with\n"
     "the default reserve, and no base or URF_TRANSIENT"},
    {'M', false, "memcheck", NULL,
     "with valgrind: look for what was never written among the\n"
     "words that differ, and clear it"},
    {'j', false, "json", NULL, "print the result as JSON"},
    {'v', true, "verbose", NULL, "say more"},
    {'q', true, "quiet", NULL, "say nothing but errors"},
    {'h', true, "help", NULL, "print this"},
};
enum { N_OPTIONS = sizeof options / sizeof *options };

struct command {
  const char *name;
  const char *synopsis; /* what has to follow the name */
  const char *operand;  /* NULL when it takes none */
  const char *summary, *text;
  const char *letters; /* of its options */
  int (*run)(const struct options *o, struct error *e);
  int statuses[6]; /* the ones it can end with, up to a negative one */
};

static int run_freeze(const struct options *o, struct error *e)
{
  process_setup();
  return freeze(o, true, e);
}

static int run_check(const struct options *o, struct error *e)
{
  process_setup();
  return freeze(o, false, e);
}

static int run_info(const struct options *o, struct error *e)
{
  return info_print(stdout, o->input, o->json, e);
}

static int run_verify(const struct options *o, struct error *e)
{
  process_setup();
  return verify(o, e);
}

/* Few machines have a script of their own. */
static bool has_file(const char *dir, const char *name)
{
  char *path = xprintf("%s/%s", dir, name);
  const bool yes = access(path, R_OK) == 0;
  free(path);
  return yes;
}

static int run_flags(const struct options *o, struct error *e)
{
  char *dir = turf_lib_dir(), *own = xprintf("%s/turf/%s", dir, o->input ? o->input : "");
  int status = 0;
  if (strpbrk(dir, " \t\n*?[,"))
    status = fail(e, SYSTEM,
                  "%s: the shell or the compiler would split this name; use -L and -T urf.ld with "
                  "it in quotes",
                  dir);
  else if (!o->input && o->no_script)
    printf("%s/urf_plain.o\n", dir);
  else if (!o->input)
    printf("-L%s -Wl,-T,%s/urf.ld\n", dir, dir);
  else if (strchr(o->input, '/') || access(own, X_OK))
    status = fail(e, SYSTEM,
                  "%s: there is no liburf.a for that machine in %s/turf; build turf where gcc for "
                  "it is installed (Debian: gcc-%s-linux-gnu)",
                  o->input, dir, o->input);
  else if (o->no_script)
    printf("%s/urf_plain.o\n", own);
  else
    printf("-L%s -L%s -Wl,-T,%s/urf.ld\n", own, dir, has_file(own, "urf.ld") ? own : dir);
  free(own);
  free(dir);
  return status;
}

static int run_help(const struct options *o, struct error *e);

static const struct command commands[] = {
    {"freeze",
     "INPUT -o OUTPUT",
     "INPUT",
     "freeze a library or a static program",
     "Runs the init of INPUT, a library or static program linked with urf.ld, in processes that\n"
     "have nothing at the same address, and writes OUTPUT: INPUT as it was after init.  What "
     "cannot\n"
     "be the same in every process is listed, and refused unless a policy says otherwise.  Of a\n"
     "program init is what --init names, not main, which the frozen program goes on with.\n",
     "oirpHRecktFfMjvqh",
     run_freeze,
     {DONE, REFUSED, USAGE, SYSTEM, MISMATCH, -1}},
    {"check",
     "INPUT",
     "INPUT",
     "do the same, short of writing",
     "Does everything that turf freeze does, short of writing.\n",
     "irpsHRecktFfMjvqh",
     run_check,
     {DONE, REFUSED, USAGE, SYSTEM, MISMATCH, -1}},
    {"info",
     "FILE",
     "FILE",
     "print what a turf or urf file holds",
     "Prints what FILE holds: region, heap, relocations by kind, imports, pages, identity.\n",
     "jh",
     run_info,
     {DONE, REFUSED, USAGE, SYSTEM, -1}},
    {"verify",
     "FILE",
     "FILE",
     "hold a urf file against a fresh init",
     "Loads FILE, the output of turf freeze, and runs init again in the library it was made from,\n"
     "which is inside it; the two have to agree.\n",
     "HRtvqh",
     run_verify,
     {DONE, REFUSED, USAGE, SYSTEM, MISMATCH, -1}},
    {"flags",
     "[MACHINE]",
     "MACHINE",
     "print the linker's options for turf",
     "Prints the options that make the linker use urf.ld: cc -shared ... $(turf flags), and\n"
     "cc -static-pie ... $(turf flags) for a program.\n"
     "For another machine than this: aarch64-linux-gnu-gcc -shared ... $(turf flags aarch64)\n",
     "nh",
     run_flags,
     {DONE, USAGE, SYSTEM, -1}},
    {"help",
     "[COMMAND]",
     "COMMAND",
     "print this, or all about one command",
     "Prints what commands there are, or all about one.\n",
     "h",
     run_help,
     {DONE, USAGE, SYSTEM, -1}},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

/* help */

static const char *meaning(int status)
{
  static const char *const meanings[] = {
      [DONE] = "done",
      [REFUSED] = "refused: it cannot be done with this input as it is; the message says why",
      [USAGE] = "wrong usage",
      [SYSTEM] = "the system failed: a file, memory, or a process",
      [MISMATCH] = "verification failed",
  };
  return meanings[status];
}

static void print_usage(FILE *f)
{
  fputs("usage: turf COMMAND [ARGUMENT...]\n\n", f);
  for (size_t i = 0; i < N_COMMANDS; i++)
    fprintf(f, "  turf %-6s %-15s  %s\n", commands[i].name, commands[i].synopsis,
            commands[i].summary);
  fprintf(f, "  turf %-22s  %s\n", "--version", "print the version");
}

static void print_option(size_t i)
{
  char start[40];
  if (options[i].is_short)
    snprintf(start, sizeof start, "-%c, ", options[i].letter);
  else
    snprintf(start, sizeof start, "    ");
  snprintf(start + 4, sizeof start - 4, "--%s %s", options[i].name,
           options[i].argument ? options[i].argument : "");
  printf("  %-26s", start);
  for (const char *c = options[i].text; *c; c++)
    if (*c == '\n')
      printf("\n%28s", "");
    else
      putchar(*c);
  putchar('\n');
}

static void print_help(const struct command *c)
{
  printf("usage: turf %s%s%s [OPTION...]\n\n%s\noptions:\n", c->name, *c->synopsis ? " " : "",
         c->synopsis, c->text);
  for (size_t i = 0; i < N_OPTIONS; i++)
    if (strchr(c->letters, options[i].letter))
      print_option(i);
  printf("\nexit status:\n");
  for (const int *s = c->statuses; *s >= 0; s++)
    printf("  %d  %s\n", *s, meaning(*s));
}

static const struct command *find_command(const char *name)
{
  for (size_t i = 0; i < N_COMMANDS; i++)
    if (strcmp(commands[i].name, name) == 0)
      return &commands[i];
  return NULL;
}

static int run_help(const struct options *o, struct error *e)
{
  const struct command *c = o->input ? find_command(o->input) : NULL;
  if (o->input && !c)
    return fail(e, USAGE, "help: there is no command %s; see turf help", o->input);
  if (c)
    print_help(c);
  else
    print_usage(stdout);
  return 0;
}

/* arguments */

/* A message about the arguments, with the way to more. */
#define MISUSED(e, c, format, ...)                                                                 \
  fail(e, USAGE, "%s: " format "; see `turf help %s`", (c)->name, __VA_ARGS__, (c)->name)

static int parse_number(int *n, const char *s, int low, int high)
{
  char *end;
  errno = 0;
  long value = strtol(s, &end, 10);
  if (!isdigit((unsigned char)*s) || *end || errno || value < low || value > high)
    return -1;
  *n = (int)value;
  return 0;
}

static bool is_init(const char *s)
{
  const char *colon = strchr(s, ':');
  size_t n = colon ? (size_t)(colon - s) : strlen(s);
  return n && strcspn(s, " \t\n") >= n && (!colon || strcmp(colon, ":void") == 0);
}

static int set_option(struct options *o, const struct command *c, int letter, const char *value,
                      struct error *e)
{
  switch (letter) {
  case 'o': o->output = value; break;
  case 'p': o->policy = value; break;
  case 'H': o->host = value; break;
  case 'c': o->cwd = value; break;
  case 'R':
    o->runner = value;
    if (!value[strspn(value, " ")])
      return MISUSED(e, c, "%s is empty", "--runner");
    break;
  case 'k': o->keep = value; break;
  case 's': o->suggest = true; break;
  case 'j': o->json = true; break;
  case 'v': o->verbose = true; break;
  case 'q': o->quiet = true; break;
  case 'M': o->memcheck = true; break;
  case 'n': o->no_script = true; break;
  case 'F': o->fixed = true; break;
  case 'f':
    o->no_fallback = strcmp(value, "fail") == 0;
    if (!o->no_fallback && strcmp(value, "init") != 0)
      return MISUSED(e, c, "--fallback takes init or fail, not '%s'", value);
    break;
  case 'i':
    if (!is_init(value))
      return MISUSED(e, c, "--init takes SYMBOL or SYMBOL:void, not '%s'", value);
    *PUSH(&o->inits) = value;
    break;
  case 'e':
    if (!strchr(value, '=') || *value == '=')
      return MISUSED(e, c, "--env takes NAME=VALUE, not '%s'", value);
    *PUSH(&o->env) = value;
    break;
  case 'r':
    if (parse_number(&o->runs, value, 2, MAX_RUNS))
      return MISUSED(e, c, "--runs takes a number from 2 to %d, not '%s'", MAX_RUNS, value);
    break;
  case 't':
    if (parse_number(&o->time_limit, value, 1, MAX_TIME_LIMIT))
      return MISUSED(e, c, "--time-limit takes seconds from 1 to %d, not '%s'", MAX_TIME_LIMIT,
                     value);
    break;
  }
  return 0;
}

/* For getopt_long: the options that c takes.  letters begins with ':' to tell a missing argument
 * from an unknown option; LONG tells which of the two forms an option has. */
enum { LONG = 256 };

static void make_tables(const struct command *c, struct option *table, char *letters)
{
  *letters++ = ':';
  for (size_t i = 0; i < N_OPTIONS; i++) {
    if (!strchr(c->letters, options[i].letter))
      continue;
    int takes = options[i].argument ? required_argument : no_argument;
    *table++ = (struct option){options[i].name, takes, NULL, LONG + options[i].letter};
    if (options[i].is_short) {
      *letters++ = options[i].letter;
      if (takes == required_argument)
        *letters++ = ':';
    }
  }
  *letters = 0;
  *table = (struct option){0};
}

/* word is the last one that getopt_long took. */
static int misused_option(const struct command *c, bool missing, const char *word, struct error *e)
{
  const char *wrong = missing ? "needs an argument" : "takes no argument";
  if (!optopt)
    return MISUSED(e, c, "unknown option %s", word);
  for (size_t i = 0; i < N_OPTIONS && optopt > LONG; i++)
    if (options[i].letter == optopt - LONG)
      return MISUSED(e, c, "--%s %s", options[i].name, wrong);
  return missing ? MISUSED(e, c, "-%c %s", optopt, wrong)
                 : MISUSED(e, c, "unknown option -%c", optopt);
}

static int parse_options(struct options *o, const struct command *c, int argc, char **argv,
                         bool *help, struct error *e)
{
  struct option table[N_OPTIONS + 1];
  char letters[2 * N_OPTIONS + 2];
  int letter, status = 0;
  make_tables(c, table, letters);
  opterr = 0;
  while (!status && (letter = getopt_long(argc, argv, letters, table, NULL)) != -1) {
    if (letter == '?' || letter == ':')
      status = misused_option(c, letter == ':', argv[optind - 1], e);
    else if (letter % LONG == 'h')
      *help = true;
    else
      status = set_option(o, c, letter % LONG, optarg, e);
  }
  return status;
}

/* Fills o from what follows the command's name, which stands at argv[0]. */
static int parse(struct options *o, const struct command *c, int argc, char **argv, bool *help,
                 struct error *e)
{
  if (parse_options(o, c, argc, argv, help, e))
    return -1;
  if (*help)
    return 0;
  argc -= optind;
  argv += optind;
  if (argc > (c->operand ? 1 : 0))
    return MISUSED(e, c, "unexpected argument '%s'", argv[c->operand ? 1 : 0]);
  if (argc)
    o->input = argv[0];
  else if (c->operand && *c->synopsis != '[')
    return MISUSED(e, c, "%s is missing", c->operand);
  if (o->memcheck && o->runner)
    return MISUSED(e, c, "%s", "--memcheck and --runner do not go together");
  if (c->run == run_freeze && !o->output)
    return MISUSED(e, c, "%s is missing", "-o OUTPUT");
  if (o->output && !*o->output)
    return MISUSED(e, c, "%s is empty", "OUTPUT");
  if (o->input && !*o->input)
    return MISUSED(e, c, "%s is empty", c->operand);
  if (strchr(c->letters, 'i') && !o->inits.n)
    *PUSH(&o->inits) = DEFAULT_INIT;
  return 0;
}

static int obey(int argc, char **argv, struct error *e)
{
  struct options o = {.runs = DEFAULT_RUNS, .time_limit = DEFAULT_TIME_LIMIT};
  const char *name = argc > 1 ? argv[1] : "";
  bool help = false;
  if (strcmp(name, "--version") == 0) {
    puts("turf " TURF_VERSION);
    return 0;
  }
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
    print_usage(stdout);
    return 0;
  }
  const struct command *c = find_command(name);
  if (!c)
    return *name == '-' ? fail(e, USAGE, "%s: no option without a command; see `turf help`", name)
                        : fail(e, USAGE, "%s: there is no such command; see `turf help`", name);
  int status = parse(&o, c, argc - 1, argv + 1, &help, e);
  if (!status && help)
    print_help(c);
  else if (!status)
    status = c->run(&o, e);
  free(o.inits.at);
  free(o.env.at);
  return status;
}

/* A handler, unlike SIG_IGN, is not passed on to the processes that run init. */
static void ignore(int unused)
{
  (void)unused;
}

/* So that no file of ours becomes standard output. */
static void open_standard_files(void)
{
  int fd;
  do
    fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0)
    close(fd);
}

int main(int argc, char **argv)
{
  struct error e = {0};
  open_standard_files();
  signal(SIGPIPE, ignore);
  signal(SIGXFSZ, ignore); /* write(2) fails instead */
  if (argc < 2) {
    print_usage(stderr);
    return USAGE;
  }
  int status = obey(argc, argv, &e) ? (int)e.status : DONE;
  if (fflush(stdout) || ferror(stdout)) {
    fail_errno(&e, "standard output", "cannot be written");
    status = status ? status : SYSTEM;
  }
  if (e.text)
    fprintf(stderr, "turf: %s\n", e.text);
  error_free(&e);
  return status;
}
