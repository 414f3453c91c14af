"""The public interface type-checks as its users write it, the README's example included."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
API = Path(__file__).with_name("api.py")


def mypy(*files):
    """What mypy says of files under the project's own strict settings."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)


def test_the_public_interface_type_checks():
    """mypy finds nothing to say of the interface in use, in strict mode."""
    checked = mypy(API)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
    assert "no issues found in 1 source file" in checked.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "code"),
    [
        ('seed=1)\n        video.save("fox.mp4")', 'seed="1")\n        video.save("fox.mp4")', "arg-type"),
        ("num_inference_steps=40", "steps=40", "call-arg"),
        ("-> NDArray[np.uint8]:", "-> str:", "return-value"),
        ("step.sigma", "step.noise", "attr-defined"),
        ('load_pipeline("ltx-bundle", device="cpu")', "load_pipeline()", "call-arg"),
    ],
)
def test_a_wrong_use_is_found(tmp_path, right, wrong, code):
    """The types are real: a wrong argument, name or result of the same interface is an error."""
    source = API.read_text(encoding="utf-8")
    assert source.count(right) == 1
    (tmp_path / "wrong.py").write_text(source.replace(right, wrong), encoding="utf-8")
    checked = mypy(tmp_path / "wrong.py")
    assert checked.returncode == 1
    assert f"[{code}]" in checked.stdout


def test_the_readmes_example_is_the_one_that_is_checked():
    """The python block of the README stands in the file above, line by line."""
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.strip() for line in block.splitlines() if line.strip() and not line.startswith("from vidrt import")]
    checked = [line.strip() for line in API.read_text(encoding="utf-8").splitlines()]
    assert len(lines) >= 3
    assert [line for line in lines if line not in checked] == []
