"""`python -m keras_cyclegan`: the command line, where the command itself isn't on the path."""

from keras_cyclegan.cli import app

app(prog_name="python -m keras_cyclegan")
