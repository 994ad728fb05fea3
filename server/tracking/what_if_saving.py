"""Save what was tried, in one step, with what the trial had shown."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from server.clock import Clock
from server.errors import Conflict
from server.people.rules import Principal
from server.posts.queries import PolicyKind, PostView
from server.posts.services import reshape_post, set_policy
from server.tracking.what_if_queries import RunView
from server.tracking.what_if_rules import PostTrial, RunState


def save_policy(
    session: Session,
    clock: Clock,
    principal: Principal,
    run: RunView,
    *,
    effective_from_at: datetime | None = None,
    note: str | None = None,
) -> dict[PolicyKind, int]:
    """Make the thresholds that were tried the next versions, from now or a later instant on.

    The caller has checked that the principal may set policies. The run's id and sums stay
    with the versions.

    Returns
    -------
    Number of the new version by family; only families that the trial changed.

    Raises
    ------
    Conflict : `what_if_not_done`; `policy_changed` when a family has another version by now.
    """
    if run.state is not RunState.DONE or not run.trial.families:
        raise Conflict("what_if_not_done")
    return {
        family.kind: set_policy(
            session,
            clock,
            tenant_id=principal.tenant_id,
            kind=family.kind,
            params=family.params,
            effective_from_at=effective_from_at,
            based_on=family.based_on,
            note=note,
            trial=summary_of(run),
            actor_id=principal.account_id,
        )
        for family in run.trial.families
        if dict(family.params) != dict(family.before)
    }


def save_fence(
    session: Session,
    clock: Clock,
    principal: Principal,
    run: RunView,
    post: PostView,
    *,
    note: str | None = None,
) -> int:
    """Make the fence that was tried the post's next version, from now on.

    Parameters
    ----------
    post : the run's post as it is now, found among those the principal may edit.

    Returns
    -------
    Number of the version.

    Raises
    ------
    Conflict : `what_if_not_done`; `version_not_after_latest` when the post has another fence
        by now.
    """
    tried = run.trial.post
    if run.state is not RunState.DONE or tried is None or tried.post_id != post.id:
        raise Conflict("what_if_not_done")
    if post.version != tried.based_on or post.shape is None:
        raise Conflict("version_not_after_latest")
    return reshape_post(
        session,
        clock,
        tenant_id=principal.tenant_id,
        post_id=post.id,
        shape=_shape(post.shape, tried),
        grace_s=tried.grace_s,
        buffer_m=tried.buffer_m,
        actor_id=principal.account_id,
        note=note,
        trial=summary_of(run),
    )


def summary_of(run: RunView) -> dict[str, Any]:
    """Return what stands beside a version for good: the run and its sums, nobody by name."""
    summary: dict[str, Any] = {
        "run_id": str(run.id),
        "first_on": run.first_on.isoformat(),
        "last_on": run.last_on.isoformat(),
    }
    if run.is_few:
        return summary
    return summary | {"people": run.people, "days": run.days_done, **run.counts}


def _shape(shape: dict[str, Any], tried: PostTrial) -> dict[str, Any]:
    return shape if tried.radius_m is None else {**shape, "radius_m": tried.radius_m}
