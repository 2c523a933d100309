"""What a training minimises and by which optimizers: `CycleGAN.compile`, and how it is saved."""

from typing import Any

import keras

from keras_cyclegan.losses import (
    AdversarialLoss,
    ClassActivationLoss,
    CycleConsistencyLoss,
    GradientPenalty,
    IdentityLoss,
    PerceptualLoss,
)
from keras_cyclegan.networks import compatibility
from keras_cyclegan.optimizers import paper_adam
from keras_cyclegan.optimizers.joint import AdversarialOptimizer, without_loss_scaling
from keras_cyclegan.steps import checks
from keras_cyclegan.steps.averages import copy_network


class CompileMixin(keras.Model):
    """Losses, optimizers and averages, for `CycleGAN`."""

    def compile(
        self,
        generator_optimizer: Any = None,
        discriminator_optimizer: Any = None,
        adversarial_loss: Any = "least_squares",
        cycle_loss: Any = "l1",
        identity_loss: Any = "l1",
        perceptual_loss: Any = None,
        activation_loss: Any = None,
        gradient_penalty: Any = None,
        cycle_schedule: Any = None,
        weight_a: float = 1.0,
        weight_b: float = 1.0,
        ema_momentum: float | None = None,
        monitor_gradients: bool = False,
        remat: bool = False,
        **kwargs: Any,
    ) -> None:
        """Choose the losses and the optimizers; without arguments, those of the paper.

        Zhu et al. 2017, sections 4 and 5.2. The losses are the terms of the objective that the
        docstring of `CycleGAN` shows.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` of both generators. None, the default,
                takes `optimizers.paper_adam()`, with betas (0.5, 0.999) and a learning rate of
                2e-4, which is constant for the first half of the epochs of `fit` and falls to 0
                over the second.
            discriminator_optimizer: the same for both discriminators.
            adversarial_loss: an `AdversarialLoss`, its kind, or an object with its two methods;
                `"least_squares"` by default.
            cycle_loss: a `CycleConsistencyLoss`, or its norm; `"l1"` by default.
            identity_loss: an `IdentityLoss`, its norm (`"l1"` by default), or None for no such
                term. It needs as many channels in A as in B.
            perceptual_loss: a `PerceptualLoss` between images and their round trips, `"vgg16"`, or
                None, the default, for no such term.
            activation_loss: a `ClassActivationLoss` of generators with an auxiliary classifier,
                such as `UGATITGenerator`, its weight, or None, the default, for no such term.
            gradient_penalty: a `GradientPenalty` on the discriminators, its kind (`"r1"`,
                `"wgan_gp"`), or None, the default. The Wasserstein loss needs one.
            cycle_schedule: a `WeightSchedule`, or any function from a step to a factor of the cycle
                terms. None, the default, leaves them as they are.
            weight_a: float, 1 by default. Factor of domain A's cycle, identity and perceptual terms
                (λ_A / λ).
            weight_b: float, 1 by default. The same for domain B.
            ema_momentum: float, 0.999 for example. Keep running averages of both generators'
                weights, which replace the generators outside of training: in `translate`,
                `evaluate`, `predict`, samples, exports and presets. Training isn't changed. The
                averages start again at each `compile`. None, the default, for no averages.
            monitor_gradients: bool, False by default. Whether to log the norms of both gradients
                before any clipping (`gradient_norm_generators`, `gradient_norm_discriminators`)
                and, under `"mixed_float16"`, the `loss_scale`: means over the epoch's steps.
            remat: bool, False by default. Whether to keep nothing of a generator's pass for its
                gradient, and to compute the pass again there (Chen et al. 2016, arXiv 1604.06174):
                the same step in less memory and more time.
            **kwargs: `jit_compile`, `steps_per_execution`, `run_eagerly`, `auto_scale_loss` of
                `keras.Model.compile`.

        Raises:
            ValueError: a network is missing or doesn't fit the others, the identity loss is on and
                the channels differ, `ema_momentum` is not between 0 and 1, or an argument is
                unknown.

        Example:

        ```python
        model.compile()  # the paper's recipe
        model.compile(adversarial_loss="hinge", gradient_penalty="r1", ema_momentum=0.999)
        ```
        """
        checks.check_arguments(kwargs, weight_a, weight_b, ema_momentum)
        networks = {name: getattr(self, name) for name in compatibility.NETWORKS}
        channels = compatibility.check_networks(self.image_shape, networks)
        checks.check_remat(remat, self.generator_ab, self.generator_ba)
        checks.check_objective(cycle_loss, identity_loss, *channels)
        checks.check_activation(activation_loss, self.generators(training=True), *channels)
        self.adversarial_loss = _loss(adversarial_loss, AdversarialLoss)
        self.gradient_penalty = _loss(gradient_penalty, GradientPenalty)
        checks.check_adversarial(self.adversarial_loss, self.gradient_penalty)
        self.cycle_loss = _loss(cycle_loss, CycleConsistencyLoss)
        self.identity_loss = _loss(identity_loss, IdentityLoss)
        self.perceptual_loss = _loss(perceptual_loss, PerceptualLoss)
        self.activation_loss = _loss(activation_loss, ClassActivationLoss)
        self.cycle_schedule = cycle_schedule
        self.weight_a = weight_a
        self.weight_b = weight_b
        self.build_pools()
        self.build_averages(ema_momentum)
        optimizer = AdversarialOptimizer(
            _optimizer(generator_optimizer),
            _optimizer(discriminator_optimizer),
            self.discriminator_variables,
            weight_schedules=[cycle_schedule],
        )
        self.wanted_jit_compile = kwargs.get("jit_compile", "auto")
        self.auto_scale_loss = kwargs.get("auto_scale_loss", True)
        super().compile(optimizer=optimizer, loss=None, **kwargs)
        self.optimizer.build(self.trainable_variables)
        self.monitor_gradients = monitor_gradients
        self.remat = remat
        self.loss_trackers = {name: keras.metrics.Mean(name=name) for name in self.log_names()}

    @property
    def metrics(self):
        return list(self.loss_trackers.values()) if self.compiled else []

    def build_averages(self, momentum):
        """Start the averages at the generators' weights; without a momentum there are none."""
        self.ema_momentum = momentum
        if momentum is not None:
            if self.average_ab is None:
                self.average_ab = copy_network(self.generator_ab)
                self.average_ba = copy_network(self.generator_ba)
            self.average_ab.set_weights(self.generator_ab.get_weights())
            self.average_ba.set_weights(self.generator_ba.get_weights())

    def build_pools(self):
        """Allocate the pools' memory, which a model that only translates doesn't need."""
        height, width, channels_a = self.image_shape
        channels_b = self.generator_ab.output_shape[-1]
        for pool, channels in ((self.pool_a, channels_a), (self.pool_b, channels_b)):
            if not pool.built:
                pool.build((None, height, width, channels))

    def get_compile_config(self):
        if not self.compiled:
            return None
        optimizer = without_loss_scaling(self.optimizer)
        serialize = keras.saving.serialize_keras_object
        return {
            "generator_optimizer": serialize(optimizer.generator_optimizer),
            "discriminator_optimizer": serialize(optimizer.discriminator_optimizer),
            "adversarial_loss": serialize(self.adversarial_loss),
            "cycle_loss": serialize(self.cycle_loss),
            "identity_loss": serialize(self.identity_loss),
            "perceptual_loss": serialize(self.perceptual_loss),
            "activation_loss": serialize(self.activation_loss),
            "gradient_penalty": serialize(self.gradient_penalty),
            "cycle_schedule": serialize(self.cycle_schedule),
            "weight_a": self.weight_a,
            "weight_b": self.weight_b,
            "ema_momentum": self.ema_momentum,
            "monitor_gradients": self.monitor_gradients,
            "remat": self.remat,
            "jit_compile": self.wanted_jit_compile,  # "auto" means another thing elsewhere
            "steps_per_execution": self.steps_per_execution,
            "run_eagerly": self.run_eagerly,
            "auto_scale_loss": self.auto_scale_loss,
        }

    def compile_from_config(self, config):
        self.compile(
            **{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()}
        )


def _optimizer(value):
    """Return `value` as an optimizer: itself, the one of that name, or for None the paper's."""
    return paper_adam() if value is None else keras.optimizers.get(value)


def _loss(value, loss_class):
    """Return `value` as a loss: itself, or `loss_class` of that kind."""
    if value is None or callable(value) or hasattr(value, "discriminator"):
        return value
    return loss_class(value)  # raises for an unknown kind
