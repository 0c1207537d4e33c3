"""What whole calls need: a question to ask."""

import pytest

from dialtone.local.call.question import default_questions
from dialtone.local.call.recording import Recording
from dialtone.models import ModelMissing


@pytest.fixture(scope="session")
def question(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A spoken question, made by the project's own voice."""
    try:
        return default_questions(1, tmp_path_factory.mktemp("questions"))[0]
    except ModelMissing as missing:
        pytest.skip(str(missing))
