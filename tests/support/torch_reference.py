"""CycleGAN in plain PyTorch, written from the paper's tables and apart from the package.

Modules are nested as in the authors' code, so that a state dict's keys are those of their
checkpoints (`model.10.conv_block.1.weight`). Nothing here imports keras or keras_cyclegan.
"""

import torch
from torch import nn
from torch.nn import functional

torch.set_num_threads(1)  # these networks are smaller than what sharing them out costs


def norm(channels):
    return nn.InstanceNorm2d(channels, eps=1e-5, affine=False, track_running_stats=False)


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            norm(channels),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            norm(channels),
        )

    def forward(self, x):
        return x + self.conv_block(x)


class ResNetGenerator(nn.Module):
    def __init__(self, input_channels, output_channels, filters, num_blocks):
        super().__init__()
        layers = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(input_channels, filters, 7),
            norm(filters),
            nn.ReLU(),
        ]
        for width in (filters, 2 * filters):
            layers += [
                nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
                norm(2 * width),
                nn.ReLU(),
            ]
        layers += [ResidualBlock(4 * filters) for _ in range(num_blocks)]
        for width in (4 * filters, 2 * filters):
            layers += [
                nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1),
                norm(width // 2),
                nn.ReLU(),
            ]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(filters, output_channels, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x)


class UNetLevel(nn.Module):
    """One resolution of the U-Net around the next lower one, `inner`."""

    def __init__(self, outside, inside, inner=None, input_channels=None):
        super().__init__()
        self.outermost = input_channels is not None
        down = nn.Conv2d(input_channels or outside, inside, 4, stride=2, padding=1)
        up = nn.ConvTranspose2d(inside * (2 if inner else 1), outside, 4, stride=2, padding=1)
        if self.outermost:
            layers = [down, inner, nn.ReLU(), up, nn.Tanh()]
        elif inner is None:
            layers = [nn.LeakyReLU(0.2), down, nn.ReLU(), up, norm(outside)]
        else:
            layers = [
                nn.LeakyReLU(0.2),
                down,
                norm(inside),
                inner,
                nn.ReLU(),
                up,
                norm(outside),
            ]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class UNetGenerator(nn.Module):
    def __init__(self, input_channels, output_channels, filters, num_downsamplings):
        super().__init__()
        widths = [filters * min(2**level, 8) for level in range(num_downsamplings)]
        block = None
        for level in reversed(range(1, num_downsamplings)):
            block = UNetLevel(widths[level - 1], widths[level], block)
        self.model = UNetLevel(output_channels, widths[0], block, input_channels)

    def forward(self, x):
        return self.model(x)


class PatchDiscriminator(nn.Module):
    def __init__(self, channels, filters, num_layers):
        super().__init__()
        layers = [nn.Conv2d(channels, filters, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        width = filters
        for layer in range(1, num_layers + 1):
            wider = filters * min(2**layer, 8)
            stride = 2 if layer < num_layers else 1
            layers += [
                nn.Conv2d(width, wider, 4, stride=stride, padding=1),
                norm(wider),
                nn.LeakyReLU(0.2),
            ]
            width = wider
        self.model = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, stride=1, padding=1))

    def forward(self, x):
        return self.model(x)


class PixelDiscriminator(nn.Module):
    def __init__(self, channels, filters):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, filters, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(filters, 2 * filters, 1),
            norm(2 * filters),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * filters, 1, 1),
        )

    def forward(self, x):
        return self.net(x)


def load_keras_weights(module, weights):
    """Give `module` arrays in Keras's order and layout; every kind of kernel turns the same way."""
    parameters = list(module.parameters())
    assert len(parameters) == len(weights)
    with torch.no_grad():
        for parameter, array in zip(parameters, weights, strict=True):
            turned = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
            assert parameter.shape == turned.shape
            parameter.copy_(torch.tensor(turned))


def keras_weights(module):
    """The arrays of `module` in Keras's order and layout."""
    arrays = [parameter.detach().numpy() for parameter in module.parameters()]
    return [array.transpose(2, 3, 1, 0) if array.ndim == 4 else array for array in arrays]


def as_torch(images):
    return torch.tensor(images.transpose(0, 3, 1, 2))


class Step:
    """Section 6 of the reference in the authors' order: first the generators, then the judges."""

    def __init__(
        self,
        networks,
        make_optimizer,
        adversarial="least_squares",
        cycle="l1",
        identity="l1",
        cycle_weight=10.0,
        identity_weight=5.0,
        weight_a=1.0,
        weight_b=1.0,
    ):
        self.ab, self.ba, self.judge_a, self.judge_b = networks
        self.generators = [*self.ab.parameters(), *self.ba.parameters()]
        self.judges = [*self.judge_a.parameters(), *self.judge_b.parameters()]
        self.generator_optimizer = make_optimizer(self.generators)
        self.judge_optimizer = make_optimizer(self.judges)
        self.adversarial = adversarial
        self.distances = {"l1": functional.l1_loss, "l2": functional.mse_loss, None: None}
        self.cycle, self.identity = self.distances[cycle], self.distances[identity]
        self.cycle_a, self.cycle_b = weight_a * cycle_weight, weight_b * cycle_weight
        self.identity_a, self.identity_b = weight_a * identity_weight, weight_b * identity_weight

    def verdict(self, logits, wanted):
        target = torch.full_like(logits, float(wanted))
        if self.adversarial == "least_squares":
            return functional.mse_loss(logits, target)
        return functional.binary_cross_entropy_with_logits(logits, target)

    def __call__(self, real_a, real_b):
        a, b = as_torch(real_a), as_torch(real_b)
        fake_b = self.ab(a)
        fake_a = self.ba(b)
        losses = {
            "adversarial_ab": self.verdict(self.judge_b(fake_b), 1),
            "adversarial_ba": self.verdict(self.judge_a(fake_a), 1),
            "cycle_a": self.cycle_a * self.cycle(self.ba(fake_b), a),
            "cycle_b": self.cycle_b * self.cycle(self.ab(fake_a), b),
        }
        if self.identity is not None:
            losses["identity_a"] = self.identity_a * self.identity(self.ba(a), a)
            losses["identity_b"] = self.identity_b * self.identity(self.ab(b), b)
        self.generator_optimizer.zero_grad()
        sum(losses.values()).backward()
        self.generator_optimizer.step()

        self.judge_optimizer.zero_grad()
        for name, judge, real, fake in (
            ("discriminator_a", self.judge_a, a, fake_a),
            ("discriminator_b", self.judge_b, b, fake_b),
        ):
            on_real = self.verdict(judge(real), 1)
            on_fake = self.verdict(judge(fake.detach()), 0)
            losses[name] = 0.5 * (on_real + on_fake)
            losses[name].backward()
        self.judge_optimizer.step()

        losses = {name: loss.item() for name, loss in losses.items()}
        return {"loss": sum(losses.values()), **losses}
