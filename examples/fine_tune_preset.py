"""Carry a trained translator over to images of your own.

    python fine_tune_preset.py horse2zebra path/to/images mine
    python fine_tune_preset.py glyphs glyphs mine --toy

A preset may come without its discriminators, and new ones know nothing: what they would teach the
generators first is to forget. So they learn alone for a while, with the generators held still, and
then all of it goes on at a quarter of the paper's rate.
"""

from pathlib import Path

import typer

import keras_cyclegan as kcg

kcg.import_keras_quietly()  # without the lines that TensorFlow prints as it is loaded

import keras

from keras_cyclegan.optimizers import LinearDecay, paper_adam


def main(
    preset: str,
    data: str,
    out: Path,
    epochs: int = 20,
    steps_per_epoch: int | None = None,
    warm_up_epochs: int = 2,
    learning_rate: float = 5e-5,
    seed: int = 0,
    toy: bool = False,
):
    if toy:
        epochs, steps_per_epoch, warm_up_epochs = 1, 10, 1
    keras.utils.set_random_seed(seed)
    model = kcg.CycleGAN.from_preset(preset)
    train, validation = kcg.data.load(
        data, image_size=model.image_shape[0], seed=seed, steps_per_epoch=steps_per_epoch
    )
    watched = train.take(8) if validation is None else validation
    compile_model(model, generators=0.0, discriminators=2e-4)
    model.fit(train, epochs=warm_up_epochs)
    before = cycle_error(model, watched)
    compile_model(model, generators=learning_rate, discriminators=learning_rate)
    model.fit(
        train,
        epochs=epochs,
        callbacks=[kcg.callbacks.SampleGrid(out / "samples", watched)],
    )
    print(f"Cycle error: {before:.3f} before, {cycle_error(model, watched):.3f} after.")
    model.save_to_preset(out / "preset")


def compile_model(model, generators, discriminators):
    """Rates that are constant, then fall to 0 over the second half of `fit`."""
    model.compile(paper_adam(LinearDecay(generators)), paper_adam(LinearDecay(discriminators)))


def cycle_error(model, watched):
    """How far images are from their round trips, on [-1, 1]: what a fine-tuning should lower."""
    terms = model.evaluate(watched, return_dict=True, verbose=0)
    return (terms["cycle_a"] + terms["cycle_b"]) / 2 / model.cycle_loss.weight


if __name__ == "__main__":
    typer.run(main)
