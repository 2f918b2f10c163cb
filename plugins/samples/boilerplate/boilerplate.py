"""How much of a text is boilerplate, without anything of WebAssembly: `python -m unittest` runs it as it is."""

import json
import re
from dataclasses import dataclass, fields

from rules import PLACEHOLDER, RULES, Rule, parts


class SettingsError(Exception):
    """Settings are wrong; says which, and what they may be."""


@dataclass(frozen=True)
class Settings:
    """What users may set."""

    #: Shorter texts are not judged.
    words: int = 20
    #: The rules to use, by their names.
    rules: tuple[str, ...] = tuple(RULES)
    #: Regular expressions of one's own, for sentences and lines.
    patterns: tuple[str, ...] = ()
    #: Whether texts with unfilled places are rejected.
    placeholders: bool = True

    @classmethod
    def parse(cls, text: str) -> "Settings":
        try:
            given = json.loads(text)
        except ValueError as error:
            raise SettingsError(f"not JSON: {error}") from error
        if not isinstance(given, dict):
            raise SettingsError("not a JSON object")
        known = {field.name: field.default for field in fields(cls)}
        for key, value in given.items():
            if key not in known:
                raise SettingsError(f"`{key}`: there is no such setting, but {', '.join(known)}")
            if isinstance(known[key], tuple):
                if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                    raise SettingsError(f"`{key}`: must be a list of strings")
                given[key] = tuple(value)
            elif type(value) is not type(known[key]):
                raise SettingsError(f"`{key}`: must be a {'whole number' if key == 'words' else 'boolean'}")
        return cls(**given)


class Boilerplate:
    """The filter, with its settings."""

    def __init__(self, settings: Settings) -> None:
        if settings.words < 1:
            raise SettingsError("`words`: must be at least 1")
        self.words = settings.words
        self.placeholders = settings.placeholders
        self.rules = [_rule(name) for name in settings.rules]
        self.patterns = [_pattern(at, pattern) for at, pattern in enumerate(settings.patterns)]

    def judge(self, text: str) -> tuple[str, str | float]:
        """What to say of a text: `reject` or `abstain` and why, or `scores` and the value."""
        total = len(text.split())
        if total < self.words:
            return "abstain", f"{total} words are too few to tell"
        lower = text.lower()
        if self.placeholders and PLACEHOLDER.may_be_in(lower):
            if found := len(PLACEHOLDER.pattern.findall(text)):
                return "reject", f"unfilled places: {found}"
        patterns = [rule.pattern for rule in self.rules if rule.may_be_in(lower)] + self.patterns
        if not patterns:
            return "scores", 0.0
        boilerplate = [part for part in parts(text) if any(pattern.search(part) for pattern in patterns)]
        return "scores", sum(len(part.split()) for part in boilerplate) / total


def _rule(name: str) -> Rule:
    if name not in RULES:
        raise SettingsError(f"`rules`: {name!r} is none of {', '.join(RULES)}")
    return RULES[name]


def _pattern(at: int, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise SettingsError(f"`patterns[{at}]`: is no regular expression: {error}") from error
