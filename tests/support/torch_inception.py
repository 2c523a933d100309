"""torchvision's Inception-v3 blocks and pytorch-fid's patches, in plain torch, for parity tests.

Written from the papers and the keys of the published file, apart from the Keras definition; also
replaces torchvision where pytorch-fid is imported without it.
"""

import sys
import types

import torch
import torch.nn.functional as F
from torch import nn


class BasicConv2d(nn.Module):
    def __init__(self, inputs, outputs, **options):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, bias=False, **options)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


def one(inputs, outputs):
    return BasicConv2d(inputs, outputs, kernel_size=1)


def tall(inputs, outputs, size):
    return BasicConv2d(inputs, outputs, kernel_size=(size, 1), padding=(size // 2, 0))


def wide(inputs, outputs, size):
    return BasicConv2d(inputs, outputs, kernel_size=(1, size), padding=(0, size // 2))


def mean_without_padding(x):
    return F.avg_pool2d(x, kernel_size=3, stride=1, padding=1, count_include_pad=False)


def max_with_padding(x):
    return F.max_pool2d(x, kernel_size=3, stride=1, padding=1)


class InceptionA(nn.Module):
    def __init__(self, inputs, pool_features):
        super().__init__()
        self.branch1x1 = one(inputs, 64)
        self.branch5x5_1 = one(inputs, 48)
        self.branch5x5_2 = BasicConv2d(48, 64, kernel_size=5, padding=2)
        self.branch3x3dbl_1 = one(inputs, 64)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, kernel_size=3, padding=1)
        self.branch_pool = one(inputs, pool_features)

    def forward(self, x):
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        pool = self.branch_pool(mean_without_padding(x))
        return torch.cat([self.branch1x1(x), five, three, pool], 1)


class InceptionB(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.branch3x3 = BasicConv2d(inputs, 384, kernel_size=3, stride=2)
        self.branch3x3dbl_1 = one(inputs, 64)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, kernel_size=3, stride=2)

    def forward(self, x):
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class InceptionC(nn.Module):
    def __init__(self, inputs, channels_7x7):
        super().__init__()
        c = channels_7x7
        self.branch1x1 = one(inputs, 192)
        self.branch7x7_1 = one(inputs, c)
        self.branch7x7_2 = wide(c, c, 7)
        self.branch7x7_3 = tall(c, 192, 7)
        self.branch7x7dbl_1 = one(inputs, c)
        self.branch7x7dbl_2 = tall(c, c, 7)
        self.branch7x7dbl_3 = wide(c, c, 7)
        self.branch7x7dbl_4 = tall(c, c, 7)
        self.branch7x7dbl_5 = wide(c, 192, 7)
        self.branch_pool = one(inputs, 192)

    def forward(self, x):
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        pool = self.branch_pool(mean_without_padding(x))
        return torch.cat([self.branch1x1(x), seven, double, pool], 1)


class InceptionD(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.branch3x3_1 = one(inputs, 192)
        self.branch3x3_2 = BasicConv2d(192, 320, kernel_size=3, stride=2)
        self.branch7x7x3_1 = one(inputs, 192)
        self.branch7x7x3_2 = wide(192, 192, 7)
        self.branch7x7x3_3 = tall(192, 192, 7)
        self.branch7x7x3_4 = BasicConv2d(192, 192, kernel_size=3, stride=2)

    def forward(self, x):
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat([three, self.branch7x7x3_4(seven), F.max_pool2d(x, 3, 2)], 1)


class InceptionE(nn.Module):
    pool = staticmethod(mean_without_padding)

    def __init__(self, inputs):
        super().__init__()
        self.branch1x1 = one(inputs, 320)
        self.branch3x3_1 = one(inputs, 384)
        self.branch3x3_2a = wide(384, 384, 3)
        self.branch3x3_2b = tall(384, 384, 3)
        self.branch3x3dbl_1 = one(inputs, 448)
        self.branch3x3dbl_2 = BasicConv2d(448, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_3a = wide(384, 384, 3)
        self.branch3x3dbl_3b = tall(384, 384, 3)
        self.branch_pool = one(inputs, 192)

    def forward(self, x):
        three = self.branch3x3_1(x)
        three = torch.cat([self.branch3x3_2a(three), self.branch3x3_2b(three)], 1)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        double = torch.cat([self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)], 1)
        pool = self.branch_pool(self.pool(x))
        return torch.cat([self.branch1x1(x), three, double, pool], 1)


class InceptionEMax(InceptionE):
    pool = staticmethod(max_with_padding)


class FIDInception(nn.Module):
    """Every stage in order, named as in the published state dict."""

    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, kernel_size=3, padding=1)
        self.pool_1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = one(64, 80)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, kernel_size=3)
        self.pool_2 = nn.MaxPool2d(3, 2)
        self.Mixed_5b = InceptionA(192, 32)
        self.Mixed_5c = InceptionA(256, 64)
        self.Mixed_5d = InceptionA(288, 64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(768, 128)
        self.Mixed_6c = InceptionC(768, 160)
        self.Mixed_6d = InceptionC(768, 160)
        self.Mixed_6e = InceptionC(768, 192)
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = InceptionE(1280)
        self.Mixed_7c = InceptionEMax(2048)
        self.fc = nn.Linear(2048, 1008)

    def stages(self, x):
        """Returns the output of every stage by its name, `(n, c, h, w)`, and `"pool"`."""
        outputs = {}
        for name, stage in self.named_children():
            if name != "fc":
                x = outputs[name] = stage(x)
        return {**outputs, "pool": x.mean(dim=(2, 3))}


def randomise(network, seed):
    """Gives every weight and running statistic a value that keeps activations of size 1."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.data.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.8, 1.2, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator)
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.7, 1.3, generator=generator)
    return network.eval()


def stand_in_for_torchvision(monkeypatch):
    """Lets `import torchvision` find the blocks above: what pytorch-fid takes from it."""
    inception = types.ModuleType("torchvision.models.inception")
    for block in (InceptionA, InceptionC, InceptionE):
        setattr(inception, block.__name__, block)
    models = types.ModuleType("torchvision.models")
    models.inception = inception
    models.inception_v3 = lambda **options: FIDInception()
    torchvision = types.ModuleType("torchvision")
    torchvision.__version__ = "0.20.0"
    torchvision.models = models
    torchvision.transforms = types.ModuleType("torchvision.transforms")
    for module in (torchvision, models, inception, torchvision.transforms):
        monkeypatch.setitem(sys.modules, module.__name__, module)
