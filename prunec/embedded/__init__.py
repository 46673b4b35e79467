"""What cuts the parameters of a model out of its files, written once for two places.

prunec imports these modules, and puts their text into the scripts that it writes.  A script has to stand
alone: so a module here imports the standard library, numpy, the package of its format where it needs it, and
others of this room, nothing else of prunec.  What is wrong with a file is a ``Problem``: its texts are what a
script says, and its ``facts`` what prunec makes its own messages of.

Another format needs a reader and writer in a module here, what its script does with them, a front end that
words its problems, and a template with its tables; the slices, the command and writing aside are there.
"""
