"""CycleGAN: its four networks, the objective, the training step, and what is saved."""

from typing import Any, Self

import keras
from keras import ops

from keras_cyclegan.arguments import Tensor, check_image_shape
from keras_cyclegan.compile import CompileMixin
from keras_cyclegan.data.pixels import as_format, format_config
from keras_cyclegan.export.export import ExportMixin
from keras_cyclegan.inference.translate import InferenceMixin, generator_for
from keras_cyclegan.layers import ImagePool
from keras_cyclegan.layers.skip import strengthen
from keras_cyclegan.networks import PatchDiscriminator, ResNetGenerator, compatibility
from keras_cyclegan.networks.compatibility import NETWORKS
from keras_cyclegan.passes import Game, Passes
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
        generator_ab: `keras.Model` that maps images of domain A to images of domain B. `"auto"`
            takes the paper's for `image_shape`; None is for a model without it: one that only
            translates from A to B is `CycleGAN(generator, None, None, None)`.
        generator_ba: the same from domain B to domain A.
        discriminator_a: the same from images of domain A, real or translated, to logits.
        discriminator_b: the same for domain B.
        image_shape: `(height, width, channels)` of domain A's training images. Domain B's have the
            same height and width, and as many channels as `generator_ab` gives.
        pool_size: int. Translated images kept for each discriminator; 0 for none.
        dtype: dtype or policy of the networks that are `"auto"`, None for the global one.
        pixels_a: `data.PixelFormat`: what the numbers of A's images mean, for `translate` and
            `export`. None is that of the data which `fit` is given, else 8 bits.
        pixels_b: the same for domain B.

    Call arguments:
        images: images of domain A, `(batch, height, width, channels)`, in [-1, 1].

    Returns:
        `generator_ab(images)`, in [-1, 1]; outside of training its average's, where there is one.

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
        shapes = {"a": (*image_shape[:2], channels_a), "b": (*image_shape[:2], channels_b)}
        policy = self.dtype_policy

        def made(network, name, make, domain, *channels):
            if not isinstance(network, str):
                return network
            return make(shapes[domain], *channels, dtype=policy, name=name)

        self.generator_ab = made(generator_ab, "generator_ab", ResNetGenerator, "a", channels_b)
        self.generator_ba = made(generator_ba, "generator_ba", ResNetGenerator, "b", channels_a)
        self.discriminator_a = made(discriminator_a, "discriminator_a", PatchDiscriminator, "a")
        self.discriminator_b = made(discriminator_b, "discriminator_b", PatchDiscriminator, "b")
        self.image_shape = image_shape
        self.pool_size = pool_size
        self.pixels_a = pixels_a and as_format(pixels_a, channels_a)
        self.pixels_b = pixels_b and as_format(pixels_b, channels_b)
        self.pool_a = ImagePool(pool_size, name="pool_a", dtype="float32")
        self.pool_b = ImagePool(pool_size, name="pool_b", dtype="float32")
        self.average_ab = self.average_ba = self.ema_momentum = None
        self.remat = False
        self.trained_terms = []  # those of the terms that have weights
        self.built = True

    @property
    def networks(self) -> dict[str, Any]:
        """The networks that the model has, by name."""
        found = {name: getattr(self, name) for name in NETWORKS}
        return {name: network for name, network in found.items() if network is not None}

    def networks_of(self, player: str) -> dict[str, Any]:
        """Return the networks of `"generators"` or of `"discriminators"`, by name."""
        return {n: network for n, network in self.networks.items() if n.startswith(player[:-1])}

    @property
    def targets(self) -> tuple[str, ...]:
        """The domains that are translated to, `("b", "a")`; with one generator one of them."""
        return tuple(name[-1] for name in self.networks_of("generators"))

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of domain A and of domain B."""
        return compatibility.domain_channels(self.image_shape, self.generator_ab, self.generator_ba)

    @property
    def generator_variables(self) -> list[Any]:
        """Trainable variables of both generators, and of their terms."""
        return self._trained_by("generators")

    @property
    def discriminator_variables(self) -> list[Any]:
        """Trainable variables of both discriminators, and of their terms."""
        return self._trained_by("discriminators")

    def _trained_by(self, player):
        owners = [*self.networks_of(player).values()]
        owners += [term for term in self.trained_terms if term.player == player]
        variables = [variable for owner in owners for variable in owner.trainable_variables]
        return list({id(variable): variable for variable in variables}.values())

    def generators(self, training: bool | None = False) -> tuple[Any, Any]:
        """Return both generators; outside of training, their averages where there are any."""
        if training and self.remat:
            return tuple(map(_rematerialised, (self.generator_ab, self.generator_ba)))
        if training or self.ema_momentum is None:
            return self.generator_ab, self.generator_ba
        return self.average_ab, self.average_ba

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        if isinstance(images, dict):  # a batch, in `predict`
            images = images["a"]
        generator_ab, _ = self.generators(training)
        return generator_ab(images, training=training)

    # --- the step ------------------------------------------------------------------------------

    @keras_step
    def train_step(self, data: Any) -> dict[str, Any]:
        """Update the generators, then the discriminators; Zhu et al. 2017, sections 3 and 4.

        `data` is a batch: a pair `(a, b)`, or a dict of `a`, `b` and what rides along, images
        `(n, height, width, channels)` in [-1, 1]. Returned is the epoch's mean of each term.
        """
        batch = self.unpack(data)
        # One gradient of the sum for both generators: each cycle term reaches both.
        losses, fakes, generators = self.differentiate(
            lambda: self.objective(batch), self.generator_variables
        )
        # The discriminators see translations that were made before this update, older ones too.
        shown = self.exchange(fakes)
        judged, _, discriminators = self.differentiate(
            lambda: (self.game(batch, shown), ()), self.discriminator_variables
        )
        # Neither gradient saw the other's update, so that applying both at once equals
        # "generators first, then discriminators".
        self.update(generators, discriminators)
        self.update_averages()
        return self.track(losses | judged, batch)

    @keras_step
    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure every term on a batch, with the averages where there are any."""
        batch = self.unpack(data)
        losses, fakes = self.objective(batch, training=False)
        return self.track(losses | self.game(batch, fakes, training=False), batch)

    def objective(self, batch, training=True):
        """Translate, and compute what the generators minimise together: eq. (3), section 5.2.

        Returned are the weighted terms by name, and the translations by domain, as discriminators
        are shown them, which pass no gradient on.
        """
        passes = Passes(self, batch, training, self.generator_terms.needs)
        losses = self.generator_terms(passes)
        shown = {domain: getattr(passes, f"shown_{domain}") for domain in sorted(self.targets)}
        return losses, keras.tree.map_structure(ops.stop_gradient, shown)

    def game(self, batch, fakes, training=True):
        """Compute what the discriminators minimise, shown these translations of each domain."""
        return self.discriminator_terms(Game(self, batch, fakes, training))

    def show(self, images, origin, batch):
        """Return what a discriminator sees of images: the `shown` of `compile`."""
        return images if self.shown is None else self.shown(images, origin, batch)

    def update_averages(self):
        """Move the generators' averages towards their weights, after an update."""
        if self.ema_momentum is not None:
            momentum, steps = self.ema_momentum, self.optimizer.iterations
            for name, generator in self.networks_of("generators").items():
                average = getattr(self, name.replace("generator", "average"))
                update_average(average, generator, momentum, steps)

    def strengthen(self, a_to_b: float = 1.0, b_to_a: float = 1.0) -> None:
        """Let translations change more of an image, or less, without training.

        What a generator with a skip from its input adds, h in `tanh(h + artanh(x))`, is multiplied
        by the direction's factor, in its weights, so that presets, files and exports hold it. Cycle
        loss and averages can leave a trained change too weak.
        """
        for direction, factor in (("a_to_b", a_to_b), ("b_to_a", b_to_a)):
            if factor != 1:
                strengthen(generator_for(self, direction), factor)

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
        scale = {"scale": self.scale, "working_size": self.working_size}
        return {"ema_momentum": self.ema_momentum, **scale, "doubt": dict(self.doubt)}

    def build_from_config(self, config):
        self.build_averages(config["ema_momentum"])  # also of a model loaded without `compile`
        self.set_scale(config.get("scale"), config.get("working_size"))
        self.set_doubt(config.get("doubt"))

    def build(self, input_shape=None):
        self.built = True  # the networks are


def _rematerialised(generator):
    """Return a generator in training whose pass is computed again for its gradient."""
    again = keras.remat(lambda images: generator(images, training=True))

    def call(images, training):
        return again(images)

    call.class_logits = getattr(generator, "class_logits", None)
    return call
