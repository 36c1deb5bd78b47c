/* recording: one window of samples. Put your own here; this one is a sawtooth, made at compile time. */
#define SAMPLE(i) (int16_t)(8000 - ((i)*37) % 16000)
#define TEN(i)                                                                                     \
  SAMPLE(i), SAMPLE(i + 1), SAMPLE(i + 2), SAMPLE(i + 3), SAMPLE(i + 4), SAMPLE(i + 5),            \
      SAMPLE(i + 6), SAMPLE(i + 7), SAMPLE(i + 8), SAMPLE(i + 9)
#define HUNDRED(i)                                                                                 \
  TEN(i), TEN(i + 10), TEN(i + 20), TEN(i + 30), TEN(i + 40), TEN(i + 50), TEN(i + 60),            \
      TEN(i + 70), TEN(i + 80), TEN(i + 90)
static const int16_t recording[FEATURES_WINDOW] = {HUNDRED(0)};
