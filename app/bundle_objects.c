/* bundle_objects: objects.h of a built project: how a list of objects is made of the network's map. See bundle.h. */
#include "app/bundle.h"

void bundle_objects_emit(const struct bundle_objects *o, const char *name, struct text *out) {
  const struct mote_objects *f = &o->find;
  text_printf(
      out,
      "/* What this model counts, and how its map of %u x %u cells becomes a list of objects; "
      "written by Mote. After "
      "every picture:\n *\n"
      " *   static struct mote_object list[OBJECTS_MOST];\n"
      " *   uint32_t n = mote_objects_find(&objects, %s_output(0), list, OBJECTS_MOST);\n *\n"
      " * n is how many there are, also where the list is shorter. list[i].label is a place in "
      "objects_names, x and y are "
      "pixels of\n * the camera's frame, score is of 256. */\n"
      "#ifndef OBJECTS_H\n#define OBJECTS_H\n\n#include \"mote/ml/ml.h\"\n\n"
      "#define OBJECTS_CLASSES %u\n#define OBJECTS_MOST    %d\n\n"
      "static const char *const objects_names[OBJECTS_CLASSES] = {",
      f->width, f->height, name, f->classes, BUNDLE_OBJECTS_MOST);
  for (unsigned i = 0; i < f->classes; i++) {
    text_add(out, i ? ", " : "");
    text_add_literal(out, o->names[i]);
  }
  text_printf(out,
              "};\n/* cells downwards and across, classes, threshold in 256ths; then where the "
              "first cell begins and "
              "how large one\n * is, in 256ths of a pixel of the frame */\n"
              "static const struct mote_objects objects = {%u, %u, %u, %u, 0, %ld, %ld, %ld, "
              "%ld};\n\n#endif\n",
              f->height, f->width, f->classes, f->threshold, (long)f->left, (long)f->top,
              (long)f->across, (long)f->down);
}
