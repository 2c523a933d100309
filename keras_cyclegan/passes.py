"""What terms see of a step: its batch, and the passes of networks that they ask for."""

from typing import Any

import keras
from keras import ops

OTHER = {"a": "b", "b": "a"}  # domains


class Batch(dict):
    """What one step is given: `batch.a`, `batch.b`, and whatever rides along, by its key."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(
            f"This batch has no {name!r}; it has {', '.join(map(repr, self))}. What the "
            "dataset's dicts hold beside 'a' and 'b' rides along."
        )


class Passes:
    """What the generators' terms see of a step: each pass is made once, if it is asked for.

    `passes.cycle_a` is what `_cycle("a")` gives; Zhu et al. 2017, figure 3. `needs` are the names
    of passes that are known to be needed, `generators` those in place of the model's.
    """

    def __init__(self, model, batch, training, needs=(), generators=None):
        self.model = model
        self.batch = batch
        self.training = training
        self.step = model.optimizer.iterations
        self.needs = frozenset(needs)
        self.generator_ab, self.generator_ba = generators or model.generators(training)
        self.added: dict[str, list[Any]] = {}  # what layers gave to `add_loss`, by their network
        for name in ("fake_b", "fake_a", "cycle_a", "cycle_b"):
            if name in self.needs:
                getattr(self, name)

    def __getattr__(self, name: str) -> Any:
        kind, _, domain = name.rpartition("_")
        make = getattr(type(self), f"_{kind}", None)
        if make is None or domain not in OTHER:
            raise AttributeError(f"A step has no pass {name!r}; `Term` names those that it has.")
        value = make(self, domain)
        setattr(self, name, value)
        return value

    def __call__(self, name: str, images: Any) -> Any:
        """Return `images` translated by the generator of that name, and keep what it adds."""
        generator = getattr(self, name)
        translated = generator(images, training=self.training)
        self.added.setdefault(name, []).extend(added_losses(generator))
        return translated

    def again(self) -> "Passes":
        """Return passes of the same networks and images that change no state."""
        generators = self.generator_ab, self.generator_ba
        return Passes(self.model, self.batch, False, self.needs, generators)

    def _translations(self, domain):
        """Translate into a domain; its own images too, by the same call, if a term needs them."""
        origin = OTHER[domain]
        name = f"generator_{origin}{domain}"
        if f"same_{domain}" not in self.needs:
            return self(name, self.batch[origin]), None
        both = (self.batch[origin], self.batch[domain])
        return apply_to_both(lambda images, **_: self(name, images), *both, self.training)

    def _fake(self, domain):
        return self._painted(getattr(self, f"translations_{domain}")[0], OTHER[domain])

    def _same(self, domain):
        if f"same_{domain}" in self.needs:
            return getattr(self, f"translations_{domain}")[1]
        return self(f"generator_{OTHER[domain]}{domain}", self.batch[domain])

    def _cycle(self, domain):
        other = OTHER[domain]
        back = self(f"generator_{other}{domain}", getattr(self, f"fake_{other}"))
        return self._painted(back, domain)

    def _painted(self, images, origin):
        painted = self.model.painted
        return images if painted is None else painted(images, origin, self.batch)

    def _shown(self, domain):
        return self.model.show(getattr(self, f"fake_{domain}"), OTHER[domain], self.batch)

    def _fake_logits(self, domain):
        return self._judge(domain, getattr(self, f"shown_{domain}"))

    def _real_logits(self, domain):
        return self._judge(domain, self.model.show(self.batch[domain], domain, self.batch))

    def _judge(self, domain, images):
        return getattr(self.model, f"discriminator_{domain}")(images, training=self.training)


class Game:
    """What the discriminators' terms see of a step: real images, and what was made of them.

    `fakes` are translations by domain, older ones too, as the discriminators are shown them.
    """

    def __init__(self, model, batch, fakes, training):
        self.model = model
        self.batch = batch
        self.fakes = fakes
        self.training = training
        self.step = model.optimizer.iterations
        self.domains = tuple(fakes)
        self.added: dict[str, list[Any]] = {}
        self._logits: dict[str, Any] = {}

    def discriminator(self, domain: str) -> Any:
        return getattr(self.model, f"discriminator_{domain}")

    def real(self, domain: str) -> Any:
        """Return the domain's real images, `(n, height, width, channels)`, as they are shown."""
        return self.model.show(self.batch[domain], domain, self.batch)

    def logits(self, domain: str) -> Any:
        """Return the logits of the domain's real images, and of its translations."""
        if domain not in self._logits:
            judge, images = self.discriminator(domain), (self.real(domain), self.fakes[domain])
            self._logits[domain] = apply_to_both(judge, *images, self.training)
            self.added[f"discriminator_{domain}"] = added_losses(judge)
        return self._logits[domain]

    def again(self) -> "Game":
        return Game(self.model, self.batch, self.fakes, False)


def apply_to_both(network: Any, first: Any, second: Any, training: bool) -> tuple[Any, Any]:
    """Return `network(first), network(second)`, by one call if the shapes allow it: it is faster.

    For the paper's networks, which normalise each image on its own, it makes no difference. Batch
    normalisation takes the statistics of both together.
    """
    if first.shape[1:] != second.shape[1:]:
        return network(first, training=training), network(second, training=training)
    both = network(ops.concatenate([first, second]), training=training)
    count = ops.shape(first)[0]
    pick = keras.tree.map_structure  # a discriminator may give several maps
    return pick(lambda x: x[:count], both), pick(lambda x: x[count:], both)


def added_losses(network: Any) -> list[Any]:
    """Return what the layers of a network gave to `add_loss` in its last call."""
    losses = getattr(network, "losses", [])  # in which those of regularizers come last
    return losses[: len(losses) - len(regularization(network))] if losses else []


def regularization(network: Any) -> list[Any]:
    """Return what the regularizers of a network's weights give."""
    variables = getattr(network, "trainable_variables", ())
    return [v.regularizer(v) for v in variables if getattr(v, "regularizer", None)]


def adds_losses(network: keras.Model) -> bool:
    """Return whether a network adds losses: one with layers of unknown classes is tried."""
    if regularization(network):
        return True
    if all(map(_is_silent, network.layers)):
        return False
    height, width, channels = network.input_shape[1:]
    images = ops.zeros((1, height or 64, width or 64, channels))
    with keras.StatelessScope(collect_losses=True):
        network(images, training=True)
        return bool(network.losses)


def _is_silent(layer):
    """Return whether a layer and those in it are known, and regularize no outputs."""
    is_known = type(layer).__module__.startswith(("keras.", "keras_cyclegan."))
    parts = layer.layers if isinstance(layer, keras.Model) else ()
    return is_known and layer.activity_regularizer is None and all(map(_is_silent, parts))
