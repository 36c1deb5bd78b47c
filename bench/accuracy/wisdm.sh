# 18 activities by a watch's accelerometer, ten people: somebody who was never seen. Windows of 10 s every 5 s, as tools/wisdm_peer.py has them.
# A watch first listens to its wearer (calibrate): what each value of the features usually is and how much it moves, from all recordings, without labels.
sets=data/wisdm
data=wisdm split='leave one subject out, mean of 10' reach=74.1
tests=--leave-one-group-out
project() {
  new --template motion --rate-hz 20 --length-ms 10000 &&
    put sensor 'kind: motion' 'rate_hz: 20' 'channels: 3' 'unit: m/s2' 'range: [40]' &&
    put calibrate 'by: group' 'of: features' &&
    put features 'kind: spectral' 'fft_size: 128' 'values: [rms, skewness, kurtosis, powers]' &&
    put more_features '- {kind: flatten}' \
      '- {kind: spectral, fft_size: 128, values: [rms, skewness, kurtosis, powers], front: {derive: [dynamic_magnitude, jerk]}}' \
      '- {kind: flatten, front: {derive: [magnitude, jerk]}}' &&
    put learning 'c: 0.01' && echo 'learner: logistic' >>"$folder/mote.yaml" &&
    add $unpacked/data/wisdm/raw --label-column 2 --time-column 3 --time-unit ns --columns 4-6 --group-from 'name:data_([0-9]+)'
}
