"""The pages of signing in: who are you, what is wrong, and the way back by a form."""

from html import escape
from string import Template

from localcloud.identity.persons import CUSTOMER, Person

FRAME = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>$title</title><style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 12vh auto; padding: 0 1rem; color: #222 }
button { display: block; width: 100%; font: inherit; text-align: left; padding: .6rem .9rem; margin: .4rem 0;
  border: 1px solid #999; border-radius: .4rem; background: #fff; cursor: pointer }
button:hover, button:focus-visible { border-color: #06c; outline: 2px solid #06c }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem } small { color: #555 }
</style></head><body><main><h1>$title</h1>$body</main>$script</body></html>""")
STRANGER = r"""<form method="post"><label for="other">Or a customer&rsquo;s id (a UUID)</label>
<input id="other" name="person" required pattern="[0-9A-Fa-f\-]{36}" autocomplete="off">
<button>Sign in with it</button></form>"""


def sign_in(people: list[Person]) -> str:
    rows = "".join(
        f'<button name="person" value="{each.id}">{escape(each.name)}<br><small>{escape(each.role)}</small></button>'
        for each in people
    )
    other = STRANGER if any(each.role == CUSTOMER for each in people) else ""
    return _page("Sign in", f'<p>Who are you?</p><form method="post">{rows}</form>{other}')


def wrong(description: str) -> str:
    return _page("Signing in failed", f"<p>{escape(description)}</p>")


def form_post(address: str, answer: dict[str, str], nonce: str) -> str:
    """Sends itself where scripts run."""
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in answer.items()
    )
    form = f'<form method="post" action="{escape(address)}">{fields}<button>Continue</button></form>'
    return _page("Signed in", form, f'<script nonce="{nonce}">document.forms[0].submit()</script>')


def _page(title: str, body: str, script: str = "") -> str:
    return FRAME.substitute(title=title, body=body, script=script)
