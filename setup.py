"""Ships the migrations of the top-level alembic/ folder inside the wheel, as novalike/_alembic. The rest is declared in setup.cfg."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithMigrations(build_py):
    """Copies what is no package, and so would be left out."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "novalike" / "_alembic"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(Path(__file__).parent / "alembic", target, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": BuildWithMigrations})
