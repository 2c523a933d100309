"""What `fit` looks at before its first step: the data, the callbacks, the learning rate."""

from keras import ops

from keras_cyclegan import checks, recipe


class Fit:
    """`keras.Model.fit` with a look ahead, for a `keras.Model` that is a `Step`."""

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
        """`keras.Model.fit` on batches `(a, b)`; see `compile` for the paper's learning rate.

        Two arrays of as many images work too: `fit(a, b, batch_size=1)`. Left out, `shuffle` is
        True where Keras can shuffle: arrays, and a `PyDataset` of known length.

        Raises:
            ValueError: the first batch is no pair of images in [-1, 1], or a callback sets the
                learning rate that the paper's schedule sets.
        """
        if shuffle is None:
            shuffle = hasattr(x, "shape") or getattr(x, "num_batches", None) is not None
        if self.compiled:
            x = checks.check_data(x, y, self.check_first_batch)
        if self.paper_schedule:
            checks.check_callbacks(callbacks)
            steps = recipe.count_steps(x, batch_size, steps_per_epoch, validation_split)
            self.follow_paper_schedule(steps, epochs, initial_epoch)
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

    def check_first_batch(self, batch):
        """Look at a batch before the first step, in the middle of which JAX loses the weights."""
        images = self.unpack(batch)
        for pool, real in zip((self.pool_a, self.pool_b), images, strict=True):
            pool.check_shape(real)
        checks.check_values(*images)

    def follow_paper_schedule(self, steps, epochs, initial_epoch):
        """Constant for the first half of `epochs`, linear to 0 over the second."""
        done = int(ops.convert_to_numpy(self.optimizer.iterations))
        schedule = recipe.schedule(steps, epochs, initial_epoch, done)
        if schedule is not None:
            self.optimizer.learning_rate = schedule
            self.train_function = None  # its graph holds the earlier rate
