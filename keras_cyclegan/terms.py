"""What an objective is made of: the passes of a step, and the terms that are computed from them."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
from keras import ops

OTHER = {"a": "b", "b": "a"}  # domains


class Batch(dict):
    """What one step is given: `batch.a`, `batch.b`, and whatever rides along, by its key."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"This batch has no {name!r}; it has {', '.join(map(repr, self))}. What the "
                "dataset's dicts hold beside 'a' and 'b' rides along."
            ) from None


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

    def _fake(self, domain):
        return getattr(self, f"translations_{domain}")[0]

    def _same(self, domain):
        if f"same_{domain}" in self.needs:
            return getattr(self, f"translations_{domain}")[1]
        return self(f"generator_{OTHER[domain]}{domain}", self.batch[domain])

    def _translations(self, domain):
        """Translate into a domain; its own images too, by the same call, if a term needs them."""
        origin = OTHER[domain]
        name = f"generator_{origin}{domain}"
        if f"same_{domain}" not in self.needs:
            return self(name, self.batch[origin]), None
        both = (self.batch[origin], self.batch[domain])
        return apply_to_both(lambda images, **_: self(name, images), *both, self.training)

    def _cycle(self, domain):
        other = OTHER[domain]
        return self(f"generator_{other}{domain}", getattr(self, f"fake_{other}"))

    def _shown(self, domain):
        return self.model.show(getattr(self, f"fake_{domain}"), OTHER[domain], self.batch)

    def _fake_logits(self, domain):
        return self._judge(domain, getattr(self, f"shown_{domain}"))

    def _real_logits(self, domain):
        return self._judge(domain, self.model.show(self.batch[domain], domain, self.batch))

    def _judge(self, domain, images):
        return getattr(self.model, f"discriminator_{domain}")(images, training=self.training)

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
            judge = self.discriminator(domain)
            self._logits[domain] = apply_to_both(
                judge, self.real(domain), self.fakes[domain], self.training
            )
            self.added[f"discriminator_{domain}"] = added_losses(judge)
        return self._logits[domain]

    def again(self) -> "Game":
        return Game(self.model, self.batch, self.fakes, False)


@keras.saving.register_keras_serializable("keras_cyclegan")
class Term(keras.layers.Layer):
    """A term of an objective: from the passes of a step to named scalars, which are added up.

    `CycleGAN.compile(terms=[…])` takes terms of your own beside the paper's. A subclass overrides
    `__call__(passes)`, which returns the scalars by name, and these attributes:

    - `names`: names of the scalars, as the log has them;
    - `player`: `"generators"` (the default), which minimise it, or `"discriminators"`;
    - `needs`: names of passes that it will ask for: known early, two of one network share a call;
    - `validates`: whether it is computed in validation too; True by default.

    What the generators' terms are given has, made once and only if it is asked for, the images
    `(n, height, width, channels)`, in [-1, 1], of the domain that a name ends in: `batch.a`,
    `batch.b` and what rides along in the dataset's dicts; `fake_b` = ab(a), `fake_a` = ba(b);
    `cycle_a` = ba(fake_b), `cycle_b` = ab(fake_a); `same_b` = ab(b), `same_a` = ba(a); and
    logits: `fake_logits_a`, `fake_logits_b`, `real_logits_a`, `real_logits_b`. The discriminators'
    terms have `batch`, `domains`, and for each of these `real(domain)`, `fakes[domain]`,
    `logits(domain)` (of both) and `discriminator(domain)`. Both have `model`, `training`, `step`.

    A term is a layer: weights and layers of its own, made in `prepare(model)`, are trained with
    its player's networks, saved and restored. Means are taken by `losses.average`.

    Args:
        **kwargs: as in `keras.layers.Layer`.

    Example:

    ```python
    class BrightnessTerm(keras_cyclegan.losses.Term):
        names = ("brightness",)

        def __call__(self, passes):
            change = keras.ops.mean(passes.fake_b) - keras.ops.mean(passes.batch.a)
            return {"brightness": keras_cyclegan.losses.average(keras.ops.square(change))}


    model.compile(terms=[BrightnessTerm()])
    ```
    """

    names: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    player = "generators"
    validates = True

    def prepare(self, model: Any) -> None:
        """Look at the model before training: refuse it with a ValueError, or make weights."""

    def follow_epochs(self, *steps: Any) -> None:
        """Hear how long a training is; see `LinearDecay.follow_epochs`."""

    def __call__(self, passes: Any) -> dict[str, Any]:
        """Compute the scalars of one step, by name."""
        raise NotImplementedError(f"{type(self).__name__} must override `__call__(self, passes)`.")


class _Around(Term):
    """A term around another one."""

    def __init__(self, term: Term, **kwargs: Any) -> None:
        super().__init__(name=kwargs.pop("name", None) or f"{self.prefix}_{term.name}", **kwargs)
        self.term = term

    prefix = "around"
    names = property(lambda self: self.term.names)
    needs = property(lambda self: self.term.needs)
    player = property(lambda self: self.term.player)
    validates = property(lambda self: self.term.validates)

    def prepare(self, model):
        self.term.prepare(model)

    def follow_epochs(self, *steps):
        self.term.follow_epochs(*steps)

    def get_config(self):
        term = keras.saving.serialize_keras_object(self.term)
        return {**super().get_config(), "term": term}

    @classmethod
    def from_config(cls, config):
        config = {**config, "term": keras.saving.deserialize_keras_object(config["term"])}
        return cls(**config)


@keras.saving.register_keras_serializable("keras_cyclegan")
class Lazy(_Around):
    """A term that is computed in every k-th step only, and counts k times there.

    Karras et al. 2020 (StyleGAN2), section 3.1. The passes that it asks for are made as outside of
    training, without dropout, because a step that may be left out can keep no state.

    Args:
        term: `Term`.
        every: int of at least 1. Steps from one computation to the next.

    Raises:
        ValueError: `every` is no int of at least 1.

    Example:

    ```python
    class TotalVariationTerm(Term):
        names = ("variation",)

        def __call__(self, passes):
            fake = passes.fake_b
            return {"variation": average(keras.ops.abs(fake[:, 1:] - fake[:, :-1]))}


    model.compile(terms=[Lazy(TotalVariationTerm(), 4)])
    ```
    """

    prefix = "lazy"

    def __init__(self, term: Term, every: int, **kwargs: Any) -> None:
        if not isinstance(every, int) or every < 1:
            raise ValueError(f"`every` must be an int of at least 1. Received every={every!r}.")
        super().__init__(term, **kwargs)
        self.every = every

    @property
    def needs(self):
        return self.term.needs if self.every == 1 else ()

    def __call__(self, passes):
        if self.every == 1 or not passes.training:
            return self.term(passes)

        def due():
            terms = self.term(passes.again())
            return tuple(self.every * ops.cast(terms[name], "float32") for name in self.names)

        def idle():
            return tuple(ops.zeros((), "float32") for _ in self.names)

        now = ops.cast(passes.step, "int32") % self.every == 0
        return dict(zip(self.names, ops.cond(now, due, idle), strict=True))

    def get_config(self):
        return {**super().get_config(), "every": self.every}


@keras.saving.register_keras_serializable("keras_cyclegan")
class Scheduled(_Around):
    """A term whose weight follows a schedule in training; validation takes the full weight.

    Args:
        term: `Term`.
        schedule: a `WeightSchedule`, or any function from a step to a factor. `CycleGAN.fit` tells
            schedules that have a method `follow_epochs` how long it is.

    Example:

    ```python
    class ContrastTerm(Term):
        names = ("contrast",)

        def __call__(self, passes):
            return {"contrast": average(-keras.ops.std(passes.fake_b, axis=(1, 2, 3)))}


    model.compile(terms=[Scheduled(ContrastTerm(), WeightSchedule(0.1))])
    ```
    """

    prefix = "scheduled"

    def __init__(self, term: Term, schedule: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(term, **kwargs)
        self.schedule = schedule

    def prepare(self, model):
        super().prepare(model)
        # A variable of this layer, because on JAX a step knows no others.
        if getattr(self.schedule, "is_open", False) and not self.weights:
            self.schedule.variable = self.add_weight(
                shape=(2,), dtype="int32", initializer="zeros", trainable=False, name="steps"
            )
            self.schedule.follow_epochs(None, 1)

    def follow_epochs(self, *steps):
        super().follow_epochs(*steps)
        if getattr(self.schedule, "is_open", False):
            self.schedule.follow_epochs(*steps)

    def __call__(self, passes):
        terms = self.term(passes)
        if not passes.training:
            return terms
        factor = self.schedule(passes.step)
        return {name: factor * value for name, value in terms.items()}

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {**super().get_config(), "schedule": schedule}

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return super().from_config({**config, "schedule": schedule})


class NetworkLosses(Term):
    """What the networks themselves add: `add_loss` of layers, regularizers of weights."""

    def __init__(self, player: str) -> None:
        super().__init__(name=f"losses_of_{player}")
        self.player = player

    def prepare(self, model):
        networks = model.networks_of(self.player).items()
        self.adding = {name: network for name, network in networks if _adds_losses(network)}
        self.names = tuple(f"{name}_losses" for name in self.adding)

    def __call__(self, passes):
        return {
            f"{name}_losses": average(
                sum([*passes.added.get(name, ()), *_regularization(network)], ops.zeros(()))
            )
            for name, network in self.adding.items()
        }


class Terms:
    """Terms in order: all of them, or those that one player minimises."""

    def __init__(self, terms: Iterable[Term], player: str | None = None) -> None:
        self.terms = [term for term in terms if player in (None, term.player)]

    def __iter__(self):
        return iter(self.terms)

    @property
    def names(self):
        return [name for term in self.terms for name in term.names]

    @property
    def needs(self):
        return {name for term in self.terms for name in term.needs}

    def __call__(self, passes: Any) -> dict[str, Any]:
        losses: dict[str, Any] = {}
        for term in self.terms:
            if passes.training or term.validates:
                losses |= term(passes)
        return losses


class Average(keras.losses.Loss):
    """The mean of its second argument, over the replicas of a `tf.distribute` strategy too."""

    def call(self, y_true, y_pred):
        return y_pred


def average(values: Any) -> Any:
    """Return the mean of a tensor as `keras.losses.Loss` does: of all replicas of a batch.

    A term that isn't computed by a loss of Keras takes it in place of `ops.mean`, so that it counts
    the same on several devices.

    Args:
        values: tensor of any shape.

    Returns:
        float32 scalar.

    Example:

    ```python
    average(np.array([1.0, 3.0]))  # 2.0
    ```
    """
    return Average(dtype="float32")(values, values)


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
    return losses[: len(losses) - len(_regularization(network))] if losses else []


def _regularization(network):
    variables = getattr(network, "trainable_variables", ())
    return [v.regularizer(v) for v in variables if getattr(v, "regularizer", None)]


def _adds_losses(network):
    """Whether a network adds losses: asked of a small call, if it has layers of unknown classes."""
    if _regularization(network):
        return True
    known = ("keras.", "keras_cyclegan.")
    if all(
        type(layer).__module__.startswith(known) and layer.activity_regularizer is None
        for layer in _layers(network)
    ):
        return False
    height, width, channels = network.input_shape[1:]
    images = ops.zeros((1, height or 64, width or 64, channels))
    with keras.StatelessScope(collect_losses=True):
        network(images, training=True)
        return bool(network.losses)


def _layers(network):
    for layer in network.layers:
        yield layer
        yield from _layers(layer) if isinstance(layer, keras.Model) else ()
