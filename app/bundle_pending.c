/* Stands in for app/project.c where the program is linked without it. */
#include "app/project.h"
__attribute__((weak)) bool project_open(struct arena *a, const char *dir, enum store_mode mode,
                                        struct project *p, struct err *e) {
  (void)a;
  (void)dir;
  (void)mode;
  (void)p;
  return err_set(e, "this program was built without projects: name a model file");
}
__attribute__((weak)) bool project_load_model(struct project *p, int64_t run,
                                              struct project_model *m, struct err *e) {
  (void)p;
  (void)run;
  (void)m;
  return err_set(e, "no project");
}
__attribute__((weak)) void project_close(struct project *p) { (void)p; }
__attribute__((weak)) bool project_file_windows(struct project *p, const struct project_model *m,
                                                const char *path, struct project_windows *w,
                                                struct err *e) {
  (void)p;
  (void)m;
  (void)path;
  (void)w;
  return err_set(e, "no project");
}
