"""A CycleGAN that learns from a part of each image: animals in photos, ink on paper."""

from keras import ops

from keras_cyclegan import CycleGAN


class MaskedCycleGAN(CycleGAN):
    """A `CycleGAN` whose images bring a mask as their fourth channel, -1 to 1.

    Discriminators see what the mask leaves of images, on gray or on the photo as it was.
    """

    keep_weight = 10.0
    background = "photo"

    def shown(self, mask, images, photos):
        """What discriminators see: `images` where the mask is 1, the photo or gray beside it."""
        return mask * images + (1.0 - mask) * (photos if self.background == "photo" else 0.0)

    def unpack(self, data):
        images, self.masks = [], []
        for batch in data:
            images.append(batch[..., :3])
            self.masks.append((batch[..., 3:] + 1.0) / 2.0)
        return images

    def check_shapes(self, batch):
        pass  # that is for images without a mask

    def generator_losses(self, real_a, real_b, training):
        mask_a, mask_b = self.masks
        fake_b = self.generator_ab(real_a, training=training)
        fake_a = self.generator_ba(real_b, training=training)
        cycle_a = self.generator_ba(fake_b, training=training)
        cycle_b = self.generator_ab(fake_a, training=training)
        shown_b = self.shown(mask_a, fake_b, real_a)
        shown_a = self.shown(mask_b, fake_a, real_b)
        return {
            "adversarial_ab": self._fool(self.discriminator_b, shown_b, None, training),
            "adversarial_ba": self._fool(self.discriminator_a, shown_a, None, training),
            "cycle_a": self.cycle_loss(real_a, cycle_a),
            "cycle_b": self.cycle_loss(real_b, cycle_b),
            "keep_a": self._keep(mask_a, real_a, fake_b),
            "keep_b": self._keep(mask_b, real_b, fake_a),
        }, (ops.stop_gradient(shown_a), ops.stop_gradient(shown_b))

    def _keep(self, mask, real, fake):
        return self.keep_weight * ops.mean((1.0 - mask) * ops.abs(fake - real))

    def discriminator_losses(self, real_a, real_b, fake_a, fake_b, training):
        real_a, real_b = (
            self.shown(mask, real, real)
            for mask, real in zip(self.masks, (real_a, real_b), strict=True)
        )
        return super().discriminator_losses(real_a, real_b, fake_a, fake_b, training)

    def log_names(self):
        yield from super().log_names()
        yield from ("keep_a", "keep_b")
