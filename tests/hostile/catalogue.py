"""Where each row of the catalogue of hostile inputs is tested: `module` or `module::test`, below `tests/`."""

from __future__ import annotations

_DECODE, _PREDICT = "hostile/test_decode_hostile.py", "hostile/test_predict_hostile.py"
_HTTP, _UPLOAD = "hostile/test_http_hostile.py", "hostile/test_upload_hostile.py"
_ACCESS, _PROTOCOL, _HISTORY = "web/test_access.py", "web/test_protocol.py", "web/test_history.py"
_PROXY = "deploy/test_nginx.py"
_SMALL, _DATASETS = "hostile/test_small_machine.py", "services/test_datasets.py"
_BUNDLE, _DEPLOYMENT = "inference/test_bundle.py", "services/test_deployment.py"

CATALOGUE: dict[str, tuple[str, ...]] = {
    **{
        f"H{row:02}": (_DECODE, "hostile/test_predict_hostile.py", "hostile/test_cli_hostile.py")
        for row in range(1, 29)
    },
    "H29": (_DECODE, _PREDICT, "test_reference_gate.py", "web/test_gate_refusals.py"),
    **{f"H{row:02}": (_UPLOAD,) for row in (*range(30, 43), 44)},
    "H43": (_UPLOAD, _HTTP),
    **{f"H{row:02}": (_DECODE, _PREDICT) for row in (*range(45, 57), 59, 60, 64, 65)},
    "H57": ("hostile/test_canary.py", "hostile/test_upload_canary.py"),
    "H58": (
        "hostile/test_canary.py::test_pixels_that_show_text_are_not_kept",
        "hostile/test_upload_canary.py::test_nothing_of_an_upload_names_a_person",
    ),
    "H61": ("hostile/test_canary.py::test_text_in_elements_that_are_read_breaks_no_log_line",),
    "H62": (_UPLOAD,),
    "H63": ("services/test_studies.py", "web/test_study.py::test_mixed_patients_refused_slices_and_pictures_are_said"),
    "H66": (
        _HTTP,
        f"{_PROTOCOL}::test_a_body_that_ends_early_is_refused",
        f"{_PROTOCOL}::test_a_body_that_never_comes_is_given_up",
    ),
    "H67": (_HTTP, "web/test_predict.py::test_refuses_a_body_that_grows_too_large"),
    "H68": (f"{_PROTOCOL}::test_health_answers_beside_many_idle_connections_which_are_closed",),
    "H69": ("hostile/test_slow_body.py",),
    "H70": (f"{_PROTOCOL}::test_clients_that_leave_take_nothing_with_them",),
    **{f"H{row}": (_HTTP,) for row in (71, 72, 73, 74, 76, 79, 81, 91, 94)},
    "H75": (
        _HTTP,
        f"{_PROXY}::test_lines_ended_by_a_bare_lf_reach_an_instance_ended_by_crlf",
        f"{_PROTOCOL}::test_a_body_framed_twice_ends_its_connection",
    ),
    "H78": (_HTTP, "web/test_operation.py::test_every_route_refuses_the_methods_it_does_not_take"),
    "H80": (_HTTP, f"{_PROXY}::test_an_instance_is_told_the_callers_address_by_nginx_alone"),
    "H92": (_HTTP, "hostile/test_no_outgoing.py"),
    "H93": (_HTTP, "web/test_models.py::test_a_version_that_is_none_is_not_found"),
    "H82": (_UPLOAD, f"{_DATASETS}::test_two_processes_that_bring_the_same_images_at_once_keep_each_once"),
    "H95": (_HTTP, "test_logs.py::test_no_line_is_longer_than_eight_kilobytes"),
    "H77": ("web/test_operation.py::test_a_range_of_a_static_file_is_ignored",),
    "H83": (f"{_ACCESS}::test_no_route_answers_without_credentials_unless_it_is_declared_public",),
    "H84": (
        f"{_ACCESS}::test_a_key_that_is_none_is_refused",
        f"{_ACCESS}::test_a_key_in_the_address_is_refused_and_not_repeated",
        f"{_ACCESS}::test_a_revoked_key_is_refused_within_seconds_on_every_server",
        f"{_ACCESS}::test_a_role_reaches_as_far_as_the_table_says",
    ),
    "H85": (f"{_ACCESS}::test_many_invalid_keys_are_not_looked_at",),
    "H87": (f"{_ACCESS}::test_another_sites_page_cannot_use_a_session",),
    "H88": (f"{_ACCESS}::test_no_other_origin_is_let_in_unless_it_is_allowed",),
    "H89": ("browser/test_payloads.py", "browser/test_page_similar.py::test_look_alikes_are_listed_as_text"),
    "H90": ("web/test_operation.py::test_every_answer_carries_the_security_headers",),
    "H96": (f"{_HTTP}::test_secrets_are_in_no_answer_and_no_log",),
    "H97": (f"{_HTTP}::test_metrics_do_not_grow_with_what_clients_send",),
    "H99": (f"{_ACCESS}::test_no_route_answers_without_credentials_unless_it_is_declared_public",),
    "H100": (
        f"{_ACCESS}::test_one_key_may_ask_only_so_often",
        f"{_ACCESS}::test_a_key_has_one_limit_wherever_it_comes_from",
        f"{_ACCESS}::test_a_place_is_who_connects_whatever_a_header_says",
        "services/test_rate_limit.py",
    ),
    "H101": ("web/test_retrain.py::test_of_fifty_at_once_one_runs_and_the_others_are_told_which",),
    "H102": ("web/test_retrain.py::test_too_few_images_are_refused",),
    "H103": ("services/test_datasets.py::test_a_snapshot_is_what_it_was_whatever_comes_later",),
    "H104": (
        "web/test_history_kill.py",
        "web/test_upload_kill.py",
        "worker/test_execution.py::test_runs_survive_being_killed_at_any_point",
        "services/test_promotion_kill.py",
    ),
    "H105": ("web/test_respawn.py", "services/test_decoding.py::test_a_process_that_is_killed_costs_no_answer"),
    "H106": (
        "worker/test_execution.py::test_a_step_that_fails_ends_the_run_with_the_reason",
        "services/test_supervision.py::test_a_process_that_dies_is_replaced_and_in_the_end_the_run_has_failed",
    ),
    "H107": (
        "web/test_server.py::test_starts_fast_stays_small_logs_json_and_drains",
        "web/test_server.py::test_what_was_admitted_is_answered_though_it_is_told_twice_to_stop",
    ),
    "H108": (f"{_SMALL}::test_a_full_disk", f"{_SMALL}::test_a_disk_that_refuses_every_write"),
    "H109": (f"{_SMALL}::test_a_disk_that_refuses_every_write", f"{_SMALL}::test_no_file_descriptor_is_left"),
    "H110": (
        f"{_HISTORY}::test_another_program_that_locks_the_file_holds_up_no_prediction",
        "web/test_server.py::test_a_request_waits_less_than_a_worker_for_a_locked_database",
    ),
    "H111": (
        "storage/test_database.py::test_postgresql_heals_once_it_is_back",
        "storage/test_database.py::test_where_every_connection_is_taken_the_next_is_not_waited_for_long",
        "storage/test_database.py::test_a_slow_postgresql_is_given_up",
        f"{_HISTORY}::test_predictions_go_on_without_the_database_and_history_heals",
    ),
    "H112": (
        "storage/test_blobs.py::test_a_store_that_fails_is_asked_three_times",
        "storage/test_blobs.py::test_damaged_bytes_are_never_handed_out_and_heal_when_put_again",
    ),
    "H113": (
        "web/test_server.py::test_does_not_start_on_a_damaged_database_and_leaves_it_as_it_is",
        "test_state_commands.py::test_serving_refuses_a_database_of_a_newer_hilum",
        "test_state_commands.py::test_serving_migrates_sqlite_by_itself_after_a_copy",
        "storage/test_schema.py::test_an_outdated_database_is_refused_with_the_command_to_run",
    ),
    "H114": (
        f"{_BUNDLE}::test_one_altered_bit_is_refused",
        f"{_BUNDLE}::test_a_missing_file_is_refused_by_name",
        f"{_BUNDLE}::test_a_truncated_graph_is_refused_although_its_hash_is_right",
        f"{_DEPLOYMENT}::test_the_start_falls_back_to_the_last_good_champion",
        f"{_DEPLOYMENT}::test_a_start_without_any_loadable_model_is_not_ready",
        f"{_DEPLOYMENT}::test_a_bad_bundle_leaves_the_old_one_serving",
    ),
    "H115": (
        f"{_BUNDLE}::test_a_graph_that_answers_differently_is_refused",
        f"{_BUNDLE}::test_a_graph_with_another_number_of_classes_is_refused",
        f"{_BUNDLE}::test_a_graph_that_answers_nan_is_refused",
        f"{_DEPLOYMENT}::test_a_bad_bundle_leaves_the_old_one_serving",
    ),
    "H116": (
        f"{_BUNDLE}::test_a_name_that_leaves_the_folder_is_refused",
        "services/test_registry.py::test_what_no_manifest_names_is_neither_kept_nor_fetched",
    ),
    "H117": ("inference/test_graph_safety.py", f"{_BUNDLE}::test_a_link_is_refused_even_to_the_right_bytes"),
    "H118": (f"{_DEPLOYMENT}::test_a_storm_of_promotions_ends_with_the_last_one_loaded_alone",),
    "H119": (
        "storage/test_training_runs.py::test_a_clock_that_is_set_neither_loses_nor_doubles_a_run",
        "storage/test_predictions.py::test_times_beyond_2038_and_set_back_keep_their_order",
        "services/test_rate_limit.py::test_a_burst_then_the_rate",
    ),
    "H120": (
        "services/test_supervision.py::test_of_two_supervisors_one_has_the_run",
        f"{_DEPLOYMENT}::test_every_server_follows_promotions_and_rollbacks",
    ),
    "H121": (
        "storage/test_backup.py::test_restoring_over_predictions_needs_force",
        "test_access_commands.py::test_a_restored_backup_is_marked_in_the_audit_log",
    ),
    "H122": ("services/test_decoding.py::test_a_process_that_hangs_is_killed_and_replaced",),
    "H123": (
        "services/test_promotion.py::test_wrong_labels_of_new_images_are_refused_and_named",
        "services/test_doubted_labels.py",
        "bench/test_poison_trial.py",
    ),
    "H124": ("bench/test_backdoor.py",),
    "H125": (
        f"{_DATASETS}::test_no_copy_of_a_test_image_may_be_trained_on",
        f"{_DATASETS}::test_near_copies_and_other_crops_share_a_group",
        f"{_DATASETS}::test_the_patient_of_a_test_image_is_not_trained_on",
    ),
    "H126": (f"{_DATASETS}::test_no_copy_of_a_test_image_may_be_trained_on",),
    "H127": (
        "services/test_promotion.py::test_a_worse_model_is_refused_and_every_flipped_image_is_named",
        f"{_DATASETS}::test_a_tested_class_that_has_too_few_images_is_named",
        "web/test_dataset.py::test_a_class_without_test_images_and_an_uneven_set_are_told",
    ),
    "H128": ("training/probes/test_robustness.py",),
    "H129": ("test_reference_gate.py", "inference/test_gate.py"),
    "H130": ("services/test_drift.py", "web/test_monitoring.py::test_a_shift_of_intensities_becomes_an_alert"),
}
"""The rows that have tests."""

WITHOUT: dict[str, str] = {
    "H86": "there are no tokens but random keys",
    "H98": "there are no tenants: a random id is what lets one see a prediction (docs/access.md)",
}
"""Rows that this design has no place for, and why."""
