# 2,062 photographs of hands that show digits, 100 x 100 pixels, shrunk to 48 x 48. Their files do not tell whose hand it is, so
# a fold may hold hands that training saw in other pictures.
sets=data/sign-digits
data=sign-digits split='by picture, 5 folds' reach=97
tests='--folds 5'
project() {
  new --template image --width 48 --format rgb &&
    put training 'epochs: 30' 'qat_epochs: 4' &&
    add $unpacked/data/sign-digits/Dataset --split train
}
