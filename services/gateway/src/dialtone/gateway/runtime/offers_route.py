"""`/v1/models` and `/v1/voices`: what a session may name here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict

from dialtone.bus import Stage
from dialtone.gateway.rest.auth import ApiKeys
from dialtone.gateway.rest.errors import ApiError, error_responses
from dialtone.gateway.runtime.offerings import NobodyAnswers, Offerings
from dialtone.v1.offers_pb2 import Offer


class _Listed(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """As a session names it."""
    default: bool
    """Whether sessions that name none have this one; of voices there is one for each language."""


class ModelOut(_Listed):
    """A model as OpenAI's API lists them, and whether it is the default."""

    object: Literal["model"] = "model"
    created: int = 0
    """Always 0: nobody here knows when a model was made."""
    owned_by: str = "dialtone"


class VoiceOut(_Listed):
    object: Literal["voice"] = "voice"
    language: str
    """ISO 639-1; `*`: any."""


class ModelListOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelOut]


class VoiceListOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[VoiceOut]


def create_offers_router(offerings: Offerings, keys: ApiKeys, configured: Sequence[str] = ()) -> APIRouter:
    """The routes of what is served, for whoever has a key. `configured`: models of no worker's telling."""
    router = APIRouter(
        prefix="/v1", tags=["models"], dependencies=[Depends(keys.key)], responses=error_responses(401, 503)
    )

    async def names(stage: Stage) -> Sequence[Offer]:
        try:
            return await offerings.of(stage)
        except NobodyAnswers as error:
            message = "The workers do not answer. Try again in a moment."
            retry = {"Retry-After": "2"}
            raise ApiError(503, "bus_unavailable", message, kind="server_error", headers=retry) from error

    async def models() -> list[ModelOut]:
        told = [ModelOut(id=offer.name, default=offer.is_default) for offer in await names(Stage.LLM)]
        return told + [ModelOut(id=name, default=False) for name in configured]

    @router.get("/models")
    async def list_models() -> ModelListOut:
        """The models that answer, the default first; none while no worker has one.

        Names that a pattern of the operator's serves, such as `MiniMax-*`, are not among them.
        """
        return ModelListOut(data=await models())

    @router.get("/models/{name:path}", responses=error_responses(404))
    async def read_model(name: Annotated[str, Path(max_length=128)]) -> ModelOut:
        """One of the models that are listed."""
        for model in await models():
            if model.id == name:
                return model
        raise ApiError(404, "model_not_found", "There is no model of that name in the list.", param="name")

    @router.get("/voices")
    async def list_voices() -> VoiceListOut:
        """The voices that speak; none while no worker has one.

        Languages without a voice of their own are spoken by a fallback, which cannot be named.
        """
        voices = await names(Stage.TTS)
        return VoiceListOut(
            data=[VoiceOut(id=one.name, default=one.is_default, language=one.language) for one in voices]
        )

    return router
