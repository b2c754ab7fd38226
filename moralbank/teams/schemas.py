"""What the forms of teams send; what a name and a number must be, the service says."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.web.bodies import LARGEST_WHOLE


class TeamForm(ma.Schema):
    """A team's name, and the number of the resident who is asked about it."""

    name = fields.String(required=True, validate=validate.Length(max=200))
    number = fields.String(required=True, validate=validate.Length(max=20))


class NewTeamForm(TeamForm):
    """Where it is opened, too."""

    branch_id = fields.Integer(required=True, validate=validate.Range(1, LARGEST_WHOLE))
