"""Any server with OpenAI's /v1/chat/completions: vLLM, SGLang, llama.cpp's, Ollama, hosted ones."""

from dialtone.llm.backends.chat_http import ChatHttp
from dialtone.llm.model_entry import OPENAI_URL, ModelEntry


class OpenAiBackend(ChatHttp):
    """Chat completions of an OpenAI-compatible server."""

    name = "openai"
    path = "chat/completions"

    def __init__(self, entry: ModelEntry) -> None:
        super().__init__(entry, base_url=entry.base_url or OPENAI_URL)
