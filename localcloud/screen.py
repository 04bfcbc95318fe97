"""What a person sees when the store is ready: where it is, and what to do next."""

import sys

from localcloud import engines
from localcloud.engines import Engines
from localcloud.runfile import Run
from localcloud.sample import Sample


def ready(run: Run, sample: Sample, seconds: float, options: str) -> str:
    """`options` are what the commands need to find the store, where it is not in its usual place."""
    gateway, letters = run.addresses["gateway"], run.addresses["letters"]
    return f"""
{bold(f"The store is running, ready after {seconds:.1f} s.")}

  shop      {blue(f"{gateway}/api/products")}
  letters   {blue(letters)}
  payments  {blue(run.addresses["payments"])}
  inspector {blue(run.addresses["inspector"])}
  logs      {run.logs}{_data(run.engines)}

{bold("Order something:")}

  curl -si {gateway}/api/orders \\
    -H "Authorization: Bearer $(make -s token ROLE=customer CUSTOMER={sample.customer}{options})" \\
    -H 'Idempotency-Key: my-first-order' -H 'Content-Type: application/json' \\
    -d '{{"lines": [{{"product_id": "{sample.product}", "quantity": 1}}]}}'

{bold("And then:")}

  make order{options}   one order, from the click to the letter
  make audit{options}   do the books balance?
  make stop{options}    or Ctrl-C, where it runs
"""


def _data(chosen: Engines) -> str:
    """Nothing where it is as usual."""
    return "" if chosen == engines.USUAL else f"\n  data      {engines.summary(chosen)}"


def bold(text: str) -> str:
    return _in("1", text)


def blue(text: str) -> str:
    return _in("34", text)


def green(text: str) -> str:
    return _in("32", text)


def red(text: str) -> str:
    return _in("31", text)


def _in(style: str, text: str) -> str:
    """ECMA-48, "Select graphic rendition"; people see it, programs don't."""
    return f"\x1b[{style}m{text}\x1b[0m" if sys.stdout.isatty() else text
