"""What an objective is made of: terms, which compute named scalars from the passes of a step."""

from collections.abc import Callable, Iterable
from typing import Any, Self

import keras
from keras import ops

from keras_cyclegan.arguments import Configured
from keras_cyclegan.passes import OTHER, adds_losses, regularization


@keras.saving.register_keras_serializable("keras_cyclegan")
class Term(Configured, keras.layers.Layer):
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
    its player's networks, saved and restored. Arguments that are attributes of the same names are
    saved with the model. Means are taken by `losses.average`.

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

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {n: keras.saving.serialize_keras_object(value) for n, value in config.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{n: keras.saving.deserialize_keras_object(v) for n, v in config.items()})


class TermOfEach(Term):
    """A term whose loss gives a scalar for each translation, or for each discriminator.

    `log_name` is a scalar's name, with the domains in braces; `pass_name`, where there is one, that
    of the pass which it needs. A subclass has `value(passes, source, target)`, which computes the
    scalar of the translation between these domains.
    """

    log_name = pass_name = ""

    def __init__(self, loss: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loss = loss

    def prepare(self, model):
        judges = self.player == "discriminators"
        targets = sorted(model.targets) if judges else model.targets
        self.ways = [{"source": OTHER[target], "target": target} for target in targets]
        self.names = tuple(self.log_name.format(**way) for way in self.ways)
        if self.pass_name:
            self.needs = tuple(self.pass_name.format(**way) for way in self.ways)

    def __call__(self, passes):
        named = zip(self.names, self.ways, strict=True)
        return {name: self.value(passes, **way) for name, way in named}


class _Around(Term):
    """A term around another one."""

    names = property(lambda self: self.term.names)
    needs = property(lambda self: self.term.needs)
    player = property(lambda self: self.term.player)
    validates = property(lambda self: self.term.validates)

    def __init__(self, term: Term, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.term = term

    def prepare(self, model):
        self.term.prepare(model)

    def follow_epochs(self, *steps):
        self.term.follow_epochs(*steps)


@keras.saving.register_keras_serializable("keras_cyclegan")
class Lazy(_Around):
    """A term that is computed in every k-th step only, and counts k times there.

    Karras et al. 2020 (StyleGAN2), section 3.1. The passes that it asks for are made as outside of
    training, without dropout, because a step that may be left out can keep no state.

    Args:
        term, every: `Term`, and int of at least 1: steps from one computation to the next.
    """

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


@keras.saving.register_keras_serializable("keras_cyclegan")
class Scheduled(_Around):
    """A term whose weight follows a schedule in training; validation takes the full weight.

    Args:
        term: `Term`.
        schedule: a `WeightSchedule`, or any function from a step to a factor. `CycleGAN.fit` tells
            schedules that have a method `follow_epochs` how long it is.
    """

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


class NetworkLosses(Term):
    """What the networks themselves add: `add_loss` of layers, regularizers of weights."""

    def __init__(self, player: str) -> None:
        super().__init__(name=f"losses_of_{player}")
        self.player = player

    def prepare(self, model):
        networks = model.networks_of(self.player).items()
        self.adding = {name: network for name, network in networks if adds_losses(network)}
        self.names = tuple(f"{name}_losses" for name in self.adding)

    def __call__(self, passes):
        losses = {}
        for name, network in self.adding.items():
            added = [*passes.added.get(name, ()), *regularization(network)]
            losses[f"{name}_losses"] = average(sum(added, ops.zeros(())))
        return losses


class Terms:
    """Prepared terms, in order, which Keras would track and save in a list."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self.terms = [*terms]
        self.names = [name for term in self.terms for name in term.names]
        self.needs = {name for term in self.terms for name in term.needs}

    def __iter__(self):
        return iter(self.terms)

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
    """Return the mean of `values` as `keras.losses.Loss` does: of all replicas of a batch.

    A term that isn't computed by a loss of Keras takes it in place of `ops.mean`, so that it counts
    the same on several devices.
    """
    return Average(dtype="float32")(values, values)
