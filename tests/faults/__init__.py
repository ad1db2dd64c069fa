"""Where each catalogued fault of specification, sampling, decision and files is fed in.

B and C: the rows that exposure data or randomised arms share. D: exposure-response. E: patients and
groups, of exposure data and of trial data, and randomised arms. F: priors, specification, arguments. G: sampling and posterior. H: decision.
I: files and environment. The other data faults (A, B, C) have their codes in ``tests/data``. A row
without a test says why.

B13  tests/arms/test_compare.py::test_counts_of_arms_that_cannot_be_are_refused
B13  tests/data/test_arm_records.py::test_bad_counts_and_times

C01  tests/models/test_shapes.py::test_no_exposure_has_no_effect_and_monotone_shapes_are
C01  tests/data/test_exposure.py::test_placebo_exposure_is_a_policy
C06  tests/arms/test_compare.py::test_pairs_that_cannot_be_compared_are_refused
C06  tests/arms/test_compare.py::test_counts_of_arms_that_cannot_be_are_refused
C07  tests/arms/test_randomisation.py::test_data_as_randomised_pass_and_the_actual_dose_is_counted
C10  tests/planning/test_plan.py::test_plans_that_cannot_be_are_refused
C10  tests/arms/test_compare.py::test_counts_of_arms_that_cannot_be_are_refused
C14  tests/prediction/test_edge_cases.py::test_the_whole_chain_says_what_the_data_cannot_tell
C16  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (C16 two doses)

D01  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (D01 BLQ text)
D01  tests/data/read/test_nonmem.py::test_what_was_left_out_is_counted
D02  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (D02 negative)
D03  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (D02 negative)
D04  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (D04 missing)
D04  tests/plots/test_exposure_response.py::test_excluded_rows_are_counted_in_the_caption
D05  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (D05 missing response)
D06  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (D06 infinite response)
D07  tests/inference/test_identify.py::test_a_response_times_1000_is_named
D08  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (D08 constant)
D09  tests/inference/test_identify.py::test_ec50_beyond_the_exposures_is_not_identified
D09  tests/prediction/test_edge_cases.py::test_the_whole_chain_says_what_the_data_cannot_tell
D10  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (D10 units differ)
D11  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (D11 log scale)
D11  tests/data/test_exposure_faults.py::test_an_exposure_named_as_a_logarithm_is_warned_of
D12  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (D12 exposure after event)
D13  tests/data/test_exposure_faults.py::test_many_values_below_quantification_are_warned_of

E01  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (A14 twice)
E01  tests/data/test_group_faults.py::test_fault_is_refused_at_its_place (E01 two groups)
E01  tests/data/test_count_groups.py::test_fault_in_counts_of_groups (E01 twice)
E02  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (E02 covariate missing)
E02  tests/data/test_group_faults.py::test_fault_is_refused_at_its_place (E02 empty)
E02  tests/data/test_group_faults.py::test_a_missing_group_is_never_the_last_one
E03  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (E02 level not declared)
E03  tests/data/test_group_faults.py::test_fault_is_refused_at_its_place (E03 misspelt)
E03  tests/data/test_group_faults.py::test_numbers_are_names_and_never_positions
E04  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (E04 near duplicate)
E04  tests/data/test_group_faults.py::test_fault_is_refused_at_its_place (E04 case)
E04  tests/data/test_count_groups.py::test_fault_in_counts_of_groups (E04 together)
E05  tests/data/read/test_adam.py::test_a_join_never_loses_or_doubles_a_subject
E05  tests/data/read/test_nonmem.py::test_derived_exposures_are_joined
E05  tests/data/test_group_faults.py::test_a_row_lost_by_its_group_is_caught
E05  tests/data/test_group_faults.py::test_an_excluded_patient_without_a_group_is_accounted_for
E05  tests/data/test_groups.py::test_groups_add_up_to_the_table_without_groups
E06  tests/faults/test_e.py::test_e06_a_spread_that_the_data_do_not_show_is_warned_of
E06  tests/faults/test_e.py::test_e06_a_spread_that_the_data_show_is_not_warned_of
E07  tests/data/test_exposure.py::test_declared_levels_without_patients_are_kept
E07  tests/data/test_group_faults.py::test_a_planned_level_without_patients_is_kept
E08  tests/arms/test_randomisation.py::test_e08_exchanged_labels_are_named_with_every_row
E08  tests/arms/test_randomisation.py::test_e08_whoever_is_missing_in_either_is_in_the_table
E09  tests/data/test_exposure_faults.py::test_fault_is_named_and_taught (E09 two studies)
E09  tests/data/test_group_faults.py::test_fault_is_refused_at_its_place (E09 other study)
E09  tests/data/test_group_faults.py::test_a_patient_of_another_study_is_excluded_with_a_reason
E10  not yet: no reader has a cut-off date

F01  tests/spec/test_spec.py::test_a_fault_is_named_with_its_key_and_a_repair
F01  tests/test_priors.py::test_improper_or_senseless_priors_are_refused
F02  tests/spec/test_spec.py::test_a_fault_is_named_with_its_key_and_a_repair
F02  tests/test_priors.py::test_improper_or_senseless_priors_are_refused
F03  tests/faults/test_f.py::test_f03_a_scale_is_called_sd_and_nothing_else
F03  tests/faults/test_f.py::test_f03_what_a_prior_implies_is_printed_on_both_scales
F04  tests/faults/test_f.py::test_f04_no_improper_prior_can_be_written
F04  tests/faults/test_f.py::test_f04_every_registered_prior_is_proper
F05  tests/inference/test_nuts.py::test_extreme_priors_and_exchanged_columns_are_remarked_on
F06  tests/faults/test_f.py::test_f06_a_type_is_never_guessed
F06  tests/arms/test_compare.py::test_a_margin_without_its_direction_or_out_of_range_is_refused
F07  tests/arms/test_compare.py::test_other_refusals_name_what_to_do
F07  tests/arms/test_strata.py::test_given_weights_decide
F07  not here: utilities that are not monotone belong to tests/decision
F08  tests/faults/test_f.py::test_f08_an_impossible_contour_names_its_three_points
F09  tests/faults/test_f.py::test_f09_a_percentage_is_no_probability
F09  tests/decision/test_rules.py::test_limits_are_probabilities
F10  tests/faults/test_f.py::test_f10_a_seed_that_was_drawn_is_stored_and_printed
F10  tests/faults/test_f.py::test_f10_a_pre_specified_analysis_has_a_whole_seed
F10  tests/inference/test_nuts.py::test_a_seed_is_a_whole_number
F11  tests/faults/test_f.py::test_f11_no_public_call_swallows_what_it_does_not_know
F11  tests/faults/test_f.py::test_f11_a_misspelt_argument_is_named_with_the_nearest
F12  tests/faults/test_f.py::test_f12_a_specification_of_another_schema_is_refused_with_what_to_do
F12  tests/faults/test_i_files.py::test_i03_results_of_another_schema_are_refused
F13  not here: the protocol's cap belongs to tests/decision

G01  tests/inference/test_nuts.py::test_divergences_lead_to_refits_that_are_logged
G01  tests/faults/test_g.py::test_g01_divergences_after_two_refits_rank_no_dose
G02  tests/inference/test_checks.py::test_sick_draws_are_refused_for_the_right_reason
G03  tests/faults/test_g.py::test_g03_a_short_fit_is_extended_up_to_four_times_and_then_refused
G04  tests/inference/test_checks.py::test_sick_draws_are_refused_for_the_right_reason
G04  tests/inference/test_nuts.py::test_a_fit_that_is_too_short_is_refused_not_hidden
G05  tests/inference/test_checks.py::test_sick_draws_are_refused_for_the_right_reason
G06  tests/faults/test_g.py::test_g06_the_chain_that_stands_apart_is_named
G06  tests/faults/test_g.py::test_g06_no_chain_is_blamed_when_all_are_at_fault
G07  tests/inference/test_checks.py::test_sick_draws_are_refused_for_the_right_reason
G08  tests/inference/test_checks.py::test_sick_draws_are_refused_for_the_right_reason
G08  tests/faults/test_g.py::test_g08_saturated_trees_rank_no_dose
G09  not yet: no model is a mixture
G10  tests/decision/test_decide.py::test_a_gap_within_monte_carlo_error_is_not_resolved
G10  tests/inference/test_nuts.py::test_draws_are_added_while_a_decision_is_too_close
G10  tests/faults/test_g.py::test_g10_draws_end_at_the_most_and_the_answer_stays_open
G11  tests/inference/test_posterior.py::test_an_event_in_no_draw_still_has_an_error
G12  tests/inference/test_power.py::test_a_power_out_of_reach_of_the_draws_is_not_resolved
G13  tests/faults/test_g.py::test_g13_the_fingerprint_changes_with_each_number
G13  tests/faults/test_g.py::test_g13_the_fingerprint_changes_with_each_term
G13  tests/faults/test_g.py::test_g13_the_fingerprint_is_the_same_in_every_process
G13  tests/faults/test_g.py::test_g13_an_edited_model_under_the_same_labels_is_seen
G13  tests/faults/test_g.py::test_g13_a_report_never_prints_one_model_and_the_draws_of_another

H01  tests/decision/test_decide.py::test_no_admissible_dose_gives_none_with_a_reason_for_each_dose
H02  tests/decision/test_decide.py::test_equals_an_independent_version_on_2500_posteriors_each
H02  tests/decision/test_decide.py::test_a_toxic_dose_is_never_recommended_however_useful
H03  tests/decision/test_decide.py::test_ties_go_to_the_lower_dose_and_are_said
H04  tests/decision/test_decide.py::test_utility_that_is_not_a_number_is_an_error
H05  tests/decision/test_decide.py::test_untried_doses_need_a_rule_that_reaches_them
H05  tests/faults/test_h.py::test_h05_an_untried_dose_is_flagged_with_its_distance_from_the_tried_ones
H06  not yet: no trial is simulated
H07  not yet: no trial is simulated
H08  tests/decision/test_decide.py::test_a_verdict_exactly_at_the_cut_off_does_not_pass
H08  tests/faults/test_h.py::test_h08_a_probability_exactly_at_the_cut_off_does_not_exceed_it
H08  tests/faults/test_h.py::test_h08_a_draw_exactly_at_the_limit_is_not_beyond_it
H08  tests/faults/test_h.py::test_h08_within_delta_includes_delta
H08  tests/faults/test_h.py::test_h08_the_sign_stands_in_every_output
H09  tests/plots/test_numbers.py::test_ranking_draws_the_decision
H09  tests/plots/test_numbers.py::test_curve_draws_the_decision
H10  tests/faults/test_h.py::test_h10_every_interval_says_its_kind_and_probability

I01  not yet: no trial is simulated, so that there is no run to resume
I02  tests/faults/test_i_files.py::test_i02_twenty_kills_never_leave_half_a_file_under_its_name
I02  tests/faults/test_i_files.py::test_i02_a_save_that_breaks_off_at_any_file_is_not_taken_for_whole
I03  tests/faults/test_i_files.py::test_i03_every_flipped_bit_is_refused_with_its_file_named
I03  tests/faults/test_i_files.py::test_i03_every_bit_of_the_manifest_counts
I03  tests/faults/test_i_files.py::test_i03_truncated_deleted_and_swapped_files_are_refused
I04  tests/faults/test_i_files.py::test_i04_a_full_or_read_only_disk_is_said_with_path_and_bytes
I04  tests/faults/test_i_files.py::test_i04_a_limit_on_file_size_leaves_the_old_file
I05  tests/faults/test_i_locks.py::test_i05_a_second_run_is_refused_before_it_samples
I05  tests/faults/test_i_locks.py::test_i05_a_killed_run_leaves_a_lock_that_is_taken_over_with_a_sentence
I05  tests/faults/test_i_locks.py::test_i05_many_at_once_never_overlap
I06  tests/faults/test_i_reruns.py::test_i06_changed_data_and_specification_are_said_before_they_replace_results
I06  tests/faults/test_i_reruns.py::test_i06_interims_of_one_specification_and_two_models_are_not_put_together
I07  not yet: no trial is simulated
I08  not yet: no trial is simulated
I09  tests/faults/test_i_reruns.py::test_i09_versions_are_in_the_report_the_results_and_the_manifest
I09  tests/faults/test_i_reruns.py::test_i09_what_other_versions_moved_is_said_in_monte_carlo_errors
I10  tests/faults/test_i_reruns.py::test_i10_a_german_locale_and_clock_change_no_text
I10  tests/faults/test_i_reruns.py::test_i10_no_file_asks_for_the_locale_or_for_local_time
I10  tests/faults/test_i_reruns.py::test_i10_the_clock_is_in_the_manifest_alone_in_utc
"""
