# Standing, walking, running from an accelerometer, 92 recordings of 38 s: by file.
sets=data/st-har
data=st-har split='by file, 5 folds' reach=98.5
tests='--folds 5' trains='--epochs 15'
project() {
  new --template motion --rate-hz 26 &&
    put sensor 'kind: motion' 'rate_hz: 26' 'channels: 3' 'range: []' &&
    add $unpacked/data/st-har/dataset
}
