"""Checks dashboards against Grafana's published schema, as its Foundation SDK has it.

The SDK reads what it knows and passes over all else. So a dashboard is read, written again, and must
be the same; and every field must have the type that the schema gives it.
"""

import enum
import json
import pathlib
import sys
import types
import typing

import grafana_foundation_sdk.models as models
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard


def lost(given, kept, path):
    """What is in the first and not, or not the same, in the second."""
    if isinstance(given, dict):
        if not isinstance(kept, dict):
            yield f"{path}: {given!r} became {kept!r}"
            return
        for key, value in given.items():
            if value is None and key not in kept:
                continue
            if key not in kept:
                yield f"{path}.{key}: not in the schema"
            else:
                yield from lost(value, kept[key], f"{path}.{key}")
    elif isinstance(given, list):
        if not isinstance(kept, list) or len(given) != len(kept):
            yield f"{path}: {given!r} became {kept!r}"
            return
        for at, (one, other) in enumerate(zip(given, kept)):
            yield from lost(one, other, f"{path}[{at}]")
    elif given != kept:
        yield f"{path}: {given!r} became {kept!r}"


def is_model(hint):
    return isinstance(hint, type) and hint.__module__.startswith(models.__name__)


def misfits(value, hint, path):
    """Where a value has another type than the schema gives it."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        problems = [list(misfits(value, one, path)) for one in args]
        if all(problems):
            yield min(problems, key=len)[0]
    elif origin is typing.Literal:
        if value not in args:
            yield f"{path}: {value!r} is none of {args}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        for at, one in enumerate(value):
            yield from misfits(one, args[0], f"{path}[{at}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is no object"
            return
        for key, one in value.items():
            yield from misfits(one, args[1], f"{path}.{key}")
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        if value not in [one.value for one in hint]:
            yield f"{path}: {value!r} is none of {[one.value for one in hint]}"
    elif hint is float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield f"{path}: {value!r} is no number"
    elif hint in (int, str, bool, type(None)):
        if type(value) is not hint:
            yield f"{path}: {value!r} is no {hint.__name__}"
    elif hasattr(value, "to_json") and type(value).__module__.startswith(models.__name__):
        # A model, or what a plugin makes of a field that is open.
        if is_model(hint) and not isinstance(value, hint):
            yield f"{path}: {type(value).__name__} is no {hint.__name__}"
            return
        for name, inner in typing.get_type_hints(type(value)).items():
            yield from misfits(getattr(value, name), inner, f"{path}.{name}")
    elif is_model(hint):
        yield f"{path}: {value!r} is no {hint.__name__}"


def wrong(text):
    given = json.loads(text)
    read = dashboard.Dashboard.from_json(given)
    kept = json.loads(JSONEncoder().encode(read))
    yield from lost(given, kept, "dashboard")
    yield from misfits(read, dashboard.Dashboard, "dashboard")
    for panel in read.panels or []:
        if type(panel.options) is dict or type(panel.field_config.defaults.custom) is dict:
            yield f"{panel.title}: the schema knows no panel of type {panel.type_val}"
        for target in panel.targets:
            if not type(target).__module__.endswith(".prometheus"):
                yield f"{panel.title}: a target is no query of Prometheus"


def main(folder):
    register_default_plugins()
    failed = False
    for path in sorted(folder.glob("*.json")):
        text = path.read_text()
        problems = list(wrong(text))
        for problem in problems:
            print(f"{path.name}: {problem}")
        failed |= bool(problems)
        # The check itself can fail: a field that nobody knows, and one of the wrong type.
        for old, new in (('"title"', '"tilte"'), ('"schemaVersion": 39', '"schemaVersion": "39"'),
                         ('"drawStyle": "line"', '"drawStyle": "lines"')):
            if not list(wrong(text.replace(old, new, 1))):
                print(f"{path.name}: {new} was not noticed")
                failed = True
    compose = yaml.safe_load((folder / "compose.yml").read_text())
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            there = (folder / source).exists() if source.startswith(".") else source in compose["volumes"]
            if not there:
                print(f"compose.yml: {name}: there is no {source}")
                failed = True
    for path in sorted(folder.glob("provisioning/*/*.yml")):
        if yaml.safe_load(path.read_text())["apiVersion"] != 1:
            print(f"{path}: no apiVersion")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
