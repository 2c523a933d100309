"""Small damage, to bytes and to JSON, by a generator of random numbers that comes with it."""

import copy
import struct
import zlib

NUMBERS = (0, 1, 2, 3, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
OPCODES = b"\x80(NtRQ}])\x85\x86\x87\x88\x89KMJGXUTcqrhjsueab\x8a\x8b2.0I\x90\x91\x93\x94\x95\x81"
WORDS = (
    *("", "conv", "Sequential", "Functional", "Lambda", "__lambda__", "keras.layers", "ReLU"),
    *("keras_cyclegan>ResNetGenerator", "os", "system", "same", "float16", "x" * 5000, "\0\n\x1b["),
    *("generator_ab", "../../secret", "/etc/passwd", "channels_first", "paper"),
)
VALUES = (None, True, False, -1, 0, 1, 3, 64, 10**4, 10**9, 10**40, 0.5, 1e308, [], {}, *WORDS)


def mutate_bytes(random, content, others):
    """`content` with one to four changes; it may get parts of `others`."""
    content = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = random.randrange(len(content) + 1)
        length = random.choice((1, 1, 2, 4, 8, 64, 1000))
        kind = random.randrange(9)
        if kind == 0 and at < len(content):
            content[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            content[at : at + length] = random.randbytes(length)
        elif kind == 2:
            del content[at : at + length]
        elif kind == 3:
            number = random.choice(NUMBERS) & (2**64 - 1)
            raw = struct.pack(random.choice("<>") + "Q", number)
            width = random.choice((1, 2, 4, 8))
            content[at : at + width] = raw[:width] if random.random() < 0.5 else raw[-width:]
        elif kind == 4:
            content[at:at] = content[at : at + length] * random.choice((1, 2, 100, 3000))
        elif kind == 5:
            other = random.choice(others)
            begin = random.randrange(len(other) + 1)
            content[at : at + length] = other[begin : begin + length]
        elif kind == 6:
            del content[at:]
        elif kind == 7:
            content[at:at] = bytes(random.choice(OPCODES) for _ in range(length))
        else:
            content[at:at] = bytes([random.choice(OPCODES)]) * random.choice((1, 50, 10**5))
    return bytes(content)


def mutate_json(random, content):
    """A copy of parsed JSON with one to three changes."""
    content = copy.deepcopy(content)
    for _ in range(random.choice((1, 1, 2, 3))):
        places = list(_places(content))
        parent, key = random.choice(places)
        kind = random.randrange(6)
        if kind < 3:
            parent[key] = random.choice(VALUES)
        elif kind == 3:
            del parent[key]
        elif kind == 4:
            other, other_key = random.choice(places)
            parent[key] = copy.deepcopy(other[other_key])
        elif isinstance(parent, list):
            parent.extend([parent[key]] * random.choice((1, 5, 2000)))
        else:
            parent[random.choice(WORDS)] = random.choice(VALUES)
        if not content:
            break
    return content


def _places(content):
    unseen = [content]
    while unseen:
        parent = unseen.pop()
        pairs = parent.items() if isinstance(parent, dict) else enumerate(parent)
        for key, value in pairs:
            yield parent, key
            if isinstance(value, dict | list) and value:
                unseen.append(value)


def mend_png(content):
    """Gives each chunk of a PNG its right check sum, so that readers look behind it."""
    content, at = bytearray(content), 8
    while at + 12 <= len(content):
        end = at + 8 + struct.unpack(">I", content[at : at + 4])[0]
        if end + 4 > len(content):
            break
        content[end : end + 4] = struct.pack(">I", zlib.crc32(content[at + 4 : end]))
        at = end + 4
    return bytes(content)
