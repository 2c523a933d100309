import keras
import numpy as np
import pytest

from keras_cyclegan import CycleGAN
from keras_cyclegan.networks import (
    AttentionGenerator,
    MultiScaleDiscriminator,
    PatchDiscriminator,
    PixelDiscriminator,
    ProjectedDiscriminator,
    ResNetGenerator,
    UGATITDiscriminator,
    UGATITGenerator,
    UNetGenerator,
)
from keras_cyclegan.networks.size_limits import build_without_weights

SMALL = {
    "resnet": lambda **kwargs: ResNetGenerator((16, 16, 3), filters=4, num_blocks=2, **kwargs),
    "resnet_with_every_option": lambda **kwargs: ResNetGenerator(
        (None, None, 2),
        4,
        filters=4,
        num_blocks=1,
        upsampling="resize",
        block="separable",
        affine_norm=True,
        padding="zeros",
        dropout=0.5,
        **kwargs,
    ),
    "resnet_with_input_skip": lambda **kwargs: ResNetGenerator(
        (16, 16, 3), filters=4, num_blocks=1, input_skip=True, **kwargs
    ),
    "attention": lambda **kwargs: AttentionGenerator(
        (16, 16, 3), filters=4, num_blocks=1, foregrounds=2, **kwargs
    ),
    "attention_with_every_option": lambda **kwargs: AttentionGenerator(
        (None, None, 2),
        filters=4,
        num_blocks=1,
        foregrounds=2,
        upsampling="resize",
        affine_norm=True,
        padding="zeros",
        dropout=0.5,
        input_skip=True,
        **kwargs,
    ),
    "attention_shared": lambda **kwargs: AttentionGenerator(
        (16, 16, 3), filters=4, num_blocks=1, block="separable", shared_decoder=True, **kwargs
    ),
    "ugatit": lambda **kwargs: UGATITGenerator((16, 16, 3), filters=4, num_blocks=1, **kwargs),
    "unet": lambda **kwargs: UNetGenerator((32, 32, 3), filters=4, num_downsamplings=5, **kwargs),
    "unet_with_every_option": lambda **kwargs: UNetGenerator(
        (None, None, 1),
        2,
        filters=4,
        num_downsamplings=6,
        affine_norm=True,
        dropout=0.5,
        **kwargs,
    ),
    "patch": lambda **kwargs: PatchDiscriminator((32, 32, 3), filters=4, **kwargs),
    "patch_with_every_option": lambda **kwargs: PatchDiscriminator(
        (None, None, 2), filters=4, num_layers=2, affine_norm=True, **kwargs
    ),
    "patch_with_spectral_norm": lambda **kwargs: PatchDiscriminator(
        (32, 32, 3), filters=4, num_layers=2, spectral_norm=True, **kwargs
    ),
    "multi_scale": lambda **kwargs: MultiScaleDiscriminator(
        (32, 32, 3), num_scales=2, filters=4, num_layers=1, **kwargs
    ),
    "ugatit_discriminator": lambda **kwargs: UGATITDiscriminator(
        (32, 32, 3), filters=4, num_layers=(3, 4), **kwargs
    ),
    "pixel": lambda **kwargs: PixelDiscriminator((16, 16, 3), filters=4, **kwargs),
    "pixel_with_every_option": lambda **kwargs: PixelDiscriminator(
        (None, None, 2), filters=4, affine_norm=True, **kwargs
    ),
}


def random_images(height, width, channels=3, batch=1):
    shape = (batch, height, width, channels)
    return np.random.RandomState(0).uniform(-1, 1, shape).astype("float32")


def apply(network, images, **kwargs):
    return keras.ops.convert_to_numpy(network(images, **kwargs))


def apply_all(network, images):
    """Every map that a network gives, flat."""
    maps = keras.tree.flatten(network(images))
    return np.concatenate([keras.ops.convert_to_numpy(x).ravel() for x in maps])


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: ResNetGenerator((256, 256, 3)), 11_378_179),
        (lambda: ResNetGenerator((128, 128, 3)), 7_837_699),
        (lambda: ResNetGenerator((256, 256, 3), affine_norm=True), 11_388_675),
        (lambda: PatchDiscriminator((256, 256, 3)), 2_764_737),
        (lambda: UNetGenerator((256, 256, 3)), 54_409_603),
        (lambda: UNetGenerator((128, 128, 3)), 41_825_667),
        (lambda: PixelDiscriminator((256, 256, 3)), 4 * 64 + 65 * 128 + 129),
        (lambda: MultiScaleDiscriminator((256, 256, 3)), 3 * 2_764_737),
        # A ResNet with a second decoder, 27 channels of colours, and a 1×1 head of 10 masks.
        (
            lambda: AttentionGenerator((256, 256, 3)),
            11_378_179 + 24 * (49 * 64 + 1) + (9 * 256 + 1) * 128 + (9 * 128 + 1) * 64 + 65 * 10,
        ),
    ],
    ids=[
        "resnet_9",
        "resnet_6",
        "resnet_9_affine",
        "patch",
        "unet_256",
        "unet_128",
        "pixel",
        "multi_scale",
        "attention",
    ],
)
def test_parameter_counts_are_the_authors(make, count):
    network = build_without_weights(make)
    assert sum(np.prod(weight.shape) for weight in network.weights) == count


@pytest.mark.parametrize(("num_layers", "side"), [(1, 126), (2, 62), (3, 30), (4, 14), (5, 6)])
def test_patch_discriminator_judges_a_map_of_patches(num_layers, side):
    network = PatchDiscriminator((256, 256, 3), filters=1, num_layers=num_layers)
    assert network.compute_output_shape((1, 256, 256, 3)) == (1, side, side, 1)


@pytest.mark.parametrize(("num_layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_a_logit_depends_on_as_many_pixels_as_documented(num_layers, field):
    network = PatchDiscriminator((None, None, 1), filters=1, num_layers=num_layers)
    network = without_norms(network)
    side = 3 * field
    images = keras.ops.zeros((1, side, side, 1))
    reach = reach_of_the_middle_logit(network, images)
    assert reach == (field, field)


def without_norms(network):
    """The same weights with each norm left out: a norm mixes all positions."""

    def replace(layer):
        if isinstance(layer, keras.layers.GroupNormalization):
            return keras.layers.Identity(name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    functional = keras.Model(network.inputs, network.outputs)
    clone = keras.models.clone_model(functional, clone_function=replace)
    for weight in clone.weights:
        weight.assign(keras.ops.ones_like(weight))
    return clone


def reach_of_the_middle_logit(network, images):
    import tensorflow as tf

    images = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = network(images)
        logit = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    touched = tape.gradient(logit, images).numpy()[0, :, :, 0] != 0
    return int(touched.any(1).sum()), int(touched.any(0).sum())


@pytest.mark.parametrize("name", SMALL)
def test_config_round_trip_rebuilds_the_same_network(name):
    network = SMALL[name](name="mine")
    again = type(network).from_config(network.get_config())
    serialized = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
    images = random_images(64, 64, network.input_shape[-1])
    expected = apply_all(network, images)
    for copy in (again, serialized):
        assert type(copy) is type(network)
        assert copy.name == "mine"
        config = copy.get_config()
        assert config == network.get_config()
        for argument in config.keys() - {"dtype", "name"}:
            assert getattr(copy, argument) == config[argument]
        copy.set_weights(network.get_weights())
        np.testing.assert_allclose(apply_all(copy, images), expected, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
@pytest.mark.parametrize(
    "name",
    [
        *("resnet", "resnet_with_input_skip", "attention", "attention_shared", "ugatit", "unet"),
        *("patch", "patch_with_spectral_norm", "pixel", "multi_scale", "ugatit_discriminator"),
    ],
)
def test_output_is_float32_under_each_policy(name, policy):
    network = SMALL[name](dtype=policy)
    maps = keras.tree.flatten(network(random_images(32, 32)))
    assert {keras.backend.standardize_dtype(x.dtype) for x in maps} == {"float32"}
    assert network.dtype_policy.name == policy
    names = {layer.dtype_policy.name for layer in network.layers if layer.weights}
    assert names == {policy}
    copy = type(network).from_config(network.get_config())
    assert {layer.dtype_policy.name for layer in copy.layers if layer.weights} == {policy}


def test_global_policy_is_the_default():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = SMALL["resnet"]()
        output = network(random_images(16, 16))
    finally:
        keras.config.set_dtype_policy("float32")
    assert output.dtype == "float32"
    assert network.dtype_policy.name == "mixed_bfloat16"
    copy = type(network).from_config(network.get_config())
    assert copy.get_layer("stem_conv").compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [
        ("resnet", 16, 36),
        ("resnet", 52, 8),
        ("resnet_with_input_skip", 16, 36),
        ("attention", 16, 36),
        ("attention_shared", 16, 36),
        ("ugatit", 20, 36),
        ("unet", 32, 96),
        ("unet", 64, 64),
    ],
)
def test_generator_takes_any_size_that_it_can_give_back(name, height, width):
    images = random_images(height, width)
    assert apply(SMALL[name](), images).shape == images.shape


@pytest.mark.parametrize(("height", "width"), [(18, 16), (16, 17)])
def test_resnet_refuses_sizes_that_are_no_multiple_of_4(height, width):
    message = f"multiples of 4. Received {height}×{width}"
    with pytest.raises(ValueError, match=message):
        ResNetGenerator((height, width, 3), filters=4)
    with pytest.raises(ValueError, match=message):
        SMALL["resnet"]()(random_images(height, width))


def test_unet_refuses_sizes_that_it_can_not_halve():
    with pytest.raises(ValueError, match=r"multiples of 128\. Received 192×128"):
        UNetGenerator((192, 128, 3), filters=4)
    with pytest.raises(ValueError, match=r"multiples of 32\. Received 48×32"):
        SMALL["unet"]()(random_images(48, 32))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ResNetGenerator((16, 16)), r"\(height, width, channels\).*Received.*\(16, 16\)"),
        (lambda: ResNetGenerator((16, 16, None)), r"Received.*None"),
        (lambda: ResNetGenerator((16, 16, 3), upsampling="bilinear"), "'transposed', 'resize'"),
        (lambda: ResNetGenerator((16, 16, 3), block="dense"), "'standard', 'separable'"),
        (lambda: ResNetGenerator((16, 16, 3), padding="same"), "'reflect', 'zeros'"),
        (lambda: ResNetGenerator((16, 16, 1), 3, input_skip=True), r"16, 1\), output_channels=3"),
        (lambda: AttentionGenerator((16, 18, 3)), "multiples of 4. Received 16×18"),
        (lambda: AttentionGenerator((16, 16, 3), foregrounds=0), "at least 1. Received 0"),
        (lambda: AttentionGenerator((16, 16, 3), foregrounds=2, shared_decoder=True), "one fore"),
        (lambda: UGATITGenerator((16, 18, 3)), "multiples of 4. Received 16×18"),
        (lambda: UGATITDiscriminator((64, 96, 3), num_layers=(2, 3)), r"Received \(2, 3\)"),
        (lambda: MultiScaleDiscriminator((64, 64, 3), num_scales=0), "num_scales=0"),
        (lambda: UNetGenerator((16, 16, 3), num_downsamplings=4), "at least 5 times"),
        (lambda: PatchDiscriminator((16, 16, 3), num_layers=0), "num_layers=0"),
    ],
)
def test_wrong_options_are_refused_with_what_was_given(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_smallest_image_of_a_patch_discriminator_has_one_logit():
    network = PatchDiscriminator((24, 24, 3), filters=4)
    assert apply(network, random_images(24, 24)).shape == (1, 1, 1, 1)


def test_number_of_blocks_follows_the_image_size():
    assert ResNetGenerator((256, 256, 3), filters=1).num_blocks == 9
    assert ResNetGenerator((None, None, 3), filters=1).num_blocks == 9
    assert ResNetGenerator((128, 256, 3), filters=1).num_blocks == 6
    assert AttentionGenerator((256, 256, 3), filters=1).num_blocks == 9
    assert AttentionGenerator((16, 16, 3), filters=1).num_blocks == 6


@pytest.mark.parametrize("name", ["resnet", "attention", "unet", "patch", "pixel"])
def test_weights_start_as_the_authors_do(name):
    network = SMALL[name]()
    kernels = [w.numpy() for w in network.trainable_weights if w.path.endswith("kernel")]
    biases = [w.numpy() for w in network.trainable_weights if w.path.endswith("bias")]
    values = np.concatenate([kernel.ravel() for kernel in kernels])
    if len(values) > 1000:
        assert values.std() == pytest.approx(0.02, rel=0.1)
    assert all(not bias.any() for bias in biases)
    same_shape = [
        np.array_equal(a, b)
        for i, a in enumerate(kernels)
        for b in kernels[:i]
        if a.shape == b.shape
    ]
    assert not any(same_shape), "two layers start with equal weights"


@pytest.mark.parametrize(
    "name", ["resnet_with_every_option", "attention_with_every_option", "unet_with_every_option"]
)
def test_dropout_acts_in_training_only(name):
    network = SMALL[name]()
    images = random_images(64, 64, network.input_shape[-1])
    network.set_weights(
        [w + 0.1 * np.random.RandomState(1).standard_normal(w.shape) for w in network.get_weights()]
    )
    np.testing.assert_array_equal(apply(network, images), apply(network, images, training=False))
    assert np.abs(apply(network, images, training=True) - apply(network, images)).max() > 1e-4


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_input_skip_adds_the_image_to_what_the_tanh_is_given(policy):
    network = SMALL["resnet_with_input_skip"](dtype=policy)
    images = random_images(16, 16)
    head = network.get_layer("head_conv")
    linear = keras.Model(network.input, head.output)
    h = keras.ops.convert_to_numpy(keras.ops.cast(linear(images), "float32"))
    expected = np.tanh(h + np.arctanh(0.98 * images))
    np.testing.assert_allclose(apply(network, images), expected, atol=1e-5)
    head.kernel.assign(keras.ops.zeros_like(head.kernel))
    np.testing.assert_allclose(apply(network, images), 0.98 * images, atol=1e-6)


def test_input_skip_begins_near_the_identity_and_lets_gradients_pass():
    import tensorflow as tf

    network = SMALL["resnet_with_input_skip"]()
    images = tf.constant(random_images(16, 16))
    assert np.abs(apply(network, images) - 0.98 * images).max() < 0.1
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = tf.reduce_sum(network(images))
    to_images, *to_weights = tape.gradient(loss, [images, *network.trainable_weights])
    # d tanh(artanh(0.98 x)) / dx is 0.98, and of h it is 1 - (0.98 x)².
    assert float(tf.reduce_mean(to_images)) == pytest.approx(0.98, abs=0.1)
    pairs = zip(network.trainable_weights, to_weights, strict=True)
    assert all(np.any(gradient) for weight, gradient in pairs if weight.name == "kernel")


def test_input_skip_stays_finite_where_images_overshoot():
    network = SMALL["resnet_with_input_skip"]()
    assert np.isfinite(apply(network, 1.5 * np.sign(random_images(16, 16)))).all()


def test_dropout_of_the_unet_is_in_the_widest_middle_blocks_only():
    network = UNetGenerator((256, 256, 3), filters=1, dropout=0.5)
    dropouts = {x.name for x in network.layers if isinstance(x, keras.layers.Dropout)}
    assert dropouts == {"up5_dropout", "up6_dropout", "up7_dropout"}


def test_separable_blocks_cost_a_tenth():
    counts = [
        ResNetGenerator((256, 256, 3), block=block).count_params()
        - ResNetGenerator((256, 256, 3), block=block, num_blocks=0).count_params()
        for block in ("standard", "separable")
    ]
    assert counts[1] < 0.12 * counts[0]


def test_resize_upsampling_has_no_transposed_convolution():
    layers = SMALL["resnet_with_every_option"]().layers
    kinds = {type(layer) for layer in layers}
    assert [getattr(layer, "mode", None) for layer in layers].count("zeros") == 2
    assert keras.layers.Conv2DTranspose not in kinds


@pytest.mark.parametrize(
    "name",
    [
        *("resnet", "resnet_with_input_skip", "attention", "attention_shared", "ugatit", "unet"),
        *("patch_with_spectral_norm", "multi_scale", "ugatit_discriminator", "pixel"),
    ],
)
def test_saved_network_reloads_as_itself(tmp_path, name):
    network = SMALL[name]()
    network.save(tmp_path / "network.keras")
    copy = keras.saving.load_model(tmp_path / "network.keras")
    assert type(copy) is type(network)
    images = random_images(32, 32)
    np.testing.assert_allclose(apply_all(copy, images), apply_all(network, images), atol=1e-6)


def projected(dtype):
    pixels = keras.Input((None, None, 3))
    fine = keras.layers.Conv2D(4, 4, 4)(pixels)
    features = keras.Model(pixels, [fine, keras.layers.Conv2D(4, 2, 2)(fine)])
    return ProjectedDiscriminator((32, 32, 3), features, 8, 4, augmentation={}, dtype=dtype)


PAIRS = [
    ("attention", "multi_scale", "mixed_bfloat16"),
    ("attention_shared", "patch_with_spectral_norm", "mixed_float16"),
    ("unet", "pixel", "mixed_bfloat16"),
    ("resnet_with_input_skip", "projected", "mixed_float16"),
]


@pytest.mark.parametrize(
    ("generator", "judge", "policy"),
    [
        *PAIRS,
        pytest.param("ugatit", "ugatit_discriminator", "mixed_float16", marks=pytest.mark.slow),
    ],
)
def test_every_family_takes_a_step_under_each_policy(generator, judge, policy):
    """The resnet and the patch discriminator do in tests/cyclegan, others in files of their own."""
    names = generator, generator, judge, judge
    made = {**SMALL, "projected": projected}
    networks = [made[name](dtype=policy) for name in names]
    model = CycleGAN(*networks, image_shape=(32, 32, 3), pool_size=0)
    model.compile(*[keras.optimizers.SGD(0.1) for _ in range(2)], run_eagerly=True)
    before = [[w.numpy() for w in network.trainable_weights] for network in networks]
    images = random_images(32, 32)

    def moved():
        """Which part of each network's kernels isn't what it was."""
        pairs = [
            list(zip(old, network.trainable_weights, strict=True))
            for network, old in zip(networks, before, strict=True)
        ]
        return [np.mean([np.any(a != b) for a, b in some if a.ndim == 4]) for some in pairs]

    for _ in range(8):  # in float16, steps that overflow are left out, and the scale is halved
        losses = model.train_on_batch(images, -images, return_dict=True)
        assert all(np.isfinite(value) for value in losses.values())
        if min(moved()) > 0:
            break
    assert min(moved()) > 0.9
    assert all(np.isfinite(w).all() for network in networks for w in network.get_weights())
