# 240 recordings of 5 s of ten scenes, in three folds that their makers gave: no original recording is in two of them. A
# window is a whole recording: a bark or a sneeze in silence is one somewhere, and half of the pieces would be silence.
sets=data/esc10
data=esc10 split='leave one fold out, 3 folds' reach='88, in 100 KB of flash'
tests=--leave-one-group-out
project() {
  new --template keyword --rate-hz 16000 --length-ms 5000 &&
    put features 'kind: logmel' 'frame_ms: 64' 'fft_size: 1024' 'hop_ms: 50' &&
    put 'network: |' 'conv 12 3x3 s2' 'conv 24 3x3 s2' 'conv 48 3x3 s2' 'conv 48 3x3' 'mean' 'dropout 0.3' &&
    put training 'epochs: 80' 'qat_epochs: 6' 'average: 5' 'mixup: 0.3' &&
    add $unpacked/data/esc10/0*/ --split train --label-from 'path:/[0-9]+ - ([^/]+)/' --group-from 'name:^([0-9])-'
}
