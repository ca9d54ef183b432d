"""The part of Kubernetes' objects that kubernetes.yaml uses, strictly: a key that is not here is a
mistake, as one that is misspelt would be ignored by nobody but us."""

import re

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
CPU = re.compile(r"[0-9]+(\.[0-9]+)?|[0-9]+m")
MEMORY = re.compile(r"[0-9]+(Ki|Mi|Gi)?")
PATH = re.compile(r"/[^ ]*")
TEXT = re.compile(r".+", re.DOTALL)


class Number:
    def __init__(self, low, high):
        self.low, self.high = low, high


class Either:
    def __init__(self, *values):
        self.values = values


class Map:
    """Any keys, with such values."""

    def __init__(self, value):
        self.value = value


PORT = Number(1, 65535)
SECONDS = Number(1, 3600)
LABELS = Map(TEXT)

# A key with ? may be missing.
METADATA = {"name": NAME, "labels?": LABELS, "annotations?": LABELS}
PROBE = {
    "httpGet": {"path": PATH, "port": PORT_NAME},
    "periodSeconds": SECONDS,
    "timeoutSeconds": SECONDS,
    "failureThreshold": Number(1, 1000),
}
RESOURCES = {"cpu": CPU, "memory": MEMORY}
CONTAINER = {
    "name": NAME,
    "image": TEXT,
    "args": [TEXT],
    "ports": [{"name": PORT_NAME, "containerPort": PORT}],
    "startupProbe": PROBE,
    "readinessProbe": PROBE,
    "livenessProbe": PROBE,
    "resources": {"requests": RESOURCES, "limits": RESOURCES},
    "securityContext": {
        "allowPrivilegeEscalation": Either(False),
        "readOnlyRootFilesystem": Either(True),
        "capabilities": {"drop": [Either("ALL")]},
    },
    "volumeMounts": [{"name": NAME, "mountPath": PATH}],
}
POD = {
    "terminationGracePeriodSeconds": SECONDS,
    "automountServiceAccountToken": Either(False),
    "securityContext": {
        "runAsNonRoot": Either(True),
        "runAsUser": Number(1, 65535),
        "runAsGroup": Number(1, 65535),
        "fsGroup": Number(1, 65535),
        "seccompProfile": {"type": Either("RuntimeDefault")},
    },
    "containers": [CONTAINER],
    "volumes": [{"name": NAME, "emptyDir": {"medium": Either("Memory"), "sizeLimit": MEMORY}}],
}
DEPLOYMENT = {
    "apiVersion": Either("apps/v1"),
    "kind": Either("Deployment"),
    "metadata": METADATA,
    "spec": {
        "replicas": Number(1, 1000),
        "selector": {"matchLabels": LABELS},
        "strategy": {
            "type": Either("RollingUpdate"),
            "rollingUpdate": {"maxUnavailable": Number(0, 1000), "maxSurge": Number(0, 1000)},
        },
        "template": {
            "metadata": {"labels": LABELS, "annotations?": LABELS},
            "spec": POD,
        },
    },
}
SERVICE = {
    "apiVersion": Either("v1"),
    "kind": Either("Service"),
    "metadata": METADATA,
    "spec": {
        "selector": LABELS,
        "ports": [{"name": PORT_NAME, "port": PORT, "targetPort": PORT_NAME}],
    },
}
KINDS = {"Deployment": DEPLOYMENT, "Service": SERVICE}


def check_object(value, schema, where):
    if not isinstance(value, dict):
        return [f"{where}: no object"]
    wrong = []
    known = {key.rstrip("?"): (key, inner) for key, inner in schema.items()}
    for key in value:
        if key not in known:
            wrong.append(f"{where}.{key}: no such key")
    for key, (written, inner) in known.items():
        if key in value:
            wrong += check(value[key], inner, f"{where}.{key}")
        elif not written.endswith("?"):
            wrong.append(f"{where}.{key}: missing")
    return wrong


def check_list(value, schema, where):
    if not isinstance(value, list) or not value:
        return [f"{where}: no list, or an empty one"]
    return [line for at, one in enumerate(value) for line in check(one, schema[0], f"{where}[{at}]")]


def check_plain(value, schema):
    if isinstance(schema, Number):
        return type(value) is int and schema.low <= value <= schema.high
    if isinstance(schema, Either):
        return any(type(value) is type(one) and value == one for one in schema.values)
    # A number that is written without quotes is no string to Kubernetes.
    return isinstance(value, str) and schema.fullmatch(value) is not None


def check(value, schema, where):
    """What is wrong, a line each."""
    if isinstance(schema, dict):
        return check_object(value, schema, where)
    if isinstance(schema, list):
        return check_list(value, schema, where)
    if isinstance(schema, Map):
        if not isinstance(value, dict):
            return [f"{where}: no object"]
        return [line for key in value for line in check(value[key], schema.value, f"{where}.{key}")]
    return [] if check_plain(value, schema) else [f"{where}: not {value!r}"]


def check_kind(value):
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind not in KINDS:
        return [f"no kind that is known: {kind!r}"]
    return check(value, KINDS[kind], kind)
