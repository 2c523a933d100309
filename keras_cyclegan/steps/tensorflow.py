"""Training on TensorFlow, on one device or on the replicas of a `tf.distribute` strategy."""

import tensorflow as tf

from keras_cyclegan.processor import warn_if_too_late
from keras_cyclegan.steps.base import BaseTrainer


class Trainer(BaseTrainer):
    """Gradients by `tf.GradientTape`.

    Under a strategy each replica runs the step on its part of the batch; the optimizer sums the
    gradients, which losses have divided by the number of replicas.
    """

    def make_train_function(self, force=False):
        warn_if_too_late()
        return super().make_train_function(force)

    def differentiate(self, objective, variables):
        with tf.GradientTape() as tape:
            losses, results = objective()
            total = self.optimizer.scale_loss(sum(losses.values()))
        return losses, results, tape.gradient(total, variables)

    def input_gradient(self, function, images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            value = function(images)
        return tape.gradient(value, images)

    def draw(self, pool, images):
        # Every replica gives the images of all replicas to its copy of the pool: the copies stay
        # equal, because they see the same images and draw the same numbers.
        context = tf.distribute.get_replica_context()
        if context.num_replicas_in_sync == 1:
            return pool(images)
        everyone = tf.ensure_shape(context.all_gather(images, axis=0), (None, *images.shape[1:]))
        batch = tf.shape(images)[0]
        tf.debugging.assert_equal(
            batch * context.num_replicas_in_sync,
            tf.shape(everyone)[0],
            "The batch must divide by the number of replicas, which share it.",
        )
        first = context.replica_id_in_sync_group * batch
        return pool(everyone)[first : first + batch]

    def track(self, losses, batch):
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        losses = {name: loss * replicas for name, loss in losses.items()}
        return super().track(losses, batch)
