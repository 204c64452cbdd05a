from tests.workflow.cast import cast  # noqa: F401  a fixture
