"""Training on torch."""

import keras
import torch

from keras_cyclegan.processor import has_accelerator
from keras_cyclegan.steps.base import BaseTrainer


class Trainer(BaseTrainer):
    """Gradients by `torch.autograd.grad`, which sets no variable's `.grad`."""

    def make_train_function(self, force=False):
        if self.jit_compile:
            raise ValueError(
                "On torch a step can't be compiled: torch.compile traces Keras's layers until it "
                "gives up. Compile with `jit_compile=False`, or train on jax or tensorflow, whose "
                "files are the same."
            )
        if self.compute_dtype == "float16" and not has_accelerator():
            raise ValueError(
                "torch has no gradients of float16 convolutions on a CPU. Use the policy "
                "`mixed_bfloat16`, a GPU, or another backend."
            )
        super().make_train_function(force)

    def differentiate(self, objective, variables):
        losses, results = objective()
        gradients = torch.autograd.grad(
            self.optimizer.scale_loss(sum(losses.values())),
            [variable.value for variable in variables],
            allow_unused=True,
        )
        losses, results = keras.tree.map_structure(torch.Tensor.detach, (losses, results))
        return losses, results, list(gradients)

    def input_gradient(self, function, images):
        images = images.detach().requires_grad_()
        return torch.autograd.grad(function(images), images, create_graph=True)[0]

    def random_states(self):
        # Torch's own generators, which Keras's dropout uses.
        states = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
        return [state.numpy() for state in states]

    def restore_random_states(self, states):
        if states:  # a checkpoint of another backend has none
            processor, *devices = (torch.from_numpy(state) for state in states)
            torch.set_rng_state(processor)
            torch.cuda.set_rng_state_all(devices[: torch.cuda.device_count()])

    @torch.no_grad()
    def apply(self, gradients, variables):
        super().apply(gradients, variables)
