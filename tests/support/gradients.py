"""The gradient with respect to an input, on each backend."""

import keras


def input_gradient(f, images):
    """The gradient of `f(images)`, which can be differentiated again."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(f)(images)
    if keras.backend.backend() == "torch":
        import torch

        images = images.detach().requires_grad_()
        return torch.autograd.grad(f(images), images, create_graph=True)[0]
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(images)
        value = f(images)
    return tape.gradient(value, images)
