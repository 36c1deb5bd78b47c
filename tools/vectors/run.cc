// Runs a model with tensorflow/tflite-micro's reference kernels: run MODEL IN N OUT [FILL].
//
// IN holds N times the bytes of all inputs, OUT gets N times the bytes of all outputs. One interpreter makes
// the N invocations, so that variables and other state live from one to the next. FILL is the byte that memory
// holds before (default 0): outputs that depend on it are no outputs.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "python/tflite_micro/python_ops_resolver.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_context.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"

static std::vector<uint8_t> slurp(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) {
    fprintf(stderr, "cannot open %s\n", path);
    exit(3);
  }
  std::vector<uint8_t> v;
  uint8_t part[65536];
  size_t n;
  while ((n = fread(part, 1, sizeof part, f)) > 0) v.insert(v.end(), part, part + n);
  fclose(f);
  return v;
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  const std::vector<uint8_t> raw = slurp(argv[1]), in = slurp(argv[2]);
  uint8_t *model = static_cast<uint8_t *>(aligned_alloc(64, (raw.size() + 64) / 64 * 64));
  memcpy(model, raw.data(), raw.size());
  const int invocations = atoi(argv[3]);
  const size_t arena_bytes = 1u << 26;
  uint8_t *arena = static_cast<uint8_t *>(calloc(1, arena_bytes + 64));
  arena += 64 - reinterpret_cast<uintptr_t>(arena) % 64;
  const int fill = argc > 5 ? atoi(argv[5]) : 0;
  if (fill != 0) memset(arena, fill, arena_bytes);

  static tflite::PythonOpsResolver resolver;
  tflite::MicroAllocator *allocator = tflite::MicroAllocator::Create(arena, arena_bytes);
  tflite::MicroResourceVariables *variables = tflite::MicroResourceVariables::Create(allocator, 64);
  tflite::MicroInterpreter machine(tflite::GetModel(model), resolver, allocator, variables);
  if (machine.AllocateTensors() != kTfLiteOk) {
    fprintf(stderr, "AllocateTensors failed\n");
    return 1;
  }
  FILE *out = fopen(argv[4], "wb");
  size_t at = 0;
  for (int k = 0; k < invocations; k++) {
    for (size_t i = 0; i < machine.inputs_size(); i++) {
      TfLiteTensor *t = machine.input(i);
      if (at + t->bytes > in.size()) {
        fprintf(stderr, "the input is too short\n");
        return 3;
      }
      memcpy(t->data.raw, in.data() + at, t->bytes);
      at += t->bytes;
    }
    const TfLiteStatus s = machine.Invoke();
    if (s != kTfLiteOk && s != tflite::kTfLiteAbort) {
      fprintf(stderr, "Invoke failed\n");
      return 1;
    }
    for (size_t i = 0; i < machine.outputs_size(); i++)
      fwrite(machine.output(i)->data.raw, 1, machine.output(i)->bytes, out);
  }
  fclose(out);
  if (at != in.size()) {
    fprintf(stderr, "the input is too long: %zu of %zu bytes used\n", at, in.size());
    return 3;
  }
  return 0;
}
