"""Every number the fleet picture is judged by, in one place, with its source. Settings may override them per city."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How late, how far, how long; seconds and metres."""

    hold_s: float = 10.0
    """Rules run this far behind the clock, in fix-time order: 10 s made 230 false episodes the true 131 (DESIGN 2)."""
    future_s_max: float = 120.0
    """A fix further ahead of its arrival is refused (HSL's sink allows 300 s, our chunks suffer beyond 120 s)."""
    age_s_max: float = 86_400.0
    """An older fix is refused: onboard buffers seen in the wild hold up to 2 h; a GPS week slip is 604,800 s."""
    fix_spacing_s_min: float = 0.04
    """Positions of one vehicle closer in fix time are refused: 25 Hz, above any receiver met."""
    speed_mps_max: float = 40.0
    """A reported speed above is taken as unknown: 144 km/h, no city bus reaches it."""
    jump_mps_max: float = 50.0
    """Speed between fixes above which a move is impossible ..."""
    jump_m_min: float = 500.0
    """... once it is also further than this; smaller leaps are ordinary multipath."""
    jump_fixes: int = 3
    """So many fixes in a row agreeing on the new place make it the true one."""
    city_margin_m: float = 30_000.0
    """A position further outside the box around all stops is refused."""
    vehicles_max: int = 50_000
    """So many vehicles are told apart; further names are refused, so that invented ones cannot fill the memory."""
    speed_unit_ratio: float = 1.6
    """Reported over travelled distance, held over a kilometre, from which the unit is wrong (knots 1.94, km/h 3.6)."""

    gnss_sigma_m: float = 15.0
    """Lateral spread of an ordinary urban fix about its street, used to weigh lateral distance."""
    reach_mps: float = 35.0
    """A bus is looked for as far ahead as this speed carries it since its last fix."""
    back_m: float = 60.0
    """... and this far back: noise at a standstill."""
    memory_s: float = 300.0
    """After a longer silence the whole pattern is searched again."""
    off_route_m: float = 75.0
    """Lateral distance that is off the pattern; 99.2 % of a recorded city's fixes lie within (see make bench)."""
    on_route_m: float = 45.0
    """... and the one that is back on it."""
    off_route_fixes: int = 3
    """So many fixes in a row, against lone multipath."""
    off_route_s: float = 15.0
    """... and at least this long."""

    stop_before_m: float = 40.0
    """The zone of a stop begins this far upstream (reference violations 2.2)."""
    stop_after_m: float = 25.0
    """... and ends this far downstream."""
    standing_mps: float = 1.0
    """Slower is standing."""
    dense_s: float = 5.0
    """Fixes closer than this tell whether a bus stood at a stop; sparser ones do not."""
    gap_s_max: float = 180.0
    """Across a longer silence no passage is interpolated: unknown."""
    settle_s: float = 45.0
    """Passages are put in order of departure this long before headways are taken from them."""
    headway_s_max: float = 10_800.0
    """A longer time between departures is a gap in service or in hearing, not a headway."""

    stale_after_s: float = 30.0
    """No fix for three report periods (dashboard reference 5)."""
    stale_said_after_s: float = 10.0
    """... is announced this much later, so that a feed outage is one fact."""
    outage_vehicles_min: int = 20
    """A feed outage needs so many vehicles expected (Skate data_status)."""
    outage_share: float = 0.2
    """... of which this share is silent."""
    forgotten_after_s: float = 3_600.0
    """A vehicle silent for longer is no longer expected."""
    missing_after_s: float = 300.0
    """A scheduled trip with no vehicle this long after its start is missing."""
    missing_for_s: float = 3_600.0
    """... and given up this long after its start."""
