"""What a type checker knows of the public names. `mypy` reads this file; nothing runs it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_type

import keras
import numpy as np
from numpy.typing import NDArray

import keras_cyclegan as kcg
from keras_cyclegan import callbacks, data, layers, losses, metrics, networks, optimizers, resume

# The lazy names of the package are the classes themselves, and not Any.
assert_type(kcg.CycleGAN.from_preset("glyphs"), kcg.CycleGAN)
assert_type(kcg.list_presets(), dict[str, dict[str, Any]])
assert_type(kcg.upload_preset("hf://me/mine", Path("mine")), None)
errors: list[type[Exception]] = [
    kcg.DamagedCheckpointError,
    kcg.DivergenceError,
    kcg.DownloadError,
    kcg.ProtocolMismatchError,
    kcg.TooManyPixelsError,
]

model = kcg.CycleGAN(
    networks.ResNetGenerator((128, 128, 3), filters=32, upsampling="resize", input_skip=True),
    networks.UNetGenerator((128, 128, 3)),
    networks.PatchDiscriminator((128, 128, 3), 32, num_layers=2),
    discriminator_b=networks.ProjectedDiscriminator((128, 128, 3)),
    image_shape=(128, 128, 3),
    pool_size=50,
    dtype="mixed_bfloat16",
)
assert_type(
    model.compile(
        generator_optimizer=optimizers.paper_adam(),
        adversarial_loss=losses.AdversarialLoss("hinge"),
        cycle_loss=losses.CycleConsistencyLoss("l1", weight=10.0),
        identity_loss=losses.IdentityLoss(weight=0),
        gradient_penalty=losses.GradientPenalty("r1"),
        ema_momentum=0.999,
    ),
    None,
)
assert_type(model.save_to_preset(Path("mine"), half_precision=True), None)
assert_type(model.export("served", format="onnx", direction="a_to_b"), None)
assert_type(model.get_config(), dict[str, Any])

train, validation = data.load(Path("images"), image_size=(128, 128), validation_split=0.1)
watching: list[keras.callbacks.Callback] = [
    callbacks.SampleGrid("run", validation, every=5),
    callbacks.TranslationMetrics(validation, [metrics.KernelInceptionDistance(name="kid")]),
    callbacks.FailureAlarms(validation, patience=2),
]
assert_type(resume.fit(model, train, Path("run/checkpoints"), 200, callbacks=watching), None)

picture = data.decode_image("horse.jpg")
assert_type(picture, NDArray[np.uint8])
assert_type(data.resize_image(picture, (128, 128)), NDArray[Any])
assert_type(metrics.FrechetInceptionDistance().score(), metrics.Score)
assert_type(metrics.FrechetInceptionDistance().result(), float)
pad: Callable[[Any], Any] = layers.ReflectionPadding2D(3).call

# What a checker refuses: mypy reports a comment that has nothing to ignore.
kcg.CycleGAN(pool_size="50")  # type: ignore[arg-type]
kcg.CycleGAN.from_preset(1)  # type: ignore[arg-type]
model.translate("horse.jpg", tiles=512)  # type: ignore[call-arg]
data.load("images", batch_size=1.5)  # type: ignore[arg-type]
networks.ResNetGenerator(filters="wide")  # type: ignore[arg-type]
resume.fit(model, train)  # type: ignore[call-arg]
print(kcg.no_such_name)  # type: ignore[attr-defined]
