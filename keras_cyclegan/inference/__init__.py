from keras_cyclegan.export.export import export as export
from keras_cyclegan.inference.translate import reconstruct as reconstruct
from keras_cyclegan.inference.translate import translate as translate
