"""The servers of these tests behave as the vendors' own SDKs expect, and our requests are such as theirs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types.listen_v1close_stream import ListenV1CloseStream
from deepgram.listen.v1.types.listen_v1finalize import ListenV1Finalize
from deepgram.listen.v1.types.listen_v1keep_alive import ListenV1KeepAlive
from deepgram.listen.v1.types.listen_v1metadata import ListenV1Metadata
from deepgram.listen.v1.types.listen_v1results import ListenV1Results
from google import genai
from google.genai import errors, types
from openai import AsyncOpenAI, AuthenticationError, NotFoundError
from openai.types.audio import transcription_create_params

from dialtone.vad_asr.asr.wave import wave_file
from tests.vad_asr.backends.conftest import MakeRig, passage
from tests.vad_asr.backends.deepgram_server import DeepgramServer
from tests.vad_asr.backends.http_server import HttpServer
from tests.vad_asr.backends.scenes import API_KEY, MODEL


async def test_openais_sdk_reads_the_stream_and_the_refusals(http_servers: dict[str, HttpServer]) -> None:
    server = http_servers["openai"]
    server.reset()
    file = ("speech.wav", wave_file(passage().samples), "audio/wav")
    async with AsyncOpenAI(api_key=API_KEY, base_url=server.url, max_retries=0) as client:
        stream = await client.audio.transcriptions.create(file=file, model=MODEL, stream=True)
        events = [event async for event in stream]
        assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
        for event in events:
            type(event).model_validate(event.model_dump(), strict=True)
        with pytest.raises(NotFoundError) as unknown:
            await client.audio.transcriptions.create(file=file, model="no-such-model")
        assert unknown.value.code == "model_not_found"
    async with AsyncOpenAI(api_key="sk-wrong", base_url=server.url, max_retries=0) as client:
        with pytest.raises(AuthenticationError):
            await client.audio.transcriptions.create(file=file, model=MODEL)


async def test_our_form_has_fields_of_openais_only(make_rig: MakeRig) -> None:
    rig = await make_rig("openai")
    await rig.hear(passage(language="en-GB", prompt="Dialtone"))
    (fields,) = rig.server.bodies
    known = transcription_create_params.TranscriptionCreateParamsStreaming.__annotations__
    known |= transcription_create_params.TranscriptionCreateParamsBase.__annotations__
    assert set(fields) <= set(known)
    assert (fields["language"], fields["prompt"], fields["stream"]) == ("en", "Dialtone", "true")


async def test_deepgrams_sdk_reads_the_results(deepgram_server: DeepgramServer) -> None:
    base = deepgram_server.url.removesuffix("/v1")
    socket = base.replace("http", "ws")
    environment = DeepgramClientEnvironment(base=base, production=socket, agent=socket, agent_rest=base)
    client = AsyncDeepgramClient(api_key=API_KEY, environment=environment)
    async with client.listen.v1.connect(
        model=MODEL, encoding="linear16", sample_rate=16_000, interim_results=True
    ) as connection:
        await connection.send_media(passage(0.5).samples.tobytes())
        await connection.send_keep_alive(ListenV1KeepAlive(type="KeepAlive"))
        await connection.send_finalize(ListenV1Finalize(type="Finalize"))
        results: list[Any] = []
        while not (results and results[-1].from_finalize):
            results.append(await connection.recv())
        await connection.send_close_stream(ListenV1CloseStream(type="CloseStream"))
        metadata = await connection.recv()
    assert [type(result) for result in results] == [ListenV1Results] * len(results)
    for result in results:
        ListenV1Results.model_validate_json(json.dumps(result.model_dump(mode="json")))
    assert results[-1].channel.alternatives[0].transcript == "Hello there."
    assert isinstance(metadata, ListenV1Metadata)
    assert deepgram_server.kept_alive == 1


async def test_our_query_is_one_of_deepgrams(make_rig: MakeRig, deepgram_server: DeepgramServer) -> None:
    rig = await make_rig("deepgram", extra={"smart_format": True, "keyterm": "Dialtone"})
    await rig.hear(passage(language="en"))
    (query,) = deepgram_server.queries
    known = AsyncDeepgramClient(api_key="none").listen.v1.connect.__wrapped__
    assert set(query) <= {*known.__code__.co_varnames}
    assert (query["language"], query["smart_format"], query["endpointing"]) == ("en", "true", "false")


async def test_geminis_sdk_reads_the_stream_and_the_refusals(http_servers: dict[str, HttpServer]) -> None:
    server = http_servers["gemini"]
    server.reset()
    options = types.HttpOptions(base_url=server.url.removesuffix("/v1"), api_version="v1")
    audio = types.Part.from_bytes(data=wave_file(passage().samples), mime_type="audio/wav")
    config = types.GenerateContentConfig(system_instruction="Write it down.")
    client = genai.Client(api_key=API_KEY, http_options=options)
    stream = await client.aio.models.generate_content_stream(model=MODEL, contents=audio, config=config)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.text or "" for chunk in chunks) == "en\nHello there."
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.STOP
    await client.aio.aclose()
    wrong = genai.Client(api_key="sk-wrong", http_options=options)
    stream = await wrong.aio.models.generate_content_stream(model=MODEL, contents=audio, config=config)
    with pytest.raises(errors.ClientError) as refused:
        await anext(aiter(stream))
    assert refused.value.status == "INVALID_ARGUMENT"
    await wrong.aio.aclose()


async def test_our_body_is_a_request_of_geminis(make_rig: MakeRig) -> None:
    rig = await make_rig("gemini", extra={"thinkingConfig": {"thinkingBudget": 0}})
    await rig.hear(passage(language="de", prompt="Dialtone"))
    (body,) = rig.server.bodies
    assert set(body) <= {"systemInstruction", "contents", "generationConfig"}
    told = types.Content.model_validate(body["systemInstruction"])
    assert told.parts is not None
    assert "Dialtone" in (told.parts[0].text or "")
    assert types.Content.model_validate(body["contents"][0]).role == "user"
    config = types.GenerationConfig.model_validate(body["generationConfig"])
    assert config.temperature == 0
    assert config.thinking_config == types.ThinkingConfig(thinking_budget=0)
