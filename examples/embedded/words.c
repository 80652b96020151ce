/* words WORD... - says of each word whether it is English, or what it may have been meant to be.
 *
 * The table, a trie of all words with their nodes on the heap, is made by init from a dictionary that is on
 * the machine which builds the program, and not on the one that runs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "urf.h"

struct node {
  struct node *child, *next; /* the first one below, the next one of the same parent */
  unsigned char letter, ends;
};
static struct node root;
static unsigned long n_words;

static struct node *below(const struct node *n, unsigned char letter)
{
  struct node *c = n->child;
  while (c && c->letter != letter)
    c = c->next;
  return c;
}

static int add(const char *word)
{
  struct node *n = &root, *c;
  for (; *word; word++, n = c) {
    c = below(n, (unsigned char)*word);
    if (c)
      continue;
    c = calloc(1, sizeof *c);
    if (!c)
      return -1;
    c->letter = (unsigned char)*word;
    c->next = n->child;
    n->child = c;
  }
  n_words += !n->ends;
  n->ends = 1;
  return 0;
}

/* What `turf freeze --init` names: one word a line, with what may be behind it after a slash. */
int words_init(void)
{
  char line[256];
  int status = 0;
  FILE *f = fopen(DICTIONARY, "r");
  if (!f) {
    perror(DICTIONARY);
    return 1;
  }
  while (!status && fgets(line, sizeof line, f)) {
    line[strcspn(line, "/\r\n")] = 0;
    if (*line > '9') /* the first line is a number */
      status = add(line);
  }
  fclose(f);
  return status || !n_words;
}

/* The first word that is found with so many letters changed. */
static int nearest(const struct node *n, const char *rest, int changes, char *word)
{
  if (!*rest)
    return n->ends;
  for (const struct node *c = n->child; c; c = c->next) {
    const int differs = c->letter != (unsigned char)*rest;
    *word = (char)c->letter;
    if (changes >= differs && nearest(c, rest + 1, changes - differs, word + 1))
      return 1;
  }
  return 0;
}

int main(int argc, char **argv)
{
  char found[256] = {0};
  if (!urf_frozen() && words_init())
    return 1;
  printf("%lu words\n", n_words);
  for (int i = 1; i < argc; i++) {
    memset(found, 0, sizeof found);
    if (strlen(argv[i]) >= sizeof found ||
        !(nearest(&root, argv[i], 0, found) || nearest(&root, argv[i], 1, found)))
      printf("%s: unknown\n", argv[i]);
    else
      printf("%s: %s%s\n", argv[i], strcmp(found, argv[i]) == 0 ? "" : "perhaps ", found);
  }
  return 0;
}
