"""Read this first: how a study runs. One generator per person, one loop over all of them.

    chain      a person's inference, told as one story: what it waits for, it yields
    rounds     how it learns alone; together, by one network for all people
    loop       fills the cluster with blocks of all people, marks what comes back, wakes who waited
    plan       what a run would do, at a pace; a forecast says how it would run on a cluster
    extension  a study gets more people, rounds or draws
    parts      a study is split: some of its people each, in a store of their own
    merge      the parts become one store
    repair     a store is checked in full, and exactly what is damaged is computed again
    limits     when it gives up: a block after some attempts, a person with too many lost draws
    again      failed draws are tried again, with all that rests on them
    stop       signals that ask a run to stop
    trial      a single simulation, without inference
    reuse      draws of an earlier study of the same brains are learned from again
    shared     a network for a cohort, from a finished study; nothing is written
    rivals     several studies of the same people, between whose models is chosen
    choice     which of them the recordings speak for: a chain of waves over all models
    particles  its particles: each model's posterior, and all generations
    group      what people have in common, from their posteriors
    page       the report of a study or of a choice
    export     what is there already, in other programs' formats
    record     what is written about a person, as named data with units

Nothing finished is ever lost or done twice: what the store holds is not simulated, learned or
judged again, and what a resumed run computes depends on the study alone, never on when or where.
"""

from hpcvbi.campaign.choice import choose
from hpcvbi.campaign.choice_plan import plan_choice
from hpcvbi.campaign.conduct import conduct
from hpcvbi.campaign.export import EXPORTS, export
from hpcvbi.campaign.extension import Extension, extend, plan_extension
from hpcvbi.campaign.follower import Outcome, Progress
from hpcvbi.campaign.forecast import Forecast, forecast
from hpcvbi.campaign.group import Difference, Group, difference, left_out, pool_people
from hpcvbi.campaign.merge import Merged, merge
from hpcvbi.campaign.pace import Pace, pace_of
from hpcvbi.campaign.page import build_page
from hpcvbi.campaign.particles import ModelPosterior, posteriors
from hpcvbi.campaign.parts import part_of
from hpcvbi.campaign.plan import Plan, plan
from hpcvbi.campaign.repair import Repaired, repair, verify
from hpcvbi.campaign.rivals import Rivals, rivals_of
from hpcvbi.campaign.shared import Cohort, Inferred, learn_together
from hpcvbi.campaign.subjects import Subject, people_of, subjects_of
from hpcvbi.campaign.trial import TrialOutcome, simulate_trial
from hpcvbi.campaign.whole import rounds_of
from hpcvbi.report.verdict import Verdict, verdicts

__all__ = [
    "EXPORTS",
    "Cohort",
    "Difference",
    "Extension",
    "Forecast",
    "Group",
    "Inferred",
    "Merged",
    "ModelPosterior",
    "Outcome",
    "Pace",
    "Plan",
    "Progress",
    "Repaired",
    "Rivals",
    "Subject",
    "TrialOutcome",
    "Verdict",
    "build_page",
    "choose",
    "conduct",
    "difference",
    "export",
    "extend",
    "forecast",
    "learn_together",
    "left_out",
    "merge",
    "pace_of",
    "part_of",
    "people_of",
    "plan",
    "plan_choice",
    "plan_extension",
    "pool_people",
    "posteriors",
    "repair",
    "rivals_of",
    "rounds_of",
    "simulate_trial",
    "subjects_of",
    "verdicts",
    "verify",
]
