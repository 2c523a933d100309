"""Files for `zipfile` and `tarfile`, which would take whatever length a header declares at once."""

LONGEST = 2**20  # bytes


class BoundedReads:
    """A file of which no more than a megabyte is read at a time.

    A directory or a name that claims more is none that this package has a use for. Members must be
    read in pieces too.
    """

    def __init__(self, file):
        self.file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, count=None):
        block = self.file.read(min(LONGEST + 1 if count is None else count, LONGEST + 1))
        if len(block) > LONGEST:
            raise ValueError(f"a header of it has more than the {LONGEST} bytes allowed")
        return block
