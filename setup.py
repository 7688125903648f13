"""Ships the top-level alembic/ and etc/ folders inside the wheel, as novalike/_alembic and _etc. The rest is declared in setup.cfg."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithFolders(build_py):
    """Copies what is no package, and so would be left out."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for folder in ("alembic", "etc"):
                target = Path(self.build_lib) / "novalike" / f"_{folder}"
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(Path(__file__).parent / folder, target, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": BuildWithFolders})
