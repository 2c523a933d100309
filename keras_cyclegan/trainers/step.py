"""One step of training and of evaluation, the same on every backend."""

from keras import ops

from keras_cyclegan.trainers.fit import Fit


class Step(Fit):
    """The order of a step, for a `keras.Model` that has the losses and the pools of `CycleGAN`.

    What a backend must do its own way:

    - `differentiate(objective, variables)`, where `objective()` returns a scalar and whatever else
      it computed: returns the latter and the gradients of the scalar;
    - `update(gradients, variables)`: one application of the optimizer;
    - `draw(pool, fakes)`, where a step sees only a part of the batch;
    - `random_states()` and `restore_random_states(states)`, where some layer draws from generators
      that are no variables.
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
        fake_a, fake_b = self.draw(self.pool_a, fake_a), self.draw(self.pool_b, fake_b)
        discriminator_losses, discriminator_gradients = self.differentiate(
            for_discriminators, self.discriminator_variables
        )
        measured = self.measure_gradients(generator_gradients, discriminator_gradients)
        self.update(
            generator_gradients + discriminator_gradients,
            self.generator_variables + self.discriminator_variables,
        )
        self.update_averages()
        return self.track(losses | discriminator_losses, ops.shape(real_a)[0], measured)

    def draw(self, pool, fakes):
        return pool(fakes)

    def random_states(self):
        return []

    def restore_random_states(self, states):
        pass  # a checkpoint of another backend may bring some

    def test_step(self, data):
        real_a, real_b = self.unpack(data)
        losses, fake_a, fake_b = self.generator_losses(real_a, real_b, training=False)
        losses |= self.discriminator_losses(real_a, real_b, fake_a, fake_b, training=False)
        return self.track(losses, batch_size=ops.shape(real_a)[0])

    def track(self, losses, batch_size, measured=None):
        """Add one step's losses and `measure_gradients` to the epoch's means, and return these."""
        losses = {"loss": sum(losses.values()), **losses}
        for name, value in losses.items():
            self.loss_trackers[name].update_state(value, sample_weight=batch_size)
        measured = measured or {}
        for name, value in measured.items():
            # Loss scaling leaves out a step whose gradients overflow: so does the mean.
            finite = ops.isfinite(value)
            self.loss_trackers[name].update_state(
                ops.where(finite, value, 0.0), sample_weight=ops.cast(finite, "float32")
            )
        return {name: self.loss_trackers[name].result() for name in (*losses, *measured)}
