"""What pyproject.toml can't say: the C extensions, the stub program and the seccomp program."""

import os
import subprocess
import sys
from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

FLAGS = ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror"]
FLAGS += ["-Wno-missing-field-initializers", "-Wno-cast-function-type"]  # both are how Python's C API is used
SANITIZE = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"]
if not os.environ.get("RUNSC_SANITIZE"):
    SANITIZE = []
STUB = ["gcc", "-nostdlib", "-static", "-s", "-Wl,-z,noseparate-code,-z,noexecstack,--build-id=none"]


def extension(name: str, *sources: str, include: tuple[str, ...] = ()) -> Extension:
    found = sorted(path for pattern in sources for path in glob(pattern))
    headers = [path for folder in include for path in glob(f"{folder}/*.h")]
    options = {"extra_compile_args": FLAGS + SANITIZE, "extra_link_args": ["-pthread", *SANITIZE]}
    return Extension(name, found, include_dirs=list(include), depends=headers, **options)


class Build(build_ext):
    """The extensions, then what is package data: two programs and the archive of modules."""

    def run(self) -> None:
        super().run()
        root = "" if self.inplace else self.build_lib
        stub = os.path.join(root, "sentry/platform/ptrace/stub.elf")
        os.makedirs(os.path.dirname(stub), exist_ok=True)
        subprocess.check_call([*STUB, "-o", stub, "platform/ptrace/stub.S"])

        from runsc import archive, seccomp

        with open(os.path.join(root, "runsc", os.path.basename(seccomp.PROGRAM)), "wb") as file:
            seccomp.generate(file)
        if not self.inplace:
            with open(os.path.join(root, "runsc", os.path.basename(archive.FILE)), "wb") as file:
                archive.write(file, root, ("runsc", "sentry", "netstack"))


setup(
    cmdclass={"build_ext": Build},
    scripts=["bin/runsc-py"],
    ext_modules=[
        extension("sentry._core", "sentry/core/*.c", include=("platform/include", "sentry/core")),
        extension("sentry.platform.ptrace._ptrace", "platform/ptrace/*.c", include=("platform/include",)),
        extension("runsc._boot", "runsc/_boot.c"),
    ],
)
