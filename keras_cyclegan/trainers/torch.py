"""Training on torch."""

import keras
import torch

from keras_cyclegan.trainers.step import Step


class Trainer(Step):
    """Gradients by `torch.autograd.grad`, which leaves no `.grad` behind on any variable."""

    def differentiate(self, objective, variables):
        value, results = objective()
        gradients = torch.autograd.grad(
            value, [variable.value for variable in variables], allow_unused=True
        )
        return keras.tree.map_structure(torch.Tensor.detach, results), list(gradients)

    @torch.no_grad()
    def update(self, gradients, variables):
        self.optimizer.apply(gradients, variables)
