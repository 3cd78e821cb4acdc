/* Files as arrays and lists, for the programs of this folder. A file that cannot be read ends the program. */

#ifndef FILES_H
#define FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <voucher.h>

static inline struct BinaryArray* read_file(const char* folder, const char* name) {
  char path[4096];
  struct BinaryArray* array = calloc(1, sizeof *array);
  FILE* file;
  long size;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  file = fopen(path, "rb");
  if (array == NULL || file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) <= 0) {
    fprintf(stderr, "%s cannot be read\n", path);
    exit(2);
  }
  rewind(file);
  array->array = malloc((size_t)size);
  array->length = (size_t)size;
  if (array->array == NULL || fread(array->array, 1, array->length, file) != array->length) exit(2);
  fclose(file);
  return array;
}

static inline void write_file(const char* folder, const char* name, const struct BinaryArray* array) {
  char path[4096];
  FILE* file;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  file = fopen(path, "wb");
  if (file == NULL || fwrite(array->array, 1, array->length, file) != array->length || fclose(file) != 0) exit(2);
}

/* A list of one file. */
static inline struct BinaryArrayList* list_of(const char* folder, const char* name, int flags) {
  struct BinaryArrayList* list = init_array_list();
  struct BinaryArray* array = read_file(folder, name);
  if (push_array_list(list, array->array, array->length, flags) != 0) exit(2);
  free(array); /* its octets are the list's now */
  return list;
}

#define EXPECT(condition)                                                                                \
  do {                                                                                                   \
    if (!(condition)) {                                                                                  \
      fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #condition, voucher_last_error()); \
      exit(1);                                                                                           \
    }                                                                                                    \
  } while (0)

#endif
