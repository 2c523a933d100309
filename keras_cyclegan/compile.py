"""What a training minimises and by which optimizers: `CycleGAN.compile`, and how it is saved."""

import inspect
from typing import Any

import keras

from keras_cyclegan.arguments import check_weight
from keras_cyclegan.losses import activation, adversarial, content, penalty, perceptual, pixels
from keras_cyclegan.networks import compatibility
from keras_cyclegan.optimizers import paper_adam
from keras_cyclegan.optimizers.joint import AdversarialOptimizer, without_loss_scaling
from keras_cyclegan.steps import checks
from keras_cyclegan.steps.averages import copy_network
from keras_cyclegan.terms import Lazy, NetworkLosses, Scheduled, Terms


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
        content_loss: Any = None,
        activation_loss: Any = None,
        gradient_penalty: Any = None,
        cycle_schedule: Any = None,
        terms: Any = (),
        shown: Any = None,
        painted: Any = None,
        weight_a: float = 1.0,
        weight_b: float = 1.0,
        ema_momentum: float | None = None,
        remat: bool = False,
        jit_compile: Any = "auto",
        steps_per_execution: int = 1,
        run_eagerly: bool = False,
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose the losses and the optimizers; without arguments, those of the paper.

        Zhu et al. 2017, sections 4 and 5.2. The losses are the terms of the objective that the
        docstring of `CycleGAN` shows. Each is an object, its first argument (a kind, a norm, a
        weight), or None for no such term.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` of both generators. None takes
                `optimizers.paper_adam()`, with betas (0.5, 0.999) and a learning rate of 2e-4,
                which is constant for the first half of the epochs of `fit`, and falls to 0.
            discriminator_optimizer: the same for both discriminators.
            adversarial_loss: `AdversarialLoss`, or an object with its two methods.
            cycle_loss: `CycleConsistencyLoss`. Without it another term must tie a translation to
                its image.
            identity_loss: `IdentityLoss`, which needs as many channels in A as in B.
            perceptual_loss: `PerceptualLoss` between images and their round trips.
            content_loss: `ContentLoss` between images and their translations; a frozen
                `keras.Model` is one whose answers should stay.
            activation_loss: `ClassActivationLoss`, of a `UGATITGenerator`'s classifier.
            gradient_penalty: `GradientPenalty`; the Wasserstein loss needs one.
            cycle_schedule: `WeightSchedule`, or a function from a step to a factor of cycle terms.
            terms: list of `losses.Term` objects that are added to these.
            shown: function `(images, origin, batch)` of real images or translations, which gives
                what discriminators see of them, of the same shape. `origin`, `"a"` or `"b"`, is the
                domain that they are of or were made from; `batch` has what rides along. None shows
                them as they are.
            painted: the same of what generators made of the images of `origin`, there and back:
                what counts as the translation. `losses.inside_masks` paints masks alone.
            weight_a: float. Factor of domain A's cycle, identity, perceptual and content terms
                (λ_A / λ).
            weight_b: float. The same for domain B.
            ema_momentum: float, 0.999 for example. Keep running averages of both generators'
                weights, which replace them outside of training: in `translate`, `evaluate`,
                `predict`, samples, exports and presets. They start again at each `compile`.
            remat: bool. Whether to keep nothing of a generator's pass for its gradient, and to
                compute the pass again there (Chen et al. 2016, arXiv 1604.06174): the same step in
                less memory and more time.
            jit_compile, steps_per_execution, run_eagerly, auto_scale_loss: as in
                `keras.Model.compile`.

        Raises:
            ValueError: a network doesn't fit the others, or a term the networks.
        """
        check_weight("weight_a", weight_a)
        check_weight("weight_b", weight_b)
        if ema_momentum is not None and not 0.0 < ema_momentum < 1.0:
            raise ValueError(f"`ema_momentum` lies between 0 and 1. Received {ema_momentum}.")
        compatibility.check_networks(self.image_shape, self.networks, self.channels)
        checks.check_remat(remat, *self.networks_of("generators").values())
        self.adversarial_loss = _loss(adversarial_loss, adversarial.AdversarialLoss)
        self.gradient_penalty = _loss(gradient_penalty, penalty.GradientPenalty)
        checks.check_adversarial(self.adversarial_loss, self.gradient_penalty)
        self.cycle_loss = _loss(cycle_loss, pixels.CycleConsistencyLoss)
        self.identity_loss = _loss(identity_loss, pixels.IdentityLoss)
        self.perceptual_loss = _loss(perceptual_loss, perceptual.PerceptualLoss)
        self.content_loss = _loss(content_loss, content.ContentLoss)
        self.activation_loss = _loss(activation_loss, activation.ClassActivationLoss)
        self.cycle_schedule, self.shown, self.painted = cycle_schedule, shown, painted
        self.weight_a, self.weight_b = weight_a, weight_b
        self.remat = remat
        self.build_terms(terms)
        self.build_pools()
        self.build_averages(ema_momentum)
        optimizer = AdversarialOptimizer(
            keras.optimizers.get(generator_optimizer or paper_adam()),
            keras.optimizers.get(discriminator_optimizer or paper_adam()),
            self.discriminator_variables,
        )
        self.wanted_jit_compile = jit_compile  # "auto" means another thing elsewhere
        self.auto_scale_loss = auto_scale_loss
        super().compile(
            optimizer=optimizer,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
            auto_scale_loss=auto_scale_loss,
        )
        self.optimizer.build(self.trainable_variables)
        names = ["loss", *self.generator_terms.names, *self.discriminator_terms.names]
        self.loss_trackers = {name: keras.metrics.Mean(name=name) for name in names}

    @property
    def metrics(self):
        return list(self.loss_trackers.values()) if self.compiled else []

    def build_terms(self, added):
        """Make the terms of both players: those of the losses, `added`, and the networks' own."""
        weights = self.weight_a, self.weight_b
        terms = [
            adversarial.AdversarialTerm(self.adversarial_loss),
            adversarial.DiscriminatorTerm(self.adversarial_loss),
        ]
        if self.cycle_loss is not None:
            term = pixels.CycleTerm(self.cycle_loss, *weights)
            terms.append(Scheduled(term, self.cycle_schedule) if self.cycle_schedule else term)
        if (identity := self.identity_loss) is not None:
            term = pixels.IdentityTerm(identity, *weights)
            terms.append(Lazy(term, getattr(identity, "every", 1)))
        if self.perceptual_loss is not None:
            terms.append(perceptual.PerceptualTerm(self.perceptual_loss, *weights))
        if self.content_loss is not None:
            terms.append(content.ContentTerm(self.content_loss, *weights))
        if self.activation_loss is not None:
            terms.append(activation.ActivationTerm(self.activation_loss))
        if (slope := self.gradient_penalty) is not None:
            terms.append(Lazy(penalty.PenaltyTerm(slope), slope.every))
        terms += [*added, NetworkLosses("generators"), NetworkLosses("discriminators")]
        checks.check_terms(terms)
        for term in terms:
            term.prepare(self)
        checks.check_names(terms)
        self.generator_terms = Terms(t for t in terms if t.player == "generators")
        self.discriminator_terms = Terms(t for t in terms if t.player == "discriminators")
        self.trained_terms = [term for term in terms if term.weights]
        self.added_terms = Terms(added)

    def build_averages(self, momentum):
        """Start the averages at the generators' weights; without a momentum there are none."""
        self.ema_momentum = momentum
        if momentum is None:
            return
        for name, generator in self.networks_of("generators").items():
            average = name.replace("generator", "average")
            if getattr(self, average) is None:
                setattr(self, average, copy_network(generator))
            getattr(self, average).set_weights(generator.get_weights())

    def build_pools(self):
        """Allocate the pools' memory, which a model that only translates doesn't need."""
        for pool, channels in zip((self.pool_a, self.pool_b), self.channels, strict=True):
            if not pool.built:
                pool.build((None, *self.image_shape[:2], channels))

    def get_compile_config(self):
        if not self.compiled:
            return None
        optimizer = without_loss_scaling(self.optimizer)
        config = {
            "generator_optimizer": optimizer.generator_optimizer,
            "discriminator_optimizer": optimizer.discriminator_optimizer,
            "terms": list(self.added_terms),
            "jit_compile": self.wanted_jit_compile,
        }
        for name in inspect.signature(CompileMixin.compile).parameters:
            if name not in ("self", *config):
                config[name] = getattr(self, name)  # an attribute of the same name
        return {n: keras.saving.serialize_keras_object(value) for n, value in config.items()}

    def compile_from_config(self, config):
        deserialize = keras.saving.deserialize_keras_object
        config = {name: deserialize(value) for name, value in config.items()}
        config.pop("monitor_gradients", None)  # in files of earlier versions
        self.compile(**config)


def _loss(value, loss_class):
    """Return `value` as a loss: itself, or `loss_class` of that kind."""
    is_model = isinstance(value, keras.Model)  # what a content or a perceptual loss is of
    if value is None or hasattr(value, "discriminator") or (callable(value) and not is_model):
        return value
    return loss_class(value)  # raises for an unknown kind
