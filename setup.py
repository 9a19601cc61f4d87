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
STUB = ["gcc", "-nostdlib", "-static", "-s", "-Wl,-z,noexecstack,--build-id=none"]
# A stub runs where every vector register is the guest's.
FREESTANDING = [
    *("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fPIC", "-fvisibility=hidden"),
    *("-mgeneral-regs-only", "-mno-red-zone", "-fno-stack-protector", "-fno-tree-loop-distribute-patterns"),
    *("-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-Iplatform/include", "-Iplatform/systrap"),
]
STUBS = {
    "ptrace": ["-Wl,-z,noseparate-code", "platform/ptrace/stub.S"],
    "systrap": [*FREESTANDING, "-Wl,-T,platform/systrap/stub/stub.ld"],
}


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
        for platform, options in STUBS.items():
            stub = os.path.join(root, "sentry/platform", platform, "stub.elf")
            os.makedirs(os.path.dirname(stub), exist_ok=True)
            sources = sorted(glob(f"platform/{platform}/stub/*.[cS]"))
            subprocess.check_call([*STUB, *options, *sources, "-o", stub])

        from runsc import archive, seccomp

        with open(os.path.join(root, "runsc", os.path.basename(seccomp.PROGRAM)), "wb") as file:
            seccomp.generate(file)
        if not self.inplace:
            file = os.path.join(root, "runsc", os.path.basename(archive.FILE))
            # Lines are enough in a traceback: without columns the code is smaller.
            python = [sys.executable, "-X", "no_debug_ranges"]
            subprocess.check_call([*python, "-m", "runsc.archive_build", file, root])


setup(
    cmdclass={"build_ext": Build},
    scripts=["bin/runsc-py"],
    ext_modules=[
        extension("sentry._core", "sentry/core/*.c", include=("platform/include", "sentry/core")),
        *(
            extension(
                f"sentry.platform.{name}._{name}",
                f"platform/{name}/*.c",
                "platform/common/*.c",
                include=("platform/include", "platform/common"),
            )
            for name in STUBS
        ),
        extension("runsc._boot", "runsc/_boot.c"),
    ],
)
