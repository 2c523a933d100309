"""CycleGAN's training step as one writes it in PyTorch, to compare this package's with.

Written for the benchmarks, from the paper's tables, and apart from the package: nothing here
imports keras or keras_cyclegan. Channels first or last, eager or `torch.compile`d networks,
bfloat16 by autocast; a fused Adam.
"""

import random

import torch
from torch import nn
from torch.nn import functional


def norm_relu(channels):
    return nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            *norm_relu(channels),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x):
        return x + self.body(x)


def double(channels, upsampling):
    if upsampling == "resize":
        yield nn.Upsample(scale_factor=2)
        yield nn.ReflectionPad2d(1)
        yield nn.Conv2d(channels, channels // 2, 3)
    else:
        yield nn.ConvTranspose2d(channels, channels // 2, 3, 2, padding=1, output_padding=1)
    yield from norm_relu(channels // 2)


def generator(width, blocks, upsampling, channels=3):
    return nn.Sequential(
        nn.ReflectionPad2d(3),
        nn.Conv2d(channels, width, 7),
        *norm_relu(width),
        nn.Conv2d(width, 2 * width, 3, 2, padding=1),
        *norm_relu(2 * width),
        nn.Conv2d(2 * width, 4 * width, 3, 2, padding=1),
        *norm_relu(4 * width),
        *(Residual(4 * width) for _ in range(blocks)),
        *double(4 * width, upsampling),
        *double(2 * width, upsampling),
        nn.ReflectionPad2d(3),
        nn.Conv2d(width, channels, 7),
        nn.Tanh(),
    )


def discriminator(width=64, channels=3):
    layers = [nn.Conv2d(channels, width, 4, 2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    for factor, stride in ((1, 2), (2, 2), (4, 1)):
        layers += [
            nn.Conv2d(factor * width, 2 * factor * width, 4, stride, padding=1),
            nn.InstanceNorm2d(2 * factor * width),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, padding=1))


class Pool:
    """The last 50 translations, of which a discriminator sees some."""

    def __init__(self, size=50):
        self.size, self.images = size, []

    def __call__(self, images):
        chosen = []
        for image in images.split(1):
            if len(self.images) < self.size:
                self.images.append(image)
            elif random.random() < 0.5:
                place = random.randrange(self.size)
                image, self.images[place] = self.images[place], image
            chosen.append(image)
        return torch.cat(chosen)


class TrainingStep:
    """One step of Zhu et al. 2017 with identity loss, for two batches of images.

    Args:
        width, blocks, upsampling: of the generators.
        channels_last: bool. Memory format of weights and images.
        compiled: bool. Whether the four networks go through `torch.compile`.
        bfloat16: bool. Whether the networks run under autocast.
        device: str.
    """

    def __init__(self, width, blocks, upsampling, channels_last, compiled, bfloat16, device="cpu"):
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.device, self.bfloat16 = device, bfloat16
        networks = [generator(width, blocks, upsampling) for _ in range(2)]
        networks += [discriminator() for _ in range(2)]
        for network in networks:
            network.to(device, memory_format=self.format)
            for parameter in network.parameters():
                nn.init.normal_(parameter, 0.0, 0.02)
        generators, judges = (
            [p for network in pair for p in network.parameters()]
            for pair in (networks[:2], networks[2:])
        )
        self.judges = judges
        adam = {"lr": 2e-4, "betas": (0.5, 0.999), "fused": True}
        self.optimize_generators = torch.optim.Adam(generators, **adam)
        self.optimize_judges = torch.optim.Adam(judges, **adam)
        if compiled:
            networks = [torch.compile(network) for network in networks]
        self.ab, self.ba, self.judge_a, self.judge_b = networks
        self.pool_a, self.pool_b = Pool(), Pool()

    def __call__(self, a, b):
        a, b = (x.to(self.device, memory_format=self.format) for x in (a, b))
        for parameter in self.judges:
            parameter.requires_grad_(False)
        self.optimize_generators.zero_grad()
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bfloat16):
            fake_b, fake_a = self.ab(a), self.ba(b)
            cycle_a, cycle_b = self.ba(fake_b), self.ab(fake_a)
            same_a, same_b = self.ba(a), self.ab(b)
            judged_a, judged_b = self.judge_a(fake_a), self.judge_b(fake_b)
        loss = (
            self.wanted(judged_a, 1.0)
            + self.wanted(judged_b, 1.0)
            + 10.0 * (distance(cycle_a, a) + distance(cycle_b, b))
            + 5.0 * (distance(same_a, a) + distance(same_b, b))
        )
        loss.backward()
        self.optimize_generators.step()

        for parameter in self.judges:
            parameter.requires_grad_(True)
        self.optimize_judges.zero_grad()
        fake_a, fake_b = self.pool_a(fake_a.detach()), self.pool_b(fake_b.detach())
        for judge, real, fake in ((self.judge_a, a, fake_a), (self.judge_b, b, fake_b)):
            with torch.autocast(self.device, torch.bfloat16, enabled=self.bfloat16):
                judged_real, judged_fake = judge(real), judge(fake)
            judge_loss = self.wanted(judged_real, 1.0) + self.wanted(judged_fake, 0.0)
            (0.5 * judge_loss).backward()
        self.optimize_judges.step()
        return loss.item()

    @staticmethod
    def wanted(judged, value):
        judged = judged.float()
        return functional.mse_loss(judged, torch.full_like(judged, value))


def distance(image, target):
    return functional.l1_loss(image.float(), target)


def step_flops(size, width, blocks, upsampling, batch):
    """Floating-point operations of a step's convolutions, two for each product that is needed.

    Forward; the gradients of the weights; those of the inputs, but not of real images.
    """
    whole_g, first_g = _products(generator(width, blocks, upsampling), size)
    whole_d, first_d = _products(discriminator(), size)
    generators = 4 * (3 * whole_g - first_g) + 2 * 3 * whole_g  # real images; round trips
    fooling = 2 * 2 * whole_d  # no gradients of weights
    judging = 4 * (3 * whole_d - first_d)
    return 2 * batch * (generators + fooling + judging)


def _products(network, size):
    """Products of one forward pass of one image, and those of the first convolution."""
    counts = []

    def count(module, inputs, output):
        kernel = module.weight[0, 0].numel() * module.in_channels * module.out_channels
        places = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        counts.append(kernel * places[0, 0].numel())

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.register_forward_hook(count)
    network.to("meta")(torch.empty(1, 3, size, size, device="meta"))
    return sum(counts), counts[0]
