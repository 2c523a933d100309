"""What training needs on every backend beside the step: a look ahead, and the log."""

import keras
from keras import ops

from keras_cyclegan.optimizers import without_loss_scaling
from keras_cyclegan.trainers import inspection
from keras_cyclegan.trainers.dtype_trial import warn_of_slow_dtype


class BaseTrainer:
    """`fit` with a look ahead and the epoch's means, for `CycleGAN`.

    A backend's `Trainer` adds what it does its own way:

    - `differentiate(objective, variables)`, where `objective()` returns the terms of a loss by name
      and whatever else it computed: returns both, and the gradients of the terms' sum;
    - `input_gradient(function, images)`: the gradient of the scalar `function(images)`, which can
      be differentiated again;
    - `update(gradients, variables)`: one application of the optimizer;
    - `draw(pool, images)`, where a step sees only a part of the batch;
    - `random_states()` and `restore_random_states(states)`, where some layer draws from generators
      that are no variables.
    """

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=None,
        *,
        initial_epoch=0,
        steps_per_epoch=None,
        **kwargs,
    ):
        """Train as `keras.Model.fit` does, on batches `(a, b)`.

        A learning rate that was left open (`compile` without optimizers, or a `LinearDecay` without
        `decay_steps`) stays constant for the first half of `epochs` and falls over the second.

        Args:
            x: dataset, `keras.utils.PyDataset` or generator of batches `(a, b)`, in [-1, 1]; or
                the images of domain A as one array.
            y: with an array `x`, the images of domain B, as many.
            shuffle: bool. Left out, True where Keras can shuffle: arrays, and a `PyDataset` of
                known length.
            batch_size, epochs, verbose, callbacks, validation_split, validation_data,
            initial_epoch, steps_per_epoch, **kwargs: as in `keras.Model.fit`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: the first batch is no pair of images in [-1, 1] of the model's shapes, or a
                callback sets the learning rate that a schedule sets.
        """
        if shuffle is None:
            shuffle = hasattr(x, "shape") or getattr(x, "num_batches", None) is not None
        if self.compiled:
            x = inspection.check_data(x, y, self.check_shapes, self.check_values)
            optimizer = without_loss_scaling(self.optimizer)
            if optimizer.rate_schedules:
                inspection.check_callbacks(callbacks)
            if optimizer.schedules:
                steps = inspection.count_steps(x, batch_size, steps_per_epoch, validation_split)
                optimizer.follow_epochs(steps, epochs, initial_epoch)
            warn_of_slow_dtype([layer for layer in self.layers if isinstance(layer, keras.Model)])
        return super().fit(
            x,
            y,
            batch_size,
            epochs,
            verbose,
            callbacks,
            validation_split,
            validation_data,
            shuffle,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            **kwargs,
        )

    def unpack(self, data):
        """Check one batch `(a, b)` and return its two tensors, `(n, height, width, channels)`."""
        channels = self.generator_ab.input_shape[-1], self.generator_ba.input_shape[-1]
        return inspection.unpack_batch(data, *channels)

    def check_shapes(self, batch):
        """Look at shapes before the first step, in the middle of which JAX loses the weights."""
        for pool, images in zip((self.pool_a, self.pool_b), self.unpack(batch), strict=True):
            pool.check_shape(images)

    def check_values(self, batch):
        inspection.check_values(*self.unpack(batch))

    def draw(self, pool, images):
        return pool(images)

    def random_states(self):
        return []

    def restore_random_states(self, states):
        pass  # a checkpoint of another backend may bring some

    def track(self, losses, batch_size, measures=None):
        """Add one step's losses and `gradient_measures` to the epoch's means, and return these."""
        losses = {"loss": sum(losses.values()), **losses}
        for name, value in losses.items():
            self.loss_trackers[name].update_state(value, sample_weight=batch_size)
        measures = measures or {}
        for name, value in measures.items():
            # Loss scaling leaves out a step whose gradients overflow: so does the mean.
            finite = ops.isfinite(value)
            self.loss_trackers[name].update_state(
                ops.where(finite, value, 0.0), sample_weight=ops.cast(finite, "float32")
            )
        return {name: self.loss_trackers[name].result() for name in (*losses, *measures)}
