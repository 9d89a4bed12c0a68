"""What bodies and query strings have to look like, one module per resource.

Each module names its schemas for their use (`CREATE`, `LIST_QUERY`); one that has other forms over
the microversions is a `Versioned`. Whether what a request names exists, and whether it makes sense
as a whole, is left to the ops and the query grammars.

`base` is what a handler deals with, `blocks` what the definitions are put together from.
`validator` and `wording` are how `base` finds what is wrong and how it tells.
"""
