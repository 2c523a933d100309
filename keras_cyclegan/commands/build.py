"""The model of a training run: networks, losses and optimizers, as its options describe them."""

import inspect

from keras_cyclegan import networks
from keras_cyclegan.commands.choices import (
    AUGMENTATIONS,
    DISCRIMINATOR_ARGUMENTS,
    DISCRIMINATORS,
    GENERATOR_ARGUMENTS,
    GENERATORS,
)
from keras_cyclegan.commands.option_parser import sides_of
from keras_cyclegan.commands.options import TrainingOptions
from keras_cyclegan.cyclegan import CycleGAN
from keras_cyclegan.losses import (
    AdversarialLoss,
    ClassActivationLoss,
    ContentLoss,
    CycleConsistencyLoss,
    GradientPenalty,
    IdentityLoss,
    PerceptualLoss,
    WeightSchedule,
)
from keras_cyclegan.networks.applications import find_application
from keras_cyclegan.networks.compatibility import NETWORKS
from keras_cyclegan.networks.efficientnet import VARIANTS
from keras_cyclegan.optimizers import LinearDecay, paper_adam

# For generators and for discriminators: their names in the model, the option that chooses their
# class, what it can choose, and the options that become the class's arguments.
KINDS = (
    (NETWORKS[:2], "generator", GENERATORS, GENERATOR_ARGUMENTS),
    (NETWORKS[2:], "discriminator", DISCRIMINATORS, DISCRIMINATOR_ARGUMENTS),
)


def build_model(options):
    """Make the model of a run: networks of the preset `options.init`, and new ones."""
    if options.discriminator_features is not None:
        check_features(options.discriminator_features)
    made = {}
    if options.init is not None:
        policy = {} if options.dtype == "float32" else {"dtype": options.dtype}
        start = CycleGAN.from_preset(options.init, **policy)
        taken = NETWORKS[:2] if options.fresh_discriminators else NETWORKS
        made = {name: getattr(start, name) for name in taken if getattr(start, name)}
        check_init(options, made)
    for names, *kind in KINDS:
        for name in names:
            if name not in made:
                made[name] = new_network(options, name, *kind)
    shape = (*sides_of(options.image_size), options.channels_a)
    return CycleGAN(**made, image_shape=shape, pool_size=options.pool_size, dtype=options.dtype)


def new_network(options, name, choice, classes, arguments):
    """Make a network as the options describe it.

    Args:
        options: `TrainingOptions`.
        name: the network's name in the model.
        choice: name of the option that chooses the class.
        classes: dict from its values to names of classes in `keras_cyclegan.networks`.
        arguments: dict from other options to arguments of such classes.

    Raises:
        ValueError: an option was given for which the class has no argument, or the domains differ
            in channels and the class gives as many as it takes.
    """
    channels = options.channels_a, options.channels_b
    if name in ("generator_ba", "discriminator_b"):
        channels = channels[::-1]
    shape = (*sides_of(options.image_size), channels[0])
    made = {other: getattr(networks, class_name) for other, class_name in classes.items()}
    chosen = getattr(options, choice)
    takes = inspect.signature(made[chosen]).parameters
    given = {}
    if "output_channels" in takes:
        given["output_channels"] = channels[1]
    elif choice == "generator" and channels[0] != channels[1]:
        raise ValueError(
            f"Generators of the kind {chosen} give as many channels as they take. Received "
            f"channels_a={options.channels_a}, channels_b={options.channels_b}."
        )
    for option, argument in arguments.items():
        if argument in takes:
            if option == "augment":
                given[argument] = augmentation(options)
            elif getattr(options, option) is not None:
                given[argument] = getattr(options, option)
        elif is_given(options, option):
            able = [k for k, one in made.items() if argument in inspect.signature(one).parameters]
            raise ValueError(
                f"`{option}` is for {choice}s of the kind {' or '.join(able)}. Received "
                f"{option}={getattr(options, option)} with {choice}={chosen}."
            )
    return made[chosen](shape, **given, dtype=options.dtype, name=name)


def augmentation(options):
    """Return the arguments of `DifferentiableAugmentation` that were given, or None for none."""
    if not options.augment:
        return None
    given = {argument: getattr(options, option) for option, argument in AUGMENTATIONS.items()}
    return {argument: value for argument, value in given.items() if value is not None}


def check_features(name):
    """Raise a ValueError for a name that a discriminator would only miss in the first step."""
    if name not in VARIANTS:
        find_application(name, *VARIANTS)


def is_given(options, name):
    """Return whether an option has another value than its default."""
    return getattr(options, name) != getattr(TrainingOptions, name)


def check_init(options, taken):
    """Raise a ValueError for options of networks that all come from the preset."""
    for names, choice, _, arguments in KINDS:
        given = [
            f"{option}={getattr(options, option)}"
            for option in (choice, *arguments)
            if is_given(options, option)
        ]
        if given and set(names) <= set(taken):
            raise ValueError(
                f"The preset {options.init} brings its own {' and '.join(names)}, which "
                f"{', '.join(given)} can't change. Leave these options out, or `init`."
            )


def compile_model(model, options):
    """Compile the model with the losses and the optimizers of the options."""

    def adam(rate):
        schedule = LinearDecay(
            rate,
            decay_epochs=options.decay_epochs,
            final_learning_rate=options.final_learning_rate,
        )
        return paper_adam(schedule, options.clip_norm, options.weight_penalty, options.accumulate)

    rate, discriminator_rate = options.learning_rate, options.discriminator_learning_rate
    perceptual = options.perceptual_weight
    identity = None
    if options.identity_weight:
        identity = IdentityLoss(
            options.identity_norm, options.identity_weight, options.identity_every
        )
    features, final = options.perceptual_features, options.final_cycle_weight
    model.compile(
        adam(rate),
        adam(rate if discriminator_rate is None else discriminator_rate),
        adversarial_loss=AdversarialLoss(
            options.adversarial_loss, options.adversarial_weight, options.label_smoothing
        ),
        gradient_penalty=penalty(options),
        cycle_loss=CycleConsistencyLoss(
            options.cycle_norm, options.cycle_weight, options.ssim_weight
        ),
        cycle_schedule=None
        if final is None
        else WeightSchedule(final / options.cycle_weight, decay_epochs=options.cycle_decay_epochs),
        identity_loss=identity,
        perceptual_loss=PerceptualLoss(features, options.perceptual_norm, perceptual)
        if perceptual
        else None,
        content_loss=options.content
        and ContentLoss(options.content, options.content_weight, features),
        activation_loss=ClassActivationLoss(options.activation_weight)
        if options.activation_weight
        else None,
        weight_a=options.weight_a,
        weight_b=options.weight_b,
        ema_momentum=options.ema,
        monitor_gradients=True,
        remat=options.remat,
    )


def penalty(options):
    """Make the gradient penalty of the options, or None.

    Raises:
        ValueError: there is none that their weight or their steps could be for.
    """
    given = {"weight": options.penalty_weight, "every": options.penalty_every}
    given = {name: value for name, value in given.items() if value is not None}
    if options.gradient_penalty is not None:
        return GradientPenalty(options.gradient_penalty, **given)
    if given:
        name, value = next(iter(given.items()))
        raise ValueError(
            f"`penalty_{name}` needs a `gradient_penalty`, {' or '.join(GradientPenalty.kinds)}. "
            f"Received penalty_{name}={value} without one."
        )
    return None
