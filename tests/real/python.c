/* CPython 3.11 as a turf library: an interpreter with the modules that python.py imports. */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <dlfcn.h>
#include <urf.h>

#include "library.h"

SCRIPT("python.py");

/* 1 for a library that is frozen with --fixed: what is keyed by addresses is right as it is. */
#ifndef FIXED
#define FIXED 0
#endif

static PyObject *names; /* of python.py */

static int start(void)
{
  PyPreConfig pre;
  PyConfig config;
  PyStatus status;

  /* Python's own allocator finds its arenas in a table that is indexed by their addresses. */
  PyPreConfig_InitIsolatedConfig(&pre);
  pre.allocator = PYMEM_ALLOCATOR_MALLOC;
  pre.utf8_mode = 1;
  status = Py_PreInitialize(&pre);
  if (PyStatus_Exception(status))
    return -1;
  /* One seed for all processes: with another, strings have other places in dictionaries.  Extension
   * modules are images of their own, so there is no lib-dynload in the path yet; and nothing of what
   * is installed here (site) shall make a difference. */
  PyConfig_InitIsolatedConfig(&config);
  config.use_hash_seed = 1;
  config.hash_seed = 0x5eed;
  config.site_import = 0;
  config.install_signal_handlers = 1;
  config.write_bytecode = 0;
  config.module_search_paths_set = 1;
  status = PyWideStringList_Append(&config.module_search_paths, L"/usr/lib/python3.11");
  if (!PyStatus_Exception(status))
    status = PyConfig_SetString(&config, &config.program_name, L"/usr/bin/python3.11");
  if (!PyStatus_Exception(status))
    status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  /* A collection leaves its lists in the order in which it comes upon objects, also in sets keyed by
   * addresses: none before those are empty, see settle. */
  if (!PyStatus_Exception(status))
    PyGC_Disable();
  return PyStatus_Exception(status) ? -1 : 0;
}

int urf_init(void)
{
  PyObject *done;

  if (Py_IsInitialized())
    return 0;
  if (start())
    return 1;
  names = PyModule_GetDict(PyImport_AddModule("__main__"));
  done = PyRun_String(script, Py_file_input, names, names);
  if (!done)
    PyErr_Print();
  Py_XDECREF(done);
  PyGC_Enable();
  return !done;
}

/* What a function of python.py returns; NULL for an exception, which is printed. */
static PyObject *call(const char *function, PyObject *argument)
{
  PyObject *result =
      PyObject_CallFunctionObjArgs(PyDict_GetItemString(names, function), argument, NULL);

  if (!result)
    PyErr_Print();
  return result;
}

/* Extension modules have symbols of this library undefined, and find them among those of all. */
static void show_symbols(void)
{
  Dl_info own;

  if (dladdr((void *)(uintptr_t)urf_init, &own))
    dlclose(dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL));
}

static void print(FILE *out, const char *function)
{
  PyObject *result = call(function, NULL);
  const char *text = result ? PyUnicode_AsUTF8(result) : NULL;

  fprintf(out, "%s\n", text ? text : "error");
  Py_XDECREF(result);
}

void answer(FILE *out)
{
  print(out, "answer");
}

void mutate(FILE *out)
{
  show_symbols();
  print(out, "mutate");
}

void fresh(FILE *out)
{
  print(out, "fresh");
}

/* CPython's own tests, those that URF_TESTS names. */
void suite(FILE *out)
{
  show_symbols();
  print(out, "suite");
}

/* Finalizes the interpreter; urf_init may follow. */
void finish(FILE *out)
{
  fprintf(out, "finalized: %d\n", Py_FinalizeEx());
}

/* A type finds its subclasses in a dictionary by their addresses, as numbers: put there the addresses
 * that they have now, or, before the freeze, what is the same in every run. */
static void number_subclasses(PyTypeObject *type, int by_address)
{
  PyObject *old = type->tp_subclasses, *dict, *reference;
  Py_ssize_t i = 0;
  size_t n = 0;

  if (!old)
    return;
  dict = PyDict_New();
  while (PyDict_Next(old, &i, NULL, &reference)) {
    PyObject *subclass = PyWeakref_GET_OBJECT(reference);
    PyObject *key = by_address ? PyLong_FromVoidPtr(subclass) : PyLong_FromSize_t(++n);

    if (subclass != Py_None) {
      PyDict_SetItem(dict, key, reference);
      number_subclasses((PyTypeObject *)subclass, by_address);
    }
    Py_DECREF(key);
  }
  type->tp_subclasses = dict;
  Py_DECREF(old);
}

/* One that no hook does without: a freeze ends with it, and so does a load. */
static void must(const char *function, PyObject *argument)
{
  PyObject *result = call(function, argument);

  if (!result)
    abort();
  Py_DECREF(result);
}

static void on_freeze(void)
{
  must("settle", FIXED ? Py_True : Py_False);
  if (!FIXED)
    number_subclasses(&PyBaseObject_Type, 0);
  PyThreadState_Get()->native_thread_id = 0; /* as after a fork, it is set again */
}
URF_ON_FREEZE(on_freeze);

static void on_thaw(void)
{
  PyObject *environment = PyDict_New();

  if (!FIXED)
    number_subclasses(&PyBaseObject_Type, 1);
  for (char **e = environ; e && *e; e++) {
    const char *value = strchr(*e, '=');
    PyObject *name = value ? PyBytes_FromStringAndSize(*e, value - *e) : NULL;
    PyObject *bytes = value ? PyBytes_FromString(value + 1) : NULL;

    if (name && bytes)
      PyDict_SetDefault(environment, name, bytes);
    Py_XDECREF(name);
    Py_XDECREF(bytes);
  }
  must("thaw", environment);
  Py_DECREF(environment);
  PyOS_AfterFork_Child(); /* other locks, another thread, another random seed */
}
URF_ON_THAW(on_thaw);
