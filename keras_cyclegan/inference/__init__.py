from keras_cyclegan.inference.translate import reconstruct as reconstruct
from keras_cyclegan.inference.translate import translate as translate
