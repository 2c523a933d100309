"""Reads the pickles in PyTorch checkpoints: only what torch writes for tensors is allowed.

A pickle is a program for a small stack machine. The machine here has no opcode that imports a
class, calls an object that was found so, or changes an object: the few names that torch writes are
in a table, and only the caller's functions are called. No value can take much more memory or time
than the bytes that describe it: keys are text, tuples are flat, and the stack is only as deep as
torch needs.
"""

import io
import pickletools

from keras_cyclegan.files.untrusted import brief, shown

MAX_PICKLE = 2**20  # bytes of a pickle; torch takes about 250 for each tensor
MAX_STACK = 2**12  # values on the stack; torch sets 1,000 pairs at once
MAX_ITEMS = 64  # of a tuple; no tensor has more dimensions
MAX_BITS = 80  # of a number: torch's magic number
MAX_NAME = 100  # characters of a module and a class

_MARK = object()
_FLAT = (int, str, bool, type(None))


class Name(str):
    """The name of a class or function in a pickle: `torch.FloatStorage`. It is never imported."""


def load_pickle(data, functions, names=(), load_storage=None, position=0):
    """Return the value of a pickle that torch wrote.

    Args:
        data: bytes, at most `MAX_PICKLE`.
        functions: dict from the name of each function that a pickle may call to the function that
            is called instead. It gets the arguments in the pickle, and must check them.
        names: collection of names that a pickle may hold without calling them.
        load_storage: function that makes a storage of its persistent id, a flat tuple that it must
            check. None, the default: the pickle may hold no storage.
        position: int, 0 by default. Position in `data` at which the pickle begins.

    Returns:
        `(value, end)`: the value, which consists of numbers, text, tuples, lists, dictionaries with
        text for keys, and results of the functions; and the position after the pickle.

    Raises:
        ValueError: the pickle is damaged or does what torch never does.
    """
    stream = io.BytesIO(data)
    stream.seek(position)
    machine = _Machine(functions, names, load_storage)
    opcodes = pickletools.genops(stream)
    while True:
        try:
            opcode, argument, _ = next(opcodes)
        except ValueError as error:
            limit = f", or has more than {MAX_PICKLE} bytes" if len(data) >= MAX_PICKLE else ""
            raise ValueError(f"its pickle is damaged{limit}: {brief(error)}") from error
        if opcode.name == "STOP":
            return machine.pop(), stream.tell()
        operation = OPERATIONS.get(opcode.name)
        if operation is None:
            raise ValueError(
                f"its pickle has the opcode {opcode.name}, which torch.save does not write for a "
                "state dict of tensors"
            )
        operation(machine, argument)
        if len(machine.stack) > MAX_STACK:
            raise ValueError(f"its pickle piles up more than {MAX_STACK} values")


class _Machine:
    """The stack machine; `OPERATIONS` says which opcode is which of its methods."""

    def __init__(self, functions, names, load_storage):
        self.functions = functions
        self.names = {*names, *functions}
        self.load_storage = load_storage
        self.stack = []
        self.memo = {}

    def push(self, value):
        self.stack.append(value)

    def pop(self):
        if not self.stack or self.stack[-1] is _MARK:
            raise ValueError("its pickle takes a value that is not there")
        return self.stack.pop()

    def pop_to_mark(self):
        items = []
        while self.stack and self.stack[-1] is not _MARK:
            items.append(self.stack.pop())
        if not self.stack:
            raise ValueError("its pickle takes values that are not there")
        self.stack.pop()
        return items[::-1]

    def top(self, kind):
        if not self.stack or type(self.stack[-1]) is not kind:
            raise ValueError(f"its pickle adds to something that isn't a {kind.__name__}")
        return self.stack[-1]

    def number(self, value):
        if value.bit_length() > MAX_BITS:
            raise ValueError(f"its pickle has a number of {value.bit_length()} bits")
        self.push(value)

    def protocol(self, value):
        if value != 2:
            raise ValueError(f"its pickle has protocol {value}; torch.save writes 2")

    def name(self, value):
        name = value.replace(" ", ".")
        if name not in self.names:
            raise ValueError(
                f"it asks for {brief(name, MAX_NAME)}, which a state dict of tensors does not "
                "need. It is not run. Save only `module.state_dict()` with torch.save."
            )
        self.push(Name(name))

    def tuple(self, items):
        if len(items) > MAX_ITEMS:
            raise ValueError(f"its pickle has a tuple of {len(items)} items")
        for item in items:
            if type(item) is tuple and not all(type(inner) in _FLAT for inner in item):
                raise ValueError("its pickle nests tuples in another way than for shapes")
        self.push(tuple(items))

    def few(self, count):
        self.tuple([self.pop() for _ in range(count)][::-1])

    def append(self, items):
        self.top(list).extend(items)

    def set(self, items):
        target = self.top(dict)
        if len(items) % 2:
            raise ValueError("its pickle has a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is not str:
                raise ValueError(f"it has a {type(key).__name__} for a name, expected text")
            target[key] = value

    def set_one(self):
        value, key = self.pop(), self.pop()
        self.set([key, value])

    def put(self, index):
        if not self.stack:
            raise ValueError("its pickle remembers a value that is not there")
        self.memo[index] = self.stack[-1]

    def get(self, index):
        if self.memo.get(index, _MARK) is _MARK:
            raise ValueError("its pickle recalls a value that is not there")
        self.push(self.memo[index])

    def storage(self):
        identity = self.pop()
        if self.load_storage is None or type(identity) is not tuple:
            raise ValueError(f"unexpected storage {shown(identity)}")
        self.push(self.load_storage(*identity))

    def call(self):
        arguments, name = self.pop(), self.pop()
        if type(name) is not Name or name not in self.functions or type(arguments) is not tuple:
            raise ValueError(f"its pickle calls {shown(name)}")
        self.push(self.functions[name](*arguments))

    def build(self):
        """Ignore the versions of modules, which torch attaches to a state dict."""
        if type(self.pop()) is not dict or type(self.top(dict)) is not dict:
            raise ValueError("its pickle changes the state of an object")


OPERATIONS = {
    "PROTO": _Machine.protocol,
    "MARK": lambda machine, _: machine.push(_MARK),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "BINFLOAT"), _Machine.push),
    "LONG1": _Machine.number,
    "BINUNICODE": _Machine.push,
    **dict.fromkeys(("SHORT_BINSTRING", "BINSTRING"), _Machine.push),  # text of Python 2
    "GLOBAL": _Machine.name,
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE1": lambda machine, _: machine.few(1),
    "TUPLE2": lambda machine, _: machine.few(2),
    "TUPLE3": lambda machine, _: machine.few(3),
    "TUPLE": lambda machine, _: machine.tuple(machine.pop_to_mark()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.pop_to_mark()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "SETITEM": lambda machine, _: machine.set_one(),
    "SETITEMS": lambda machine, _: machine.set(machine.pop_to_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    "BINPERSID": lambda machine, _: machine.storage(),
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}
