"""Thresholds of the signs of forgery; one of the groups of `geo.policy.Policy`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeryPolicy:
    """When positions look made up. Shares are the weights of the signs."""

    mock_share: float = 1.0
    teleport_share: float = 0.6
    acceleration_share: float = 0.4
    frozen_share: float = 0.6
    constant_share: float = 0.5
    smooth_share: float = 0.4
    replay_share: float = 0.9
    twin_share: float = 0.6
    clock_share: float = 0.5
    cell_share: float = 0.7
    review_confidence: float = 0.5
    """A person looks at a day from this score on."""
    teleport_mps: float = 84.0
    """Faster than 300 km/h, net of both accuracies ..."""
    teleport_m: float = 2_000.0
    """... and farther than this is no travel on the ground."""
    stretch_fixes: int = 4
    """So many fixes on both sides of a jump; fewer are errors of measurement."""
    stray_s: float = 180.0
    """A spell of errors is no longer than this."""
    acceleration_mps2: float = 8.0
    """No vehicle changes its speed faster ..."""
    acceleration_step_s: float = 30.0
    """... between fixes no farther apart than this."""
    exact_m: float = 50.0
    """Fixes that claim more are vague, and prove nothing here."""
    frozen_fixes: int = 30
    """So many identical positions in a row ..."""
    frozen_lasting_fixes: int = 20
    frozen_lasting_s: float = 3_600.0
    """... or so many over so long, at whose end no receiver remembers what it erred ..."""
    frozen_accuracy_m: float = 20.0
    """... that claim to be this exact are not a measurement."""
    constant_fixes: int = 10
    moving_m: float = 10.0
    """A step longer than this is movement."""
    smooth_m: float = 0.1
    """Half of the fixes lie no farther beside the line of their neighbours than this ..."""
    smooth_way_m: float = 1_000.0
    """... over such a way: good receivers at a fix a second come to 0.14 m."""
    replay_fixes: int = 20
    replay_same_share: float = 0.5
    """So much of the day's distinct positions in an older day makes it a replay."""
    replay_rhythm_fixes: int = 8
    replay_rhythm_share: float = 0.5
    """A copy keeps the intervals between fixes, also when its positions are shaken."""
    replay_near_m: float = 15.0
    """A shaken copy stays this near to the older day, at the same moments ..."""
    replay_moving_fixes: int = 8
    replay_moving_share: float = 0.6
    """... for so much of what it was under way ..."""
    replay_error_share: float = 0.6
    """... or, standing, has errors that go together with the older ones like this;"""
    replay_still_s: float = 1_200.0
    """errors that do not, over so long, are those of another day."""
    twin_near_m: float = 60.0
    """Two phones no farther apart than this, from fix to fix ..."""
    twin_near_share: float = 0.8
    """... for so much of the day may be in one pocket, when ..."""
    twin_odds: float = 10_000.0
    """... their errors are so many times likelier of one receiver than of two ..."""
    twin_error_share: float = 0.75
    """... that have so much in common at most, as people's phones in one room may."""
    pair_s: float = 5.0
    """Places of two days are compared where both have fixes this near in time ..."""
    still_pair_s: float = 20.0
    """... and errors, of who stands still, this near."""
    way_s: float = 60.0
    way_m: float = 150.0
    """Under way is who gets this far within `way_s` to either side."""
    still_window_s: float = 300.0
    """Errors are what is left over the mean of so long to either side, longer for rare fixes ..."""
    still_spread_m: float = 40.0
    """... while all of it lies within this."""
    error_max_m: float = 40.0
    """Larger errors count as this."""
    still_fixes: int = 20
    still_s: float = 3_600.0
    """So many fixes over so long tell how errors go together."""
    delay_s: float = 120.0
    """A clock is slow when every fix comes this late ..."""
    delay_spread_s: float = 30.0
    """... and all of them equally late."""
