"""Sessions beyond the tests of every change: nox -s NAME."""

import nox

nox.options.sessions = ["tests"]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def install(session: nox.Session, *extras: str) -> None:
    """Install the checkout with the pinned versions."""
    session.install("-c", "constraints.txt", "-e", f".[{','.join(extras)}]")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the suite; a Python that is not at hand is skipped."""
    install(session, "test")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """Run the suite with the oldest versions that setup.cfg allows."""
    session.install(
        "-c",
        "tests/oldest.txt",
        "-e",
        ".[parquet,excel,video,masks]",
        "pytest",
        "hypothesis",
        "jsonschema",
        "pytest-benchmark",
        "scikit-image",
        "statsmodels",
        "import-linter",
    )
    session.run("pytest", "-W", "default", "tests", "--ignore=tests/models", *session.posargs)


@nox.session
def nojit(session: nox.Session) -> None:
    """Run the suite with the kernels as plain Python (hours: audits go over pixels one by one)."""
    install(session, "test")
    session.run("pytest", "tests", *session.posargs, env={"NUMBA_DISABLE_JIT": "1", "CI": "1"})


@nox.session
def boundscheck(session: nox.Session) -> None:
    """Run the tests of the kernels with every index checked, which compiled code does not do."""
    install(session, "test")
    files = session.posargs or ["tests", "--ignore=tests/models"]
    cache = session.create_tmp()
    session.run("pytest", *files, env={"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": cache})


@nox.session
def ray(session: nox.Session) -> None:
    """Compare joblib's Ray backend with the serial result, bit for bit."""
    install(session, "test")
    session.install("ray")
    session.run("pytest", "tests/test_cluster.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run every benchmark; --compare FILE shows the change against an earlier run."""
    install(session, "test")
    session.run("python", "-m", "tests.bench", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz the readers; posargs: seconds for each (default 600)."""
    install(session, "test")
    session.install("atheris")
    session.run("python", "-m", "tests.fuzz", *session.posargs)


@nox.session
def options(session: nox.Session) -> None:
    """Run random combinations of options; posargs: how many (default 2000), and a seed."""
    install(session, "test")
    session.run("python", "-m", "tests.fuzz.options", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, warnings being errors."""
    install(session, "docs")
    session.run("sphinx-build", "-W", "--keep-going", "docs", "docs/_build")


@nox.session
def mutation(session: nox.Session) -> None:
    """Mutate modules and run their tests; posargs: MODULE TESTS..."""
    install(session, "test")
    session.install("mutmut>=3.8")
    session.run("python", "-m", "tests.mutation", *session.posargs)
