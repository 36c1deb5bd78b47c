# 240 recordings of 5 s of ten scenes, in three folds that their makers gave: no original recording is in two of them. A
# window is a recording: a bark or a sneeze is short, and windows without it would teach silence its name.
sets=data/esc10
data=esc10 split='leave one fold out, 3 folds' reach='88, in 100 KB of flash'
tests=--leave-one-group-out figure=accuracy_recordings_int8
project() {
  new --template keyword --rate-hz 22050 --length-ms 5000 &&
    put window 'length_ms: 5000' 'stride_ms: 5000' 'place: slide' &&
    put features 'kind: logmel' 'values: [level, flatness]' 'frame_ms: 46.4' 'fft_size: 1024' 'hop_ms: 32' 'bands: 36' \
      'high_hz: 10500' 'normalise: none' &&
    put 'network: |' 'conv 32 5x3 s2x2' 'conv 64 3x3 s2' 'conv 96 3x3 s2' 'f: conv 128 1x1' 'a: avgpool 20x5 valid from f' \
      'm: maxpool 20x5 valid from f' 'concat a m' 'dropout 0.3' 'sound: droppath 0.4' \
      'avgpool 1x2 from input' 'conv 32 33x1 s4x1' 'avgpool 39x1 valid' 'conv 48 1x18 valid' 'dropout 0.3' 'rhythm: droppath 0.4' \
      'concat sound rhythm' &&
    put training 'epochs: 500' 'qat_epochs: 10' 'batch: 16' 'mixup: 0.4' 'weight_decay: 0.3' 'flash_bytes: 66000' &&
    put augmentation 'variants: 24' 'shift_ms: 1000' 'slope_db: 3' 'gain_db: 12' 'tone_db: 4' &&
    add $unpacked/data/esc10/0*/ --split train --label-from 'path:/[0-9]+ - ([^/]+)/' --group-from 'name:^([0-9])-'
}
