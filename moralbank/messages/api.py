"""API operations of messages: what became of what leaves the house."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from moralbank.messages import queries, service
from moralbank.messages.errors import DeliveryNotStuck, UnknownDelivery
from moralbank.messages.queries import Delivery
from moralbank.messages.schemas import DeliveryOut, DeliveryQuery
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import allow, scope_paths, within
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("messages", __name__, description="What leaves the house, and how it went.")


@blueprint.reads("/deliveries", DeliveryOut, query=DeliveryQuery, paged=True)
@allow("staff", "auditor", scope="branch", token="messages:read")
def list_deliveries(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List what leaves the house from the branches in reach, newest first; never what it says."""
    states = [query["state"]] if query["state"] else []
    found = queries.list_deliveries(db, scope_paths(), states=states, before_id=page.after, limit=page.limit + 1)
    return page.of(found, key=lambda delivery: delivery.delivery_id)


@blueprint.writes(
    "/deliveries/<int:delivery_id>/retry", DeliveryOut, status=200, refusals=[UnknownDelivery, DeliveryNotStuck]
)
@allow("staff", scope="branch", token="messages:write")
def retry(db: Connection, delivery_id: int, *, key: str) -> Delivery:
    """Send again what was given up, or what may not have arrived."""
    within(queries.get_delivery(db, delivery_id).branch_id)
    return service.retry(db, delivery_id)
