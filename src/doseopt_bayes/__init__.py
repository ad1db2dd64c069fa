"""Bayesian dose optimisation on PyMC: from interim data to a ranked, defensible dose.

Public names load on first use, so that ``import doseopt_bayes`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from doseopt_bayes.home import HOME

if TYPE_CHECKING:
    from doseopt_bayes.analysis import Analysis as Analysis
    from doseopt_bayes.analysis import analyse as analyse
    from doseopt_bayes.arms.band import AssociationBand as AssociationBand
    from doseopt_bayes.arms.band import association_band as association_band
    from doseopt_bayes.arms.compare import ArmComparison as ArmComparison
    from doseopt_bayes.arms.compare import compare_arms as compare_arms
    from doseopt_bayes.arms.configuration import Configuration as Configuration
    from doseopt_bayes.arms.configuration import Configurations as Configurations
    from doseopt_bayes.arms.configuration import WeightSet as WeightSet
    from doseopt_bayes.arms.configuration import compare_configurations as compare_configurations
    from doseopt_bayes.arms.margin import Margin as Margin
    from doseopt_bayes.arms.randomisation import RandomisationCheck as RandomisationCheck
    from doseopt_bayes.arms.randomisation import check_randomisation as check_randomisation
    from doseopt_bayes.arms.stages import StageCheck as StageCheck
    from doseopt_bayes.arms.stages import compare_stages as compare_stages
    from doseopt_bayes.arms.strata import StratifiedComparison as StratifiedComparison
    from doseopt_bayes.arms.strata import compare_strata as compare_strata
    from doseopt_bayes.arms.tipping import ArmSensitivity as ArmSensitivity
    from doseopt_bayes.arms.tipping import arm_sensitivity as arm_sensitivity
    from doseopt_bayes.arms_analysis import ArmQuestions as ArmQuestions
    from doseopt_bayes.arms_analysis import ArmsAnalysis as ArmsAnalysis
    from doseopt_bayes.arms_analysis import analyse_arms as analyse_arms
    from doseopt_bayes.choice.average import Averaged as Averaged
    from doseopt_bayes.choice.average import stack as stack
    from doseopt_bayes.choice.compare import Comparison as Comparison
    from doseopt_bayes.choice.compare import compare_exposures as compare_exposures
    from doseopt_bayes.choice.compare import compare_models as compare_models
    from doseopt_bayes.choice.loo import LooResult as LooResult
    from doseopt_bayes.choice.loo import leave_one_out as leave_one_out
    from doseopt_bayes.choice.monotone import MonotoneCheck as MonotoneCheck
    from doseopt_bayes.choice.monotone import check_monotone as check_monotone
    from doseopt_bayes.choice.recommend import ShapeSensitivity as ShapeSensitivity
    from doseopt_bayes.choice.recommend import recommend_by_shape as recommend_by_shape
    from doseopt_bayes.comparators.boin12 import BOIN12 as BOIN12
    from doseopt_bayes.comparators.compare import DesignComparison as DesignComparison
    from doseopt_bayes.comparators.compare import simulate_compare as simulate_compare
    from doseopt_bayes.comparators.decisions import DecisionTable as DecisionTable
    from doseopt_bayes.comparators.desirability import desirability_scores as desirability_scores
    from doseopt_bayes.comparators.exact import enumerate_courses as enumerate_courses
    from doseopt_bayes.comparators.interval import BOIN as BOIN
    from doseopt_bayes.comparators.interval import MTPI as MTPI
    from doseopt_bayes.comparators.interval import MTPI2 as MTPI2
    from doseopt_bayes.comparators.interval import TPI as TPI
    from doseopt_bayes.comparators.interval import I3Plus3 as I3Plus3
    from doseopt_bayes.comparators.interval import Keyboard as Keyboard
    from doseopt_bayes.comparators.stepwise import IntervalDesign as IntervalDesign
    from doseopt_bayes.comparators.three import ThreePlusThree as ThreePlusThree
    from doseopt_bayes.comparators.tite import TITEBOIN as TITEBOIN
    from doseopt_bayes.comparators.uboin import UBOIN as UBOIN
    from doseopt_bayes.comparators.uploaded import Uploaded as Uploaded
    from doseopt_bayes.data.arm_records import ArmColumns as ArmColumns
    from doseopt_bayes.data.arm_records import ArmRecords as ArmRecords
    from doseopt_bayes.data.arm_records_measure import Measure as Measure
    from doseopt_bayes.data.arm_records_outcome import EventCount as EventCount
    from doseopt_bayes.data.arm_records_outcome import FirstEvent as FirstEvent
    from doseopt_bayes.data.arm_records_outcome import Grade as Grade
    from doseopt_bayes.data.columns import CountColumns as CountColumns
    from doseopt_bayes.data.columns import PatientColumns as PatientColumns
    from doseopt_bayes.data.endpoints import Binary as Binary
    from doseopt_bayes.data.endpoints import Continuous as Continuous
    from doseopt_bayes.data.endpoints import Count as Count
    from doseopt_bayes.data.endpoints import Grouped as Grouped
    from doseopt_bayes.data.endpoints import TimeToEvent as TimeToEvent
    from doseopt_bayes.data.exposure import ExposureData as ExposureData
    from doseopt_bayes.data.exposure_columns import Covariate as Covariate
    from doseopt_bayes.data.exposure_columns import ExposureColumns as ExposureColumns
    from doseopt_bayes.data.follow_up import FollowUp as FollowUp
    from doseopt_bayes.data.read.adam import read_adam as read_adam
    from doseopt_bayes.data.read.ader import read_ader as read_ader
    from doseopt_bayes.data.read.exposure import read_exposure as read_exposure
    from doseopt_bayes.data.read.nonmem import read_nonmem as read_nonmem
    from doseopt_bayes.data.read.nonmem_rules import Observed as Observed
    from doseopt_bayes.data.trial import TrialData as TrialData
    from doseopt_bayes.decision.association import association_influence as association_influence
    from doseopt_bayes.decision.criteria import LowestWithinDelta as LowestWithinDelta
    from doseopt_bayes.decision.criteria_effect import FractionOfMaxEffect as FractionOfMaxEffect
    from doseopt_bayes.decision.criteria_effect import MinExpectedRegret as MinExpectedRegret
    from doseopt_bayes.decision.criteria_effect import MinimumEffectiveDose as MinimumEffectiveDose
    from doseopt_bayes.decision.cui import CUI as CUI
    from doseopt_bayes.decision.cui import Attribute as Attribute
    from doseopt_bayes.decision.cui import Linear as Linear
    from doseopt_bayes.decision.cui import PiecewiseLinear as PiecewiseLinear
    from doseopt_bayes.decision.decide import Decision as Decision
    from doseopt_bayes.decision.decide import decide as decide
    from doseopt_bayes.decision.desirability import Desirability as Desirability
    from doseopt_bayes.decision.desirability import OnTarget as OnTarget
    from doseopt_bayes.decision.desirability import Product as Product
    from doseopt_bayes.decision.differs import prob_obd_differs as prob_obd_differs
    from doseopt_bayes.decision.implied import UtilityPreview as UtilityPreview
    from doseopt_bayes.decision.implied import preview_utility as preview_utility
    from doseopt_bayes.decision.intervals import interval_probabilities as interval_probabilities
    from doseopt_bayes.decision.joint_table import JointTable as JointTable
    from doseopt_bayes.decision.outcome_table import OutcomeTable as OutcomeTable
    from doseopt_bayes.decision.penalised import Penalised as Penalised
    from doseopt_bayes.decision.pooling import Pooling as Pooling
    from doseopt_bayes.decision.pooling import pooling as pooling
    from doseopt_bayes.decision.population import population as population
    from doseopt_bayes.decision.power_scaling import power_scaling as power_scaling
    from doseopt_bayes.decision.ranking import Ranking as Ranking
    from doseopt_bayes.decision.ranking import rank_doses as rank_doses
    from doseopt_bayes.decision.rules import EWOC as EWOC
    from doseopt_bayes.decision.rules import Active as Active
    from doseopt_bayes.decision.rules import AnyDose as AnyDose
    from doseopt_bayes.decision.rules import NoSkipping as NoSkipping
    from doseopt_bayes.decision.rules import ProtocolCap as ProtocolCap
    from doseopt_bayes.decision.rules import Tolerable as Tolerable
    from doseopt_bayes.decision.rules import TriedOnly as TriedOnly
    from doseopt_bayes.decision.sensitivity import Sensitivity as Sensitivity
    from doseopt_bayes.decision.sensitivity import assess_sensitivity as assess_sensitivity
    from doseopt_bayes.decision.smaa import dirichlet_acceptability as dirichlet_acceptability
    from doseopt_bayes.decision.target import ClosestToTarget as ClosestToTarget
    from doseopt_bayes.decision.target import TargetInterval as TargetInterval
    from doseopt_bayes.decision.tipping import Tipping as Tipping
    from doseopt_bayes.decision.tipping import tipping_points as tipping_points
    from doseopt_bayes.decision.utility import LpContour as LpContour
    from doseopt_bayes.decision.values import Larger as Larger
    from doseopt_bayes.decision.values import Logistic as Logistic
    from doseopt_bayes.decision.values import Smaller as Smaller
    from doseopt_bayes.decision.values import Target as Target
    from doseopt_bayes.decision.weights import sweep_weight as sweep_weight
    from doseopt_bayes.design.backfill import Backfill as Backfill
    from doseopt_bayes.design.backfill import BackfillDesign as BackfillDesign
    from doseopt_bayes.design.by_group import GroupSimulation as GroupSimulation
    from doseopt_bayes.design.by_group import group_characteristics as group_characteristics
    from doseopt_bayes.design.by_group import simulate_groups as simulate_groups
    from doseopt_bayes.design.characteristics import Characteristics as Characteristics
    from doseopt_bayes.design.characteristics import characteristics as characteristics
    from doseopt_bayes.design.characteristics import compare_designs as compare_designs
    from doseopt_bayes.design.design import Design as Design
    from doseopt_bayes.design.group_scenario import GroupScenario as GroupScenario
    from doseopt_bayes.design.journal import simulate_in as simulate_in
    from doseopt_bayes.design.late import LateDesign as LateDesign
    from doseopt_bayes.design.late import Wait as Wait
    from doseopt_bayes.design.late_patients import Accrual as Accrual
    from doseopt_bayes.design.late_scenario import LateScenario as LateScenario
    from doseopt_bayes.design.late_simulate import simulate_late as simulate_late
    from doseopt_bayes.design.pathways import Pathways as Pathways
    from doseopt_bayes.design.pathways import next_dose as next_dose
    from doseopt_bayes.design.pathways import pathways as pathways
    from doseopt_bayes.design.random_scenarios import draw_scenarios as draw_scenarios
    from doseopt_bayes.design.scenario import Scenario as Scenario
    from doseopt_bayes.design.simulate import Simulation as Simulation
    from doseopt_bayes.design.simulate import simulate as simulate
    from doseopt_bayes.design.stopping import EnoughAtDose as EnoughAtDose
    from doseopt_bayes.design.stopping import MaxPatients as MaxPatients
    from doseopt_bayes.elicit.elicited import Elicited as Elicited
    from doseopt_bayes.elicit.ess import priors_from_ess as priors_from_ess
    from doseopt_bayes.elicit.prior_size import effective_sample_size as effective_sample_size
    from doseopt_bayes.elicit.quantiles import priors_from_quantiles as priors_from_quantiles
    from doseopt_bayes.elicit.robust import robustify as robustify
    from doseopt_bayes.errors import DataError as DataError
    from doseopt_bayes.errors import DiagnosticsError as DiagnosticsError
    from doseopt_bayes.errors import DoseOptError as DoseOptError
    from doseopt_bayes.errors import ResultsError as ResultsError
    from doseopt_bayes.errors import SpecError as SpecError
    from doseopt_bayes.exposure_analysis import ExposureAnalysis as ExposureAnalysis
    from doseopt_bayes.exposure_analysis import analyse_exposure as analyse_exposure
    from doseopt_bayes.heterogeneity import Heterogeneity as Heterogeneity
    from doseopt_bayes.heterogeneity import assess_heterogeneity as assess_heterogeneity
    from doseopt_bayes.inference.batch import fit_in_blocks as fit_in_blocks
    from doseopt_bayes.inference.batch import fit_many as fit_many
    from doseopt_bayes.inference.batch import preview as preview
    from doseopt_bayes.inference.gridfit import fit_grid as fit_grid
    from doseopt_bayes.inference.join import together as together
    from doseopt_bayes.inference.nuts import fit as fit
    from doseopt_bayes.inference.posterior import Posterior as Posterior
    from doseopt_bayes.inference.prior import prior_table as prior_table
    from doseopt_bayes.inference.prior import sample_prior as sample_prior
    from doseopt_bayes.inference.tallies import stack_trials as stack_trials
    from doseopt_bayes.models import presets as presets
    from doseopt_bayes.models import response as responses  # noqa: F401  (a public name)
    from doseopt_bayes.models import shapes as shapes
    from doseopt_bayes.models.arm_measure import ArmMeasure as ArmMeasure
    from doseopt_bayes.models.basket import Basket as Basket
    from doseopt_bayes.models.basket import berry_prior as berry_prior
    from doseopt_bayes.models.basket import exnex_prior as exnex_prior
    from doseopt_bayes.models.basket import thall_prior as thall_prior
    from doseopt_bayes.models.blrm import BLRM as BLRM
    from doseopt_bayes.models.crm import CRM as CRM
    from doseopt_bayes.models.efftox import EffTox as EffTox
    from doseopt_bayes.models.ends import with_pooling as with_pooling
    from doseopt_bayes.models.er_curve import CovariateEffect as CovariateEffect
    from doseopt_bayes.models.er_presets import empirical_emax as empirical_emax
    from doseopt_bayes.models.er_presets import weakly_informative as weakly_informative
    from doseopt_bayes.models.exposure_response import ExposureResponse as ExposureResponse
    from doseopt_bayes.models.joint_exposure import JointExposureResponse as JointExposureResponse
    from doseopt_bayes.models.ordinal import OrdinalGrades as OrdinalGrades
    from doseopt_bayes.models.recurrent import RecurrentEvents as RecurrentEvents
    from doseopt_bayes.models.saturated import Saturated as Saturated
    from doseopt_bayes.models.time_to_first import TimeToFirst as TimeToFirst
    from doseopt_bayes.planning.bias import shrunk_rates as shrunk_rates
    from doseopt_bayes.planning.bop2_joint import JointBoundaries as JointBoundaries
    from doseopt_bayes.planning.bop2_joint import bop2_joint as bop2_joint
    from doseopt_bayes.planning.bop2_joint import calibrate_bop2 as calibrate_bop2
    from doseopt_bayes.planning.boundaries import Boundaries as Boundaries
    from doseopt_bayes.planning.boundaries import bop2 as bop2
    from doseopt_bayes.planning.boundaries import go_no_go as go_no_go
    from doseopt_bayes.planning.plan import ArmPlan as ArmPlan
    from doseopt_bayes.planning.plan import plan_arms as plan_arms
    from doseopt_bayes.planning.predictive import Predicted as Predicted
    from doseopt_bayes.planning.predictive import assurance as assurance
    from doseopt_bayes.planning.predictive import predict_decision as predict_decision
    from doseopt_bayes.planning.rule import HighestUtility as HighestUtility
    from doseopt_bayes.planning.rule import KeepsMargins as KeepsMargins
    from doseopt_bayes.planning.seamless import Seamless as Seamless
    from doseopt_bayes.planning.seamless import seamless_error as seamless_error
    from doseopt_bayes.planning.tabulated import margin_boundaries as margin_boundaries
    from doseopt_bayes.planning.whole_trial import RandomisedStage as RandomisedStage
    from doseopt_bayes.planning.whole_trial import WholeTrial as WholeTrial
    from doseopt_bayes.planning.whole_trial import simulate_whole as simulate_whole
    from doseopt_bayes.plots.arm_forest import figure_arm_forest as figure_arm_forest
    from doseopt_bayes.plots.arms import figure_arms as figure_arms
    from doseopt_bayes.plots.arms_choice import figure_configurations as figure_configurations
    from doseopt_bayes.plots.arms_choice import figure_plan as figure_plan
    from doseopt_bayes.plots.designs import figure_designs as figure_designs
    from doseopt_bayes.plots.dose_modification import (
        figure_dose_modification as figure_dose_modification,
    )
    from doseopt_bayes.plots.exposure_pictures import figure_by_dose as figure_by_dose
    from doseopt_bayes.plots.exposure_pictures import figure_covariates as figure_covariates
    from doseopt_bayes.plots.exposure_pictures import (
        figure_exposure_response as figure_exposure_response,
    )
    from doseopt_bayes.plots.exposure_pictures import figure_loo as figure_loo
    from doseopt_bayes.plots.exposure_pictures import figure_predictive as figure_predictive
    from doseopt_bayes.plots.exposure_pictures import figure_survival as figure_survival
    from doseopt_bayes.plots.exposure_pictures import figure_window as figure_window
    from doseopt_bayes.plots.pathways import figure_decisions as figure_decisions
    from doseopt_bayes.plots.pathways import figure_pathways as figure_pathways
    from doseopt_bayes.plots.picture import figure as figure
    from doseopt_bayes.plots.picture import figure_design as figure_design
    from doseopt_bayes.plots.picture import figure_history as figure_history
    from doseopt_bayes.plots.picture import figure_prior as figure_prior
    from doseopt_bayes.plots.picture import figure_utility as figure_utility
    from doseopt_bayes.prediction.at_doses import at_doses as at_doses
    from doseopt_bayes.prediction.exposures import GivenExposures as GivenExposures
    from doseopt_bayes.prediction.exposures import ObservedExposures as ObservedExposures
    from doseopt_bayes.prediction.new_group import predictive_prior as predictive_prior
    from doseopt_bayes.prediction.parts import fitted as fitted
    from doseopt_bayes.prediction.people import Regimen as Regimen
    from doseopt_bayes.prediction.power import PowerModel as PowerModel
    from doseopt_bayes.prediction.power import fit_power_model as fit_power_model
    from doseopt_bayes.prediction.prose import Quantities as Quantities
    from doseopt_bayes.prediction.quantities import curve_quantities as curve_quantities
    from doseopt_bayes.prediction.request import Prediction as Prediction
    from doseopt_bayes.priors import Beta as Beta
    from doseopt_bayes.priors import HalfNormal as HalfNormal
    from doseopt_bayes.priors import HalfStudentT as HalfStudentT
    from doseopt_bayes.priors import LogNormal as LogNormal
    from doseopt_bayes.priors import Mixture as Mixture
    from doseopt_bayes.priors import Normal as Normal
    from doseopt_bayes.priors import Pooled as Pooled
    from doseopt_bayes.priors import RootInverseGamma as RootInverseGamma
    from doseopt_bayes.priors import StudentT as StudentT
    from doseopt_bayes.priors import Unpooled as Unpooled
    from doseopt_bayes.reopen import load_analysis as load_analysis
    from doseopt_bayes.reopen import load_simulation as load_simulation
    from doseopt_bayes.report.arms import save_arms as save_arms
    from doseopt_bayes.report.bundle import save as save
    from doseopt_bayes.report.exposure import save_exposure as save_exposure
    from doseopt_bayes.report.exposure_tables import bin_table as bin_table
    from doseopt_bayes.report.exposure_tables import exposure_summary as exposure_summary
    from doseopt_bayes.report.exposure_tables import parameter_table as parameter_table
    from doseopt_bayes.report.history import history as history
    from doseopt_bayes.report.manifest import load_results as load_results
    from doseopt_bayes.report.plan import save_plan as save_plan
    from doseopt_bayes.report.simulation import save_simulation as save_simulation
    from doseopt_bayes.spec.arms import ArmsSpec as ArmsSpec
    from doseopt_bayes.spec.arms_plan import PlanSpec as PlanSpec
    from doseopt_bayes.spec.exposure import ExposureSpec as ExposureSpec
    from doseopt_bayes.spec.protocol import ProtocolSpec as ProtocolSpec
    from doseopt_bayes.spec.scenarios import read_scenarios as read_scenarios
    from doseopt_bayes.spec.spec import Spec as Spec

_MODULES = {
    "adam": "data.read.adam_parts",
    "datasets": "datasets",
    "presets": "models.presets",
    "responses": "models.response",
    "shapes": "models.shapes",
}
_WHERE = {name: module for module, names in HOME.items() for name in names}

__all__ = sorted([*_WHERE, *_MODULES])  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{_MODULES[name]}")
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"doseopt_bayes has no '{name}'; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
