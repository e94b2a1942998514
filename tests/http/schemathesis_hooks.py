"""What schemathesis 4.32.5 gets wrong, put right before it is sent."""

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode


@schemathesis.hook
def before_call(context, case, kwargs):
    # The phase "coverage" varies a query beside headers that it took from a request meant to be wrong
    # (`If-Match: 0`, a number), and calls the whole valid: its own record of the headers says "negative".
    # Without those headers, none of which must be there, it is what it is called.
    whole = case.meta and case.meta.generation.mode
    part = case.meta and case.meta.components.get(ParameterLocation.HEADER)
    if whole == GenerationMode.POSITIVE and part and part.mode == GenerationMode.NEGATIVE:
        for name in ("If-Match", "If-None-Match"):
            case.headers.pop(name, None)
