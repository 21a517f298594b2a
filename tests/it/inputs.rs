//! What transcripts and the systems around them do to a reader, by number, and the tests that prove that it does no harm.
//! No test is run from here; the list is kept complete and true.

use crate::parts::checkout;

/// Number, input, and the tests that have it.
const INPUTS: &[(u32, &str, &[&str])] = &[
    (
        1,
        "a last line without its line feed",
        &[
            "case_01_half_written_last_line",
            "half_a_line_waits_for_its_other_half",
            "a_last_line_without_newline_counts_once_it_has_rested",
            "a_line_left_without_newline_by_an_earlier_run_is_taken",
        ],
    ),
    (2, "a cut line with the next one behind it", &["case_02_spliced", "of_a_record_behind_the_remains_of_another"]),
    (3, "two records on one line", &["case_03_two_records_on_a_line", "of_two_records_on_one_line"]),
    (4, "runs of NUL bytes", &["case_04_nul_runs", "nothing_but_nul"]),
    (5, "a byte order mark", &["case_05_utf8_bom", "case_05_utf16", "utf16_is_refused_where_it_can_be_seen"]),
    (
        6,
        "other line ends, blank lines, blanks at the end",
        &["case_06_line_ends", "blank_lines_are_no_error", "around_a_record_do_not_matter"],
    ),
    (7, "bytes that are no UTF-8", &["case_07_invalid_utf8", "of_a_wrong_encoding_cost_nothing_but_themselves"]),
    (8, "half of a surrogate pair", &["case_08_lone_surrogates"]),
    (
        9,
        "lines of many megabytes",
        &[
            "case_09_long_line",
            "case_09_spaced_json",
            "of_a_very_long_line",
            "an_endless_line_is_passed_over_and_counted",
            "memory_is_given_back_after_a_long_line",
        ],
    ),
    (
        10,
        "a huge file without any usage",
        &["case_10_snapshots_only", "a_file_of_snapshots_is_read_in_turns", "a_large_file_gives_way_after_each_turn"],
    ),
    (11, "thousands of levels", &["case_11_deep_nesting", "nested_without_end"]),
    (12, "a key that occurs twice", &["case_12_duplicate_keys", "the_last_of_duplicates_counts"]),
    (13, "counts written as fractions or text", &["case_13_numbers_in_other_types"]),
    (14, "counts below zero", &["case_14_negative_numbers"]),
    (15, "counts beyond every measure", &["case_15_implausible", "with_impossible_numbers_are_put_aside"]),
    (16, "counts that are no numbers", &["case_16_no_numbers"]),
    (17, "usage that is no object", &["case_17_no_usage", "usage_of_other_types_is_no_usage"]),
    (18, "no model, or none that is text", &["case_18_no_model", "a_missing_model_is_unknown"]),
    (19, "lines that Claude Code makes up itself", &["case_19_synthetic_lines", "are_no_responses"]),
    (
        20,
        "words that nobody knows yet",
        &["case_20_unknown_words", "words_without_a_price_change_nothing_and_are_noted"],
    ),
    (21, "nulls where they do not matter", &["case_21_nulls_that_do_not_matter", "may_be_null_or_of_any_type"]),
    (22, "a cache split that does not add up", &["case_22_cache_creation"]),
    (23, "no time", &["case_23_no_timestamp", "a_missing_time_is_the_nearest_earlier_one"]),
    (24, "times in every form", &["case_24_timestamp_forms", "case_24_leap_second", "times_in_other_forms"]),
    (25, "times far ahead or long ago", &["case_25_far_times"]),
    (26, "times out of order", &["case_26_out_of_order", "d17_a_clock_that_is_a_year_behind_loses_nothing"]),
    (
        27,
        "a message in two files",
        &["case_27_same_message_in_two_files", "d5_the_history_is_a_function_of_the_set_of_claims"],
    ),
    (28, "a session in two projects", &["case_28_one_session_two_projects"]),
    (
        29,
        "a gateway with one id for everything",
        &["case_29_constant_message_id", "a_gateway_with_a_constant_id_is_told_apart_in_any_order"],
    ),
    (
        30,
        "directories, FIFOs and empty files with a transcript's name",
        &[
            "case_30_no_regular_files",
            "what_is_no_regular_file_is_left_alone",
            "only_regular_files_open_and_a_fifo_does_not_wait",
        ],
    ),
    (31, "other files beside transcripts", &["case_31_other_extensions", "transcripts_are_told_by_name"]),
    (
        32,
        "links that loop, lead out, or double",
        &["links_stay_inside_and_may_loop", "a_second_name_of_a_file_is_no_rename"],
    ),
    (
        33,
        "a file that shrinks",
        &["copying_and_truncating_loses_nothing", "a_file_that_shrinks_under_our_eyes_starts_over"],
    ),
    (
        34,
        "a file rewritten at the same size or a larger one",
        &["a_rewritten_file_is_read_from_its_start", "another_content_starts_over"],
    ),
    (35, "a file replaced by another", &["a_replaced_file_is_told_from_one_that_goes_on"]),
    (
        36,
        "a file or project with a new name",
        &[
            "a_renamed_file_goes_on_under_its_new_name",
            "a_moved_project_moves_its_files",
            "names_that_swap_are_seen_through",
        ],
    ),
    (
        37,
        "a file deleted while it is read",
        &["a_deleted_file_is_gone_until_it_comes_back", "a_file_that_goes_while_it_is_read_is_looked_at_again"],
    ),
    (38, "an inode that is used again", &["a_reused_inode_is_another_file"]),
    (
        39,
        "what may not be read",
        &["what_may_not_be_read_is_read_once_it_may", "what_cannot_be_read_costs_only_itself"],
    ),
    (
        40,
        "directories that come late or come again",
        &[
            "a_root_may_come_later_go_and_come_back",
            "d11_a_root_that_comes_later_is_found",
            "d11_a_root_that_is_replaced_is_followed",
        ],
    ),
    (
        41,
        "no events, or too many",
        &[
            "without_events_everything_is_found_by_scans",
            "a_system_without_watches_left_is_polled",
            "lost_events_lead_to_a_scan",
            "file_systems_of_other_kernels_are_network",
            "d08_a_storm_that_overflows_the_event_queue_loses_nothing",
        ],
    ),
    (
        42,
        "a file that another program keeps to itself for a while",
        &["failures_are_tried_again_ever_more_rarely", "what_may_not_be_read_is_read_once_it_may"],
    ),
    (
        43,
        "thousands of files at once",
        &["thousands_of_files_at_once_all_arrive", "nothing_is_counted_to_a_scraper_before_the_first_catch_up"],
    ),
    (
        44,
        "a kill in the middle",
        &[
            "d01_killed_at_every_call_of_an_import_nothing_is_lost_or_doubled",
            "d02_killed_at_random_while_transcripts_grow_nothing_is_lost_or_doubled",
        ],
    ),
    (
        45,
        "a database that is full, locked, damaged or newer",
        &[
            "d12_a_full_disk_degrades_and_then_loses_nothing",
            "d14_a_foreign_lock_delays_and_loses_nothing",
            "d15_zeroed_pages_are_repaired",
            "a_database_of_a_newer_version_is_refused_untouched",
        ],
    ),
    (
        46,
        "two services on one database",
        &["a_second_service_on_one_database_is_refused", "a_second_writer_is_refused_and_named"],
    ),
    (
        47,
        "names that are no text, or more than text",
        &[
            "case_47_hostile_names",
            "a_file_name_is_bytes",
            "hostile_model_names_stay_inside_their_label",
            "the_page_escapes_what_transcripts_say_and_needs_no_exception_from_the_policy",
            "names_cannot_steer_the_terminal",
        ],
    ),
    (48, "a message that is text", &["case_48_message_is_text"]),
    (49, "lines that are no objects", &["case_49_not_an_object", "that_are_json_but_no_object"]),
    (
        50,
        "statistics that are half written, empty, flat or of another version",
        &[
            "case_50_stats_cache_half_written",
            "case_50_stats_cache_empty",
            "case_50_stats_cache_flat_map",
            "case_50_stats_cache_wrapped_map",
            "case_50_stats_cache_null_tokens",
            "case_50_stats_cache_version_99",
            "half_a_file_is_tried_again",
        ],
    ),
    (51, "no session", &["case_51_no_session_id", "a_missing_session_is_the_file_s"]),
    (52, "a cost that cannot be", &["case_52_odd_cost"]),
    (
        53,
        "a session around midnight, in every zone",
        &["case_53_midnight_and_zones", "days_are_cut_in_the_zone_asked_for"],
    ),
];

#[test]
fn every_input_is_there_once_in_order() {
    assert!(INPUTS.iter().map(|(number, ..)| *number).eq(1..=53));
}

#[test]
fn every_input_has_tests_that_exist() {
    let mut sources = String::new();
    for folder in ["src", "tests"] {
        collect(&checkout().join(folder), &mut sources);
    }
    let exists = |test: &str| sources.contains(&format!("fn {test}(")) || sources.contains(&format!("    {test}: \""));
    for (number, input, tests) in INPUTS {
        assert!(!tests.is_empty(), "nothing proves {number}, {input}");
        let missing: Vec<_> = tests.iter().filter(|test| !exists(test)).collect();
        assert!(missing.is_empty(), "{number}, {input}: there is no {missing:?}");
    }
}

#[test]
fn every_numbered_fixture_is_listed() {
    let fixtures = std::fs::read_to_string(checkout().join("tests/it/fixtures.rs")).unwrap();
    let cases = fixtures.lines().filter_map(|line| line.trim().split_once(": \"")?.0.strip_prefix("case_"));
    for case in cases {
        let number: u32 = case.split('_').next().unwrap().parse().unwrap();
        let name = format!("case_{case}");
        let listed = INPUTS.iter().any(|(known, _, tests)| *known == number && tests.contains(&name.as_str()));
        assert!(listed, "{name} is not listed as a proof of {number}");
    }
}

fn collect(folder: &std::path::Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
