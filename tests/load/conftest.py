"""What is asked."""

from pathlib import Path

import pytest

from dialtone.models import ModelMissing
from tests.bench.spoken import spoken_questions


@pytest.fixture(scope="session")
def short_question(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without a pause that could be taken for its end."""
    try:
        return spoken_questions(tmp_path_factory.mktemp("questions"), ["How much is seven plus five?"])[0]
    except ModelMissing as missing:
        pytest.skip(str(missing))
