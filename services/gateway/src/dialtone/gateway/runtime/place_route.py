"""`GET /v1/realtime/place`: whether a call would be let in now.

A browser hides from its page why a WebSocket's handshake was refused. Asked here, the gateway says the same
to one who can read it.
"""

from __future__ import annotations

from fastapi import APIRouter, Depends

from dialtone.gateway.rest.auth import ApiKeys
from dialtone.gateway.rest.errors import ApiError, error_responses
from dialtone.gateway.runtime.refusals import Refusal, draining, full
from dialtone.gateway.runtime.switchboard import GatewayDraining, GatewayFull, Switchboard
from dialtone.gateway.runtime.tenant_places import TenantPlaces


def create_place_router(switchboard: Switchboard, places: TenantPlaces, keys: ApiKeys) -> APIRouter:
    """The route, for the tenant of the key that came with the request."""
    router = APIRouter(prefix="/v1/realtime", tags=["client secrets"])
    tenant_of_request = Depends(keys.tenant)

    @router.get("/place", status_code=204, responses=error_responses(401, 429, 503))
    async def place(tenant: str = tenant_of_request) -> None:
        """204 where a call would be let in now; else what its handshake would be refused with."""
        try:
            with switchboard.place(), places.place(tenant):
                return
        except GatewayFull:
            raise _told(full()) from None
        except GatewayDraining:
            raise _told(draining()) from None
        except Refusal as refusal:
            raise _told(refusal) from None

    return router


def _told(refusal: Refusal) -> ApiError:
    kind = "invalid_request_error" if refusal.status < 500 else "server_error"
    return ApiError(refusal.status, refusal.code, refusal.message, kind=kind, headers=refusal.headers)
