"""The parts of training that are the same on every backend: checks before `fit`, and the logs."""

import warnings

from keras import ops

from keras_cyclegan.data.pixels import adopt_formats
from keras_cyclegan.optimizers.joint import without_loss_scaling
from keras_cyclegan.processor import warn_of_emulated_dtype
from keras_cyclegan.steps import checks


def keras_step(step):
    """Return `step(self, data)` in the form in which Keras calls it: unchanged, but on JAX."""
    return step


class BaseTrainer:
    """`fit` with checks of its data, and the epoch's means, for `CycleGAN`.

    A backend's `Trainer` adds `differentiate(objective, variables)`, which returns the terms of a
    loss by name and other results, as `objective()` does, and the gradients of the terms' sum; and
    `input_gradient(function, images)` of a scalar, which can be differentiated again.
    """

    def fit(self, x=None, y=None, batch_size=None, epochs=1, shuffle=None, **kwargs):
        """Train as `keras.Model.fit` does, on batches `(a, b)` or dicts with more than a pair.

        An open learning rate (a `LinearDecay` without `decay_steps`) is constant over the first
        half of `epochs` and falls over the second: Zhu et al. 2017, section 4.

        Args:
            x: dataset, `keras.utils.PyDataset` or generator of batches: pairs `(a, b)` in [-1, 1],
                or dicts of `"a"`, `"b"` and what rides along for terms (masks, pairs, labels); a
                dict of arrays; or the images of domain A as one array.
            y: images of domain B, as many as in `x`, where `x` is an array.
            shuffle: bool. None shuffles arrays, and a `PyDataset` of known length.
            batch_size, epochs, **kwargs: as in `keras.Model.fit`.

        Raises:
            ValueError: the first batch isn't a pair of images in [-1, 1] of the model's shapes, or
                a callback sets a learning rate that a schedule sets already.
        """
        if shuffle is None:
            counted = getattr(x, "num_batches", None) is not None and not hasattr(x, "seek")
            shuffle = hasattr(x, "shape") or counted
        if self.compiled:
            x = checks.check_data(x, y, self.check_shapes)
            adopt_formats(self, x)
            optimizer = without_loss_scaling(self.optimizer)
            if optimizer.rate_schedules:
                checks.check_callbacks(kwargs.get("callbacks"))
            steps, split = kwargs.get("steps_per_epoch"), kwargs.get("validation_split", 0.0)
            steps = checks.count_steps(x, batch_size, steps, split)
            self.follow_epochs(optimizer, steps, epochs, kwargs.get("initial_epoch", 0))
            warn_of_emulated_dtype(self.networks.values())
        return super().fit(x, y, batch_size, epochs, shuffle=shuffle, **kwargs)

    def follow_epochs(self, optimizer, steps_per_epoch, epochs, initial_epoch):
        """Tell the schedules of rates and of terms how long a `fit` is; None for unknown steps."""
        earlier = 0
        if steps_per_epoch is not None:  # whole epochs of earlier calls; 0 in a run that is resumed
            done = int(ops.convert_to_numpy(optimizer.iterations)) // steps_per_epoch
            earlier = max(0, done - initial_epoch) * steps_per_epoch
        elif optimizer.rate_schedules:
            warnings.warn(
                "The number of batches in the data is unknown, so that the learning rate and other "
                "schedules stay constant. Give `fit` `steps_per_epoch`.",
                stacklevel=3,
            )
        terms = (*self.generator_terms, *self.discriminator_terms)
        for follower in (*optimizer.rate_schedules, *terms):
            follower.follow_epochs(steps_per_epoch, epochs, earlier)

    def unpack(self, data):
        """Check a batch and return it as a `Batch`, images `(n, height, width, channels)`."""
        return checks.unpack_batch(data, self.channels)

    def check_shapes(self, data):
        # Before the first step: an error within a step costs JAX the weights.
        batch = self.unpack(data)
        self.pool_a.check_shape(batch.a)
        self.pool_b.check_shape(batch.b)
        return batch

    def exchange(self, fakes):
        """Return what the pools give for translations by domain, older ones among them."""
        return {d: self.draw(getattr(self, f"pool_{d}"), images) for d, images in fakes.items()}

    def draw(self, pool, images):
        return pool(images)

    def random_states(self):
        """Return the states of random generators that are no variables, as arrays."""
        return []

    def restore_random_states(self, states):
        """Restore what `random_states` returned, perhaps on another backend."""

    def update(self, generators, discriminators):
        """Apply the gradients of both players at once."""
        variables = self.generator_variables + self.discriminator_variables
        self.apply(generators + discriminators, variables)

    def apply(self, gradients, variables):
        self.optimizer.apply(gradients, variables)

    def track(self, losses, batch):
        """Add a step's losses to the epoch's means; return the means."""
        batch_size = ops.shape(batch.a)[0]
        losses = {"loss": sum(losses.values()), **losses}
        for name, value in losses.items():
            self.loss_trackers[name].update_state(value, sample_weight=batch_size)
        return {name: self.loss_trackers[name].result() for name in losses}
