# 240 recordings of 5 s of ten scenes, in three folds that its makers gave: no original recording is in two of them.
sets=data/esc10
data=esc10 split='leave one fold out, 3 folds' reach='88 in 100 KB of flash'
tests=--leave-one-group-out figure=accuracy_recordings_int8
project() {
  new --template keyword --rate-hz 16000 &&
    put window 'length_ms: 5000' 'stride_ms: 5000' 'place: slide' &&
    put features 'kind: logmel' 'frame_ms: 64' 'hop_ms: 50' 'fft_size: 1024' &&
    put network 'conv 12 3x3 s2' && sed -i 's/^network:.*/network: |/' "$folder/mote.yaml" &&
    put training 'epochs: 100' 'qat_epochs: 10' 'average: 5' 'mixup: 0.3' &&
    add $unpacked/data/esc10/0*/ --split train --label-from 'path:/[0-9]+ - ([^/]+)/' --group-from 'name:^([0-9])-'
}
