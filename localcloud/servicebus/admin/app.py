"""ServiceBusAdministrationClient's other end: GET, PUT and DELETE of entities and rules."""

from base64 import b64encode
from collections.abc import Iterable
from secrets import token_bytes
from typing import Final
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import msgspec
from aiohttp import web

from localcloud.servicebus.admin import atom, descriptions, policies, requests, rules, xml
from localcloud.servicebus.admin.requests import Path
from localcloud.servicebus.claims import MANAGE, Claims
from localcloud.servicebus.errors import BadArgument, Refused, Unauthorized
from localcloud.servicebus.namespace import Defined, Namespace, Settings
from localcloud.servicebus.rulebook import Rulebook
from localcloud.topology import BusSubscription, BusTopic

ATOM_XML: Final = "application/atom+xml"
MOST_LISTED: Final = 100
FIXED: Final = ("sessions", "duplicate_window_seconds")  # whether there is one


class Administration:
    def __init__(self, namespace: Namespace, claims: Claims) -> None:
        self._namespace, self._claims = namespace, claims

    async def answer(self, request: web.Request) -> web.Response:
        try:
            path = requests.parse(unquote(request.path))
            self._require_manage(request, path)
            match request.method:
                case "GET":
                    return _document(self._get(request, path))
                case "PUT":
                    return await self._put(request, path)
                case "DELETE":
                    return await self._delete(path)
                case method:
                    raise BadArgument(f"nothing is done by {method}")
        except Refused as refused:
            body = atom.error(refused.status, str(refused))
            return web.Response(status=refused.status, body=body, content_type="application/xml")

    def _require_manage(self, request: web.Request, path: Path) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        asked = f"{path.entity}/rules/{path.rule}" if path.rule else path.entity  # some sign for just that
        if not token or MANAGE not in self._claims.of(token, asked.lower()):
            raise Unauthorized(f"{MANAGE},EntityRead claims required for this operation")

    # --- reading ------------------------------------------------------------------------------------------------------

    def _get(self, request: web.Request, path: Path) -> Element:
        host = request.host
        if path.lists == "namespace":
            return atom.namespace_entry(host, 0)
        if path.lists:
            return self._page(request, self._listed(path, host))
        if path.rule:
            rulebook = Rulebook(self._namespace, path.entity)
            return atom.rule_entry(rulebook.subscription, *rulebook.find(path.rule), host)
        if (defined := self._namespace.get(path.entity)) is None and "/subscriptions/" not in path.entity.lower():
            return atom.feed("Publicly Listed Services", str(request.url), (), None)  # as Azure says that there is none
        return atom.entity_entry(self._namespace, defined or self._namespace[path.entity], host)

    def _listed(self, path: Path, host: str) -> list[Element]:
        if path.lists == "rules":
            rulebook = Rulebook(self._namespace, path.entity)
            return [atom.rule_entry(rulebook.subscription, *pair, host) for pair in rulebook.rules.items()]
        if path.lists == "subscriptions":
            found: Iterable[Defined] = self._namespace.subscriptions(self._namespace[path.entity].name)
        else:
            found = [each for each in self._namespace.defined.values() if f"{each.kind}s" == path.lists]
        ordered = sorted(found, key=lambda defined: defined.name.lower())
        return [atom.entity_entry(self._namespace, defined, host) for defined in ordered]

    def _page(self, request: web.Request, entries: list[Element]) -> Element:
        skip, top = _number(request, "$skip", 0), min(_number(request, "$top", MOST_LISTED), MOST_LISTED)
        following = None
        if skip + top < len(entries):
            following = str(request.url.update_query({"$skip": str(skip + top), "$top": str(top)}))
        return atom.feed(request.path.strip("/"), str(request.url), entries[skip : skip + top], following)

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _put(self, request: web.Request, path: Path) -> web.Response:
        if path.lists:
            raise BadArgument("a list cannot be put")
        creates, description = "If-Match" not in request.headers, _description(await request.read())
        status = 201 if creates else 200
        if path.rule:
            return _document(await self._put_rule(path, description, creates, request.host), status)
        before = None if creates else self._namespace[path.entity]
        settings = self._settings(path, description, before)
        name = before.name if before else path.entity
        await (self._namespace.change if before else self._namespace.create)(name, settings)
        return _document(atom.entity_entry(self._namespace, self._namespace[name], request.host), status)

    def _settings(self, path: Path, description: Element, before: Defined | None) -> Settings:
        below = "/subscriptions/" in path.entity.lower()
        if xml.name(description) not in descriptions.ELEMENTS:
            raise BadArgument(f"not an entity: {xml.name(description)}")
        settings = descriptions.read(description, before.settings if before else None)
        if below != isinstance(settings, BusSubscription):
            raise BadArgument("a subscription lies under its topic, and nothing else does")
        if before and type(settings) is not type(before.settings):
            raise BadArgument("it is of another kind")
        if before and any(_has(settings, name) != _has(before.settings, name) for name in FIXED):
            raise BadArgument("sessions and the detection of duplicates are chosen when it is created")
        self._check_forwards(path, settings)
        if not isinstance(settings, BusSubscription):
            settings = msgspec.structs.replace(settings, policies=policies.read(description, _new_key))
        first = xml.child(description, "DefaultRuleDescription")
        if first is not None and not before and isinstance(settings, BusSubscription):
            name, rule = rules.read(first)
            settings = msgspec.structs.replace(settings, rules={name or "$Default": rule})
        return settings

    def _check_forwards(self, path: Path, settings: Settings) -> None:
        if isinstance(settings, BusTopic):
            return
        if settings.sessions and settings.forward_to:
            raise BadArgument("what has sessions forwards nothing")
        for to in filter(None, (settings.forward_to, settings.forward_dead_letters_to)):
            if (target := self._namespace.get(to)) is None:
                raise BadArgument(f"SubCode=40400. The auto forwarding destination entity does not exist: {to}")
            if to.lower() == path.entity.lower() or isinstance(target.settings, BusSubscription):
                raise BadArgument(f"nothing is forwarded to {to}")

    async def _put_rule(self, path: Path, description: Element, creates: bool, host: str) -> Element:
        rulebook, name = Rulebook(self._namespace, path.entity), path.rule or ""
        _, rule = rules.read(description)
        await (rulebook.add if creates else rulebook.replace)(name, rule)
        return atom.rule_entry(rulebook.subscription, name, rule, host)

    async def _delete(self, path: Path) -> web.Response:
        if path.rule:
            await Rulebook(self._namespace, path.entity).remove(path.rule)
        else:
            await self._namespace.delete(path.entity)
        return web.Response(status=200)


def _new_key() -> str:
    return b64encode(token_bytes(32)).decode()


def _has(settings: Settings, name: str) -> bool:
    return bool(getattr(settings, name, None))


def _description(body: bytes) -> Element:
    """Raises BadArgument."""
    content = xml.child(xml.parse(body), "content")
    if content is None or not len(content):
        raise BadArgument("an entry without content")
    return content[0]


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadArgument(name)
    return int(text)


def _document(root: Element, status: int = 200) -> web.Response:
    return web.Response(status=status, body=xml.write(root), content_type=ATOM_XML)
