"""A small pre-specified basket trial: the cheapest analysis with subgroups that goes through it all."""

from __future__ import annotations

SPEC = """
schema = 1
id = "baskets"
version = "1.0.0"
title = "Response in three tumour types"
question = "In which tumour types is the dose active?"

[endpoints]
eff = "objective response"

[data]
source = "baskets.csv"
kind = "counts"
dose = "dose"
eff = "responses"
n_eff = "patients"
groups = { subgroup = "tumour" }

[model]
kind = "basket"
dose = 400.0
unit = "mg"

[model.groups]
subgroup = ["A", "B <b>", "C"]

[model.prior]
dist = "pooled"
mean = { dist = "normal", mean = -1.0, sd = 1.5 }
tau = { dist = "half_normal", sd = 0.5 }

[utility]
kind = "cui"
[utility.attributes.p_eff]
weight = 1.0
direction = "benefit"
value = { kind = "linear", worst = 0.0, best = 1.0 }

[[rule]]
kind = "active"
limit = 0.2
certainty = 0.8

[[rule]]
kind = "tried_only"

[decision]
criterion = "mean_utility"

[sampler]
seed = 7
"""
COUNTS = {"A": (9, 20), "B <b>": (8, 22), "C": (0, 9)}  # a level may hold any text
DATA = "tumour,dose,responses,patients\n" + "".join(
    f"{tumour},400,{x},{n}\n" for tumour, (x, n) in COUNTS.items()
)
