# Standing, walking, running from an accelerometer, 92 recordings of 38 s: by file. How strong and how fast, whichever way the
# sensor is held: its axes by themselves told those who stand from those who walk by the way it lay (96.3 %).
sets=data/st-har
data=st-har split='by file, 5 folds' reach=98.5
tests='--folds 5' trains='--epochs 15'
project() {
  new --template motion --rate-hz 26 &&
    put sensor 'kind: motion' 'rate_hz: 26' 'channels: 3' 'range: []' &&
    put features 'kind: spectral' 'front: {derive: [dynamic_magnitude, jerk]}' &&
    put more_features '- {kind: statistics, front: {derive: [magnitude]}}' &&
    put 'network: |' 'dense 24' 'dense 12' &&
    add $unpacked/data/st-har/dataset
}
