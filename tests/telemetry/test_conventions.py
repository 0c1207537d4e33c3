"""What the list of names is that spans are held against."""

from tests.telemetry.conventions import published


def test_names_in_use_are_listed_and_names_of_the_past_are_not() -> None:
    names = published()
    assert names >= {
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.usage.input_tokens",
        "error.type",
    }
    assert not names & {"gen_ai.system", "gen_ai.prompt", "gen_ai.usage.prompt_tokens"}
