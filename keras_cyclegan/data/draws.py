"""Everything random of a training set, in NumPy: pure functions of a seed and a step.

The numbers are those of TensorFlow's stateless functions, bit by bit, whatever loads the images:
Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") for draws, and a small
Simon cipher (Beaulieu et al. 2013) for shuffled orders. A run goes on with the same draws on any
machine, with TensorFlow or without.
"""

import numpy as np

# The numbers of the draws for each group of images: its cuts, and which images (A's are shuffled).
GROUPS = {"a": (0, None), "b": (1, 2), "pair": (3, 4)}
ROW, COLUMN, MIRROR, UPSIDE_DOWN, QUARTER = range(5)  # numbers of the draws of a cut
TURNS = {  # the draws for each way to flip; a turn is the sum of 1, 2 and 4
    "none": (),
    "horizontal": (MIRROR,),
    "vertical": (UPSIDE_DOWN,),
    "both": (MIRROR, UPSIDE_DOWN),
    "rot90": (MIRROR, UPSIDE_DOWN, QUARTER),
}
AXES = {MIRROR: 1, UPSIDE_DOWN: 0}  # which a turn reverses; the other one exchanges both
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
_START = 0x02461E293EC8F720  # TensorFlow's key for making keys of seeds


def draw_places(numbers, seed, group, sizes, window, flip):
    """Draw which images of a group come, and where and how each is cut out.

    `numbers`, int64 `(n,)`, say which images of the run; `sizes`, `(count, 2)`, are heights and
    widths of the group's images, and `window` that of what is cut out. Returns int64 `(n, 4)`:
    index, first row, first column, and the turn: 1 (left and right) + 2 (upside down) + 4 (rows and
    columns exchanged after that).
    """
    use, which = GROUPS[group]
    if which is None:
        index = shuffled_index(numbers, len(sizes), seed)
    else:
        index = uniform_int(fold_in((seed, which), numbers), len(sizes), bits=64)
    key = fold_in((seed, use), numbers)
    rooms = (sizes[index] - window + 1).T
    cuts = [uniform_int(fold_in_32(key, axis), rooms[axis]) for axis in (ROW, COLUMN)]
    turns = np.zeros_like(index)
    for turn in TURNS[flip]:
        turns += (uniform(fold_in_32(key, turn)) > 0.5) << (turn - MIRROR)
    return np.column_stack([index, *cuts, turns])


def fold_in(seed, number):
    """Make a new seed, a pair of uint64 arrays, of a seed and a number."""
    words = _draw(seed)
    return words[0] | words[1] << HALF, _uint64(number)


def fold_in_32(seed, number):
    """Make a new seed of a seed and an int of 32 bits, whose sign counts."""
    return _draw(seed)[0].astype("uint32").astype("int32").astype("uint64"), _uint64(number)


def uniform_int(seed, count, bits=32):
    """Draw integers from 0 to `count - 1`; of 64 bits for large counts."""
    words = _draw(seed)
    whole = words[0] if bits == 32 else words[0] | words[1] << HALF
    return (whole % _uint64(count)).astype("int64")


def uniform(seed):
    """Draw float32 from [0, 1)."""
    return ((_draw(seed)[0] & np.uint64(0x7FFFFF)).astype("float32")) / np.float32(2**23)


def shuffled_index(number, count, seed):
    """Map step numbers to indices of `count` images, shuffled anew after every `count` steps."""
    number = _uint64(number)
    if count == 1:
        return np.zeros(number.shape, "int64")
    passes, index = np.divmod(number, np.uint64(count))
    bits = max(int(np.ceil(np.log2(count - 1))), 16)
    word = np.uint64((bits + bits % 2) // 2)
    mask = np.uint64((1 << int(word)) - 1)
    keys = [np.uint64(498247692) & mask, _uint64(seed) & LOW & mask, passes & LOW & mask]
    turned = _rotate(keys[2], -3, word, mask) ^ _rotate(keys[2], -4, word, mask)
    keys.append(np.uint64(0xFFFFFFFC) & mask ^ np.uint64(1) ^ keys[0] ^ turned)
    found, outside = index, np.ones(number.shape, bool)
    while outside.any():  # the cipher's block may be larger: walk on to an index that exists
        found = np.where(outside, _encrypt(found, keys, word, mask), found)
        outside = found >= count
    return found.astype("int64")


def _encrypt(value, keys, word, mask):
    left, right = value >> word, value & mask
    for first, second in (keys[:2], keys[2:]):
        left = left ^ _mix(right, word, mask) ^ first
        right = right ^ _mix(left, word, mask) ^ second
    return left << word | right


def _mix(x, word, mask):
    return _rotate(x, 1, word, mask) & _rotate(x, 8, word, mask) ^ _rotate(x, 2, word, mask)


def _rotate(x, by, word, mask):
    by = np.uint64(by % int(word))
    return (x << by | x >> (word - by)) & mask


def _draw(seed):
    """Return four arrays of 32 random bits each (as uint64) for a seed, a pair of uint64 arrays."""
    seed = np.broadcast_arrays(*map(_uint64, seed))
    key = np.uint64(_START)
    words = _philox([seed[0] & LOW, seed[0] >> HALF, seed[1] & LOW, seed[1] >> HALF], key)
    zero = np.zeros_like(words[0])
    return _philox([zero, zero, words[2], words[3]], words[0] | words[1] << HALF)


def _philox(words, key):
    low, high = key & LOW, key >> HALF
    for _ in range(10):
        first = words[0] * np.uint64(0xD2511F53)
        second = words[2] * np.uint64(0xCD9E8D57)
        words = [
            second >> HALF ^ words[1] ^ low,
            second & LOW,
            first >> HALF ^ words[3] ^ high,
            first & LOW,
        ]
        low = low + np.uint64(0x9E3779B9) & LOW
        high = high + np.uint64(0xBB67AE85) & LOW
    return words


def _uint64(value):
    return np.asarray(value).astype("uint64")
