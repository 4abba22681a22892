#!/usr/bin/env python3
"""What a program is made of, as CycloneDX 1.5 (JSON): scripts/sbom.py hub|probe [target] > betteruptime-hub.cdx.json

Every crate that is built into it, with version, licence, checksum of Cargo.lock, and what needs what; not what tests alone
need. For `target` (x86_64-unknown-linux-musl, ...) only what is built for that. The same commit gives the same text. Needs cargo.
"""
import datetime
import json
import os
import re
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def cargo_metadata(target):
    command = ["cargo", "metadata", "--locked", "--format-version=1"] + (["--filter-platform", target] if target else [])
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def needed(nodes, start):
    """Ids of all that `start` is built from, and of what each needs; `dev` alone does not count."""
    edges, todo = {}, [start]
    while todo:
        one = todo.pop()
        if one not in edges:
            edges[one] = sorted({dep["pkg"] for dep in nodes[one]["deps"] if any(kind["kind"] != "dev" for kind in dep["dep_kinds"])})
            todo += edges[one]
    return edges


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in ("hub", "probe"):
        sys.exit(__doc__)
    name, target = sys.argv[1], (sys.argv[2] if len(sys.argv) == 3 else None)
    metadata = cargo_metadata(target)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    [start] = [package for package in metadata["workspace_members"] if packages[package]["name"] == name]
    edges = needed(nodes, start)
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock["package"]}

    def reference(package):
        # Cargo's own ids have paths of this machine.
        return f"pkg:cargo/{packages[package]['name']}@{packages[package]['version']}"

    def component(package):
        found = packages[package]
        shown = {"type": "library", "bom-ref": reference(package), "name": found["name"], "version": found["version"], "purl": reference(package)}
        if found["license"]:
            # "MIT/Apache-2.0" is how it was written before SPDX.
            shown["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", found["license"])}]
        checksum = checksums.get((found["name"], found["version"]))
        if checksum:
            shown["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        if found["repository"]:
            shown["externalReferences"] = [{"type": "vcs", "url": found["repository"]}]
        return shown

    others = sorted((package for package in edges if package != start), key=reference)
    program = component(start) | {"type": "application", "name": f"betteruptime-{name}"}
    commit = os.environ.get("SOURCE_DATE_EPOCH") or subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    when = datetime.datetime.fromtimestamp(int(commit), datetime.UTC)
    bom = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": program,
            "properties": [{"name": "cargo:target", "value": target}] if target else [],
        },
        "components": [component(package) for package in others],
        "dependencies": [{"ref": reference(package), "dependsOn": sorted({reference(other) for other in edges[package]})} for package in [start, *others]],
    }
    bom = {"serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True))}"} | bom
    print(json.dumps(bom, indent=1))


if __name__ == "__main__":
    main()
