"""Means and variances of values that come in parts."""


class Moments:
    """Count, mean and centred sums of squares of all parts so far.

    Chan et al. 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances".
    Plain sums of squares would cancel.

    Args:
        product: `numpy.multiply` for the squares of each feature, `numpy.outer` for the products of
            each two.
    """

    def __init__(self, product):
        self._product = product
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def merge(self, count, mean, squares):
        """Add a part of `count` values, with the sums of products of deviations from its mean."""
        shift, total = mean - self.mean, self.count + count
        between = self._product(shift, shift) * (self.count * count / total)
        self.squares = self.squares + squares + between
        self.mean = self.mean + shift * (count / total)
        self.count = total
