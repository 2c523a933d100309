"""Reads the pickles in PyTorch checkpoints: only what torch writes for tensors is allowed.

A pickle is a program for a small stack machine. The one here imports nothing, changes no object and
calls only the caller's functions. No value can take much more memory or time than the bytes that
describe it: keys are text, tuples are flat, and the stack is only as deep as torch needs.
"""

import io
import pickletools

from keras_cyclegan.files.untrusted import brief, shown

MAX_PICKLE = 2**20  # bytes of a pickle; torch takes about 250 for each tensor
MAX_STACK = 2**12  # values on the stack; torch sets 1,000 pairs at once
MAX_ITEMS = 64  # of a tuple, and marks at once; no tensor has more dimensions
MAX_BITS = 80  # of a number: torch's magic number
MAX_NAME = 100  # characters of a module and a class
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
FLAT = (int, str, bool, type(None))


class Name(str):
    """The name of a class or function in a pickle: `torch.FloatStorage`. It is never imported."""


def load_pickle(data, functions, load_storage=None, position=0):
    """Read the value of a pickle that torch wrote.

    Args:
        data: bytes, at most `MAX_PICKLE`.
        functions: dict from each name that a pickle may hold to the function that is called in its
            place, which must check the arguments; None for a name that may not be called.
        load_storage: function that makes a storage of its persistent id, a flat tuple that it must
            check. None, the default: the pickle may hold no storage.
        position: int, 0 by default. Position in `data` at which the pickle begins.

    Returns:
        `(value, end)`: the value, of numbers, text, tuples, lists, dictionaries with text for keys,
        and results of the functions; and the position after the pickle.

    Raises:
        ValueError: the pickle is damaged or does what torch never does.
    """
    stream = io.BytesIO(data)
    stream.seek(position)
    opcodes = pickletools.genops(stream)
    machine = _Machine(functions, load_storage)
    while True:
        try:
            opcode, argument, _ = next(opcodes)
        except ValueError as error:
            limit = f", or has more than {MAX_PICKLE} bytes" if len(data) >= MAX_PICKLE else ""
            raise ValueError(f"its pickle is damaged{limit}: {brief(error)}") from error
        try:
            if opcode.name == "STOP":
                return machine.stack.pop(), stream.tell()
            machine.run(opcode.name, argument)
        except LookupError:
            raise ValueError("its pickle takes a value that is not there") from None
        if len(machine.stack) > MAX_STACK or len(machine.outer) > MAX_ITEMS:
            raise ValueError(f"its pickle piles up more than {MAX_STACK} values")


class _Machine:
    def __init__(self, functions, load_storage):
        self.functions = functions
        self.load_storage = load_storage
        self.memo = {}
        self.stack = []  # what has come since the last mark
        self.outer = []  # the stacks before each mark

    def run(self, opcode, argument):
        push, pop = self.stack.append, self.stack.pop
        match opcode:
            case "NONE" | "NEWTRUE" | "NEWFALSE" | "EMPTY_TUPLE":
                push(CONSTANTS[opcode])
            case "BININT" | "BININT1" | "BININT2" | "BINFLOAT" | "BINUNICODE":
                push(argument)
            case "SHORT_BINSTRING" | "BINSTRING":  # text of Python 2
                push(argument)
            case "LONG1":
                if argument.bit_length() > MAX_BITS:
                    raise ValueError(f"its pickle has a number of {argument.bit_length()} bits")
                push(argument)
            case "PROTO":
                if argument != 2:
                    raise ValueError(f"its pickle has protocol {argument}; torch.save writes 2")
            case "GLOBAL":
                push(self.named(argument.replace(" ", ".")))
            case "MARK":
                self.outer.append(self.stack)
                self.stack = []
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                push(_flat_tuple([pop() for _ in range(int(opcode[-1]))][::-1]))
            case "TUPLE":
                items = _flat_tuple(self.pop_to_mark())
                self.stack.append(items)
            case "EMPTY_LIST":
                push([])
            case "APPEND":
                value = pop()
                self.top(list).append(value)
            case "APPENDS":
                items = self.pop_to_mark()
                self.top(list).extend(items)
            case "EMPTY_DICT":
                push({})
            case "SETITEM":
                value, key = pop(), pop()
                _set(self.top(dict), [key], [value])
            case "SETITEMS":
                items = self.pop_to_mark()
                _set(self.top(dict), items[::2], items[1::2])
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                push(self.memo[argument])
            case "BINPERSID":
                identity = pop()
                if self.load_storage is None or type(identity) is not tuple:
                    raise ValueError(f"unexpected storage {shown(identity)}")
                push(self.load_storage(*identity))
            case "REDUCE":
                arguments, name = pop(), pop()
                function = self.functions[name] if type(name) is Name else None
                if function is None or type(arguments) is not tuple:
                    raise ValueError(f"its pickle calls {shown(name)}")
                push(function(*arguments))
            case "BUILD":  # the versions of modules, which torch attaches to a state dict
                if type(pop()) is not dict or type(self.top(dict)) is not dict:
                    raise ValueError("its pickle changes the state of an object")
            case _:
                raise ValueError(
                    f"its pickle has the opcode {opcode}, which torch.save does not write for a "
                    "state dict of tensors"
                )

    def pop_to_mark(self):
        items, self.stack = self.stack, self.outer.pop()
        return items

    def top(self, kind):
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"its pickle adds to something that isn't a {kind.__name__}")
        return self.stack[-1]

    def named(self, name):
        if name not in self.functions:
            raise ValueError(
                f"it asks for {brief(name, MAX_NAME)}, which a state dict of tensors does not "
                "need. It is not run. Save only `module.state_dict()` with torch.save."
            )
        return Name(name)


def _flat_tuple(items):
    if len(items) > MAX_ITEMS:
        raise ValueError(f"its pickle has a tuple of {len(items)} items")
    for item in items:
        if type(item) is tuple and not all(type(inner) in FLAT for inner in item):
            raise ValueError("its pickle nests tuples in another way than for shapes")
    return tuple(items)


def _set(target, keys, values):
    if len(keys) != len(values):
        raise ValueError("its pickle has a key without a value")
    for key, value in zip(keys, values, strict=True):
        if type(key) is not str:
            raise ValueError(f"it has a {type(key).__name__} for a name, expected text")
        target[key] = value
