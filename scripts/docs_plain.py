"""An extension of mkdocstrings' reader: docstrings are prose, and their brackets no links."""

from typing import Any

import griffe
from docs_tables import plain


class Plain(griffe.Extension):
    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = plain(obj.docstring.value)
