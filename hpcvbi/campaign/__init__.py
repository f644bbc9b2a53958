"""Read this first: how a study runs. One generator per person, one loop over all of them.

    chain      a person's inference, told as one story: what it waits for, it yields
    loop       fills the cluster with blocks of all people, marks what comes back, wakes who waited
    limits     when it gives up: a block after some attempts, a person with too many lost draws
    again      failed draws are tried again, with all that rests on them
    stop       signals that ask a run to stop
    trial      a single simulation, without inference
    record     what is written about a person, as named data with units

Nothing finished is ever lost or done twice: what the store holds is not simulated, learned or
judged again, and what a resumed run computes depends on the study alone, never on when or where.
"""

from hpcvbi.campaign.chain import Subject, subjects_of
from hpcvbi.campaign.conduct import conduct
from hpcvbi.campaign.loop import Outcome, Progress
from hpcvbi.campaign.plan import Plan, plan, rounds_of
from hpcvbi.campaign.trial import TrialOutcome, simulate_trial

__all__ = [
    "Outcome",
    "Plan",
    "Progress",
    "Subject",
    "TrialOutcome",
    "conduct",
    "plan",
    "rounds_of",
    "simulate_trial",
    "subjects_of",
]
