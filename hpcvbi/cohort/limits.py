"""Limits on what is read of files that nobody has vouched for. All are checked before memory is
taken; a file beyond them ends in a DataError that names the limit.
"""

LARGEST_FILE = 2**29
"""Bytes of the largest file, and of the largest member of an archive once it is expanded."""
MOST_NUMBERS = 2**26
"""Numbers in the largest matrix: 8192 x 8192, 512 MB as float64."""
LARGEST_TEXT = 2**24
"""Bytes of the largest file with region names or regional maps."""
LONGEST_LINE = 2**22
"""Characters of the longest line of a table."""
LONGEST_LABEL = 200
"""Characters of the longest name of a region."""
MOST_MAPS = 1000
"""Columns of the widest table of regional maps."""
MOST_MEMBERS = 1024
"""Files in an archive, and variables in a .mat file."""
LARGEST_RATIO = 200
"""How many times larger than it lies in the archive a member may become..."""
FREE_EXPANSION = 2**24
"""... beyond so many bytes; below them, a matrix of zeros may shrink as it likes."""
