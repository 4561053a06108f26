"""The walls of the house: what may import what, and what the repository may speak of."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS = [
    ["_version", "errors"],
    ["estimates", "files"],
    ["resampling", "rounds"],
    ["noise", "datasets"],
    ["simulate"],
    ["plotting"],
    ["cli"],
]


def test_import_is_light():
    code = (
        "import sys, annostat; heavy = {'matplotlib','click','torch','numba','pandas','scipy'}"
        " & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_imports_run_one_way():
    level = {name: i for i, names in enumerate(LAYERS) for name in names}
    for path in (ROOT / "annostat").rglob("*.py"):
        part = path.relative_to(ROOT / "annostat").parts[0].removesuffix(".py")
        if part in ("__init__", "__main__"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("annostat."):
                other = node.module.split(".")[1]
                assert level[other] <= level[part] or other == part, (path, node.module)
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert not {"models", "analysis"} & set(names), path
            if "matplotlib" in str(getattr(node, "module", "")):
                assert part == "plotting", path


def test_repository_stands_alone():
    forbidden = ["../" + "shared", "/" + "work/", "/" + "root/"]
    for path in ROOT.rglob("*"):
        hidden = any(p.startswith(".") and p != ".ci" for p in path.relative_to(ROOT).parts)
        if hidden or path.suffix not in {".py", ".md", ".cfg", ".toml", ".txt", ".cff", ".json"}:
            continue
        text = path.read_text(encoding="utf-8")
        assert not [w for w in forbidden if w in text], path
