"""Networks of two convolutions, for tests of what surrounds the networks: they are traced and
compiled in a third of the time.
"""

from keras import Input, Model, layers


def plain_network(name):
    """A generator or a discriminator, as its name says, of images of any size."""
    channels, last = (3, "tanh") if name.startswith("generator") else (1, "linear")
    images = Input((None, None, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="leaky_relu")(images)
    x = layers.Conv2D(channels, 3, padding="same", activation=last)(x)
    return Model(images, x, name=name)
