/* A library that others import data and functions from. */
struct point {
  int x, y;
};

int other_number = 5;
struct point other_points[4] = {{1, 2}, {3, 4}, {5, 6}, {7, 8}};
const char other_text[] = "text of the other library";
int *other_pointer = &other_number;

int other_add(int n)
{
  return n + other_number;
}
struct point *other_point(int i)
{
  return &other_points[i];
}
