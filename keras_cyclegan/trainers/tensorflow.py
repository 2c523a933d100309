"""Training on TensorFlow."""

import tensorflow as tf

from keras_cyclegan.trainers.step import Step


class Trainer(Step):
    """Gradients by `tf.GradientTape`."""

    def differentiate(self, objective, variables):
        with tf.GradientTape() as tape:
            value, results = objective()
        return results, tape.gradient(value, variables)

    def update(self, gradients, variables):
        self.optimizer.apply(gradients, variables)
