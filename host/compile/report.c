/* report: the keys of report.json that the compiler knows. */
#include "host/compile/private.h"

static void maybe_int(struct json *j, const char *key, int64_t value) {
  if (value < 0)
    json_put_null(j, key);
  else
    json_put_int(j, key, value);
}

static void put_shape(struct json *j, const char *key, const int32_t *dims, int rank) {
  json_open_array(j, key);
  for (int d = 0; d < rank; d++) json_put_int(j, NULL, dims[d]);
  json_close_array(j);
}

static void put_layer(const struct compile_layer *l, const struct compiled *c,
                      const struct compile_measured *m, struct json *j) {
  const char *hash = m != NULL && m->layer_hash != NULL ? m->layer_hash[l->source_op] : NULL;
  json_open_object(j, NULL);
  json_put_int(j, "index", l->source_op);
  json_put_string(j, "operator",
                  l->op < MOTE_OP_COUNT ? mote_op_name((int)l->op)
                  : l->step >= 0        ? c->steps[l->step].stem
                                        : NULL);
  put_shape(j, "output_shape", l->dims, l->rank);
  json_put_int(j, "macs", l->macs);
  json_put_int(j, "source_macs", l->source_macs);
  maybe_int(j, "instructions",
            m != NULL && m->step_instructions != NULL && l->step >= 0
                ? m->step_instructions[l->step]
                : -1);
  const int64_t estimate = l->step >= 0 ? c->steps[l->step].instructions : 0;
  maybe_int(j, "instructions_estimated", estimate > 0 ? estimate : -1);
  json_put_string(j, "hash", hash);
  maybe_int(j, "fused_into", l->fused_into);
  json_put_string(j, "fate", compile_fate_text(l->fate));
  json_put_string(j, "why", l->why);
  json_put_int(j, "channels_removed", l->channels - l->kept);
  json_put_int(j, "weight_bytes", (int64_t)l->weight_bytes);
  maybe_int(j, "flash_weight_bytes", l->step >= 0 ? (int64_t)c->steps[l->step].weight_bytes : 0);
  maybe_int(j, "segment", l->step >= 0 ? c->steps[l->step].segment : -1);
  json_close_object(j);
}

static void put_piece(const struct compile_piece *p, struct json *j) {
  json_open_object(j, NULL);
  json_put_string(j, "kind", compile_piece_text(p->kind));
  json_put_string(j, "name", p->name);
  json_put_int(j, "offset", (int64_t)p->offset);
  json_put_int(j, "bytes", (int64_t)p->bytes);
  json_put_int(j, "first_segment", p->first_segment);
  json_put_int(j, "last_segment", p->last_segment);
  if (p->ring_rows > 0) {
    json_put_int(j, "rows", p->rows);
    json_put_int(j, "ring_rows", p->ring_rows);
  }
  json_close_object(j);
}

void compile_report_json(const struct compiled *c, const struct compile_measured *m,
                         struct json *j) {
  maybe_int(j, "flash_code_bytes", m != NULL ? m->flash_code_bytes : -1);
  json_put_int(j, "flash_weight_bytes",
               (int64_t)c->flash_weight_bytes + (m != NULL ? m->flash_table_bytes : 0));
  json_put_int(j, "ram_arena_bytes", (int64_t)c->arena_bytes);
  maybe_int(j, "ram_static_bytes", m != NULL ? m->ram_static_bytes : -1);
  maybe_int(j, "stack_bytes", m != NULL ? m->stack_bytes : -1);
  json_put_int(j, "macs", c->macs);
  json_put_int(j, "source_macs", c->source_macs);
  json_put_int(j, "model_weight_bytes", (int64_t)c->source_weight_bytes);
  json_put_int(j, "plan_bytes", (int64_t)c->plan_bytes);
  json_put_int(j, "segments", c->n_segments);
  maybe_int(j, "instructions_estimated", c->instructions > 0 ? c->instructions : -1);
  json_open_array(j, "layers");
  for (int i = 0; i < c->n_layers; i++) put_layer(&c->layers[i], c, m, j);
  json_close_array(j);
  if (c->n_curve > 0) {
    json_open_array(j, "curve");
    for (int i = 0; i < c->n_curve; i++) {
      json_open_object(j, NULL);
      json_put_int(j, "arena_bytes", (int64_t)c->curve[i].arena_bytes);
      json_put_int(j, "instructions", c->curve[i].instructions);
      json_close_object(j);
    }
    json_close_array(j);
  }
  json_open_array(j, "memory");
  for (int i = 0; i < c->n_pieces; i++) put_piece(&c->pieces[i], j);
  json_close_array(j);
}
