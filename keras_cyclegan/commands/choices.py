"""What the options of a training run can choose among, by name."""

# From the names of networks to their classes in `keras_cyclegan.networks`. A class gets those of
# the options below for which it has an argument.
GENERATORS = {
    "resnet": "ResNetGenerator",
    "unet": "UNetGenerator",
    "attention": "AttentionGenerator",
    "ugatit": "UGATITGenerator",
}
DISCRIMINATORS = {
    "patch": "PatchDiscriminator",
    "pixel": "PixelDiscriminator",
    "multiscale": "MultiScaleDiscriminator",
    "projected": "ProjectedDiscriminator",
    "ugatit": "UGATITDiscriminator",
}
# Kinds of `AdversarialLoss`.
ADVERSARIAL_LOSSES = (
    "least_squares",
    "min_max",
    "min_max_saturating",
    "hinge",
    "wasserstein",
    "relativistic_average",
)
PENALTIES = ("r1", "wgan_gp")  # of `GradientPenalty`
NORMS = ("l1", "l2")  # of `CycleConsistencyLoss`
CONTENTS = ("edges", "mutual_information", "structure", "features")  # of `ContentLoss`
PERCEPTUAL_FEATURES = ("vgg16", "efficientnet-lite1")  # of `PerceptualLoss`

# From options to the arguments of the networks' classes.
GENERATOR_ARGUMENTS = {
    "filters": "filters",
    "blocks": "num_blocks",
    "upsampling": "upsampling",
    "block": "block",
    "affine_norm": "affine_norm",
    "padding": "padding",
    "dropout": "dropout",
    "downsamplings": "num_downsamplings",
    "input_skip": "input_skip",
    "shared_decoder": "shared_decoder",
    "foregrounds": "foregrounds",
}
DISCRIMINATOR_ARGUMENTS = {
    "discriminator_filters": "filters",
    "discriminator_layers": "num_layers",
    "discriminator_scales": "num_scales",
    "spectral_norm": "spectral_norm",
    "discriminator_affine_norm": "affine_norm",
    "discriminator_features": "features",
    "discriminator_pixel_filters": "pixel_filters",
    "augment": "augmentation",
}

# From options to the arguments of `DifferentiableAugmentation`, which `augment` switches on.
AUGMENTATIONS = {
    "augment_brightness": "brightness",
    "augment_saturation": "saturation",
    "augment_contrast": "contrast",
    "augment_translation": "translation",
    "augment_cutout": "cutout",
}
