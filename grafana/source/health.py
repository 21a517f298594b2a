"""How claude-token-monitor itself is doing: reading, watching, sinks, database, HTTP, process."""

from model import (
    BAD, GOOD, WARN, choice, dashboard, data_source, lines, link, note, own, page, row, select, stat, states, steps,
    table, words,
)

YES_NO = words((0, "no", BAD), (1, "yes", GOOD))
UP_DOWN = words((0, "down", BAD), (1, "up", GOOD))
NONE = steps(GOOD, (1, WARN))
RANGE = "Over the time range of the dashboard."


def rate(name, by, more="", times=1):
    factor = f" * {times}" if times != 1 else ""
    return f"sum by ({by}) (rate({own(name, more)}[$__rate_interval])){factor}"


def grown(name, by, more=""):
    return f"sum by ({by}) (increase({own(name, more)}[$__rate_interval]))"


def quantiles(name, more="", by=""):
    legend = f"{{{{{by}}}}} " if by else ""
    spread = f"sum by ({by + ', ' if by else ''}le) (rate({own(name + '_bucket', more)}[$__rate_interval]))"
    shares = [(0.5, "half"), (0.95, "95 %"), (0.99, "99 %")]
    return [(f"histogram_quantile({share}, {spread})", legend + label) for share, label in shares]


def state():
    return row(
        "State",
        stat("Ready", "Whether everything that was on disk at the start is counted. Until then usage is withheld.", "none",
             [(f"min by (instance) ({own('ready')})", "{{instance}}")], mappings=YES_NO),
        stat("Troubles", "Things that need somebody. The page and /api/v1/health name them.", "none",
             f"sum({own('troubles')})", judged=steps(GOOD, (1, BAD)),
             links=[link("Health", "${page:raw}/api/v1/health", "What the troubles are")]),
        stat("Sinks that fail", "Sinks whose receiver is not reached, and those that are paused.", "none",
             f"count({own('sink_up')} == 0) or 0 * sum({own('ready')})", judged=steps(GOOD, (1, BAD))),
        stat("Running for", "Time since the last start.", "s",
             f"min(time() - {select('process_start_time_seconds')})"),
        stat("Last stored", "When something was last stored. Long ago is normal where nobody works.", "dateTimeFromNow",
             f"max({own('ingest_last_success_timestamp_seconds')}) * 1000"),
        stat("Newest response", "When the newest response was made.", "dateTimeFromNow",
             f"max({own('last_event_timestamp_seconds')}) * 1000"),
        states("State over time", "Ready: all that was there at the start is counted. Catch-up: the first one is stored.", [
            (f"min by (instance) ({own('ready')})", "{{instance}} ready"),
            (f"min by (instance) ({own('catchup_complete')})", "{{instance}} catch-up"),
        ], YES_NO, width=16),
        table("Builds", "What runs where.", ["instance", "version", "revision", "os", "arch"], [
            ("Running", "none", f"max by (instance, version, revision, os, arch) ({own('build_info')})"),
        ], "Running", width=8, height=6),
        opened=True,
    )


def ingest():
    read, due = own("catchup_processed_bytes"), own("catchup_bytes")
    return row(
        "Reading",
        lines("Lines a second", "Complete lines read, claims about responses in them, and responses that were new.", "short", [
            (rate("ingest_lines_total", "source"), "{{source}} lines"),
            (rate("ingest_claims_total", "source"), "{{source}} claims"),
            (rate("ingest_events_total", "source"), "{{source}} new"),
        ]),
        lines("From the file to the history", "Time from writing a line to having it stored.", "s",
              quantiles("ingest_lag_seconds"), calcs=("mean", "max")),
        lines("Lines not taken as they stood", "By reason. The program goes on behind each; what they held is not counted.",
              "short", [(grown("ingest_parse_errors_total", "source, reason"), "{{source}} {{reason}}")], stacked=True,
              calcs=("sum",)),
        lines("Known already, corrected, older than retention",
              "Claims that said nothing new, claims that changed a known response, and claims older than what is kept.",
              "short", [
                  (rate("ingest_duplicates_total", "source"), "{{source}} known"),
                  (rate("ingest_corrections_total", "source"), "{{source}} corrected"),
                  (rate("ingest_below_retention_total", "source"), "{{source}} too old"),
              ]),
        lines("Bytes a second", "Bytes of complete lines read.", "Bps",
              [(rate("ingest_read_bytes_total", "source"), "{{source}}")], width=8),
        lines("First catch-up", "Share of what was on disk at the start that has been read.", "percentunit",
              [(f"sum by (source) ({read}) / (sum by (source) ({due}) > 0)", "{{source}}")], width=8,
              calcs=("lastNotNull",), defaults={"min": 0, "max": 1}),
        lines("Oddities", "Iterations of an unknown type, which are not counted; lines whose time was estimated; failed "
              "requests that transcripts note.", "short", [
                  (grown("ingest_unknown_iterations_total", "source"), "{{source}} unknown iterations"),
                  (grown("ingest_estimated_times_total", "source"), "{{source}} estimated times"),
                  (grown("ingest_api_errors_total", "source"), "{{source}} API errors"),
              ], width=8, calcs=("sum",)),
        opened=True,
    )


def watching():
    polls = own("watch_mode", 'mode="poll"')
    return row(
        "Watching",
        states("How changes are noticed", "File events, or looking at every file now and then where events cannot be had.",
               [(f"max by (instance, source) ({polls})", "{{instance}} {{source}}")],
               words((0, "events", GOOD), (1, "polling", WARN))),
        lines("File events a second", "Events of the system about transcripts.", "short",
              [(rate("watch_events_total", "source"), "{{source}}")], height=6),
        lines("What events missed", "Errors of the watcher, events that the system dropped, and changes that only a scan "
              "found. Scans make up for all of them.", "short", [
                  (grown("watch_errors_total", "source"), "{{source}} errors"),
                  (grown("watch_overflows_total", "source"), "{{source}} dropped"),
                  (grown("watch_missed_total", "source"), "{{source}} found by a scan"),
                  (grown("io_errors_total", "source"), "{{source}} unreadable"),
              ], calcs=("sum",)),
        lines("Files", "Files that are followed, and files that were read once and are gone. Claude Code deletes transcripts "
              "after 30 days; the history keeps what they held.", "short", [
                  (f"sum by (source) ({own('tracked_files')})", "{{source}} followed"),
                  (f"sum by (source) ({own('missing_files')})", "{{source}} gone"),
              ], calcs=("lastNotNull",)),
        lines("Full scans a minute", "Scans of all directories.", "short",
              [(rate("watch_rescans_total", "source", times=60), "{{source}}")]),
    )


def sinks():
    last = own("sink_last_success_timestamp_seconds")
    return row(
        "Sinks",
        states("Sinks over time", "Up while what is sent arrives; down while it fails or is paused.",
               [(f"min by (instance, sink) ({own('sink_up')})", "{{instance}} {{sink}}")], UP_DOWN),
        lines("Changes that wait", "They are in the history and lose nothing by waiting.", "short",
              [(f"sum by (sink) ({own('sink_lag_events')})", "{{sink}}")], height=6, calcs=("lastNotNull", "max")),
        lines("How long they have waited", "Age of the oldest change that has not arrived.", "s",
              [(f"max by (sink) ({own('sink_lag_seconds')})", "{{sink}}")], calcs=("lastNotNull", "max")),
        lines("Changes that arrived a second", "Taken by the receiver.", "short", [(rate("sink_events_total", "sink"), "{{sink}}")]),
        lines("Tries that failed", "By kind: retryable ones pass, rejected ones become dead letters, config waits for you.",
              "short", [(grown("sink_send_failures_total", "sink, kind"), "{{sink}} {{kind}}")], stacked=True, calcs=("sum",)),
        lines("How long tries took", "Half of them, and 95 and 99 of a hundred.", "s",
              quantiles("sink_send_seconds", by="sink"), calcs=("mean",)),
        lines("Given up, left out, restarted", "Changes that were refused for good, changes that a sink's own settings left "
              "out, and starts after a panic.", "short", [
                  (grown("sink_dead_letters_total", "sink"), "{{sink}} dead letters"),
                  (grown("sink_dropped_events_total", "sink"), "{{sink}} left out"),
                  (grown("sink_restarts_total", "sink"), "{{sink}} restarts"),
              ], calcs=("sum",)),
        lines("Time since something arrived", "Grows where nobody works, too.", "s",
              [(f"min by (sink) (time() - {last})", "{{sink}}")], calcs=("lastNotNull",)),
    )


def database():
    return row(
        "Database and prices",
        lines("Size", "The database file.", "bytes", [(f"sum by (instance) ({own('db_size_bytes')})", "{{instance}}")], width=8,
              calcs=("lastNotNull",)),
        lines("Responses", "Responses in the database; retention removes old ones, and sums stay.", "short",
              [(f"sum by (instance) ({own('db_responses')})", "{{instance}}")], width=8, calcs=("lastNotNull",)),
        lines("Time of a transaction", "How long transactions took.", "s", quantiles("db_commit_seconds"), width=8,
              calcs=("mean",)),
        lines("Transactions a second", "Transactions that stored something.", "short",
              [(rate("ingest_commits_total", "instance"), "{{instance}}")]),
        lines("Locked by somebody else", "Times another program held the database.", "short",
              [(grown("db_busy_total", "instance"), "{{instance}}")], calcs=("sum",)),
        stat("Prices checked", "When the prices in force were last checked at their sources.", "dateTimeFromNow",
             f"min({own('price_table_timestamp_seconds')}) * 1000", width=8),
        stat("Repriced", f"Responses that were given another price. {RANGE}", "short",
             f"sum(increase({own('repriced_events_total')}[$__range]))", width=8),
        stat("Tokens without a price", f"Tokens of models that have no price. {RANGE}", "short",
             f"sum(increase({own('unpriced_tokens_total')}[$__range]))", width=8, judged=NONE),
    )


def http():
    return row(
        "HTTP and WebSocket",
        lines("Requests a second by route", "Requests answered.", "reqps", [(rate("http_requests_total", "route"), "{{route}}")],
              stacked=True),
        lines("Requests a second by status", "5xx is ours to look at, 4xx the client's.", "reqps",
              [(rate("http_requests_total", "code"), "{{code}}")], stacked=True),
        lines("Turned away", "Requests beyond the limit of their client, and logins that did not succeed.", "short", [
            (grown("http_rate_limited_total", "instance"), "{{instance}} over the limit"),
            (grown("login_failures_total", "instance"), "{{instance}} failed logins"),
        ], calcs=("sum",)),
        lines("WebSocket clients", "Clients that are connected.", "short",
              [(f"sum by (instance) ({own('ws_clients')})", "{{instance}}")], calcs=("lastNotNull", "max")),
        lines("WebSocket messages a second", "Sent to clients, and received from them.", "short", [
            (rate("ws_messages_sent_total", "instance"), "{{instance}} sent"),
            (rate("ws_messages_received_total", "instance"), "{{instance}} received"),
        ]),
        lines("WebSocket clients in difficulty", "Turned away because there were too many; too slow, and so given the present "
              "state instead of what they missed; ended.", "short", [
                  (grown("ws_refused_total", "instance"), "{{instance}} turned away"),
                  (grown("ws_lagged_total", "instance"), "{{instance}} too slow"),
                  (grown("ws_dropped_total", "instance"), "{{instance}} ended"),
              ], calcs=("sum",)),
    )


def process():
    open_, most = select("process_open_fds"), select("process_max_fds")
    return row(
        "Process",
        lines("Processor", "Share of one processor.", "percentunit",
              [(f"sum by (instance) (rate({select('process_cpu_seconds_total')}[$__rate_interval]))", "{{instance}}")], width=8),
        lines("Memory", "Memory that the process occupies.", "bytes",
              [(f"sum by (instance) ({select('process_resident_memory_bytes')})", "{{instance}}")], width=8),
        lines("File descriptors", "Share of those that the process may open.", "percentunit",
              [(f"max by (instance) ({open_} / {most})", "{{instance}}")], width=8),
    )


def build():
    started = select("process_start_time_seconds")
    prices = own("price_table_timestamp_seconds")
    return dashboard(
        "claude-token-monitor-health",
        "Claude Token Monitor health",
        "Whether claude-token-monitor reads, stores and sends everything, and what it needs for that.",
        [state(), ingest(), watching(), sinks(), database(), http(), process()],
        [
            data_source(),
            choice("job", "Job", "label_values(claude_token_monitor_build_info, job)"),
            choice("instance", "Instance", 'label_values(claude_token_monitor_build_info{job=~"$job"}, instance)'),
            page(),
        ],
        [
            note("Restarts", "blue", f"{started} * 1000", "Restart", "{{instance}}", own_time=True),
            note("Catching up", "yellow", f"{own('ready')} == bool 0", "Catching up", "{{instance}}"),
            note("Sinks that fail", "red", f"{own('sink_up')} == bool 0", "Sink down", "{{sink}} of {{instance}}"),
            note("Price table", "purple",
                 f"max by (job, instance) (changes({prices}[$__rate_interval])) > bool 0", "Another price table",
                 "{{instance}}: responses from here on are priced by another table"),
        ],
        [
            link("Live page", "${page:raw}/", "The program's own page, live"),
            link("Health", "${page:raw}/api/v1/health", "What the program says of itself"),
        ],
        span="now-6h",
    )
