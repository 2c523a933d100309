"""CycleGAN: its four networks, the objective, the training step, and what is saved."""

from typing import Any, Self

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor, check_image_shape
from keras_cyclegan.compile import CompileMixin
from keras_cyclegan.data.pixels import as_format, format_config
from keras_cyclegan.export.export import ExportMixin
from keras_cyclegan.inference.translate import InferenceMixin
from keras_cyclegan.layers import ImagePool
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator, compatibility
from keras_cyclegan.networks.compatibility import NETWORKS
from keras_cyclegan.optimizers.joint import gradient_measures, measure_names
from keras_cyclegan.presets.mixin import PresetMixin
from keras_cyclegan.steps import Trainer, keras_step
from keras_cyclegan.steps.averages import update_average


@keras.saving.register_keras_serializable("keras_cyclegan")
class CycleGAN(InferenceMixin, ExportMixin, PresetMixin, Trainer, CompileMixin, keras.Model):
    """Translation in both directions between two sets of images without pairs.

    Zhu, Park, Isola, Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
    Networks", ICCV 2017, arXiv 1703.10593. Where the paper and the authors' PyTorch code differ,
    the code is followed. The paper's X and Y are domains A and B, its G: X→Y is `generator_ab`, F
    is `generator_ba`, D_X and D_Y are `discriminator_a` and `discriminator_b`. The full objective,
    eq. (3) with the identity term of section 5.2, that the generators minimise and the
    discriminators, in their adversarial terms, maximise:

        L(ab, ba, D_A, D_B) = L_GAN(ab, D_B) + L_GAN(ba, D_A)
                            + λ (‖ba(ab(a)) - a‖₁ + ‖ab(ba(b)) - b‖₁)
                            + ½ λ (‖ba(a) - a‖₁ + ‖ab(b) - b‖₁)

    Args:
        generator_ab: `keras.Model` that maps images of domain A to images of domain B. `"auto"`,
            the default, takes the paper's for `image_shape`; None is for a model without it.
        generator_ba: the same from domain B to domain A.
        discriminator_a: `keras.Model` that maps images of domain A to logits, real or translated.
            `"auto"`, the default, takes the paper's; None is for a model without it. A model that
            only translates from A to B is `CycleGAN(generator, None, None, None)`.
        discriminator_b: the same for domain B.
        image_shape: `(height, width, channels)` of domain A's training images, (256, 256, 3) by
            default. Domain B's have the same height and width, and as many channels as
            `generator_ab` gives.
        pool_size: int, 50 by default. Translated images kept for each discriminator; 0 for none.
        dtype: dtype or policy of the networks that are `"auto"`, the global one by default.
            `"mixed_bfloat16"` is faster where the processor has it, `"mixed_float16"` on a GPU.
        pixels_a: `data.PixelFormat`: what the numbers of A's images mean, for `translate` and
            `export`. None, the default, is that of the data which `fit` is given, else 8 bits.
        pixels_b: the same for domain B.

    Call arguments:
        images: images of domain A, `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        The translations, `generator_ab(images)`, in [-1, 1]; outside of training those of its
        average, where `compile` was given `ema_momentum`.

    Raises:
        ValueError: a network is no `keras.Model` or doesn't know its shapes, or `image_shape`
            contradicts a generator.

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
        generator_ab: keras.Model | str | None = "auto",
        generator_ba: keras.Model | str | None = "auto",
        discriminator_a: keras.Model | str | None = "auto",
        discriminator_b: keras.Model | str | None = "auto",
        image_shape: tuple[int | None, int | None, int] = (256, 256, 3),
        pool_size: int = 50,
        dtype: Any = None,
        name: str | None = None,
        pixels_a: Any = None,
        pixels_b: Any = None,
        **kwargs: Any,
    ) -> None:
        networks = (generator_ab, generator_ba, discriminator_a, discriminator_b)
        if dtype is None:
            # Keras scales the loss if this model's own policy is mixed_float16.
            given = [network for network in networks if isinstance(network, keras.Model)]
            dtype = given[0].dtype_policy if given else None
        super().__init__(dtype=dtype, name=name, **kwargs)
        for network, given in zip(NETWORKS, networks, strict=True):
            compatibility.check_network(network, given)
        image_shape = check_image_shape(image_shape)
        channels_a, channels_b = compatibility.domain_channels(
            image_shape, generator_ab, generator_ba
        )
        shape_a, shape_b = (*image_shape[:2], channels_a), (*image_shape[:2], channels_b)
        policy = self.dtype_policy

        def generator(given, name, shape, channels):
            if not isinstance(given, str):
                return given
            return ResNetGenerator(shape, channels, dtype=policy, name=name)

        def discriminator(given, name, shape):
            if not isinstance(given, str):
                return given
            return PatchDiscriminator(shape, dtype=policy, name=name)

        self.generator_ab = generator(generator_ab, "generator_ab", shape_a, channels_b)
        self.generator_ba = generator(generator_ba, "generator_ba", shape_b, channels_a)
        self.discriminator_a = discriminator(discriminator_a, "discriminator_a", shape_a)
        self.discriminator_b = discriminator(discriminator_b, "discriminator_b", shape_b)
        self.image_shape = image_shape
        self.pool_size = pool_size
        self.pixels_a = pixels_a and as_format(pixels_a, channels_a)
        self.pixels_b = pixels_b and as_format(pixels_b, channels_b)
        self.pool_a = ImagePool(pool_size, name="pool_a", dtype="float32")
        self.pool_b = ImagePool(pool_size, name="pool_b", dtype="float32")
        self.average_ab = None
        self.average_ba = None
        self.ema_momentum = None
        self.built = True

    @property
    def generator_variables(self) -> list[Any]:
        """Trainable variables of both generators."""
        return _trainable(self.generator_ab, self.generator_ba)

    @property
    def discriminator_variables(self) -> list[Any]:
        """Trainable variables of both discriminators."""
        return _trainable(self.discriminator_a, self.discriminator_b)

    def generators(self, training: bool | None = False) -> tuple[Any, Any]:
        """Return both generators; outside of training, their averages where there are any."""
        if training or self.ema_momentum is None:
            return self.generator_ab, self.generator_ba
        return self.average_ab, self.average_ba

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        generator_ab, _ = self.generators(training)
        return generator_ab(images, training=training)

    # --- the step ------------------------------------------------------------------------------

    @keras_step
    def train_step(self, data: Any) -> dict[str, Any]:
        """Update the generators, then the discriminators; Zhu et al. 2017, sections 3 and 4.

        Args:
            data: a batch `(a, b)`, `(n, height, width, channels)` each, in [-1, 1].

        Returns:
            The epoch's mean of each term, by name.
        """
        real_a, real_b = self.unpack(data)
        # One gradient of the sum for both generators: each cycle term reaches both.
        losses, (fake_a, fake_b), generator_gradients = self.differentiate(
            lambda: self.generator_losses(real_a, real_b, training=True), self.generator_variables
        )
        # The discriminators see translations that were made before this update, older ones too.
        fake_a, fake_b = self.draw(self.pool_a, fake_a), self.draw(self.pool_b, fake_b)
        discriminator_losses, _, discriminator_gradients = self.differentiate(
            lambda: (
                self.discriminator_losses(real_a, real_b, fake_a, fake_b, training=True),
                (),
            ),
            self.discriminator_variables,
        )
        measures = {}
        if self.monitor_gradients:
            measures = gradient_measures(
                self.optimizer, generator_gradients, discriminator_gradients
            )
        # Neither gradient saw the other's update, so that applying both at once equals
        # "generators first, then discriminators".
        self.update(
            generator_gradients + discriminator_gradients,
            self.generator_variables + self.discriminator_variables,
        )
        self.update_averages()
        return self.track(losses | discriminator_losses, ops.shape(real_a)[0], measures)

    @keras_step
    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure every term on a batch `(a, b)`, with the averages where there are any."""
        real_a, real_b = self.unpack(data)
        losses, (fake_a, fake_b) = self.generator_losses(real_a, real_b, training=False)
        losses |= self.discriminator_losses(real_a, real_b, fake_a, fake_b, training=False)
        return self.track(losses, ops.shape(real_a)[0])

    def generator_losses(self, real_a, real_b, training):
        """Translate, and compute what the generators minimise together; eq. (3), section 5.2.

        Args:
            real_a: `(n, height, width, channels_a)`, in [-1, 1].
            real_b: `(n, height, width, channels_b)`, in [-1, 1].
            training: bool.

        Returns:
            The weighted terms by name, scalars; and the translations `(fake_a, fake_b)`, of the
            shapes of `real_a` and `real_b`, in [-1, 1], which pass no gradient on.
        """
        generator_ab, generator_ba = self.generators(training)
        if training and self.remat:
            generator_ab, generator_ba = map(_rematerialised, (generator_ab, generator_ba))
        lazy = training and getattr(self.identity_loss, "every", 1) > 1
        if self.identity_loss is None or lazy:
            fake_b = generator_ab(real_a, training=training)  # (n, h, w, channels_b)
            fake_a = generator_ba(real_b, training=training)  # (n, h, w, channels_a)
        else:  # same_b should be real_b, and same_a real_a
            fake_b, same_b = _apply_to_both(generator_ab, real_a, real_b, training)
            fake_a, same_a = _apply_to_both(generator_ba, real_b, real_a, training)
        cycle_a = generator_ba(fake_b, training=training)  # (n, h, w, channels_a)
        cycle_b = generator_ab(fake_a, training=training)  # (n, h, w, channels_b)
        cycle_factor = 1.0
        if self.cycle_schedule is not None and training:
            cycle_factor = self.cycle_schedule(self.optimizer.iterations)

        losses = {
            "adversarial_ab": self._fool(self.discriminator_b, fake_b, real_b, training),
            "adversarial_ba": self._fool(self.discriminator_a, fake_a, real_a, training),
            "cycle_a": cycle_factor * self.weight_a * self.cycle_loss(real_a, cycle_a),
            "cycle_b": cycle_factor * self.weight_b * self.cycle_loss(real_b, cycle_b),
        }
        if lazy:
            losses |= self._lazy_identity(real_a, real_b)
        elif self.identity_loss is not None:
            losses["identity_a"] = self.weight_a * self.identity_loss(real_a, same_a)
            losses["identity_b"] = self.weight_b * self.identity_loss(real_b, same_b)
        if self.perceptual_loss is not None:
            losses["perceptual_a"] = self.weight_a * self.perceptual_loss(real_a, cycle_a)
            losses["perceptual_b"] = self.weight_b * self.perceptual_loss(real_b, cycle_b)
        if self.activation_loss is not None:  # Kim et al. 2020: is the image mine to translate?
            logits_ab = _apply_to_both(generator_ab.class_logits, real_a, real_b, training)
            logits_ba = _apply_to_both(generator_ba.class_logits, real_b, real_a, training)
            losses["activation_ab"] = self.activation_loss(*logits_ab)
            losses["activation_ba"] = self.activation_loss(*logits_ba)
        return losses, (ops.stop_gradient(fake_a), ops.stop_gradient(fake_b))

    def _lazy_identity(self, real_a, real_b):
        """Compute the identity terms in every k-th step, k times as heavy; Karras et al. 2020."""
        loss, names = self.identity_loss, ("identity_a", "identity_b")

        def terms():  # not in training: a branch keeps no state
            same_a = self.generator_ba(real_a, training=False)
            same_b = self.generator_ab(real_b, training=False)
            return (
                loss.every * self.weight_a * loss(real_a, same_a),
                loss.every * self.weight_b * loss(real_b, same_b),
            )

        due = ops.cast(self.optimizer.iterations, "int32") % loss.every == 0
        none = ops.zeros((), "float32")
        return dict(zip(names, ops.cond(due, terms, lambda: (none, none)), strict=True))

    def discriminator_losses(self, real_a, real_b, fake_a, fake_b, training):
        """Compute what each discriminator minimises: to tell real from translated images.

        Args:
            real_a, fake_a: `(n, height, width, channels_a)`, in [-1, 1].
            real_b, fake_b: `(n, height, width, channels_b)`, in [-1, 1].
            training: bool.

        Returns:
            The terms by name, scalars: one for each domain, and in training their penalties.
        """
        losses = {}
        for domain, discriminator, real, fake in (
            ("a", self.discriminator_a, real_a, fake_a),
            ("b", self.discriminator_b, real_b, fake_b),
        ):
            judged_real, judged_fake = _apply_to_both(discriminator, real, fake, training)
            losses[f"discriminator_{domain}"] = self.adversarial_loss.discriminator(
                judged_real, judged_fake
            )
            if self.gradient_penalty is not None and training:
                losses[f"penalty_{domain}"] = self.gradient_penalty(
                    discriminator, real, fake, self.optimizer.iterations, self.input_gradient
                )
        return losses

    def log_names(self):
        """Yield the names of all terms above, and of what else is logged."""
        yield from ("loss", "adversarial_ab", "adversarial_ba", "cycle_a", "cycle_b")
        if self.identity_loss is not None:
            yield from ("identity_a", "identity_b")
        if self.perceptual_loss is not None:
            yield from ("perceptual_a", "perceptual_b")
        if self.activation_loss is not None:
            yield from ("activation_ab", "activation_ba")
        yield from ("discriminator_a", "discriminator_b")
        if self.gradient_penalty is not None:
            yield from ("penalty_a", "penalty_b")
        if self.monitor_gradients:
            yield from measure_names(self.optimizer)

    def _fool(self, discriminator, fake, real, training):
        """Compute the adversarial loss of one generator, a scalar."""
        judged_fake = discriminator(fake, training=training)  # (n, rows, columns, 1), or several
        if not getattr(self.adversarial_loss, "needs_real", False):
            return self.adversarial_loss.generator(judged_fake)
        return self.adversarial_loss.generator(judged_fake, discriminator(real, training=training))

    def update_averages(self):
        """Move the generators' averages towards their weights, after an update."""
        if self.ema_momentum is not None:
            momentum, steps = self.ema_momentum, self.optimizer.iterations
            update_average(self.average_ab, self.generator_ab, momentum, steps)
            update_average(self.average_ba, self.generator_ba, momentum, steps)

    # --- saving --------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        return {
            **{name: keras.saving.serialize_keras_object(getattr(self, name)) for name in NETWORKS},
            "image_shape": self.image_shape,
            "pool_size": self.pool_size,
            **format_config(self),
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        networks = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in NETWORKS
        }
        model = cls(**{**config, **networks})
        model.built = False  # then Keras calls `build_from_config`
        return model

    def get_build_config(self):
        return {"ema_momentum": self.ema_momentum}

    def build_from_config(self, config):
        self.build_averages(config["ema_momentum"])  # also of a model loaded without `compile`

    def build(self, input_shape=None):
        self.built = True  # the networks are


def _apply_to_both(network, first, second, training):
    """Return `network(first), network(second)`, by one call if the shapes allow it: it is faster.

    For the paper's networks, which normalise each image on its own, it makes no difference. Batch
    normalisation takes the statistics of both together.
    """
    if first.shape[1:] != second.shape[1:]:
        return network(first, training=training), network(second, training=training)
    both = network(ops.concatenate([first, second]), training=training)
    count = ops.shape(first)[0]
    pick = keras.tree.map_structure  # a discriminator may give several maps
    return pick(lambda x: x[:count], both), pick(lambda x: x[count:], both)


def _rematerialised(generator):
    """Return a generator in training whose pass is computed again for its gradient."""
    again = keras.remat(lambda images: generator(images, training=True))

    def call(images, training):
        return again(images)

    call.class_logits = getattr(generator, "class_logits", None)
    return call


def _trainable(*networks):
    return [variable for network in networks if network for variable in network.trainable_variables]
