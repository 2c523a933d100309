"""Reads the pickles in PyTorch checkpoints: only what torch writes for tensors is allowed.

A pickle is a program for a small stack machine. The machine here has no opcode that imports a
class, calls an object that was found so, or changes an object: the few names that torch writes are
in a table, and only the caller's functions are called. No value can take much more memory or time
than the bytes that describe it: keys are text, tuples are flat, and the stack is only as deep as
torch needs.
"""

import pickletools
import struct

from keras_cyclegan.files.untrusted import shown

MAX_PICKLE = 2**20  # bytes of a pickle; torch takes about 250 for each tensor
MAX_STACK = 2**12  # values on the stack; torch sets 1,000 pairs at once
MAX_ITEMS = 64  # of a tuple; no tensor has more dimensions
MAX_NUMBER = 10  # bytes: torch's magic number
MAX_NAME = 100  # of a module or a class

_MARK = object()


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
    machine = _Machine(data, functions, names, load_storage, position)
    return machine.run(), machine.position


class _Machine:
    """The stack machine; each method after `number` is an opcode or a part of one."""

    def __init__(self, data, functions, names, load_storage, position):
        self.data = data
        self.functions = functions
        self.names = {*names, *functions}
        self.load_storage = load_storage
        self.position = position
        self.stack = []
        self.memo = {}

    def run(self):
        while (code := self.take(1)) != b".":
            operation = OPERATIONS.get(code)
            if operation is None:
                known = pickletools.code2op.get(code.decode("latin-1"))
                raise ValueError(
                    f"its pickle has the opcode {known.name if known else code!r}, which "
                    "torch.save does not write for a state dict of tensors"
                )
            operation(self)
            if len(self.stack) > MAX_STACK:
                raise ValueError(f"its pickle piles up more than {MAX_STACK} values")
        return self.pop()

    def take(self, count):
        """Return the next bytes of the pickle."""
        taken = self.data[self.position : self.position + count]
        if len(taken) < count:
            limit = f", or has more than {MAX_PICKLE} bytes" if len(self.data) >= MAX_PICKLE else ""
            raise ValueError(f"its pickle ends in the middle{limit}")
        self.position += count
        return taken

    def number(self, kind):
        return struct.unpack(kind, self.take(struct.calcsize(kind)))[0]

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

    def text(self, kind):
        self.push(str(self.take(self.number(kind)), "utf-8"))

    def long(self):
        length = self.number("B")
        if length > MAX_NUMBER:
            raise ValueError(f"its pickle has a number of {length} bytes")
        self.push(int.from_bytes(self.take(length), "little", signed=True))

    def protocol(self):
        if (protocol := self.number("B")) != 2:
            raise ValueError(f"its pickle has protocol {protocol}; torch.save writes 2")

    def name(self):
        end = self.data.find(b"\n", self.position, self.position + MAX_NAME)
        end = self.data.find(b"\n", end + 1, end + 1 + MAX_NAME) if end >= 0 else end
        if end < 0:
            raise ValueError("its pickle names no class or function")
        name = str(self.take(end + 1 - self.position), "utf-8").rstrip("\n").replace("\n", ".")
        if name not in self.names:
            raise ValueError(
                f"it asks for {name}, which a state dict of tensors does not need. It is not run. "
                "Save only `module.state_dict()` with torch.save."
            )
        self.push(Name(name))

    def tuple(self, items):
        if len(items) > MAX_ITEMS:
            raise ValueError(f"its pickle has a tuple of {len(items)} items")
        for item in items:
            if type(item) is tuple and not all(type(inner) in FLAT for inner in item):
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

    def append_one(self):
        self.append([self.pop()])

    def put(self, kind):
        if not self.stack:
            raise ValueError("its pickle remembers a value that is not there")
        self.memo[self.number(kind)] = self.stack[-1]

    def get(self, kind):
        index = self.number(kind)
        if index not in self.memo or self.memo[index] is _MARK:
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


FLAT = (int, str, bool, type(None))
OPERATIONS = {
    b"\x80": _Machine.protocol,
    b"(": lambda machine: machine.push(_MARK),
    b"N": lambda machine: machine.push(None),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"K": lambda machine: machine.push(machine.number("B")),
    b"M": lambda machine: machine.push(machine.number("<H")),
    b"J": lambda machine: machine.push(machine.number("<i")),
    b"\x8a": _Machine.long,
    b"G": lambda machine: machine.push(machine.number(">d")),
    b"X": lambda machine: machine.text("<I"),
    b"U": lambda machine: machine.text("B"),  # text of Python 2
    b"T": lambda machine: machine.text("<I"),
    b"c": _Machine.name,
    b")": lambda machine: machine.push(()),
    b"\x85": lambda machine: machine.few(1),
    b"\x86": lambda machine: machine.few(2),
    b"\x87": lambda machine: machine.few(3),
    b"t": lambda machine: machine.tuple(machine.pop_to_mark()),
    b"]": lambda machine: machine.push([]),
    b"a": _Machine.append_one,
    b"e": lambda machine: machine.append(machine.pop_to_mark()),
    b"}": lambda machine: machine.push({}),
    b"s": _Machine.set_one,
    b"u": lambda machine: machine.set(machine.pop_to_mark()),
    b"q": lambda machine: machine.put("B"),
    b"r": lambda machine: machine.put("<I"),
    b"h": lambda machine: machine.get("B"),
    b"j": lambda machine: machine.get("<I"),
    b"Q": _Machine.storage,
    b"R": _Machine.call,
    b"b": _Machine.build,
}
