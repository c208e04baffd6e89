"""The manifests, as Kubernetes' own schemas see them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import sqlalchemy as sa
import yaml

from crant_core.jobs.model import Queue
from crant_core.jobs.settings import Settings
from deploy import settings_example

ROOT = Path(__file__).parents[3] / "deploy" / "kubernetes"
BASE = [
    document
    for path in sorted((ROOT / "base").glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for document in yaml.safe_load_all(path.read_text())
]
KEDA = {"ScaledObject", "TriggerAuthentication"}
VERSION = "1.33"


def name(document: dict[str, Any]) -> str:
    return f"{document['kind']}-{document['metadata']['name']}"


def of(kind: str) -> list[dict[str, Any]]:
    return [document for document in BASE if document["kind"] == kind]


def pods() -> list[tuple[str, dict[str, Any], dict[str, str]]]:
    found = [*of("Deployment"), *of("Job")]
    return [(name(d), d["spec"]["template"]["spec"], d["spec"]["template"]["metadata"]["labels"]) for d in found]


@pytest.mark.parametrize("document", [d for d in BASE if d["kind"] not in KEDA], ids=name)
def test_it_is_what_kubernetes_knows(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, VERSION, strict=True)


def test_a_word_that_kubernetes_does_not_know_would_be_found() -> None:
    [service, *_] = of("Service")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service | {"spec": service["spec"] | {"sellector": {}}}, VERSION, strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_the_example_overlay_renders_to_what_kubernetes_knows() -> None:
    ran = subprocess.run(
        ["kubectl", "kustomize", ROOT / "overlays" / "lab"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    rendered = list(yaml.safe_load_all(ran.stdout))
    assert len(rendered) == len(BASE) + 2
    for document in rendered:
        if document["kind"] not in KEDA:
            kubernetes_validate.validate(document, VERSION, strict=True)
    assert "registry.example.org/crant-batch-worker:0.1.0" in ran.stdout
    hosts = {d["spec"]["triggers"][0]["metadata"]["host"] for d in rendered if d["kind"] == "ScaledObject"}
    assert hosts == {"postgres.example.org"}
    [config] = [d for d in rendered if d["kind"] == "ConfigMap"]
    assert config["data"]["CRANT_HEAVY_VERTICES"], "what the overlay does not say is the base's"


@pytest.mark.parametrize(("title", "pod", "labels"), pods(), ids=lambda value: value if isinstance(value, str) else "")
def test_pods_are_confined_and_have_what_they_mount(title: str, pod: dict[str, Any], labels: dict[str, str]) -> None:
    assert pod["securityContext"]["runAsNonRoot"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in (*pod["containers"], *pod.get("initContainers", [])):
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    assert labels["app"] in {value for policy in of("NetworkPolicy") for value in _values(policy)}, title


def _values(policy: dict[str, Any]) -> list[str]:
    return [value for rule in policy["spec"]["podSelector"]["matchExpressions"] for value in rule["values"]]


def test_selectors_find_pods() -> None:
    labels = [labels for _, _, labels in pods()]
    selectors = [service["spec"]["selector"] for service in of("Service")]
    selectors += [budget["spec"]["selector"]["matchLabels"] for budget in of("PodDisruptionBudget")]
    selectors += [deployment["spec"]["selector"]["matchLabels"] for deployment in of("Deployment")]
    for selector in selectors:
        assert any(selector.items() <= found.items() for found in labels), selector


def test_every_queue_has_workers_that_are_scaled_and_may_be_drained() -> None:
    served = {d["spec"]["template"]["metadata"]["labels"].get("queue") for d in of("Deployment")} - {None}
    assert served == set(Queue)
    deployments = {d["metadata"]["name"] for d in of("Deployment")}
    scaled = {s["spec"]["scaleTargetRef"]["name"] for s in of("ScaledObject")}
    assert scaled == {f"crant-worker-{queue}" for queue in Queue} <= deployments
    assert {d["metadata"]["name"] for d in of("Deployment") if "replicas" not in d["spec"]} == scaled, "KEDA sets it"
    assert any(s["spec"]["minReplicaCount"] > 0 for s in of("ScaledObject")), "workers dispatch"


def test_settings_exist() -> None:
    [config] = of("ConfigMap")
    known = {settings_example.variable(field, info) for field, info in Settings.model_fields.items()}
    assert set(config["data"]) <= known


@pytest.mark.parametrize("scaled", of("ScaledObject"), ids=name)
def test_what_keda_asks_is_answered(scaled: dict[str, Any], migrated_postgres_url: str) -> None:
    [trigger] = scaled["spec"]["triggers"]
    assert trigger["type"] == "postgresql"
    metadata = trigger["metadata"]
    assert {"query", "targetQueryValue", "host", "port", "userName", "dbName", "sslmode"} == set(metadata)
    assert all(isinstance(value, str) for value in metadata.values()), "KEDA wants texts"
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    assert trigger["authenticationRef"]["name"] in {d["metadata"]["name"] for d in of("TriggerAuthentication")}
    engine = sa.create_engine(migrated_postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text(metadata["query"])) == 0, "one number, also if there is nothing to do"
    engine.dispose()
