"""What a client makes of the response events of a call, and what must hold of them in any order of things."""

from __future__ import annotations

from dataclasses import dataclass, field

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import FunctionCallItem, Item, MessageItem, OutputAudio, OutputText


@dataclass
class OpenPart:
    """The content part that is being written."""

    item_id: str
    output_index: int
    audio: bool
    text: str = ""
    text_done: bool = False
    audio_done: bool = False


@dataclass
class ToolCall:
    item_id: str
    output_index: int
    arguments: str = ""
    done: bool = False


@dataclass
class ResponseSeen:
    opened: out.Response
    output: list[Item] = field(default_factory=list)  # those that are done
    item: Item | None = None  # the one that is going on
    part: OpenPart | None = None
    parts_done: list[OpenPart] = field(default_factory=list)  # of the item
    tool: ToolCall | None = None
    done: out.Response | None = None


class ResponseView:
    """Fed each server event; raises AssertionError at the first that is out of order."""

    def __init__(self) -> None:
        self.seen: dict[str, ResponseSeen] = {}

    @property
    def open(self) -> list[ResponseSeen]:
        return [response for response in self.seen.values() if response.done is None]

    def take(self, event: out.ServerEvent) -> None:
        match event:
            case out.ResponseCreated():
                self._created(event.response)
            case out.ResponseDone():
                self._done(event.response)
            case out.OutputItemAdded():
                self._item_added(event)
            case out.OutputItemDone():
                self._item_done(event)
            case out.PartEvent():
                self._part_event(event)
            case out.FunctionArgumentsDelta():
                self._tool(event).arguments += event.delta
            case out.FunctionArgumentsDone():
                tool = self._tool(event)
                assert event.arguments == tool.arguments
                tool.done = True
            case out.SentenceSpoken():
                self._going_on(event.response_id)

    def _created(self, response: out.Response) -> None:
        assert response.id not in self.seen
        assert (response.status, response.output, response.usage) == ("in_progress", [], None)
        assert response.status_details is None
        if response.conversation_id is not None:
            others = [r.opened.id for r in self.open if r.opened.conversation_id is not None]
            assert not others, f"{response.id} and {others} write to the conversation"
        self.seen[response.id] = ResponseSeen(response)

    def _going_on(self, response_id: str) -> ResponseSeen:
        assert response_id in self.seen, "of a response that was never created"
        response = self.seen[response_id]
        assert response.done is None, "after the response's end"
        return response

    def _done(self, last: out.Response) -> None:
        response = self._going_on(last.id)
        assert response.item is None, "an item is still open"
        assert last.output == response.output
        first = response.opened
        assert (last.conversation_id, last.metadata) == (first.conversation_id, first.metadata)
        assert (last.output_modalities, last.audio) == (first.output_modalities, first.audio)
        details = last.status_details
        if last.status == "completed":
            assert details is None
        else:
            assert details is not None
            assert details.type == last.status
            reasons: dict[str, set[str | None]] = {
                "cancelled": {"turn_detected", "client_cancelled"},
                "incomplete": {"max_output_tokens", "content_filter"},
                "failed": {None},
            }
            assert details.reason in reasons[last.status]
            assert (details.error is not None) == (last.status == "failed")
        self._usage_adds_up(last)
        response.done = last

    def _usage_adds_up(self, last: out.Response) -> None:
        usage = last.usage
        assert usage is not None
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
        taken, said = usage.input_token_details, usage.output_token_details
        assert usage.input_tokens == taken.text_tokens + taken.audio_tokens + taken.image_tokens
        assert usage.output_tokens == said.text_tokens + said.audio_tokens
        cached = taken.cached_tokens_details
        assert taken.cached_tokens == cached.text_tokens + cached.audio_tokens + cached.image_tokens
        assert taken.cached_tokens <= usage.input_tokens

    # --- items

    def _item_added(self, event: out.OutputItemAdded) -> None:
        response = self._going_on(event.response_id)
        assert response.item is None, "one item at a time"
        assert event.output_index == len(response.output), "output indexes are dense"
        assert event.item.status == "in_progress"
        response.item, response.part, response.parts_done = event.item, None, []
        if isinstance(event.item, FunctionCallItem):
            assert event.item.arguments == ""
            response.tool = ToolCall(event.item.id, event.output_index)
        else:
            assert isinstance(event.item, MessageItem)
            assert event.item.content == []

    def _item_done(self, event: out.OutputItemDone) -> None:
        response = self._going_on(event.response_id)
        assert response.item is not None
        assert response.item.id == event.item.id
        assert event.output_index == len(response.output)
        assert event.item.status in ("completed", "incomplete")
        assert response.part is None, "a part is still open"
        if isinstance(event.item, FunctionCallItem):
            assert response.tool is not None
            assert response.tool.done
            assert event.item.arguments == response.tool.arguments
            response.tool = None
        else:
            assert isinstance(event.item, MessageItem)
            assert len(event.item.content) <= len(response.parts_done)
            for said, part in zip(event.item.content, response.parts_done, strict=False):
                assert isinstance(said, OutputAudio if part.audio else OutputText)
                text = said.transcript if isinstance(said, OutputAudio) else said.text
                assert part.text.startswith(text)
                assert text == part.text or event.item.status == "incomplete"
        response.output.append(event.item)
        response.item = None

    def _tool(self, event: out.FunctionArgumentsDelta | out.FunctionArgumentsDone) -> ToolCall:
        tool = self._going_on(event.response_id).tool
        assert tool is not None
        assert (event.item_id, event.output_index) == (tool.item_id, tool.output_index)
        assert not tool.done
        return tool

    # --- parts

    def _part_event(self, event: out.PartEvent) -> None:
        response = self._going_on(event.response_id)
        assert response.item is not None
        assert event.item_id == response.item.id
        assert event.output_index == len(response.output)
        assert event.content_index == len(response.parts_done), "content indexes are dense"
        if isinstance(event, out.ContentPartAdded):
            assert response.part is None, "one part at a time"
            audio = isinstance(event.part, out.AudioPart)
            assert audio == ("audio" in response.opened.output_modalities)
            response.part = OpenPart(event.item_id, event.output_index, audio)
            return
        part = response.part
        assert part is not None, "outside of a part"
        if isinstance(event, out.ContentPartDone):
            said = event.part.transcript if isinstance(event.part, out.AudioPart) else event.part.text
            assert isinstance(event.part, out.AudioPart) == part.audio
            assert said == part.text
            assert part.text_done
            assert part.audio_done == part.audio
            response.parts_done.append(part)
            response.part = None
        else:
            self._in_part(event, part)

    def _in_part(self, event: out.PartEvent, part: OpenPart) -> None:
        match event:
            case out.OutputAudioDelta():
                assert part.audio
                assert not part.audio_done
                assert event.delta
            case out.OutputAudioDone():
                assert part.audio
                assert not part.audio_done
                part.audio_done = True
            case out.AudioTranscriptDelta() | out.OutputTextDelta():
                assert part.audio == isinstance(event, out.AudioTranscriptDelta)
                assert not part.text_done
                assert event.delta
                part.text += event.delta
            case out.AudioTranscriptDone():
                assert part.audio
                assert event.transcript == part.text
                part.text_done = True
            case out.OutputTextDone():
                assert not part.audio
                assert event.text == part.text
                part.text_done = True
            case _:
                raise AssertionError(f"an event of a part that nobody knows: {event}")
