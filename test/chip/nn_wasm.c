/* nn in WebAssembly: runs the cases of test/nn_cases.h and prints one CRC for each through run.mjs. */
#include "test/nn_cases.h"

__attribute__((import_module("port"), import_name("print"))) void host_print(const char *text);
__attribute__((import_module("port"), import_name("exit"))) void host_exit(int code);

static void print_hex(uint32_t x) {
  char text[9];
  for (int i = 0; i < 8; i++) text[i] = "0123456789abcdef"[x >> (28 - 4 * i) & 15];
  text[8] = 0;
  host_print(text);
}

__attribute__((export_name("start"))) void start(void);
void start(void) {
  static struct case_memory memory;
  struct nn_case t;
  for (uint32_t n = 0; n < CASE_ALL; n++) {
    if (!case_make(&t, &memory, case_number(n))) continue;
    if (case_check(&t) != MOTE_OK) host_exit(2);
    case_run(&t);
    if (!case_guards(&t)) host_exit(1);
    print_hex(mote_crc32(n, case_result(&t), t.bounds.out_bytes));
  }
}
