/* What debug information says of addresses: the names of variables and of what is inside them, and source
 * lines.  Nothing else of turf uses libdw. */

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>

#include "debug.h"
#include "turf.h"

/* Members of a union that are named, and types within types that are looked into. */
enum { ALTERNATIVES = 3, DEPTH = 32, DIMENSIONS = 8 };

/* Scopes are "f::" or "", and belong to struct debug. */

struct variable {
  uint64_t address, size;
  Dwarf_Die die;
  const char *scope;
};

struct definition {
  const char *scope, *name; /* of a structure, union or class */
  Dwarf_Die die;
};

/* Of what is defined somewhere else: a member of a namespace or class, or a type. */
struct declaration {
  Dwarf_Off offset;
  const char *scope;
};

struct debug {
  Dwfl *dwfl;
  Dwfl_Module *module;
  Dwarf *dwarf;
  Dwarf_Addr bias;
  LIST(struct variable) variables;       /* by address */
  LIST(struct definition) definitions;   /* by scope and name */
  LIST(struct declaration) declarations; /* by offset */
  LIST(char *) scopes;
};

_Static_assert(sizeof(Dwarf_Die) <= sizeof((struct debug_type){0}.die), "a DIE fits");

/* types */

static bool type_of(Dwarf_Die *die, Dwarf_Die *type)
{
  Dwarf_Attribute attr;
  return dwarf_attr_integrate(die, DW_AT_type, &attr) && dwarf_formref_die(&attr, type);
}

static bool has_flag(Dwarf_Die *die, unsigned name)
{
  Dwarf_Attribute attr;
  bool flag;
  return dwarf_attr(die, name, &attr) && !dwarf_formflag(&attr, &flag) && flag;
}

static bool number_of(Dwarf_Die *die, unsigned name, uint64_t *n)
{
  Dwarf_Attribute attr;
  Dwarf_Word word;
  if (!dwarf_attr_integrate(die, name, &attr) || dwarf_formudata(&attr, &word))
    return false;
  *n = word;
  return true;
}

static int by_name(const void *a, const void *b)
{
  const struct definition *x = a, *y = b;
  int order = strcmp(x->name, y->name);
  return order ? order : strcmp(x->scope, y->scope);
}

static int by_offset(const void *a, const void *b)
{
  const struct declaration *x = a, *y = b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* That of a declaration; "" when it has none. */
static const char *scope_of(const struct debug *d, Dwarf_Die *die)
{
  const struct declaration key = {.offset = dwarf_dieoffset(die)}, *found = NULL;
  if (d->declarations.n)
    found = bsearch(&key, d->declarations.at, d->declarations.n, sizeof key, by_offset);
  return found ? found->scope : "";
}

static bool same_text(const char *a, const char *b)
{
  return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whether two definitions of one name, in two units, are one and the same. */
static bool same_members(Dwarf_Die *a, Dwarf_Die *b)
{
  Dwarf_Die x, y;
  Dwarf_Word size = 0, other = 0;
  if (dwarf_aggregate_size(a, &size) || dwarf_aggregate_size(b, &other) || size != other)
    return false;
  int end_a = dwarf_child(a, &x), end_b = dwarf_child(b, &y);
  while (!end_a && !end_b) {
    uint64_t p = 0, q = 0;
    (void)number_of(&x, DW_AT_data_member_location, &p);
    (void)number_of(&y, DW_AT_data_member_location, &q);
    if (dwarf_tag(&x) != dwarf_tag(&y) || p != q ||
        !same_text(dwarf_diename(&x), dwarf_diename(&y)))
      return false;
    end_a = dwarf_siblingof(&x, &x);
    end_b = dwarf_siblingof(&y, &y);
  }
  return end_a && end_b;
}

/* The definition of a type that is only declared where it is used, when there is but one. */
static bool define(struct debug *d, Dwarf_Die *type)
{
  const struct definition key = {.scope = scope_of(d, type), .name = dwarf_diename(type)};
  if (!has_flag(type, DW_AT_declaration))
    return true;
  struct definition *found = NULL, *end = d->definitions.at + d->definitions.n;
  if (key.name && d->definitions.n)
    found = bsearch(&key, d->definitions.at, d->definitions.n, sizeof key, by_name);
  while (found && found > d->definitions.at && by_name(found - 1, &key) == 0)
    found--;
  if (!found)
    return false;
  *type = found->die;
  for (struct definition *other = found + 1; other < end && by_name(other, &key) == 0; other++)
    if (!same_members(&found->die, &other->die))
      return false;
  return true;
}

/* Without typedef, const and the like; false when it is void or not defined anywhere. */
static bool strip(struct debug *d, Dwarf_Die *type)
{
  for (unsigned n = 0; n < DEPTH; n++)
    switch (dwarf_tag(type)) {
    case DW_TAG_typedef:
    case DW_TAG_const_type:
    case DW_TAG_volatile_type:
    case DW_TAG_restrict_type:
    case DW_TAG_atomic_type:
      if (!type_of(type, type))
        return false;
      break;
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type: return define(d, type);
    case DW_TAG_unspecified_type: return false;
    default: return true;
    }
  return false;
}

static bool is_pointer(Dwarf_Die *type)
{
  int tag = dwarf_tag(type);
  return tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type ||
         tag == DW_TAG_rvalue_reference_type;
}

static bool is_record(Dwarf_Die *type)
{
  int tag = dwarf_tag(type);
  return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

/* 0 when it is not known, as that of an array without bounds. */
static uint64_t size_of(struct debug *d, Dwarf_Die type)
{
  Dwarf_Word size;
  return strip(d, &type) && !dwarf_aggregate_size(&type, &size) ? size : 0;
}

/* A member or base class: where it begins, and how long it is; 0 for an array without bounds. */
static bool place_of_member(struct debug *d, Dwarf_Die *member, uint64_t *start, uint64_t *size)
{
  Dwarf_Die type;
  uint64_t bits, first;
  int tag = dwarf_tag(member);
  if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) || !type_of(member, &type) ||
      has_flag(member, DW_AT_external) || has_flag(member, DW_AT_declaration))
    return false;
  *start = 0;
  *size = size_of(d, type);
  if (number_of(member, DW_AT_data_bit_offset, &first) &&
      number_of(member, DW_AT_bit_size, &bits)) {
    *start = first / 8;
    *size = (first + bits + 7) / 8 - *start;
  } else
    (void)number_of(member, DW_AT_data_member_location, start);
  return true;
}

/* the way into a type */

struct way {
  struct debug *d;
  bool pointer; /* only ways to a pointer are wanted */
  Dwarf_Die to; /* what the pointer points to */
  bool known;
};

static bool descend(struct way *w, struct bytes *out, Dwarf_Die type, uint64_t offset,
                    unsigned depth);

static void put(struct bytes *b, const char *text)
{
  put_bytes(b, text, strlen(text));
}

static bool enter_array(struct way *w, struct bytes *out, Dwarf_Die array, uint64_t offset,
                        unsigned depth)
{
  uint64_t count[DIMENSIONS], n = 0;
  Dwarf_Die element, child;
  if (!type_of(&array, &element))
    return false;
  uint64_t stride = size_of(w->d, element);
  for (int more = dwarf_child(&array, &child); !more && n < DIMENSIONS;
       more = dwarf_siblingof(&child, &child)) {
    if (dwarf_tag(&child) != DW_TAG_subrange_type)
      continue;
    count[n] = 0;
    if (!number_of(&child, DW_AT_count, &count[n]) &&
        number_of(&child, DW_AT_upper_bound, &count[n]))
      count[n]++;
    n++;
  }
  for (uint64_t i = 1; i < n; i++)
    stride *= count[i];
  for (uint64_t i = 0; i < n; i++) {
    if (!stride)
      return false;
    char *index = xprintf("[%ju]", (uintmax_t)(offset / stride));
    put(out, index);
    free(index);
    offset %= stride;
    stride = i + 1 < n && count[i + 1] ? stride / count[i + 1] : stride;
  }
  return n && descend(w, out, element, offset, depth + 1);
}

/* Into one member, if it has the offset and is what is wanted: ".name" and so on in *out. */
static bool enter_member(struct way *w, struct bytes *out, Dwarf_Die member, uint64_t offset,
                         unsigned depth)
{
  Dwarf_Die type;
  uint64_t start, size;
  const char *name = dwarf_tag(&member) == DW_TAG_member ? dwarf_diename(&member) : NULL;
  if (!place_of_member(w->d, &member, &start, &size) || offset < start ||
      (size && offset - start >= size) || !type_of(&member, &type))
    return false;
  put(out, name ? "." : "");
  put(out, name ? name : "");
  return descend(w, out, type, offset - start, depth + 1);
}

/* What several members have in common to begin with stands once: ".(a|b)". */
static void put_alternatives(struct bytes *out, struct bytes *way, unsigned n)
{
  if (n == 1) {
    put_bytes(out, way[0].at, way[0].n);
    return;
  }
  put(out, ".(");
  for (unsigned i = 0; i < n; i++) {
    put(out, i ? "|" : "");
    put_bytes(out, way[i].at + 1, way[i].n - 1);
  }
  put(out, ")");
}

static bool is_new(const struct bytes *way, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    if (way[i].n == way[n].n && memcmp(way[i].at, way[n].at, way[n].n) == 0)
      return false;
  return way[n].n > 0;
}

static bool enter_record(struct way *w, struct bytes *out, Dwarf_Die record, uint64_t offset,
                         unsigned depth)
{
  struct bytes way[ALTERNATIVES + 1] = {{0}};
  struct way first = *w;
  unsigned n = 0;
  Dwarf_Die child;
  for (int more = dwarf_child(&record, &child); !more && n < ALTERNATIVES;
       more = dwarf_siblingof(&child, &child)) {
    struct way own = *w;
    way[n].n = 0;
    if (enter_member(&own, &way[n], child, offset, depth) && is_new(way, n) && !n++)
      first = own;
  }
  if (n)
    put_alternatives(out, way, w->pointer ? 1 : n);
  for (unsigned i = 0; i <= ALTERNATIVES; i++)
    free(way[i].at);
  *w = first;
  return n > 0;
}

static bool descend(struct way *w, struct bytes *out, Dwarf_Die type, uint64_t offset,
                    unsigned depth)
{
  if (depth > DEPTH || !strip(w->d, &type))
    return false;
  if (dwarf_tag(&type) == DW_TAG_array_type)
    return enter_array(w, out, type, offset, depth);
  if (is_record(&type))
    return enter_record(w, out, type, offset, depth);
  if (!is_pointer(&type))
    return !w->pointer;
  w->known = type_of(&type, &w->to) && strip(w->d, &w->to);
  return !w->pointer || !offset;
}

/* The text that begins with start, which is used up, or NULL. */
static char *way_to(struct debug *d, char *start, Dwarf_Die type, uint64_t offset, bool pointer,
                    struct debug_type *to)
{
  struct bytes out = {0};
  struct way w = {.d = d, .pointer = pointer};
  put(&out, start);
  free(start);
  if (!descend(&w, &out, type, offset, 0)) {
    free(out.at);
    return NULL;
  }
  put_bytes(&out, "", 1);
  to->known = w.known;
  memcpy(to->die, &w.to, sizeof w.to);
  return (char *)out.at;
}

static int by_address(const void *a, const void *b)
{
  const struct variable *x = a, *y = b;
  return x->address < y->address ? -1 : x->address > y->address;
}

char *debug_variable(struct debug *d, uint64_t address, bool pointer, struct debug_type *to)
{
  const size_t n = COUNT_BELOW(&d->variables, address, address + 1);
  Dwarf_Die type;
  struct variable *v = n ? &d->variables.at[n - 1] : NULL;
  if (!v || address - v->address >= v->size || !type_of(&v->die, &type))
    return NULL;
  return way_to(d, xprintf("%s%s", v->scope, dwarf_diename(&v->die)), type, address - v->address,
                pointer, to);
}

/* Whether it may be the beginning of something longer: a node of a list or tree, whose first part all
 * kinds of nodes have in common, or a class that others are derived from. */
static bool is_node(struct debug *d, Dwarf_Die record)
{
  Dwarf_Die child, type;
  for (int more = dwarf_child(&record, &child); !more; more = dwarf_siblingof(&child, &child)) {
    const char *name = dwarf_diename(&child);
    if (name && strncmp(name, "_vptr", 5) == 0)
      return true;
    if (dwarf_tag(&child) == DW_TAG_member && type_of(&child, &type) && strip(d, &type) &&
        is_pointer(&type) && type_of(&type, &type) && strip(d, &type) &&
        dwarf_dieoffset(&type) == dwarf_dieoffset(&record))
      return true;
  }
  return false;
}

/* Whether the last member is an array without bounds, which begins at or before the offset. */
static bool ends_open(struct debug *d, Dwarf_Die record, uint64_t offset)
{
  Dwarf_Die child;
  uint64_t start, size;
  bool open = false;
  for (int more = dwarf_child(&record, &child); !more; more = dwarf_siblingof(&child, &child))
    if (place_of_member(d, &child, &start, &size))
      open = !size && offset >= start;
  return open;
}

char *debug_follow(struct debug *d, const char *text, const struct debug_type *type,
                   uint64_t offset, uint64_t size, bool pointer, struct debug_type *to)
{
  Dwarf_Die pointee;
  if (!type->known || offset >= size)
    return NULL;
  memcpy(&pointee, type->die, sizeof pointee);
  const uint64_t one = size_of(d, pointee);
  if (is_record(&pointee)) {
    const bool first = one && (offset < one || ends_open(d, pointee, offset));
    if (!one || (!first && (size % one || is_node(d, pointee))))
      return NULL;
    struct bytes in = {0};
    char *start =
        first ? xprintf("%s->", text) : xprintf("%s[%ju]", text, (uintmax_t)(offset / one));
    char *way = way_to(d, xstrdup(""), pointee, first ? offset : offset % one, pointer, to);
    if (way) { /* "->" and ".next" become "->next" */
      put(&in, start);
      put(&in, way + (first && *way == '.'));
      put_bytes(&in, "", 1);
    }
    free(start);
    free(way);
    return (char *)in.at;
  }
  if (!one || size % one || (one == 1 && pointer))
    return NULL;
  return way_to(d, xprintf("%s[%ju]", text, (uintmax_t)(offset / one)), pointee, offset % one,
                pointer, to);
}

/* all variables and types */

static void see_variable(struct debug *d, Dwarf_Die *die, const char *scope)
{
  Dwarf_Attribute attr, address_attr;
  Dwarf_Op *op;
  Dwarf_Addr address;
  size_t n;
  if (has_flag(die, DW_AT_declaration))
    *PUSH(&d->declarations) = (struct declaration){dwarf_dieoffset(die), scope};
  if (!dwarf_attr(die, DW_AT_location, &attr) || dwarf_getlocation(&attr, &op, &n) || n != 1 ||
      !dwarf_diename(die))
    return;
  if (op->atom == DW_OP_addr)
    address = op->number;
  else if (op->atom != DW_OP_addrx || dwarf_getlocation_attr(&attr, op, &address_attr) ||
           dwarf_formaddr(&address_attr, &address))
    return;
  *PUSH(&d->variables) = (struct variable){address + d->bias, 0, *die, scope};
}

static void see_record(struct debug *d, Dwarf_Die *die, const char *scope)
{
  const char *name = dwarf_diename(die);
  if (has_flag(die, DW_AT_declaration))
    *PUSH(&d->declarations) = (struct declaration){dwarf_dieoffset(die), scope};
  else if (name)
    *PUSH(&d->definitions) = (struct definition){scope, name, *die};
}

/* Children of a unit, a namespace, a class, a function or a block of one. */
static void see_children(struct debug *d, Dwarf_Die *parent, const char *scope, unsigned depth)
{
  Dwarf_Die die;
  for (int more = dwarf_child(parent, &die); !more && depth < DEPTH;
       more = dwarf_siblingof(&die, &die)) {
    const int tag = dwarf_tag(&die);
    const char *name = dwarf_diename(&die);
    if (tag == DW_TAG_variable || tag == DW_TAG_member)
      see_variable(d, &die, scope);
    else if (is_record(&die))
      see_record(d, &die, scope);
    else if (tag == DW_TAG_lexical_block)
      see_children(d, &die, scope, depth + 1);
    if ((tag != DW_TAG_namespace && tag != DW_TAG_subprogram && !is_record(&die)) ||
        !dwarf_haschildren(&die))
      continue;
    if (name)
      *PUSH(&d->scopes) = xprintf("%s%s::", scope, name);
    see_children(d, &die, name ? d->scopes.at[d->scopes.n - 1] : scope, depth + 1);
  }
}

/* What has been declared in a namespace is defined outside of it. */
static void complete(struct debug *d, struct variable *v)
{
  Dwarf_Attribute attr;
  Dwarf_Die specification, type;
  if (dwarf_attr(&v->die, DW_AT_specification, &attr) && dwarf_formref_die(&attr, &specification))
    v->scope = scope_of(d, &specification);
  v->size = type_of(&v->die, &type) ? size_of(d, type) : 0;
}

static void see_all(struct debug *d)
{
  Dwarf_Off offset = 0, next;
  size_t header;
  Dwarf_Die unit;
  for (; !dwarf_nextcu(d->dwarf, offset, &next, &header, NULL, NULL, NULL); offset = next)
    if (dwarf_offdie(d->dwarf, offset + header, &unit))
      see_children(d, &unit, "", 0);
  sort(d->definitions.at, d->definitions.n, sizeof *d->definitions.at, by_name);
  sort(d->declarations.at, d->declarations.n, sizeof *d->declarations.at, by_offset);
  sort(d->variables.at, d->variables.n, sizeof *d->variables.at, by_address);
  for (size_t i = 0; i < d->variables.n; i++)
    complete(d, &d->variables.at[i]);
}

struct debug *debug_open(const char *path)
{
  static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
                                           .find_debuginfo = dwfl_standard_find_debuginfo,
                                           .section_address = dwfl_offline_section_address};
  struct debug *d = xalloc(sizeof *d);
  d->dwfl = dwfl_begin(&callbacks);
  d->module = d->dwfl ? dwfl_report_elf(d->dwfl, path, path, -1, 0, true) : NULL;
  if (d->module && !dwfl_report_end(d->dwfl, NULL, NULL))
    d->dwarf = dwfl_module_getdwarf(d->module, &d->bias);
  if (!d->dwarf) {
    debug_free(d);
    return NULL;
  }
  see_all(d);
  return d;
}

void debug_free(struct debug *d)
{
  if (!d)
    return;
  for (size_t i = 0; i < d->scopes.n; i++)
    free(d->scopes.at[i]);
  free(d->scopes.at);
  free(d->declarations.at);
  free(d->variables.at);
  free(d->definitions.at);
  if (d->dwfl)
    dwfl_end(d->dwfl);
  free(d);
}

/* source lines */

/* Not every compiler writes a table of which unit has an address. */
static bool unit_of(struct debug *d, Dwarf_Addr pc, Dwarf_Die *unit)
{
  Dwarf_Off offset = 0, next;
  size_t header;
  for (; !dwarf_nextcu(d->dwarf, offset, &next, &header, NULL, NULL, NULL); offset = next)
    if (dwarf_offdie(d->dwarf, offset + header, unit) && dwarf_haspc(unit, pc) > 0)
      return true;
  return false;
}

/* The function at an address, and those that it has been inlined into, from the inside out, with blocks in
 * between.  The first call knows where it is, the second one what is around that. */
static int scopes_of(Dwarf_Die *unit, Dwarf_Addr pc, Dwarf_Die **scopes)
{
  Dwarf_Die *inner = NULL;
  int n = dwarf_getscopes(unit, pc, &inner);
  if (n > 0)
    n = dwarf_getscopes_die(&inner[0], scopes);
  free(inner);
  return n;
}

void debug_lines(struct debug *d, uint64_t address,
                 void (*f)(void *context, const char *function, const char *file, int line),
                 void *context)
{
  const Dwarf_Addr pc = address - d->bias;
  Dwarf_Die unit, *scopes = NULL;
  if (!unit_of(d, pc, &unit))
    return;
  Dwarf_Line *where = dwarf_getsrc_die(&unit, pc);
  const char *file = where ? dwarf_linesrc(where, NULL, NULL) : NULL;
  int line = 0, n = scopes_of(&unit, pc, &scopes);
  if (where)
    (void)dwarf_lineno(where, &line);
  Dwarf_Files *files = NULL;
  size_t n_files;
  (void)dwarf_getsrcfiles(&unit, &files, &n_files);
  for (int i = 0; i < n; i++) {
    const int tag = dwarf_tag(&scopes[i]);
    uint64_t number;
    if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
      continue;
    f(context, dwarf_diename(&scopes[i]), file, line);
    if (tag == DW_TAG_subprogram)
      break;
    file = files && number_of(&scopes[i], DW_AT_call_file, &number)
               ? dwarf_filesrc(files, number, NULL, NULL)
               : NULL;
    line = number_of(&scopes[i], DW_AT_call_line, &number) ? (int)number : 0;
  }
  free(scopes);
}
