"""One training step on TensorFlow: two tapes, one application."""

import tensorflow as tf


class Trainer:
    """Gradients by `tf.GradientTape`, for a `keras.Model` that has the losses of `CycleGAN`."""

    def train_step(self, data):
        real_a, real_b = self.unpack(data)
        with tf.GradientTape() as tape:
            losses, fake_a, fake_b = self.generator_losses(real_a, real_b, training=True)
            objective = self.optimizer.scale_loss(sum(losses.values()))
        generator_gradients = tape.gradient(objective, self.generator_variables)

        # The fakes were made before any update, so one application of all gradients equals
        # "generators first, then discriminators".
        fake_a, fake_b = self.pool_a(fake_a), self.pool_b(fake_b)
        with tf.GradientTape() as tape:
            discriminator_losses = self.discriminator_losses(real_a, real_b, fake_a, fake_b)
            objective = self.optimizer.scale_loss(sum(discriminator_losses.values()))
        discriminator_gradients = tape.gradient(objective, self.discriminator_variables)

        measured = self.measure(generator_gradients, discriminator_gradients)
        self.optimizer.apply(
            generator_gradients + discriminator_gradients,
            self.generator_variables + self.discriminator_variables,
        )
        self.update_averages()
        return self.track(losses | discriminator_losses, tf.shape(real_a)[0], measured)
