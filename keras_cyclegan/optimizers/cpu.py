"""Adam's update by TensorFlow's own operation, which a processor's memory bandwidth asks for."""

import keras


def can_fuse(optimizer, gradient):
    """Return whether `update_adam` computes what the optimizer's own step would."""
    if keras.backend.backend() != "tensorflow" or optimizer.amsgrad:
        return False
    import tensorflow as tf

    return not tf.distribute.has_strategy() and not isinstance(gradient, tf.IndexedSlices)


def update_adam(optimizer, gradient, variable, learning_rate):
    """Update a variable and its two moments, reading each once; Keras's Adam reads a dozen times.

    A step of Adam computes little: most of its time is for reading and writing memory.
    """
    import tensorflow as tf

    # Keras has no public access to the moments of a variable.
    index = optimizer._get_variable_index(variable)
    moments = [own[index].value.handle for own in (optimizer._momentums, optimizer._velocities)]
    dtype = variable.dtype
    step = tf.cast(optimizer.iterations + 1, dtype)
    beta_1, beta_2 = (tf.constant(beta, dtype) for beta in (optimizer.beta_1, optimizer.beta_2))
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=moments[0],
        v=moments[1],
        beta1_power=beta_1**step,
        beta2_power=beta_2**step,
        lr=tf.cast(learning_rate, dtype),
        beta1=beta_1,
        beta2=beta_2,
        epsilon=tf.constant(optimizer.epsilon, dtype),
        grad=tf.cast(gradient, dtype),
    )
