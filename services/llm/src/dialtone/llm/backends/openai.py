"""Any server with OpenAI's /v1/chat/completions: vLLM, SGLang, llama.cpp's, Ollama, hosted ones."""

from dialtone.llm.abilities import Abilities
from dialtone.llm.backends.chat_http import ChatHttp
from dialtone.llm.model_entry import OPENAI_URL, ModelEntry


class OpenAiBackend(ChatHttp):
    """Chat completions of an OpenAI-compatible server."""

    name = "openai"
    path = "chat/completions"
    abilities = Abilities(
        where="OpenAI, or any server with `/v1/chat/completions`; HTTP",
        tools="as the server's; `supports_tools` in the entry",
        images="OpenAI's; others where `images` is set",
        goes_on="in mid-sentence by `continue_prefix`, else asked to go on",
        counts="estimated",
        key="`OPENAI_API_KEY`",
        models="`openai`, `openai/*`, `gpt-*`, `o3*` and the like",
    )

    def __init__(self, entry: ModelEntry) -> None:
        super().__init__(entry, base_url=entry.base_url or OPENAI_URL)
