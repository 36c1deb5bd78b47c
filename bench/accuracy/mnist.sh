# 70,000 digits of 28 x 28 pixels, the official split; pictures of training whose number ends in 07, 17, 27, 37, 47 validate. The
# network and settings are those of docs/howto/image.md, made for 2 KB of RAM with rows fed.
sets=data/mnist
data=mnist split=official reach='99.1, in 12 KB of weights'
project() {
  mkdir -p "$folder.png" && tar -xf $unpacked/data/mnist/img_mnist_png.tar.xz -C "$folder.png" &&
    new --template image --width 28 --board xiao &&
    put training 'epochs: 14' 'qat_epochs: 4' 'batch: 64' 'label_smoothing: 0.05' 'average: 0.999' &&
    put augmentation 'flip: none' 'shift: 0.08' 'rotate_deg: 10' 'zoom: 0.1' 'shear: 0.15' 'brightness: 0' 'contrast: 0' 'cutout: 0' &&
    put 'network: |' 'conv 8 3x3 s2' 'conv 8 3x3' 'conv 10 3x3 s2' 'conv 10 3x3' 'conv 10 3x3' 'conv 10 3x3' 'conv 10 3x3' \
      'conv 48 3x3' mean &&
    add "$folder".png/*/train "$folder".png/*/test --test 'path:/test' --validation 'name:[0-4]7[.]png$'
}
