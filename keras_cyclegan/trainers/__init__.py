"""How one step takes its gradients: the only place that imports a backend to train with."""

import keras

match keras.backend.backend():
    case "tensorflow":
        from keras_cyclegan.trainers.tensorflow import Trainer as Trainer
    case "jax":
        from keras_cyclegan.trainers.jax import Trainer as Trainer
    case "torch":
        from keras_cyclegan.trainers.torch import Trainer as Trainer
    case backend:
        raise ImportError(
            "keras_cyclegan runs on the backends tensorflow, jax and torch; KERAS_BACKEND is "
            f"{backend!r}. Set KERAS_BACKEND to one of them before Python starts."
        )
