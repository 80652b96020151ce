/* Functions with names that are also the loader's, in a library of their own. */
int heap_init(int n);
int heap_init(int n)
{
  return n * 2;
}
int host_find(int n);
int host_find(int n)
{
  return n + 1;
}
