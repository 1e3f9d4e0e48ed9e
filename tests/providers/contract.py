"""Reads the trimmed contracts of the providers, and says what in a request breaks them."""

import json
from collections.abc import Mapping
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it carries no types

CONTRACTS = Path(__file__).resolve().parent.parent / "contracts"

# core.telegram.org/bots/api#html-style
_TAGS = set("b strong i em u ins s strike del span tg-spoiler a code pre blockquote tg-emoji".split())
_NOT_WHAT_A_BUTTON_DOES = {"text", "icon_custom_emoji_id", "style"}


@cache
def read_contract(provider: str) -> dict[str, Any]:
    """The trimmed contract of 'twilio' or 'telegram'."""
    contract: dict[str, Any] = json.loads((CONTRACTS / f"{provider}.json").read_text(encoding="utf-8"))
    return contract


def twilio_problems(part: str, values: Mapping[str, Any]) -> list[str]:
    """What in a 'form', a 'query' or a 'message' breaks Twilio's contract; the first two hold text only."""
    schema = read_contract("twilio")[part]
    kinds: dict[str, Any] = schema["properties"]
    typed = values if part == "message" else {name: _typed(values[name], kinds.get(name, {})) for name in values}
    problems = [f"{'.'.join(map(str, each.path))} {each.message}" for each in _validator(part).iter_errors(dict(typed))]
    uris = [name for name, kind in kinds.items() if kind.get("format") == "uri" and name in values]
    bad_uris = [name for name in uris if part == "form" and not str(values[name]).startswith(("https://", "http://"))]
    return problems + [f"{name} is no address" for name in bad_uris]


def telegram_problems(method: str, parameters: Mapping[str, str]) -> list[str]:
    """What in a call breaks Telegram's contract."""
    fields = read_contract("telegram")["methods"][method]
    typed = {name: _parsed(value, fields.get(name, {"types": []})["types"]) for name, value in parameters.items()}
    if parameters.get("parse_mode") == "HTML" and "text" in parameters:
        try:
            typed["text"] = visible_text(parameters["text"])
        except ValueError as error:
            return [f"can't parse entities: {error}"]
    return _field_problems(fields, typed)


def telegram_object_problems(kind: str, value: object) -> list[str]:
    """What in an object (an Update, a Message) breaks Telegram's contract."""
    types = read_contract("telegram")["types"]
    if kind == "MaybeInaccessibleMessage":
        kind = "Message"
    if kind not in types:
        return [f"{kind} is not in the trimmed contract"]
    if not isinstance(value, dict):
        return [f"{kind} must be an object"]
    problems = _field_problems(types[kind], value)
    if kind == "InlineKeyboardButton" and len(value.keys() - _NOT_WHAT_A_BUTTON_DOES) != 1:
        problems.append("BUTTON_TYPE_INVALID: a button does exactly one thing")
    return problems


def visible_text(text: str) -> str:
    """What remains of Telegram's HTML when its tags are read; raises ValueError where Telegram cannot read it."""
    reader = _TelegramHtml()
    reader.feed(text)
    reader.close()
    if reader.open_tags:
        raise ValueError(f"can't find end tag corresponding to start tag {reader.open_tags[-1]}")
    return "".join(reader.texts)


class _TelegramHtml(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.open_tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            raise ValueError(f"unsupported start tag {tag!r}")
        self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open_tags or self.open_tags.pop() != tag:
            raise ValueError(f"unexpected end tag {tag!r}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@cache
def _validator(part: str) -> Draft202012Validator:
    return Draft202012Validator(read_contract("twilio")[part])


def _typed(value: Any, kind: Mapping[str, Any]) -> Any:
    if kind.get("type") in ("integer", "number", "boolean"):
        return _json_or_text(value)
    return [value] if kind.get("type") == "array" and isinstance(value, str) else value


def _parsed(value: str, types: list[str]) -> object:
    if types == ["String"]:
        return value
    parsed = _json_or_text(value)
    return value if "String" in types and not isinstance(parsed, int) else parsed


def _json_or_text(value: str) -> object:
    try:
        parsed: object = json.loads(value)
    except ValueError:
        return value
    return parsed


def _field_problems(fields: Mapping[str, Any], values: Mapping[str, object]) -> list[str]:
    problems = [f"{name} is not known" for name in values if name not in fields]
    problems += [f"{name} is missing" for name, rule in fields.items() if rule["required"] and name not in values]
    for name, value in values.items():
        if name in fields:
            problems += _value_problems(name, fields[name], value)
    return problems


def _value_problems(name: str, rule: Mapping[str, Any], value: object) -> list[str]:
    found = [_type_problems(kind, value) for kind in rule["types"]]
    if all(found):
        return [f"{name}: {problem}" for problem in found[0]]
    if limit := rule.get("limit"):
        least, most, unit = limit
        length = len(str(value).encode()) if unit == "bytes" else len(str(value))
        if not least <= length <= most:
            return [f"{name} has {length} {unit}, allowed are {least} to {most}"]
    return []


def _type_problems(kind: str, value: object) -> list[str]:
    if kind.startswith("Array of "):
        if not isinstance(value, list):
            return ["must be an array"]
        return [problem for each in value for problem in _type_problems(kind.removeprefix("Array of "), each)]
    plain: dict[str, type] = {"Integer": int, "String": str, "Boolean": bool}
    if kind not in plain:
        return telegram_object_problems(kind, value)
    is_right = isinstance(value, plain[kind]) and not (kind == "Integer" and isinstance(value, bool))
    return [] if is_right else [f"must be {kind}"]
