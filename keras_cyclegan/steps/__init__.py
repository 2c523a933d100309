"""Takes and applies gradients. Only this folder imports the backend that trains."""

import keras

match keras.backend.backend():
    case "tensorflow":
        from keras_cyclegan.steps.base import keras_step
        from keras_cyclegan.steps.tensorflow import Trainer
    case "jax":
        from keras_cyclegan.steps.jax import Trainer, keras_step
    case "torch":
        from keras_cyclegan.steps.base import keras_step
        from keras_cyclegan.steps.torch import Trainer
    case backend:
        raise ImportError(
            "keras_cyclegan runs on the backends tensorflow, jax and torch; KERAS_BACKEND is "
            f"{backend!r}. Set KERAS_BACKEND to one of them before Python starts."
        )

__all__ = ["Trainer", "keras_step"]
