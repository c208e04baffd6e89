"""API tokens: administrators make them, everybody sees and revokes their own."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Response

from api.deps import IdentityDep, ServicesDep, require
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.tokens import Identity
from crant_core.jobs.wire import NewToken, Problem, TokenRequest, TokenView

router = APIRouter(prefix="/v1/tokens", tags=["tokens"], responses={"4XX": {"model": Problem}})


@router.get("")
def list_tokens(services: ServicesDep, identity: IdentityDep) -> list[TokenView]:
    """List one's own tokens, or everybody's for an administrator; the tokens themselves cannot be shown again."""
    return [TokenView(**vars(token)) for token in services.tokens.all(_whose(identity))]


@router.post("", status_code=201)
def create_token(services: ServicesDep, identity: IdentityDep, request: TokenRequest) -> NewToken:
    """Make a token for somebody; it is shown this once."""
    require(identity, Scope.ADMIN)
    lifetime = timedelta(days=request.days) if request.days else None
    token = services.tokens.create(request.owner, set(request.scopes), label=request.label, lifetime=lifetime)
    return NewToken(token=token, id=services.tokens.identify(token).token_id)


@router.delete("/{token_id}", status_code=204)
def revoke_token(services: ServicesDep, identity: IdentityDep, token_id: str) -> Response:
    """End a token at once."""
    services.tokens.revoke(token_id, _whose(identity))
    return Response(status_code=204)


def _whose(identity: Identity) -> str | None:
    return None if Scope.ADMIN in identity.scopes else identity.owner
