"""CycleGAN: four networks, the losses of one step, and how they are compiled and saved."""

import keras
from keras import ops

from keras_cyclegan import checks, recipe
from keras_cyclegan.layers import ImagePool
from keras_cyclegan.losses import AdversarialLoss, CycleConsistencyLoss, IdentityLoss
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator
from keras_cyclegan.networks.building_blocks import check_image_shape
from keras_cyclegan.optimizers import AdversarialOptimizer
from keras_cyclegan.trainers import Trainer

NETWORKS = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")


class _Presets:
    """`CycleGAN.presets`: the table of built-in presets, read when asked for."""

    def __get__(self, instance, owner):
        from keras_cyclegan.presets import list_presets

        return list_presets()


@keras.saving.register_keras_serializable("keras_cyclegan")
class CycleGAN(Trainer, keras.Model):
    """Two-way translation between two sets of images that were never paired.

    Zhu, Park, Isola, Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
    Networks", ICCV 2017, arXiv 1703.10593. Where the paper and the authors' PyTorch code differ,
    the code is followed. The paper's G is `generator_ab`, F is `generator_ba`, D_X and D_Y are
    `discriminator_a` and `discriminator_b`.

    Args:
        generator_ab: `keras.Model` that maps images of domain A to images of domain B.
        generator_ba: `keras.Model`, the other way.
        discriminator_a: `keras.Model` that maps images of domain A to logits: real or translated.
        discriminator_b: `keras.Model`, the same for domain B.
            Each network left out is the paper's for `image_shape`. None means that there is none:
            a one-way model is `CycleGAN(generator, None, None, None)`.
        image_shape: `(height, width, channels)` of domain A's training images. Domain B's have the
            same height and width, and as many channels as `generator_ab` gives.
        pool_size: int. Translated images kept for each discriminator; 0 for none.
        dtype: dtype or policy of the networks left out; `"mixed_bfloat16"` is faster where the
            processor has it, `"mixed_float16"` on a GPU.

    Call arguments:
        images: images of domain A, `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        Their translations, `generator_ab(images)`, in [-1, 1].

    Example:

    ```python
    train, val = keras_cyclegan.data.load("path/to/horse2zebra")
    model = keras_cyclegan.CycleGAN(image_shape=(256, 256, 3))
    model.compile()
    model.fit(train, validation_data=val, epochs=200)
    ```
    """

    def __init__(
        self,
        generator_ab="paper",
        generator_ba="paper",
        discriminator_a="paper",
        discriminator_b="paper",
        image_shape=(256, 256, 3),
        pool_size=50,
        dtype=None,
        name=None,
        **kwargs,
    ):
        if dtype is None:
            # Keras scales the loss if this model's own policy is mixed_float16.
            networks = (generator_ab, generator_ba, discriminator_a, discriminator_b)
            given = [network for network in networks if isinstance(network, keras.Model)]
            dtype = given[0].dtype_policy if given else None
        super().__init__(dtype=dtype, name=name, **kwargs)
        image_shape = check_image_shape(image_shape)
        channels_a, channels_b = checks.domain_channels(image_shape, generator_ab, generator_ba)
        shape_a, shape_b = (*image_shape[:2], channels_a), (*image_shape[:2], channels_b)
        policy = self.dtype_policy

        def resolve(network, paper, shape, name, **options):
            if isinstance(network, str):
                return paper(shape, dtype=policy, name=name, **options)
            return network

        self.generator_ab = resolve(
            generator_ab, ResNetGenerator, shape_a, "generator_ab", output_channels=channels_b
        )
        self.generator_ba = resolve(
            generator_ba, ResNetGenerator, shape_b, "generator_ba", output_channels=channels_a
        )
        self.discriminator_a = resolve(
            discriminator_a, PatchDiscriminator, shape_a, "discriminator_a"
        )
        self.discriminator_b = resolve(
            discriminator_b, PatchDiscriminator, shape_b, "discriminator_b"
        )
        self.image_shape = image_shape
        self.pool_size = pool_size
        self.pool_a = ImagePool(pool_size, name="pool_a", dtype="float32")
        self.pool_b = ImagePool(pool_size, name="pool_b", dtype="float32")
        self.paper_schedule = False
        self.built = True

    @property
    def generator_variables(self):
        """Trainable variables of both generators."""
        return _trainable(self.generator_ab, self.generator_ba)

    @property
    def discriminator_variables(self):
        """Trainable variables of both discriminators."""
        return _trainable(self.discriminator_a, self.discriminator_b)

    def call(self, images, training=None):
        return self.generator_ab(images, training=training)

    # --- the objective -------------------------------------------------------------------------

    def generator_losses(self, real_a, real_b, training):
        """The six terms that the generators minimise together; eq. (3) and section 5.2.

        Args:
            real_a: `(n, height, width, channels_a)`, in [-1, 1].
            real_b: `(n, height, width, channels_b)`, in [-1, 1].
            training: bool.

        Returns:
            The weighted terms by name, and the translations `fake_a` and `fake_b`.
        """
        if self.identity_loss is None:
            fake_b = self.generator_ab(real_a, training=training)
            fake_a = self.generator_ba(real_b, training=training)
        else:
            fake_b, same_b = _apply_to_both(self.generator_ab, real_a, real_b, training)
            fake_a, same_a = _apply_to_both(self.generator_ba, real_b, real_a, training)
        cycle_a = self.generator_ba(fake_b, training=training)  # (n, h, w, channels_a)
        cycle_b = self.generator_ab(fake_a, training=training)  # (n, h, w, channels_b)
        judged_a = self.discriminator_a(fake_a, training=training)  # (n, rows, columns, 1)
        judged_b = self.discriminator_b(fake_b, training=training)

        losses = {
            "adversarial_ab": self.adversarial_loss(1, judged_b),
            "adversarial_ba": self.adversarial_loss(1, judged_a),
            "cycle_a": self.weight_a * self.cycle_loss(real_a, cycle_a),
            "cycle_b": self.weight_b * self.cycle_loss(real_b, cycle_b),
        }
        if self.identity_loss is not None:
            losses["identity_a"] = self.weight_a * self.identity_loss(real_a, same_a)
            losses["identity_b"] = self.weight_b * self.identity_loss(real_b, same_b)
        return losses, ops.stop_gradient(fake_a), ops.stop_gradient(fake_b)

    def discriminator_losses(self, real_a, real_b, fake_a, fake_b, training=True):
        """What each discriminator minimises: half the loss on real and half on translated images.

        Args:
            real_a, fake_a: `(n, height, width, channels_a)`, in [-1, 1].
            real_b, fake_b: `(n, height, width, channels_b)`, in [-1, 1].

        Returns:
            The two terms by name.
        """
        losses = {}
        for name, discriminator, real, fake in (
            ("discriminator_a", self.discriminator_a, real_a, fake_a),
            ("discriminator_b", self.discriminator_b, real_b, fake_b),
        ):
            on_real, on_fake = _apply_to_both(discriminator, real, fake, training)
            losses[name] = 0.5 * (
                self.adversarial_loss(1, on_real) + self.adversarial_loss(0, on_fake)
            )
        return losses

    def unpack(self, data):
        """Check one batch `(a, b)` and return its two tensors."""
        channels_a, channels_b = (
            self.generator_ab.input_shape[-1],
            self.generator_ba.input_shape[-1],
        )
        return checks.unpack_batch(data, channels_a, channels_b)

    # --- compiling -----------------------------------------------------------------------------

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        adversarial_loss="least_squares",
        cycle_loss="l1",
        identity_loss="l1",
        weight_a=1.0,
        weight_b=1.0,
        **kwargs,
    ):
        """Choose the losses and the optimizers. With no argument: the paper's recipe.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` of both generators. Left out: Adam
                with betas (0.5, 0.999) and a learning rate of 2e-4, which stays constant for the
                first half of the epochs given to `fit` and falls linearly to 0 over the second.
            discriminator_optimizer: the same of both discriminators.
            adversarial_loss: an `AdversarialLoss`, or its kind.
            cycle_loss: a `CycleConsistencyLoss`, or its norm.
            identity_loss: an `IdentityLoss`, its norm, or None for no such term. It needs as many
                channels in A as in B.
            weight_a: float. Factor of domain A's cycle and identity terms (λ_A / λ).
            weight_b: float. The same of domain B.
            **kwargs: `jit_compile`, `steps_per_execution`, `run_eagerly`, `auto_scale_loss` of
                `keras.Model.compile`.

        Raises:
            ValueError: a network is missing, or the identity loss is on and the channels differ.
        """
        channels_a, channels_b = checks.check_networks(
            **{name: getattr(self, name) for name in NETWORKS}
        )
        if identity_loss is not None and channels_a != channels_b:
            raise ValueError(
                "The identity loss feeds images of one domain to the generator of the other: both "
                f"need the same channels. Received {channels_a} and {channels_b}. Compile with "
                "`identity_loss=None`."
            )
        for name, loss in (("adversarial_loss", adversarial_loss), ("cycle_loss", cycle_loss)):
            if loss is None:
                raise ValueError(f"`{name}` must be a loss or its kind. Received None.")
        self.paper_schedule = generator_optimizer is None and discriminator_optimizer is None
        self.adversarial_loss = _loss(adversarial_loss, AdversarialLoss)
        self.cycle_loss = _loss(cycle_loss, CycleConsistencyLoss)
        self.identity_loss = _loss(identity_loss, IdentityLoss)
        self.weight_a = weight_a
        self.weight_b = weight_b
        self.build_pools()
        optimizer = AdversarialOptimizer(
            recipe.optimizer(generator_optimizer),
            recipe.optimizer(discriminator_optimizer),
            self.discriminator_variables,
        )
        self.wanted_jit_compile = kwargs.get("jit_compile", "auto")
        super().compile(optimizer=optimizer, loss=None, **kwargs)
        self.optimizer.build(self.trainable_variables)
        names = ["loss", "adversarial_ab", "adversarial_ba", "cycle_a", "cycle_b"]
        if self.identity_loss is not None:
            names += ["identity_a", "identity_b"]
        names += ["discriminator_a", "discriminator_b"]
        self.loss_trackers = {name: keras.metrics.Mean(name=name) for name in names}

    @property
    def metrics(self):
        return list(self.loss_trackers.values()) if self.compiled else []

    def build_pools(self):
        """Give the pools their memory; a model that only translates never needs it."""
        height, width, channels_a = self.image_shape
        channels_b = self.generator_ab.output_shape[-1]
        for pool, channels in ((self.pool_a, channels_a), (self.pool_b, channels_b)):
            if not pool.built:
                pool.build((None, height, width, channels))

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        *args,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_split=0.0,
        shuffle=None,
        **kwargs,
    ):
        """`keras.Model.fit` on batches `(a, b)`; see `compile` for the paper's learning rate.

        Two arrays of as many images work too: `fit(a, b, batch_size=1)`. Left out, `shuffle` is
        True, but for a `tf.data.Dataset`, which shuffles itself.
        """
        if shuffle is None:
            shuffle = not hasattr(x, "element_spec")
        if self.compiled and (first := checks.first_batch(x, y)) is not None:
            # Before a step, in the middle of which a failure costs the weights on JAX.
            for images, pool in zip(self.unpack(first), (self.pool_a, self.pool_b), strict=True):
                pool.check_shape(images)
                checks.check_values(images)
        if self.paper_schedule:
            steps = recipe.count_steps(x, batch_size, steps_per_epoch, validation_split)
            self.follow_paper_schedule(steps, epochs, initial_epoch)
        return super().fit(
            x,
            y,
            batch_size,
            epochs,
            *args,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_split=validation_split,
            shuffle=shuffle,
            **kwargs,
        )

    def follow_paper_schedule(self, steps, epochs, initial_epoch):
        """Constant for the first half of `epochs`, linear to 0 over the second."""
        schedule = recipe.schedule(steps, epochs, initial_epoch, int(self.optimizer.iterations))
        if schedule is not None:
            self.optimizer.learning_rate = schedule
            self.train_function = None  # its graph holds the earlier rate

    # --- using ---------------------------------------------------------------------------------

    def translate(self, images, direction="a_to_b", **options):
        """Translates paths, PIL images or arrays of any size; see `inference.translate`."""
        from keras_cyclegan.inference import translate

        return translate(self, images, direction, **options)

    def reconstruct(self, images, direction="a_to_b", **options):
        """Sends images to the other domain and back; see `inference.reconstruct`."""
        from keras_cyclegan.inference import reconstruct

        return reconstruct(self, images, direction, **options)

    def export(self, filepath, format="tf_saved_model", **options):
        """Writes the generators for a runtime without Keras; see `inference.export`."""
        from keras_cyclegan.inference import export

        return export(self, filepath, format, **options)

    # --- saving --------------------------------------------------------------------------------

    presets = _Presets()

    @classmethod
    def from_preset(cls, preset, load_weights=True, **overrides):
        """A model whose weights were published; see `keras_cyclegan.presets.from_preset`.

        Args:
            preset: a built-in name, a local folder, `"hf://user/repo"`,
                `"kaggle://user/model/keras/variant"` or `"https://…"`, a preset archive.
            load_weights: bool. False gives the architecture with fresh weights.
            **overrides: arguments of `CycleGAN` that replace the preset's: `dtype`, `pool_size`, …

        Example:

        ```python
        CycleGAN.presets.keys()  # the built-in names
        model = CycleGAN.from_preset("horse2zebra")
        ```
        """
        from keras_cyclegan.presets import from_preset

        return from_preset(cls, preset, load_weights, overrides)

    def save_to_preset(self, folder, card=None, half_precision=False, discriminators=True):
        """Write a folder for `from_preset`; see `keras_cyclegan.presets.save_to_preset`."""
        from keras_cyclegan.presets import save_to_preset

        save_to_preset(self, folder, card, half_precision, discriminators)

    def get_config(self):
        return {
            **{name: keras.saving.serialize_keras_object(getattr(self, name)) for name in NETWORKS},
            "image_shape": self.image_shape,
            "pool_size": self.pool_size,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        networks = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in NETWORKS
        }
        return cls(**{**config, **networks})

    def get_compile_config(self):
        if not self.compiled:
            return None
        optimizer = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        serialize = keras.saving.serialize_keras_object
        return {
            "generator_optimizer": serialize(optimizer.generator_optimizer),
            "discriminator_optimizer": serialize(optimizer.discriminator_optimizer),
            "adversarial_loss": serialize(self.adversarial_loss),
            "cycle_loss": serialize(self.cycle_loss),
            "identity_loss": serialize(self.identity_loss),
            "weight_a": self.weight_a,
            "weight_b": self.weight_b,
            "jit_compile": self.wanted_jit_compile,  # "auto" means another thing elsewhere
            "steps_per_execution": self.steps_per_execution,
            "run_eagerly": self.run_eagerly,
            "paper_schedule": self.paper_schedule,
        }

    def compile_from_config(self, config):
        config = {**config}
        paper_schedule = config.pop("paper_schedule", False)
        self.compile(
            **{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()}
        )
        self.paper_schedule = paper_schedule


def _apply_to_both(network, first, second, training):
    """`network(first), network(second)`, in one call where their shapes allow it."""
    if first.shape[1:] != second.shape[1:]:
        return network(first, training=training), network(second, training=training)
    both = network(ops.concatenate([first, second]), training=training)
    count = ops.shape(first)[0]
    return both[:count], both[count:]


def _trainable(*networks):
    return [variable for network in networks if network for variable in network.trainable_variables]


def _loss(value, loss_class):
    return loss_class(value) if isinstance(value, str) else value
