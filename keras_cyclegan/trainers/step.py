"""One step of training and of evaluation, the same on every backend."""

from keras import ops


class Step:
    """The order of a step, for a `keras.Model` that has the losses and the pools of `CycleGAN`.

    What a backend must do its own way:

    - `differentiate(objective, variables)`, where `objective()` returns a scalar and whatever else
      it computed: returns the latter and the gradients of the scalar;
    - `update(gradients, variables)`: one application of the optimizer.
    """

    def train_step(self, data):
        real_a, real_b = self.unpack(data)

        def for_generators():
            losses, fake_a, fake_b = self.generator_losses(real_a, real_b, training=True)
            return self.optimizer.scale_loss(sum(losses.values())), (losses, fake_a, fake_b)

        def for_discriminators():
            losses = self.discriminator_losses(real_a, real_b, fake_a, fake_b)
            return self.optimizer.scale_loss(sum(losses.values())), losses

        (losses, fake_a, fake_b), generator_gradients = self.differentiate(
            for_generators, self.generator_variables
        )
        # The fakes were made before any update, so one application of all gradients equals
        # "generators first, then discriminators".
        fake_a, fake_b = self.pool_a(fake_a), self.pool_b(fake_b)
        discriminator_losses, discriminator_gradients = self.differentiate(
            for_discriminators, self.discriminator_variables
        )
        measured = self.measure(generator_gradients, discriminator_gradients)
        self.update(
            generator_gradients + discriminator_gradients,
            self.generator_variables + self.discriminator_variables,
        )
        self.update_averages()
        return self.track(losses | discriminator_losses, ops.shape(real_a)[0], measured)

    def test_step(self, data):
        real_a, real_b = self.unpack(data)
        losses, fake_a, fake_b = self.generator_losses(real_a, real_b, training=False)
        losses |= self.discriminator_losses(real_a, real_b, fake_a, fake_b, training=False)
        return self.track(losses, batch_size=ops.shape(real_a)[0])
