"""Reads the pickles in PyTorch checkpoints: only what torch writes for tensors is allowed."""

import io
import pickle
from typing import ClassVar

from keras_cyclegan.files.untrusted import brief, shown

MAX_PICKLE = 2**19  # bytes of a pickle; torch takes about 250 for each tensor
MAX_NAME = 100  # characters of a module and a class
ALLOWED = (
    *(pickle.PROTO, pickle.STOP, pickle.MARK, pickle.GLOBAL, pickle.BINPERSID),
    *(pickle.REDUCE, pickle.BUILD, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE),
    *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.BINFLOAT),
    *(pickle.BINUNICODE, pickle.BINSTRING, pickle.SHORT_BINSTRING),  # the last two of Python 2
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS),
    *(pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS),
    *(pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET, pickle.LONG_BINGET),
)


class Name(str):
    """The name of a class in a pickle: `torch.FloatStorage`. It is never imported."""


def load_pickle(data, functions, load_storage=None, position=0):
    """Return the value of the pickle at `position` in `data`, and the position after it.

    `functions` has a function for each name that a pickle may call, which must check its arguments,
    and None for other names that it may hold; `load_storage` makes a storage of a persistent id.
    """
    stream = io.BytesIO(data)
    stream.seek(position)
    try:
        return _Unpickler(stream, functions, load_storage).load(), stream.tell()
    except ValueError:
        raise
    # On damaged bytes the machine can raise nearly anything.
    except Exception as error:
        limit = f", or has more than {MAX_PICKLE} bytes" if len(data) >= MAX_PICKLE else ""
        said = f"{type(error).__name__} {brief(error)}"
        raise ValueError(f"its pickle is damaged{limit}: {said}") from error


class _Unpickler(pickle._Unpickler):
    """Python's own machine, in Python, without the opcodes that import or make anything else.

    What it can call are the caller's functions: no other value that it can make is callable.
    Dictionaries take text only, because the hash of nested tuples can take for ever.
    """

    dispatch: ClassVar = {code[0]: pickle._Unpickler.dispatch[code[0]] for code in ALLOWED}

    def __init__(self, file, functions, load_storage):
        super().__init__(file, encoding="latin1")
        self.functions = functions
        self.load_storage = load_storage

    def find_class(self, module, name):
        name = f"{module}.{name}"
        if name not in self.functions:
            raise ValueError(
                f"it asks for {brief(name, MAX_NAME)}, which a state dict of tensors does not "
                "need. It is not run. Save only `module.state_dict()` with torch.save."
            )
        return self.functions[name] or Name(name)

    def persistent_load(self, identity):
        if self.load_storage is None:
            raise ValueError(f"unexpected storage {shown(identity)}")
        return self.load_storage(*identity)

    def load_build(self):  # the versions of modules, which torch attaches to a state dict
        self.stack.pop()

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def load_setitems(self):
        self.set_items(self.pop_mark())

    def set_items(self, items):
        target = self.stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(target) is not dict or type(key) is not str:
                raise ValueError(f"it has a {type(key).__name__} for a name, expected text")
            target[key] = value

    dispatch |= {
        pickle.BUILD[0]: load_build,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
    }
