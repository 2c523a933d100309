"""What a folder of images holds, and what tells its two domains apart, before hours are spent."""

from keras_cyclegan.check.check import Checked, check_data
from keras_cyclegan.check.page import write_page

__all__ = ["Checked", "check_data", "write_page"]
