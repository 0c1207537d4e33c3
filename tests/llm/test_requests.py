"""What the vendors are sent."""

import pytest
from openai import AsyncOpenAI

from dialtone.bus import WorkError
from dialtone.v1.turn_pb2 import LlmTurn, Message
from dialtone.vendors.failures import UpstreamFailure
from tests.fixtures.chat_answers import openai_chunk
from tests.fixtures.chat_server import API_KEY, ChatServer, Reply, sse
from tests.llm.conftest import MakeHttp
from tests.llm.conversations import read, read_until_failure, text_of, turn

IMAGE = "data:image/png;base64,AAAA"


def _full_turn() -> LlmTurn:
    asked = turn("Hi", "Hello!", "Weather?", tools=("get_weather",))
    call = asked.messages.add(role=Message.ROLE_ASSISTANT)
    call.tool_calls.add(call_id="c1", name="get_weather", arguments='{"city": "Rome"}')
    asked.messages.add(role=Message.ROLE_TOOL, tool_call_id="c1", text="sunny")
    asked.temperature = 0.0
    asked.top_p = 0.9
    asked.max_output_tokens = 50
    asked.parallel_tool_calls = False
    return asked


async def test_openai_is_sent_its_own_words(chat_server: ChatServer, make_http: MakeHttp) -> None:
    await read(make_http().stream(_full_turn()))
    [seen] = chat_server.seen
    assert seen.headers["authorization"] == f"Bearer {API_KEY}"
    body = seen.body
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.0, 0.9, 50)
    assert body["parallel_tool_calls"] is False
    assert body["tool_choice"] == "auto"
    assert body["tools"][0]["function"]["parameters"]["required"] == ["city"]
    roles = [m["role"] for m in body["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "tool"]
    assert body["messages"][4]["tool_calls"][0]["function"] == {
        "name": "get_weather",
        "arguments": '{"city": "Rome"}',
    }
    assert body["messages"][5] == {"role": "tool", "tool_call_id": "c1", "content": "sunny"}


async def test_minimax_is_sent_its_own_words(chat_server: ChatServer, make_http: MakeHttp) -> None:
    await read(make_http("minimax").stream(_full_turn()))
    [seen] = chat_server.seen
    assert seen.path == "/v1/text/chatcompletion_v2"
    assert seen.body["max_completion_tokens"] == 50
    assert "max_tokens" not in seen.body
    assert 0 < seen.body["temperature"] <= 1
    assert "parallel_tool_calls" not in seen.body


async def test_minimax_is_reached_by_the_whole_url_too(chat_server: ChatServer, make_http: MakeHttp) -> None:
    backend = make_http("minimax", base_url=f"{chat_server.url}/text/chatcompletion_v2")
    assert text_of(await read(backend.stream(turn("Hi"))))


@pytest.mark.parametrize("kind", ["openai", "minimax"])
async def test_images_go_as_parts_with_how_closely_to_look(
    chat_server: ChatServer, make_http: MakeHttp, kind: str
) -> None:
    asked = turn("What is this?")
    asked.messages[-1].images.add(url=IMAGE)
    asked.messages[-1].images.add(url=IMAGE, detail="high")
    await read(make_http(kind, images=True).stream(asked))
    text, plain, close = chat_server.seen[0].body["messages"][-1]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    assert plain == {"type": "image_url", "image_url": {"url": IMAGE}}
    assert close == {"type": "image_url", "image_url": {"url": IMAGE, "detail": "high"}}


async def test_a_conversation_that_may_not_be_cut_is_refused_where_it_is_too_long(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    asked = turn("a" * 3000, "b" * 3000, "Well?")
    asked.truncation_disabled = True
    backend = make_http(context_window=1024)
    _, failed = await read_until_failure(backend.stream(asked))
    assert failed.code == "context_length_exceeded"
    assert not chat_server.seen
    asked.truncation_disabled = False
    assert text_of(await read(backend.stream(asked)))


async def test_a_model_without_eyes_refuses_images_by_name(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    asked = turn("What is this?")
    asked.messages[-1].images.add(url=IMAGE)
    with pytest.raises(WorkError, match="model m does not take images") as refused:
        await read(make_http().stream(asked))
    assert refused.value.code == "image_input_not_supported"
    assert not refused.value.retryable
    assert not chat_server.seen


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest", "https://example.com/a.png", "file:///etc/passwd", "data:text/html,x"],
)
async def test_only_images_themselves_are_passed_on(
    chat_server: ChatServer, make_http: MakeHttp, url: str
) -> None:
    asked = turn("What is this?")
    asked.messages[-1].images.add(url=url)
    with pytest.raises(WorkError) as refused:
        await read(make_http(images=True).stream(asked))
    assert refused.value.code == "invalid_image_url"
    assert not chat_server.seen


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("required", "required"),
        ("function:get_weather", {"type": "function", "function": {"name": "get_weather"}}),
    ],
)
async def test_tool_choices(chat_server: ChatServer, make_http: MakeHttp, choice: str, sent: object) -> None:
    asked = turn("Hi", tools=("get_weather",))
    asked.tool_choice = choice
    await read(make_http().stream(asked))
    assert chat_server.seen[0].body["tool_choice"] == sent


async def test_tools_that_may_not_be_called_are_not_offered(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    asked = turn("What is the weather?", tools=("get_weather",))
    asked.tool_choice = "none"
    assert text_of(await read(make_http().stream(asked)))
    assert "tools" not in chat_server.seen[0].body


async def test_a_model_without_tools_refuses_them_by_name(make_http: MakeHttp) -> None:
    with pytest.raises(WorkError, match=r"m does not support tools") as refused:
        await read(make_http(supports_tools=False).stream(turn("Hi", tools=("f",))))
    assert refused.value.code == "tools_not_supported"


async def test_a_schema_that_is_none_is_refused(make_http: MakeHttp) -> None:
    asked = turn("Hi", tools=("f",))
    asked.tools[0].parameters_json = "[1]"
    with pytest.raises(WorkError) as refused:
        await read(make_http().stream(asked))
    assert refused.value.code == "invalid_request"


async def test_the_entry_fills_in_and_adds(chat_server: ChatServer, make_http: MakeHttp) -> None:
    backend = make_http(
        max_output_tokens=7,
        temperature=0.3,
        max_tokens_field="max_completion_tokens",
        stream_usage=False,
        extra_body={"chat_template_kwargs": {"enable_thinking": False}},
    )
    await read(backend.stream(turn("Hi")))
    body = chat_server.seen[0].body
    assert body["max_completion_tokens"] == 7
    assert body["temperature"] == 0.3
    assert "stream_options" not in body
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


async def test_a_long_conversation_is_trimmed(chat_server: ChatServer, make_http: MakeHttp) -> None:
    texts = ["word " * 50 for _ in range(101)]
    await read(make_http(context_window=2048).stream(turn(*texts)))
    sent = chat_server.seen[0].body["messages"]
    assert sent[0]["role"] == "system"
    assert sent[1]["role"] == "user"
    assert 2 < len(sent) < 40


@pytest.mark.parametrize(
    ("mode", "roles", "extra"),
    [
        ("none", ["system", "user", "assistant", "user"], {}),
        ("trailing", ["system", "user", "assistant"], {}),
        ("prefix", ["system", "user", "assistant"], {}),
        (
            "vllm",
            ["system", "user", "assistant"],
            {"continue_final_message": True, "add_generation_prompt": False},
        ),
    ],
)
async def test_an_answer_is_continued_as_the_server_can(
    chat_server: ChatServer, make_http: MakeHttp, mode: str, roles: list[str], extra: dict[str, bool]
) -> None:
    words = [sse(openai_chunk({"content": word})) for word in ("The sun ", "is shining.")]
    chat_server.script += [Reply([*words, sse(openai_chunk({}, "stop"))])]
    events = await read(make_http(continue_prefix=mode).stream(turn("Hi"), "The sun"))
    body = chat_server.seen[0].body
    assert [m["role"] for m in body["messages"]] == roles
    assert body["messages"][2]["content"] == "The sun"
    assert body["messages"][2].get("prefix", False) is (mode == "prefix")
    assert extra.items() <= body.items()
    # A server that cannot continue began anew here: what was heard is left out.
    assert text_of(events) == (" is shining." if mode == "none" else "The sun is shining.")


async def test_the_sdk_of_openai_reads_the_chat_server(chat_server: ChatServer) -> None:
    """So that the server these tests use is like the one that the world uses."""
    client = AsyncOpenAI(api_key=API_KEY, base_url=chat_server.url, max_retries=0)
    stream = await client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "Hi"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    text, usage = "", None
    async for chunk in stream:
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        usage = chunk.usage or usage
    await client.close()
    assert text == "You said something, and this is the answer."
    assert usage
    assert usage.prompt_tokens == 21


async def test_a_key_is_never_in_a_message_or_a_log(
    chat_server: ChatServer, make_http: MakeHttp, capsys: pytest.CaptureFixture[str]
) -> None:
    echoing = make_http(api_key="sk-wrong-123456")
    chat_server.script.append(Reply([b'{"error": {"message": "no such key: sk-wrong-123456"}}'], status=401))
    with pytest.raises(UpstreamFailure) as refused:
        await read(echoing.stream(turn("Hi")))
    output = capsys.readouterr()
    assert refused.value.code == "invalid_api_key"
    told = refused.value.message + refused.value.detail
    assert "no such key: ***" in told
    assert "sk-wrong-123456" not in output.out + output.err + told
