/* hunspell 1.7 as a turf library: the dictionary of American English, loaded and used. */
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <hunspell.hxx>
#include <locale>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int urf_init(void);
EXPORT void answer(FILE *out);
EXPORT void mutate(FILE *out);
EXPORT void finish(FILE *out);

#define DICTIONARY "/usr/share/hunspell/en_US"

static std::unique_ptr<Hunspell> speller;
static thread_local unsigned asked; /* by this thread; its destructors are the containers' */
static thread_local std::vector<std::string> history;

static bool spell(const std::string &word)
{
  asked++;
  history.push_back(word);
  return speller->spell(word);
}

static void print(FILE *out, const std::string &title, const std::vector<std::string> &list)
{
  std::fprintf(out, "%s:", title.c_str());
  for (const std::string &word : list)
    std::fprintf(out, " [%s]", word.c_str());
  std::fputc('\n', out);
}

int urf_init(void)
{
  if (speller)
    return 0;
  speller.reset(new Hunspell(DICTIONARY ".aff", DICTIONARY ".dic"));
  for (const char *word : {"turf", "urf", "libc", "mruby", "frobnicate"})
    speller->add(word);
  speller->add_with_affix("grep", "step");
  speller->remove("colour");
  /* the first of each kind builds what the rest uses */
  speller->suggest("speling");
  speller->analyze("walked");
  return spell("initialised") + spell("initialized") == 1 ? 0 : 1;
}

void answer(FILE *out)
{
  static const char *const middle[] = {"", "l", "n", "t", "r", "s", "st", "ck"};
  static const char *const end[] = {"", "ing", "ed", "s", "er"};
  unsigned right = 0, n = 0;

  // clang-format off
  for (const char *word :
       {"house", "houses", "hous", "Housing", "HOUSE", "hOuse", "walked", "unwalked", "color", "colour",
        "turf", "turfs", "grepping", "grepped", "can't", "cann't", "3rd", "3th", "10,000", "e-mail",
        "na\xc3\xafve", "na\xefve", "caf\xc3\xa9", "", " ", "antidisestablishmentarianism"})
    // clang-format on
    std::fprintf(out, "%s %s\n", word, spell(word) ? "right" : "wrong");
  for (int i = 0; i < 2600; i++) {
    char word[32];

    std::snprintf(word, sizeof word, "%c%c%s%s", "bcdfghlmnprst"[i % 13], "aeiou"[i / 13 % 5],
                  middle[i / 65 % 8], end[i / 520 % 5]);
    n++;
    right += spell(word);
  }
  std::fprintf(out, "%u of %u right\n", right, n);
  for (const char *word : {"speling", "helo", "recieve", "mrbuy"})
    print(out, std::string("suggest ") + word, speller->suggest(word));
  for (const char *word : {"walked", "grepping", "geese", "unhappily", "turf", "xyzzy"}) {
    print(out, std::string("analyze ") + word, speller->analyze(word));
    print(out, std::string("stem ") + word, speller->stem(word));
  }
  print(out, "generate", speller->generate("walk", "talked"));
  std::fprintf(out, "encoding %s, words of %s, version %s\n", speller->get_dict_encoding().c_str(),
               speller->get_wordchars_cpp().c_str(), speller->get_version_cpp().c_str());
  std::fprintf(out, "this thread asked %s, locale %s\n", asked == history.size() ? "so much" : "?",
               std::setlocale(LC_ALL, nullptr));
}

static void throws(FILE *out)
{
  try {
    throw std::runtime_error("why");
  } catch (const std::exception &e) {
    std::fprintf(out, "caught %s", e.what());
  }
  try {
    std::vector<int>(3).at(asked + 3);
  } catch (const std::out_of_range &) {
    std::fprintf(out, ", out of range");
  }
  try {
    std::string(std::string().max_size(), 'x');
  } catch (const std::exception &) {
    std::fprintf(out, ", too long\n");
  }
}

void mutate(FILE *out)
{
  Hunspell none("/nonexistent.aff", "/nonexistent.dic");

  std::fprintf(out, "without a dictionary %d, %zu suggestions\n", none.spell(std::string("house")),
               none.suggest(std::string("hous")).size());
  for (int i = 0; i < 8000; i++) { /* more than the dictionary's own slots are made for */
    std::string word = "made" + std::string(1, 'a' + i % 26) + std::string(1, 'a' + i / 26 % 26) +
                       std::string(1, 'a' + i / 676 % 26) + std::string(1, 'a' + i / 17576);
    speller->add(word);
    if (i % 3 == 0)
      speller->remove(word);
  }
  std::fprintf(out, "made %d %d %d\n", spell("madebaaa"), spell("madeaaaa"), spell("madefaaa"));
  print(out, "suggest madebaa", speller->suggest("madebaa"));
  for (const char *word : {"walk", "house", "turf", "helo"})
    std::fprintf(out, "remove %s: %d, then %d\n", word, speller->remove(word), spell(word));
  speller->add("walk");
  speller->add_with_affix("blog", "step");
  std::fprintf(out, "again %d %d %d\n", spell("walk"), spell("blogging"), spell("blogs"));
  std::fprintf(out, "more words: %d %d\n", speller->add_dic(DICTIONARY ".dic"),
               speller->add_dic("/nonexistent.dic"));
  std::fprintf(out, "long %d %zu\n", spell(std::string(5000, 'a')),
               speller->suggest(std::string(300, 'b')).size());
  std::unique_ptr<Hunspell> second(new Hunspell(DICTIONARY ".aff", DICTIONARY ".dic"));
  std::swap(second, speller);
  std::fprintf(out, "another %d %d\n", spell("madebaaa"), spell("house"));
  std::swap(second, speller);
  second.reset();
  throws(out);
  setenv("TURF_HUNSPELL", "a value", 1);
  std::fprintf(out, "environment %s\n", std::getenv("TURF_HUNSPELL"));
  std::fprintf(out, "locale %s", std::setlocale(LC_ALL, "C.UTF-8"));
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << 1234567.5 << ' ' << std::hex << 48879 << std::boolalpha << ' ' << true;
  std::fprintf(out, " %s", text.str().c_str());
  try {
    std::locale("nowhere_NOWHERE");
  } catch (const std::exception &) {
    std::fprintf(out, ", no such locale");
  }
  std::setlocale(LC_ALL, "C");
  history.clear();
  history.shrink_to_fit();
  asked = 0;
  std::fprintf(out, ", %d\n", std::locale() == std::locale::classic());
}

/* Frees the dictionary; urf_init may follow. */
void finish(FILE *out)
{
  speller.reset();
  history = std::vector<std::string>();
  asked = 0;
  std::fprintf(out, "closed\n");
}
