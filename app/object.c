/* object: jansson reads, and its values are copied into the arena. */
#include "app/object.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/* needs: jansson's own bound on nesting (2048) bounds this recursion. */
static void copy(struct arena *a, json_t *from, struct object *to) {
  const struct object **link = &to->first;
  const char *key;
  json_t *value;
  size_t i;
  switch (json_typeof(from)) {
  case JSON_NULL: to->kind = OBJECT_NULL; break;
  case JSON_TRUE:
  case JSON_FALSE:
    to->kind = OBJECT_BOOL;
    to->number = json_is_true(from);
    break;
  case JSON_INTEGER:
  case JSON_REAL:
    to->kind = OBJECT_NUMBER;
    to->number = json_number_value(from);
    break;
  case JSON_STRING:
    to->kind = OBJECT_TEXT;
    to->text = arena_strdup(a, json_string_value(from));
    break;
  case JSON_ARRAY:
    to->kind = OBJECT_ARRAY;
    json_array_foreach(from, i, value) {
      struct object *child = ARENA_NEW(a, struct object);
      copy(a, value, child);
      *link = child;
      link = &child->next;
      to->count++;
    }
    break;
  case JSON_OBJECT:
    to->kind = OBJECT_OBJECT;
    json_object_foreach(from, key, value) {
      struct object *child = ARENA_NEW(a, struct object);
      child->key = arena_strdup(a, key);
      copy(a, value, child);
      *link = child;
      link = &child->next;
      to->count++;
    }
    break;
  }
}

bool object_read(struct arena *a, const char *bytes, size_t n, const struct object **out,
                 struct err *e) {
  json_error_t error;
  json_t *root = json_loadb(bytes, n, JSON_DECODE_INT_AS_REAL, &error);
  if (!root) return err_set(e, "line %d: %s", error.line, error.text);
  struct object *o = ARENA_NEW(a, struct object);
  copy(a, root, o);
  json_decref(root);
  *out = o;
  return true;
}

const struct object *object_at(const struct object *o, const char *path) {
  while (o && *path) {
    size_t n = strcspn(path, ".");
    const struct object *child = o->kind == OBJECT_OBJECT ? o->first : NULL;
    while (child && (strncmp(child->key, path, n) != 0 || child->key[n])) child = child->next;
    o = child;
    path += n + (path[n] == '.');
  }
  return o;
}

double object_number(const struct object *o, const char *path) {
  o = object_at(o, path);
  return o && o->kind == OBJECT_NUMBER ? o->number : (double)NAN;
}

const char *object_text(const struct object *o, const char *path) {
  o = object_at(o, path);
  return o && o->kind == OBJECT_TEXT ? o->text : "";
}
