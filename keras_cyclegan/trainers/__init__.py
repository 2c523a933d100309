"""How one step takes its gradients: the only place that imports a backend to train with."""

import keras

match keras.backend.backend():
    case "tensorflow":
        from keras_cyclegan.trainers.tensorflow import Trainer as Trainer
    case backend:
        raise ImportError(
            f"keras_cyclegan trains on the TensorFlow backend; KERAS_BACKEND is {backend!r}. "
            "Set KERAS_BACKEND=tensorflow before Python starts."
        )
