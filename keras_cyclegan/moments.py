"""Means and variances of values that come in parts."""


class Moments:
    """Count, mean and centred sums of squares of all parts so far.

    Chan et al. 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances".
    Plain sums of squares would cancel.
    """

    def __init__(self):
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def merge(self, count, mean, squares):
        """Add a part of `count` values, with the sums of squared deviations from its mean."""
        shift, total = mean - self.mean, self.count + count
        self.squares = self.squares + squares + shift**2 * (self.count * count / total)
        self.mean = self.mean + shift * (count / total)
        self.count = total
